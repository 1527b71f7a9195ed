"""Fills the HTML template of the overview page."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from importlib.resources import files

from .cards import Card, Problem

PICTURES_SHOWN = 4
"""Pictures of a result that are shown; further ones are links."""


def fill(title: str, intro: str, cards: Sequence[Card], problems: Sequence[Problem]) -> str:
    """Return the page; the template escapes all values."""
    from jinja2 import Environment, StrictUndefined

    package = files(__package__)
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["slug"] = slug
    environment.filters["transpose"] = lambda columns: zip(*columns, strict=True)
    template = environment.from_string(package.joinpath("page.html").read_text("utf-8"))
    return template.render(
        title=title,
        intro=intro,
        css=package.joinpath("page.css").read_text("utf-8"),
        cards=cards,
        problems=problems,
        models=_models(cards),
        subjects=_subjects(cards),
        versions=_versions(cards),
        pictures_shown=PICTURES_SHOWN,
    )


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
