"""Explanations as text, as HTML for a notebook, and on the screen."""

from __future__ import annotations

import base64
import html
import os
import re
import sys
import tempfile
import webbrowser
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor
from torch import bool as torch_bool

from ..errors import ConvvizError, printable
from ..results.types import Matches

if TYPE_CHECKING:
    from .content import ExplanationContent

_STYLE = "font: 14px/1.5 system-ui, sans-serif; max-width: 60rem"
WIDTH_BESIDE = 5.6
"""Inches of pictures that are shown beside others."""

NAMES_SHOWN = 8
"""Names of a list that are written out; the others are counted."""


def describe(explanation: ExplanationContent) -> str:
    """Return a description in plain text: subject, parameters, arrays, measures and notes."""
    result = explanation.result
    lines = [title(explanation)]
    lines += [f"  {name}: {text}" for name, text in _facts(explanation)]
    lines += [f"  {line}" for line in list_matches(explanation)]
    lines.append(f"  values: {_array(result.values, result.unit)}")
    lines += [f"  {name}: {_array(array)}" for name, array in result.arrays.items()]
    lines += [f"  {name}: {in_words(value)}" for name, value in result.measures.items()]
    lines += [f"  note: {note}" for note in result.notes]
    # Names and notes may hold control characters, which a terminal would execute.
    return "\n".join(map(printable, lines))


def list_matches(explanation: ExplanationContent) -> list[str]:
    """Return lines with the nearest images of each query image; empty without queries."""
    result = explanation.result
    if not isinstance(result, Matches):
        return []
    lines = []
    for i, neighbours in enumerate(result.found):
        source = explanation.items[i].source if i < len(explanation.items) else ""
        lines.append(f"nearest to {source or f'image {i + 1}'}, by {result.unit}:")
        for match in neighbours:
            of_class = f"  ({match['class']})" if "class" in match else ""
            lines.append(f"  {match['distance']:<9.4g} {match['id']}{of_class}")
    return lines


def title(explanation: ExplanationContent) -> str:
    """Return one line with explainer, layer, images, targets and model."""
    parts = [explanation.name + (f" of {explanation.layer}" if explanation.layer else "")]
    if len(explanation.items) > NAMES_SHOWN:
        parts.append(f"{len(explanation.items)} images")
    elif explanation.items:
        parts.append(", ".join(item.source for item in explanation.items))
    if explanation.target:
        parts.append(_first_names(list(explanation.scene.targets)))
    if explanation.model.get("name"):
        parts.append(str(explanation.model["name"]))
    return " · ".join(parts)


def in_words(value: Any) -> str:
    """Return a parameter or measure as a short text."""
    match value:
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.4g}"
        case Tensor():
            return _array(value)
        case Mapping():
            entries = [f"{k} {in_words(v)}" for k, v in value.items()]
            return _first_names(entries) if entries else "none"
        case list() | tuple():
            return _first_names([in_words(v) for v in value]) if value else "none"
    return str(value)


def to_html(explanation: ExplanationContent, width: float = 0.0) -> str:
    """Return an HTML fragment with embedded pictures, for a notebook.

    Args:
        explanation: the explanation.
        width: width of the pictures in inches; 0 for that of saved pictures.
    """
    parts = [f"<p><strong>{html.escape(title(explanation))}</strong></p>"]
    try:
        pictures = explanation.narrow_pictures(width) if width else explanation.pictures()
    except ConvvizError as error:
        if explanation.deferred is None:
            raise
        # The photos of a run may be gone; the notes are shown all the same.
        pictures = []
        parts.append(f"<p>No pictures: {html.escape(str(error))}</p>")
    for picture in pictures:
        data = base64.b64encode(picture.png).decode("ascii")
        caption = html.escape(picture.caption)
        parts.append(
            f'<figure style="margin: 0 0 1rem"><img alt="{caption or html.escape(picture.name)}"'
            f' style="max-width: 100%; background: #fff" src="data:image/png;base64,{data}">'
            f"<figcaption>{caption}</figcaption></figure>"
        )
    notes = "".join(f"<li>{html.escape(note)}</li>" for note in explanation.result.notes)
    if notes:
        parts.append(f"<ul>{notes}</ul>")
    return f'<div style="{_STYLE}">{"".join(parts)}</div>'


def side_by_side(explanations: Sequence[ExplanationContent]) -> str:
    """Return an HTML fragment with several explanations beside each other, for a notebook."""
    cells = "".join(
        f'<div style="flex: 0 1 auto; max-width: {WIDTH_BESIDE + 0.5}in">'
        f"{to_html(explanation, WIDTH_BESIDE)}</div>"
        for explanation in explanations
    )
    return f'<div style="display: flex; flex-wrap: wrap; gap: 1rem">{cells}</div>'


def show(explanation: ExplanationContent) -> None:
    """Show the pictures in the notebook, or in the browser on a page whose path is printed.

    Without a screen (on a server, in a container) the page is only written.
    """
    if in_notebook():
        from IPython.display import display

        display(explanation)
        return
    page = _write_page(explanation)
    if has_screen() and webbrowser.open(page.as_uri()):
        print(f"opened {page}")
    else:
        print(f"open {page} in a browser to see it")


def in_notebook() -> bool:
    """Return whether this process is a Jupyter kernel, which shows pictures inline."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and hasattr(shell, "kernel")


def has_screen() -> bool:
    """Return whether there is a screen."""
    if sys.platform in ("darwin", "win32"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _write_page(explanation: ExplanationContent) -> Path:
    stem = re.sub(r"[^A-Za-z0-9]+", "-", explanation.name).strip("-")
    page = Path(tempfile.mkdtemp(prefix="convviz-")) / f"{stem or 'explanation'}.html"
    head = f"<!doctype html><meta charset=utf-8><title>{html.escape(title(explanation))}</title>"
    page.write_text(head + to_html(explanation), encoding="utf-8")
    return page


def _facts(explanation: ExplanationContent) -> Iterator[tuple[str, str]]:
    record = explanation.record
    if record["distribution"]:
        yield "from", f"{record['distribution']} {record['version']}".strip()
    if explanation.missing:
        yield "explainer not loaded", explanation.missing
    if record["parameters"]:
        pairs = (f"{name}={in_words(value)}" for name, value in record["parameters"].items())
        yield "parameters", ", ".join(pairs)


def _array(array: Tensor, unit: str = "") -> str:
    text = f"{list(array.shape)} {str(array.dtype).removeprefix('torch.')}"
    if unit:
        text += f", {unit}"
    if array.dtype == torch_bool:
        return text + f", {int(array.sum())} of {array.numel()} true"
    finite = array[array.isfinite()]
    if finite.numel() and not array.is_complex():
        low, high = finite.min().item(), finite.max().item()
        text += f", from {in_words(low)} to {in_words(high)}"
    missing = array.numel() - finite.numel()
    return text + (f", {missing} not finite" if missing else "")


def _first_names(words: list[str]) -> str:
    """Join names; of many only the first, with the number of the others."""
    shown = ", ".join(words[:NAMES_SHOWN])
    return shown + (f" and {len(words) - NAMES_SHOWN} more" if len(words) > NAMES_SHOWN else "")
