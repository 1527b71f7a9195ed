"""The errors a user can meet, all below ConvvizError."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence

from .text import printable


class ConvvizError(Exception):
    """Anything convviz refuses to do, with the reason and what is allowed instead.

    As text it is safe to print: messages quote names and reasons that others have written.
    """

    def __str__(self) -> str:
        return "\n".join(map(printable, super().__str__().split("\n")))


class ConvvizWarning(UserWarning):
    """Something that is allowed but that a reader of the result must know."""


class UnknownNameError(ConvvizError, LookupError):
    """A layer, target, parameter or plugin of that name does not exist.

    The message names the closest existing ones.
    """

    def __init__(self, kind: str, given: object, known: Iterable[str]) -> None:
        self.kind, self.given, self.known = kind, given, tuple(known)
        super().__init__(f"unknown {kind} {given!r}; {suggest(kind, str(given), self.known)}")


class ParameterError(ConvvizError, ValueError):
    """A parameter has a value that is not allowed."""


class TargetError(ConvvizError, ValueError):
    """A target does not fit the model or the images."""


class ImageError(ConvvizError, ValueError):
    """A file is not an image that can be read; the message names the file and the reason."""


class ModelError(ConvvizError):
    """A model cannot be loaded, or cannot be explained in the way asked for."""


class PluginError(ConvvizError):
    """A plugin broke its contract; raised from the plugin's own exception where there is one."""


def message_of(error: BaseException) -> str:
    """Return the message of an exception, also where its `__str__` raises."""
    try:
        return str(error)
    except KeyboardInterrupt:
        raise
    except BaseException as second:
        return f"(it has no message: its __str__ raises {type(second).__name__})"


def first_line(error: BaseException, limit: int = 200) -> str:
    """Return the type of an exception and the first line of its message."""
    lines = [line.strip() for line in message_of(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0]}"[:limit] if lines else type(error).__name__


_SEPARATORS = re.compile(r"[\W_]+")

METHODS = {
    "gradcam": "Grad-CAM",
    "gradcampp": "Grad-CAM++",
    "gradcamplusplus": "Grad-CAM++",
    "guidedgradcam": "Guided Grad-CAM",
    "cam": "CAM",
    "layercam": "LayerCAM",
    "hirescam": "HiResCAM",
    "scorecam": "Score-CAM",
    "eigencam": "Eigen-CAM",
    "ablationcam": "Ablation-CAM",
    "xgradcam": "XGrad-CAM",
    "lime": "LIME",
    "shap": "SHAP",
    "gradientshap": "GradientSHAP",
    "kernelshap": "KernelSHAP",
    "deepshap": "DeepSHAP",
    "integratedgradients": "Integrated gradients",
    "ig": "Integrated gradients",
    "expectedgradients": "Expected gradients",
    "inputxgradient": "Input times gradient",
    "gradienttimesinput": "Input times gradient",
    "deeplift": "DeepLIFT",
    "lrp": "LRP",
    "rise": "RISE",
    "xrai": "XRAI",
    "featurevisualization": "Feature visualization",
    "activationmaximization": "Activation maximization",
    "deepdream": "DeepDream",
    "networkdissection": "Network dissection",
    "tcav": "TCAV",
    "rollout": "Attention rollout",
}
"""Methods that users of similar tools look for, by their name without separators."""

OTHER_NAMES = {
    "smoothgrad": ("saliency", "SmoothGrad is 'saliency' with samples above 0"),
    "vanillagradient": ("saliency", "the plain gradient is 'saliency'"),
    "vanillagradients": ("saliency", "the plain gradient is 'saliency'"),
    "gradient": ("saliency", "the plain gradient is 'saliency'"),
    "gradients": ("saliency", "the plain gradient is 'saliency'"),
    "backprop": ("saliency", "the plain gradient is 'saliency'"),
    "deconv": ("guided_backprop", "deconvnets are 'guided_backprop' with rule='deconv'"),
    "deconvnet": ("guided_backprop", "deconvnets are 'guided_backprop' with rule='deconv'"),
    "deconvolution": ("guided_backprop", "deconvnets are 'guided_backprop' with rule='deconv'"),
    "tsne": ("embedding", "t-SNE is 'embedding'"),
    "pca": ("embedding", "PCA is 'embedding' with method='pca'"),
    "umap": ("embedding", "UMAP is not included; 'embedding' lays out by t-SNE or PCA"),
    "knn": ("neighbors", "nearest images are 'neighbors'"),
    "nearest": ("neighbors", "nearest images are 'neighbors'"),
    "similar": ("neighbors", "nearest images are 'neighbors'"),
    "featuremaps": ("activations", "feature maps are 'activations'"),
    "kernels": ("filters", "kernels are 'filters'"),
    "weights": ("filters", "weights of convolutions are 'filters'"),
    "maxactivating": ("patches", "the images that fire a unit most are 'patches'"),
    "occlude": ("occlusion", "covering parts of the image is 'occlusion'"),
    "sensitivity": ("occlusion", "covering parts of the image is 'occlusion'"),
    "segmentation": ("grabcut", "the segmentation of the object is 'grabcut'"),
}
"""What users call an explainer -> the explainer's name, and a sentence about it."""


def suggest(kind: str, given: str, known: tuple[str, ...]) -> str:
    """Return what to write instead of an unknown name."""
    text = closest(given, known)
    if kind == "layer" and text.endswith(" more"):
        return f"{text}; `convviz layers MODEL` lists all"
    if kind != "explainer":
        return text
    bare = _bare(given)
    name, sentence = OTHER_NAMES.get(bare, ("", ""))
    if name in known:
        return sentence
    if bare in METHODS and bare not in map(_bare, known):
        return f"{METHODS[bare]} is not included yet; {_listing(known)}"
    return text


def closest(given: str, known: tuple[str, ...], count: int = 6) -> str:
    """Return the known names that come closest to the given one, as a phrase.

    Names that hold the given one, or that it holds, come before those spelled alike.
    """
    if not known:
        return "there are none"
    near = _alike(given, known)
    return _listing(near, "closest", count) if near else _listing(known)


def _listing(names: Sequence[str], title: str = "known", count: int = 12) -> str:
    """Return the first names as a phrase that counts the others."""
    shown = ", ".join(repr(name) for name in names[:count])
    return f"{title}: {shown}" + (f" and {len(names) - count} more" if len(names) > count else "")


def _alike(given: str, known: tuple[str, ...]) -> list[str]:
    """Return the known names like the given one, the most alike first."""
    parts, folded = _parts(given), given.casefold().strip()
    ranks: dict[str, int] = {}
    for name in known:
        rank = _rank(parts, folded, name)
        if rank is not None:
            ranks.setdefault(name, rank)
    # A stable sort keeps the order of `known`; of parts of the given name the longest is first.
    held = sorted(ranks, key=lambda name: (ranks[name], -len(name) if ranks[name] == 4 else 0))
    by_word = [name for name in held if ranks[name] <= 1]
    typos = [] if by_word else _spelled_alike(folded, known, 0.75 if held else 0.6)
    return list(dict.fromkeys([*by_word, *typos, *held]))


def _spelled_alike(folded: str, known: tuple[str, ...], cutoff: float) -> list[str]:
    names = {name.casefold(): name for name in reversed(known)}
    matches = difflib.get_close_matches(folded, list(names), n=3, cutoff=cutoff)
    return [names[match] for match in matches]


def _rank(parts: list[str], folded: str, name: str) -> int | None:
    """Return how a known name holds the given one, 0 for the same words; None where it does not."""
    words = _parts(name)
    if not parts or not words:
        return None
    if words == parts:
        return 0
    if _holds(words, parts):
        return 1
    if name.casefold().startswith(folded):
        return 2
    if len(folded) >= 3 and folded in name.casefold():
        return 3
    return 4 if len("".join(words)) >= 3 and _holds(parts, words) else None


def _holds(words: list[str], part: list[str]) -> bool:
    """Return whether some words come one after the other among others."""
    return any(words[i : i + len(part)] == part for i in range(len(words) - len(part) + 1))


def _parts(name: str) -> list[str]:
    return [part for part in _SEPARATORS.split(name.casefold()) if part]


def _bare(name: str) -> str:
    return "".join(_parts(name.replace("++", "pp")))
