"""Explanation: a Result with its provenance, which can be saved, loaded and shown."""

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

        The files of an earlier save are replaced atomically; other files are kept.
        """
        result_folder.write(self, Path(folder))
        return Path(folder)

    def equals(self, other: Explanation) -> bool:
        """Return whether two explanations are equal bit for bit (NaN equals NaN)."""
        return _content(self) == _content(other)

    def describe(self) -> str:
        """Return a description in plain text: subject, parameters, arrays, measures and notes."""
        return display.describe(self)

    def show(self) -> None:
        """Show the pictures in the notebook or in the browser; without a screen, write a page."""
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

    The explainer is rebuilt through the registry. If that fails (because its plugin is not
    installed), everything else is loaded and `missing` holds the reason.

    Raises:
        ConvvizError: the folder holds no explanation, a damaged one, or one of another schema;
            the message names the file.
    """
    path = Path(folder)
    document, arrays = result_folder.read(path)
    try:
        return _build(path, document, arrays)
    except ConvvizError:
        raise
    except Exception as error:  # anybody may have written the folder
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
    except Exception as error:  # a plugin may raise anything
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
