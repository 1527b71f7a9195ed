"""`convviz show`: the pictures of a run, or of one unit."""

from __future__ import annotations

import webbrowser
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import ConvvizError, ImageError
from .app import command
from .commands import Dpi, PictureFormat, Title

if TYPE_CHECKING:
    import numpy as np

    from ..data.dataset import Dataset
    from ..explanation.explanation import Explanation
    from ..images.batch import Item
    from ..render import FileType, Picture
    from ..sweep.run import Run


@dataclass(frozen=True)
class Style:
    """Format and resolution of the pictures, and whether they have titles."""

    kind: FileType
    title: bool

    @property
    def is_that_of_runs(self) -> bool:
        """True if the pictures of a run have this style."""
        from ..render import PNG

        return self.title and self.kind == PNG


@command
def show(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Run folder, or s3://BUCKET/RUN.")],
    explainer: Annotated[
        list[str] | None,
        typer.Option(
            "-e",
            "--explainer",
            metavar="NAME",
            help="Explainer to show. May be repeated. [default: all]",
        ),
    ] = None,
    layer: Annotated[
        list[str] | None,
        typer.Option("-l", "--layer", help="Layer to show. May be repeated. [default: all]"),
    ] = None,
    unit: Annotated[
        int | None,
        typer.Option(
            "-u",
            "--unit",
            min=0,
            help="Index of one channel, or of one image of matches.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="DIR", help="Folder to copy pictures to."),
    ] = None,
    photos: Annotated[
        str | None,
        typer.Option(
            metavar="DATASET",
            help="Data set with the images of the run, for patches that the run did not draw. "
            "[default: as recorded in the run]",
        ),
    ] = None,
    format: PictureFormat = "png",
    title: Title = True,
    dpi: Dpi = None,
    open_them: Annotated[
        bool, typer.Option("--open/--no-open", help="Open the pictures if there is a screen.")
    ] = True,
) -> None:
    """Show the pictures of a run: print their paths and open them."""
    from ..errors import printable
    from ..explanation.display import has_screen
    from ..render import file_type
    from ..sweep.run import open_run
    from ..sweep.store.object_store import Remote, place_of

    style = Style(file_type(format, dpi), title)
    if isinstance(place_of(run), Remote) and out is None:
        out = Path("convviz-out")  # the cache of the run is deleted at exit
    opened = open_run(run)
    pictures = list(_pictures(opened, explainer or (), layer or (), unit, out, photos, style))
    for path in pictures:
        print(printable(str(path)))
        if open_them and has_screen():
            webbrowser.open(path.resolve().as_uri())


def _pictures(
    run: Run,
    explainers: list[str] | tuple[str, ...],
    layers: list[str] | tuple[str, ...],
    unit: int | None,
    out: Path | None,
    photos: str | None,
    style: Style,
) -> Iterator[Path]:
    """Yield the paths of the pictures.

    Those of a unit or in another style are drawn, others are copied to `out`.
    """
    from ..storage.path_names import folder_name
    from ..storage.untrusted_files import open_regular

    for name in explainers or run.explainers:
        for layer in layers or run[name].keys():
            explanation = run[name][layer]  # an error for an unknown layer
            place = Path(folder_name(name), folder_name(layer))
            if unit is not None:
                target = (out or Path("convviz-out")) / place
                yield from _write_unit(explanation, unit, loader(run, photos), target, style)
                continue
            if not style.is_that_of_runs:
                target = (out or Path("convviz-out")) / place
                pictures = explanation.pictures(style.kind.format, style.title, style.kind.dpi)
                yield from _write_pictures(pictures, target)
                continue
            folder = run[name].folder / folder_name(layer)
            for picture_name in sorted(path.name for path in folder.glob("*.png")):
                open_regular(folder, picture_name).close()  # refuses links and devices
                if out is None:
                    yield folder / picture_name
                else:
                    yield _copy_picture(folder, picture_name, out / place)


def _write_unit(
    explanation: Explanation,
    unit: int,
    load: Callable[[Item], np.ndarray],
    target: Path,
    style: Style,
) -> Iterator[Path]:
    """Draw one unit into a folder; yields the paths of the pictures."""
    from ..render import FigureOptions
    from ..render.unit import draw_unit

    scene = replace(explanation.scene, options=FigureOptions(title=style.title))
    pictures = draw_unit(explanation.result, scene, explanation.items, unit, load, style.kind)
    yield from _write_pictures(pictures, target)


def _write_pictures(pictures: Iterable[Picture], target: Path) -> Iterator[Path]:
    """Write pictures into a folder; yields their paths."""
    target.mkdir(parents=True, exist_ok=True)
    for picture in pictures:
        path = target / picture.file_name
        path.write_bytes(picture.data)
        yield path


def loader(run: Run, photos: str | None = None) -> Callable[[Item], np.ndarray]:
    """Return a function that reads the photo of an item; it opens the data set at first use."""

    @cache
    def places() -> tuple[Dataset, dict[str, int]]:
        from ..plugin.sources import open_dataset, open_recorded_dataset

        name = run.plan["dataset"]["name"]
        dataset = open_dataset(photos) if photos else open_recorded_dataset(name)
        return dataset, {name: i for i, name in enumerate(dataset.ids)}

    def load(item: Item) -> np.ndarray:
        try:
            dataset, place = places()
            if item.id not in place:
                raise ImageError(f"{dataset.name!r} has no item {item.id!r}")
            return dataset.load(place[item.id])
        except (ConvvizError, OSError) as error:
            raise ImageError(f"{error}; --photos DATASET names the place of the photos") from error

    return load


def _copy_picture(folder: Path, name: str, target: Path) -> Path:
    from ..storage.untrusted_files import copy_regular

    target.mkdir(parents=True, exist_ok=True)
    copy_regular(folder, name, target / name)
    return target / name
