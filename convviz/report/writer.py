"""Writes the folder of a report: pages, data and pictures."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from importlib.resources import as_file, files
from pathlib import Path
from types import ModuleType
from typing import Any

from ..errors import ParameterError
from ..progress import track
from ..sweep.run import Run
from . import benchmark_page, dataset_page, image_page, images_page, layer_page, map_page, overview
from .site import GENERATOR, Link, Site

PAGES: tuple[ModuleType, ...] = (
    overview,
    layer_page,
    dataset_page,
    images_page,
    image_page,
    map_page,
    benchmark_page,
)
"""The pages in the order of the navigation. Each module has `links(site)`, its entries of the
navigation; `request_pictures(site)`, which asks `site.items` and `site.pictures` for what it shows;
and `write(site)`, which is called after the photos have been read."""

OWN_FILES = ("index.html", "images.html", "image.html", "dataset.html", "benchmark.html")
OWN_FOLDERS = ("layer", "map", "static", "data", "media")


def write_run_report(
    run: Run | str | Path,
    folder: str | Path,
    *,
    other: Any = None,
    photos: Any = None,
    explained: Iterable[str | Path] = (),
) -> Path:
    """Write pages about a finished run, which open from disk without a network.

    Args:
        run: the run, or its folder.
        folder: the folder to write: new, empty, or one with an earlier report, which is replaced.
        other: a second run, such as that of another checkpoint; what it has about the same layers,
            units and images is shown beside that of `run`.
        photos: the data set or its source, if it has moved. Without photos, pages show names.
        explained: folders in which `explain` saved results, whose maps are shown on the pages of
            their images, and folders of `convviz bench quality`, which have a page of their own.

    Returns:
        The path of the first page.

    Raises:
        ParameterError: the folder holds other files.
    """
    folder = Path(folder)
    second = None if other is None else as_run(other)
    folders = [Path(path) for path in explained]
    site = Site(as_run(run), folder, second, photos, explained=folders)
    prepare_folder(folder)
    copy_static(folder)
    write_site(site)
    return folder / "index.html"


def write_site(site: Site, further_links: Sequence[Link] = ()) -> None:
    """Write all pages, data and pictures of a report into its folder.

    Args:
        site: the report.
        further_links: entries of the navigation for pages that are written elsewhere.
    """
    site.links = [*(link for page in PAGES for link in page.links(site)), *further_links]
    site.items.request_pictures()
    for page in track(PAGES, "reading results:", len(PAGES), _name_of):
        page.request_pictures(site)
    site.pictures.run()
    second = None if site.second is None else site.second.predictions
    for name, value in site.items.chunks(second):
        site.write_chunk(name, value)
    for page in track(PAGES, "writing:", len(PAGES), _name_of):
        page.write(site)
    site.write_chunk("site", site.record())


def _name_of(page: ModuleType) -> str:
    """Return the name of a page in words."""
    return page.__name__.rpartition(".")[2].replace("_", " ")


def as_run(run: Run | str | Path) -> Run:
    """Return a run, opened if its folder is given."""
    return run if isinstance(run, Run) else Run(run)


def prepare_folder(folder: Path) -> None:
    """Create the folder, or empty an earlier report; raise ParameterError for other content."""
    folder.mkdir(parents=True, exist_ok=True)
    present = {path.name for path in folder.iterdir()}
    if not present:
        return
    if others := sorted(present - {*OWN_FILES, *OWN_FOLDERS}):
        raise ParameterError(f"{folder} holds other files ({others[0]}): choose a new folder")
    index = folder / "index.html"
    if (
        index.is_symlink()
        or not index.is_file()
        or GENERATOR not in index.read_text("utf-8", "replace")
    ):
        raise ParameterError(f"{folder} holds no report of convviz: choose a new folder")
    for name in OWN_FOLDERS:
        if (folder / name).is_symlink():
            raise ParameterError(f"{folder / name} is a link: choose a new folder")
        shutil.rmtree(folder / name, ignore_errors=True)
    for name in OWN_FILES:
        (folder / name).unlink(missing_ok=True)


def copy_static(folder: Path) -> None:
    """Copy scripts and styles into the report."""
    with as_file(files(__package__).joinpath("static")) as static:
        shutil.copytree(static, folder / "static")
