"""The overview page: one `index.html` over all saved explanations below a folder.

The page opens from disk without a network: styles are inside, pictures are found by relative
paths, and there is no script.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..errors import ConvvizError
from ..storage import durable_file
from ..storage.untrusted_files import MissingFileError, open_regular
from .cards import Card, Problem, Shown, collect

__all__ = ["Card", "Problem", "Shown", "collect", "page_path", "write_report"]

GENERATOR = "convviz report"
PAGE_NAME = "index.html"
OTHER_NAME = "convviz.html"


def write_report(
    folder: str | Path, *, title: str = "", intro: str = "", order: Sequence[str] = ()
) -> Path:
    """Write the overview page of all explanations saved below a folder.

    Args:
        folder: where to look, at any depth; the page lies at its top.
        title: heading of the page; the folder's name where empty.
        intro: a sentence or two under the heading.
        order: names of explainers in the order to show them; others follow by name.

    Returns:
        The page: `index.html`, or `convviz.html` where the folder has an `index.html` that
        convviz did not write.
    """
    from .page import fill

    root = Path(folder)
    cards, problems = collect(root, order)
    text = fill(title or root.resolve().name, intro, cards, problems)
    page = page_path(root)
    # A lone surrogate (of a file name that is not UTF-8) has no other way into a page.
    durable_file.write(page, text.encode("utf-8", "xmlcharrefreplace"))
    return page


def page_path(root: Path) -> Path:
    """Return where the page of a folder is, or would be written."""
    try:
        with open_regular(root, PAGE_NAME) as file:
            head = file.read(2000)
    except MissingFileError:
        return root / PAGE_NAME
    except ConvvizError:  # no file of convviz's
        head = b""
    return root / (PAGE_NAME if GENERATOR.encode() in head else OTHER_NAME)
