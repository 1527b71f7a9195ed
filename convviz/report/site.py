"""The folder of a report: which pages it has, and what they share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from ..errors import ConvvizError
from ..gallery.page import slug
from ..storage.durable_file import write as write_file
from ..sweep.photos import PhotosOfRun
from ..sweep.run import Run
from ..sweep.units import classes_of
from .chunks import write_chunk
from .formats import percent
from .image_maps import SavedMaps
from .items import BLOCK, SiteItems
from .photo_pass import Atlas, PhotoPass
from .predictions import output_names
from .second_run import SecondRun

GENERATOR = "convviz run report"
LAYER_EXPLAINERS = ("patches", "statistics")
"""Explainers whose results about a layer are shown on its page."""


@dataclass(frozen=True)
class SiteLayer:
    """A layer with results that pages show.

    Attributes:
        name: its name in the network.
        slug: its name in addresses and paths; unique in the report.
        units: number of its units; 0 if no result about units exists.
        has_map: whether the run has an embedding of it.
    """

    name: str
    slug: str
    units: int
    has_map: bool

    def record(self) -> dict[str, Any]:
        """Return the layer for the chunk `site`."""
        pages = {
            "layer": f"layer/{self.slug}.html" if self.units else None,
            "map": f"map/{self.slug}.html" if self.has_map else None,
        }
        return {"name": self.name, "slug": self.slug, "units": self.units, "pages": pages}


@dataclass(frozen=True)
class Link:
    """An entry of the navigation: page, text, and the address from the folder of the report."""

    page: str
    text: str
    href: str


class Site:
    """A report that is being written: run, folder, and functions to write pages and data.

    Attributes:
        run: the finished run.
        name: how pages name it beside a second run.
        folder: the folder to write.
        second: a second run that is shown beside the first, or None.
        photos: the photos of the run; `load` raises ImageError if they are not available.
        pictures: collects what is to be cut from photos, which are then read once.
        items: the images of the run.
        links: the navigation.
        sheets: pictures of the contact sheet of each layer, by slug.
        explained: folders with results of `explain` for the pages of images, or with benchmarks.
        maps: the maps in these folders, by image.
        live: data of the app for live controls, or None in a report on disk.
    """

    def __init__(
        self,
        run: Run,
        folder: Path,
        second: Run | None = None,
        photos: Any = None,
        live: Any = None,
        explained: Sequence[Path] = (),
    ) -> None:
        self.run, self.folder, self.live = run, folder, live
        self.photos = PhotosOfRun(run, photos)
        self.pictures = PhotoPass(self.photos, folder)
        self.items = SiteItems(run, self.pictures)
        self.name, name = _names(run, second)
        self.second = None if second is None else SecondRun(second, name, run)
        self.links: list[Link] = []
        self.sheets: dict[str, list[Atlas]] = {}
        self.explained = explained
        self.maps = SavedMaps()

    @property
    def title(self) -> str:
        """The heading of all pages: model and data set, and the names of two runs."""
        plan = self.run.plan
        title = f"{plan['model']['name']} · {plan['dataset']['name']}"
        return title if self.second is None else f"{title} · {self.name} and {self.second.name}"

    @cached_property
    def layers(self) -> tuple[SiteLayer, ...]:
        """The layers with results about units, with a map or with nearest images."""
        units = {
            layer: count
            for name in reversed(LAYER_EXPLAINERS)
            for layer, count in units_of_layers(self.run, name).items()
        }
        maps = list(self.run["embedding"]) if "embedding" in self.run else []
        neighbors = list(self.run["neighbors"]) if "neighbors" in self.run else []
        names = list(dict.fromkeys([*units, *maps, *neighbors]))
        slugs = unique_slugs(names)
        return tuple(
            SiteLayer(name, slugs[name], units.get(name, 0), name in maps) for name in names
        )

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes; for classes that are numbers, the names of the model."""
        return self.run.classes

    @cached_property
    def class_outputs(self) -> tuple[int | None, ...]:
        """The output of the model of each class, where predictions matched them."""
        return tuple(known.output for known in classes_of(self.run))

    @cached_property
    def outputs(self) -> tuple[str, ...]:
        """Names of the outputs of the model, or else of the classes; empty if not known."""
        return output_names(self.run)

    def write_page(self, template: str, path: str, page: str, **values: Any) -> None:
        """Write a page from a template of `templates/`.

        Args:
            template: the name of the template.
            path: the file, relative to the folder of the report, with "/".
            page: which script runs, and which entry of the navigation is the current one.
            values: variables of the template, besides `site`, `links`, `page` and `root`.
        """
        text = (
            environment()
            .get_template(template)
            .render(
                site=self, page=page, root="../" * path.count("/"), generator=GENERATOR, **values
            )
        )
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        # A file name that is not UTF-8 has lone surrogates, which only a reference can hold.
        write_file(file, text.encode("utf-8", "xmlcharrefreplace"))

    def write_chunk(self, name: str, value: Any) -> None:
        """Write data that pages load when it is looked at; see `chunks.write_chunk`."""
        write_chunk(self.folder, name, value)

    def record(self) -> dict[str, Any]:
        """Return the chunk `site`, which all pages load."""
        return {
            "title": self.title,
            "model": self.run.plan["model"]["name"],
            "run": self.name,
            "count": self.items.count,
            "block": BLOCK,
            "layers": [layer.record() for layer in self.layers],
            "classes": self.classes,
            "class_outputs": self.class_outputs,
            "outputs": self.outputs,
            "second": None if self.second is None else self.second.record(),
            "has": {link.page: True for link in self.links},
            "live": self.live,
        }


def _names(first: Run, second: Run | None) -> tuple[str, str]:
    """Return names of two runs: those of their folders, or the addresses if these are equal."""
    if second is None:
        return first.folder.name, ""
    if first.folder.name != second.folder.name:
        return first.folder.name, second.folder.name
    return first.address, second.address


@cache
def environment() -> Any:
    """Return the templates, which escape all values. Each is compiled once."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    templates = Environment(
        loader=PackageLoader(__package__),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters["count"] = lambda value: f"{value:,}".replace(",", "\u202f")
    templates.filters["percent"] = percent
    return templates


def units_of_layers(run: Run, explainer: str) -> dict[str, int]:
    """Return the number of units of each layer of an explainer of units."""
    if explainer not in run:
        return {}
    counts = {}
    for layer in run[explainer]:
        try:
            counts[layer] = len(run[explainer][layer].result.values)
        except ConvvizError:  # a damaged result: the page says so
            counts[layer] = 0
    return counts


def unique_slugs(names: Iterable[str]) -> dict[str, str]:
    """Return a safe, unique file name for each name."""
    slugs: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        stem = candidate = slug(name)[:60].strip("-") or "x"
        number = 1
        while candidate in taken:
            number += 1
            candidate = f"{stem}-{number}"
        slugs[name] = candidate
        taken.add(candidate)
    return slugs
