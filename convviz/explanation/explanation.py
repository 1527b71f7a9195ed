"""Explanation: a Result with its provenance, which can be saved, loaded and shown."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor

from ..errors import ConvvizError, ConvvizWarning
from ..plugin import registry
from ..render import DPI, file_type
from ..results.json_codec import decode
from ..results.types import Result
from ..storage.table_formats import arrow_table, to_pandas
from . import display, result_folder
from .columns import columns_of
from .content import ExplanationContent


@dataclass(frozen=True, eq=False, repr=False)
class Explanation(ExplanationContent):
    """The result of one explainer, with its provenance; it can be saved, loaded and shown.

    See `ExplanationContent` for the attributes.
    """

    def save(
        self, folder: str | Path, *, format: str = "png", title: bool = True, dpi: float = DPI
    ) -> Path:
        """Write `explanation.json`, `arrays.safetensors` and the pictures into a folder.

        The files of an earlier save are replaced atomically; other files are kept.

        Args:
            folder: the folder.
            format: format of the pictures: "png", "svg" or "pdf". Text stays text in the last two.
            title: draw the title above the panels and the notes below them.
            dpi: pixels per inch; in vector formats, of the photos and maps inside.
        """
        file_type(format, dpi)  # an error before anything is written
        drawn = replace(self, result=self._result_to_save(), deferred=None)
        result_folder.write(drawn, Path(folder), partial(drawn.pictures, format, title, dpi))
        return Path(folder)

    def _result_to_save(self) -> Result:
        """Return the result with its pictures, or without them if they cannot be drawn."""
        try:
            return self.drawn
        except ConvvizError as error:
            warnings.warn(f"saved without pictures: {error}", ConvvizWarning, stacklevel=3)
            return self.result

    def equals(self, other: Explanation) -> bool:
        """Return whether two explanations are equal bit for bit (NaN equals NaN)."""
        return _content(self) == _content(other)

    def describe(self) -> str:
        """Return a description in plain text: subject, parameters, arrays, measures and notes."""
        return display.describe(self)

    def show(self) -> None:
        """Show the pictures in the notebook or in the browser; without a screen, write a page."""
        display.show(self)

    def to_arrow(self, classes: Sequence[str] = ()) -> Any:
        """Return the result as an Arrow table, see `to_pandas`.

        Args:
            classes: names of the labels of the items, if the result does not hold them.
        """
        return arrow_table(columns_of(self, classes))

    def to_pandas(self, classes: Sequence[str] = ()) -> Any:
        """Return the result as a pandas data frame with one row per value.

        The rows are units and ranks for patches, channels for statistics, images and ranks for
        neighbors, images for embedding, filters for filters, images and channels for activations,
        and pixels for maps. Images are named by their index, id, label and class.

        Args:
            classes: names of the labels of the items, if the result does not hold them.

        Raises:
            ConvvizError: pandas is not installed.
        """
        return to_pandas(self.to_arrow(classes))

    def __repr__(self) -> str:
        return f"<Explanation {self.describe().splitlines()[0]}>"

    def _repr_html_(self) -> str:
        return display.to_html(self)

    def _repr_png_(self) -> bytes | None:
        try:
            pictures = self.pictures()
        except ConvvizError:  # `_repr_html_` shows the reason
            return None
        return pictures[0].png if pictures else None


class ExplanationList(list[Explanation]):
    """A list of explanations, which a notebook shows side by side."""

    def __repr__(self) -> str:
        return f"[{', '.join(map(repr, self))}]"

    def _repr_html_(self) -> str:
        return display.side_by_side(self)


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
