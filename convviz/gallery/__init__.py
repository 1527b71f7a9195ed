"""The overview page: one `index.html` for all explanations saved below a folder.

The page opens from disk without a network: it holds its styles, refers to pictures by relative
paths, and has no script.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..errors import ConvvizError
from ..storage import durable_file
from ..storage.untrusted_files import MissingFileError, open_regular
from .cards import Card, Problem, SavedResult, collect

__all__ = ["Card", "Problem", "SavedResult", "collect", "page_path", "write_report"]

GENERATOR = "convviz report"
PAGE_NAME = "index.html"
OTHER_NAME = "convviz.html"


def write_report(
    folder: str | Path,
    *,
    title: str = "",
    intro: str = "",
    order: Sequence[str] = (),
    hint: str = "",
) -> Path:
    """Write the overview page of all explanations saved below a folder.

    Args:
        folder: the folder; explanations at any depth are included, and the page is written to it.
        title: heading of the page; the name of the folder if empty.
        intro: a sentence or two under the heading.
        order: names of explainers in the order of the page; others follow by name.
        hint: a sentence that takes the place of pictures if no result has any.

    Returns:
        The path of the page: `index.html`, or `convviz.html` if the folder has an `index.html`
        that convviz did not write.
    """
    from .page import fill

    root = Path(folder)
    cards, problems = collect(root, order)
    has_pictures = any(result.pictures for card in cards for result in card.results)
    hint = "" if has_pictures else hint
    text = fill(title or root.resolve().name, intro, cards, problems, hint)
    page = page_path(root)
    # A file name that is not UTF-8 has lone surrogates, which only a character reference can hold.
    durable_file.write(page, text.encode("utf-8", "xmlcharrefreplace"))
    return page


def page_path(root: Path) -> Path:
    """Return the path of the overview page of a folder, whether it exists or not."""
    try:
        with open_regular(root, PAGE_NAME) as file:
            head = file.read(2000)
    except MissingFileError:
        return root / PAGE_NAME
    except ConvvizError:  # a link or a device: not written by convviz
        head = b""
    return root / (PAGE_NAME if GENERATOR.encode() in head else OTHER_NAME)
