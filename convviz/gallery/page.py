"""Fills the HTML template of the overview page."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from .cards import Card, Problem

if TYPE_CHECKING:
    from jinja2 import Template

PICTURES_SHOWN = 4
"""Pictures of a result that are shown; further ones are links."""


def fill(
    title: str, intro: str, cards: Sequence[Card], problems: Sequence[Problem], hint: str = ""
) -> str:
    """Return the page; the template escapes all values."""
    return fill_template(
        files(__package__).joinpath("page.html").read_text("utf-8"),
        title=title,
        intro=intro,
        hint=hint,
        cards=cards,
        problems=problems,
        models=_models(cards),
        subjects=_subjects(cards),
        versions=_versions(cards),
        pictures_shown=PICTURES_SHOWN,
    )


def fill_template(text: str, **values: Any) -> str:
    """Return a page from a template, which escapes all values.

    The template also gets `css`, the style of all pages, and the filters `slug` and `transpose`.
    """
    css = files(__package__).joinpath("page.css").read_text("utf-8")
    return _compile_template(text).render(css=css, **values)


@lru_cache(maxsize=8)
def _compile_template(text: str) -> Template:
    """Return the compiled template; compiling takes longer than filling."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["slug"] = slug
    environment.filters["transpose"] = lambda columns: zip(*columns, strict=True)
    return environment.from_string(text)


def slug(name: str) -> str:
    """Return a name in the form of an anchor."""
    return re.sub(r"[^a-z0-9]+", "-", name.casefold()).strip("-") or "x"


def _models(cards: Sequence[Card]) -> list[tuple[str, str]]:
    """Return name and hash of every model in the order of the page."""
    pairs = ((r.model, r.weights) for card in cards for r in card.results if r.model)
    return list(dict.fromkeys(pairs))


def _subjects(cards: Sequence[Card]) -> list[str]:
    subjects = (r.subject for card in cards for r in card.results if r.subject)
    return list(dict.fromkeys(subjects))


def _versions(cards: Sequence[Card]) -> Mapping[str, str]:
    merged: dict[str, str] = {}
    for card in cards:
        merged.update(card.versions)
    return dict(sorted(merged.items()))
