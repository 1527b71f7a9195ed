"""Explanation: a Result with its provenance. It saves, loads and shows itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from ..errors import ConvvizError
from ..plugin import registry
from ..results.json_codec import decode
from . import display, result_folder
from .content import ExplanationContent


@dataclass(frozen=True, eq=False, repr=False)
class Explanation(ExplanationContent):
    """The result of one explainer, with its provenance; it can be saved, loaded and shown.

    See `ExplanationContent` for the attributes.
    """

    def save(self, folder: str | Path) -> Path:
        """Write `explanation.json`, `arrays.safetensors` and the pictures into a folder.

        What an earlier save wrote there is replaced all at once; other files stay.
        """
        result_folder.write(self, Path(folder))
        return Path(folder)

    def equals(self, other: Explanation) -> bool:
        """Return whether two explanations hold the same, bit for bit (NaN equals NaN)."""
        mine, theirs = _content(self), _content(other)
        return mine == theirs

    def describe(self) -> str:
        """Say in plain text what was explained, with which parameters, and what came out."""
        return display.describe(self)

    def show(self) -> None:
        """Show the pictures: in the notebook, or else in the browser or as a file to open."""
        display.show(self)

    def __repr__(self) -> str:
        return f"<Explanation {self.describe().splitlines()[0]}>"

    def _repr_html_(self) -> str:
        return display.to_html(self)

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
    document, arrays = result_folder.read(path)
    try:
        return _build(path, document, arrays)
    except ConvvizError:
        raise
    except Exception as error:  # the folder may be anybody's
        raise ConvvizError(f"{path / result_folder.JSON_NAME} is damaged: {error!r}") from error


def _build(path: Path, document: dict[str, Any], arrays: dict[str, Tensor]) -> Explanation:
    saved = decode(document["explainer"], arrays)
    explainer, missing = _rebuild(saved)
    return Explanation(
        result=result_folder.result_from(document, arrays, path),
        explainer=explainer,
        name=saved["name"],
        layer=document["layer"],
        model=decode(document["model"], arrays),
        target=tuple(result_folder.target_from(t) for t in decode(document["target"], arrays)),
        items=result_folder.items_from(document, arrays, path),
        pixels=arrays.get(result_folder.PIXELS),
        versions=decode(document["versions"], arrays),
        saved=saved,
        missing=missing,
    )


def _rebuild(saved: Mapping[str, Any]) -> tuple[Any, str]:
    """Return the explainer, or None and the reason."""
    name = saved["name"]
    full = f"{saved['distribution']}:{name}" if saved["distribution"] else name
    try:
        return registry.explainer(full, **saved["parameters"]), ""
    except Exception as error:  # a plugin may check its parameters in any way
        return None, str(error) or type(error).__name__


def _content(explanation: Explanation) -> tuple[dict[str, Any], bytes, Mapping[str, bytes]]:
    arrays = {"values": explanation.values, **explanation.result.arrays}
    if explanation.pixels is not None:
        arrays[result_folder.PIXELS] = explanation.pixels
    document = result_folder.to_json(explanation, arrays)
    files = explanation.result.files.items()
    packed = {
        n: f if isinstance(f, bytes) else repr(f.dtype).encode() + f.tobytes() for n, f in files
    }
    return document, result_folder.pack(arrays), packed
