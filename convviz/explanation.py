"""Explanation: a Result with its provenance. It saves, loads and shows itself."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from torch import Tensor

from . import leaf
from .codec import decode
from .errors import ConvvizError
from .images import Item
from .names import folder_name
from .render import Picture, Scene, render
from .results import Result
from .targets import Target


@dataclass(frozen=True, eq=False, repr=False)
class Explanation:
    """What one explainer found, and everything needed to say how.

    Attributes:
        result: the arrays.
        explainer: the explainer itself, with its parameters; None where it could not be loaded.
        name: the explainer's registered name.
        layer: the layer it is about, or "".
        model: name, weights hash and labels of the model.
        target: resolved targets, one an image.
        items: the images; an ItemTable where a run's table holds them.
        pixels: uint8 `[N, H, W, 3]`, what the model saw.
        versions: distribution -> version.
        saved: the explainer as `explanation.json` names it, for a loaded explanation.
        missing: why `explainer` is None after loading.
    """

    result: Result
    explainer: Any
    name: str
    layer: str = ""
    model: dict[str, Any] = field(default_factory=dict)
    target: tuple[Target, ...] = ()
    items: Sequence[Item] = ()
    pixels: Tensor | None = None
    versions: dict[str, str] = field(default_factory=dict)
    saved: Mapping[str, Any] | None = None
    missing: str = ""

    @property
    def values(self) -> Tensor:
        """The main array."""
        return self.result.values

    def __getitem__(self, name: str) -> Tensor:
        return self.result[name]

    @property
    def parameters(self) -> dict[str, Any]:
        """The explainer's parameters."""
        return dict(self.record["parameters"])

    @cached_property
    def record(self) -> dict[str, Any]:
        """The explainer in plain words: name, distribution, version, summary, parameters."""
        if self.saved is not None:
            return dict(self.saved)
        if self.explainer is None:
            unknown = {"distribution": "", "version": "", "summary": "", "parameters": {}}
            return {"name": self.name, **unknown}
        distribution, version = _origin(self.explainer)
        return {
            "name": self.name,
            "distribution": distribution,
            "version": version,
            "summary": _summary(type(self.explainer)),
            "parameters": self.explainer.model_dump(),
        }

    @property
    def place(self) -> Path:
        """Where it goes below a folder of results: `<explainer>[/<layer>]`."""
        layer = (folder_name(self.layer),) if self.layer else ()
        return Path(folder_name(self.name), *layer)

    @property
    def scene(self) -> Scene:
        """What the pictures need to know beside the result."""
        return Scene(
            explainer=self.name,
            layer=self.layer,
            model=str(self.model.get("name", "")),
            photos=self.pixels,
            names=tuple(item.source for item in self.items),
            targets=tuple(
                f"{t.label} ({'score' if t.unit is None else 'activation'} {t.score:.2f})"
                for t in self.target
            ),
        )

    def pictures(self) -> list[Picture]:
        """Draw the result."""
        return list(self._pictures)

    @cached_property
    def _pictures(self) -> list[Picture]:
        try:
            return render(self.result, self.scene)
        except Exception as error:
            if self.saved is None or isinstance(error, ConvvizError):
                raise
            # What was loaded may be anybody's: its arrays need not fit together.
            reason = f"{type(error).__name__}: {error}"
            raise ConvvizError(f"the result of {self.name} cannot be drawn: {reason}") from error

    def save(self, folder: str | Path) -> Path:
        """Write `explanation.json`, `arrays.safetensors` and the pictures into a folder.

        What an earlier save wrote there is replaced all at once; other files stay.
        """
        leaf.write(self, Path(folder))
        return Path(folder)

    def equals(self, other: Explanation) -> bool:
        """Return whether two explanations hold the same, bit for bit (NaN equals NaN)."""
        mine, theirs = _content(self), _content(other)
        return mine == theirs

    def describe(self) -> str:
        """Say in plain text what was explained, with which parameters, and what came out."""
        from .showing import describe

        return describe(self)

    def show(self) -> None:
        """Show the pictures: in the notebook, or else in the browser or as a file to open."""
        from .showing import show

        show(self)

    def __repr__(self) -> str:
        return f"<Explanation {self.describe().splitlines()[0]}>"

    def _repr_html_(self) -> str:
        from .showing import to_html

        return to_html(self)

    def _repr_png_(self) -> bytes | None:
        pictures = self.pictures()
        return pictures[0].png if pictures else None


def load(folder: str | Path) -> Explanation:
    """Load an Explanation from the folder it was saved in.

    The explainer is rebuilt through the registry. Where that fails (its plugin is not
    installed here), everything else loads all the same, and `missing` says why.

    Raises:
        ConvvizError: where the folder holds no explanation, a damaged one, or one that another
            version of convviz wrote; the message names the file.
    """
    path = Path(folder)
    document, arrays = leaf.read(path)
    try:
        return _build(path, document, arrays)
    except ConvvizError:
        raise
    except Exception as error:  # the folder may be anybody's
        raise ConvvizError(f"{path / leaf.JSON_NAME} is damaged: {error!r}") from error


def _build(path: Path, document: dict[str, Any], arrays: dict[str, Tensor]) -> Explanation:
    saved = decode(document["explainer"], arrays)
    explainer, missing = _rebuild(saved)
    return Explanation(
        result=leaf.result_from(document, arrays, path),
        explainer=explainer,
        name=saved["name"],
        layer=document["layer"],
        model=decode(document["model"], arrays),
        target=tuple(leaf.target_from(t) for t in decode(document["target"], arrays)),
        items=leaf.items_from(document, arrays, path),
        pixels=arrays.get(leaf.PIXELS),
        versions=decode(document["versions"], arrays),
        saved=saved,
        missing=missing,
    )


def _origin(explainer: Any) -> tuple[str, str]:
    """Return distribution and version of an explainer, empty for one that no plugin brings."""
    from .registry import identify

    try:
        identity = identify(explainer)
    except ConvvizError:
        return "", ""
    return identity.distribution or "", identity.version or ""


def _rebuild(saved: Mapping[str, Any]) -> tuple[Any, str]:
    """Return the explainer, or None and the reason."""
    from .registry import explainer

    name = saved["name"]
    full = f"{saved['distribution']}:{name}" if saved["distribution"] else name
    try:
        return explainer(full, **saved["parameters"]), ""
    except Exception as error:  # a plugin may check its parameters in any way
        return None, str(error) or type(error).__name__


def _content(explanation: Explanation) -> tuple[dict[str, Any], bytes, Mapping[str, bytes]]:
    arrays = {"values": explanation.values, **explanation.result.arrays}
    if explanation.pixels is not None:
        arrays[leaf.PIXELS] = explanation.pixels
    document = leaf.to_json(explanation, arrays)
    files = explanation.result.files.items()
    packed = {
        n: f if isinstance(f, bytes) else repr(f.dtype).encode() + f.tobytes() for n, f in files
    }
    return document, leaf.pack(arrays), packed


def _summary(cls: type) -> str:
    """Return the first paragraph of a docstring."""
    return " ".join((inspect.getdoc(cls) or "").split("\n\n")[0].split())
