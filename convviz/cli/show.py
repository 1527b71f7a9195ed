"""`convviz show`: the pictures of a run, or of chosen units and images."""

from __future__ import annotations

import webbrowser
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import ParameterError
from .app import command
from .commands import Dpi, PictureFormat, Title

if TYPE_CHECKING:
    from ..explanation.explanation import Explanation
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
        list[str] | None,
        typer.Option(
            "-u",
            "--unit",
            metavar="N",
            help="Channels (for neighbors: images), as numbers and ranges such as 100-120,130. May "
            "be repeated.",
        ),
    ] = None,
    query: Annotated[
        list[str] | None,
        typer.Option(
            "-q",
            "--query",
            metavar="NAME",
            help="Image of the run whose nearest images are shown: its id or file name. May be "
            "repeated.",
        ),
    ] = None,
    worst: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Draw the first N photos of rankings, such as the most confident errors.",
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
            help="Data set with the images of the run, if it has moved. [default: as recorded in "
            "the run]",
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "-m",
            "--model",
            metavar="SOURCE",
            help="Model of the run, for guided gradients that were not drawn before. [default: as "
            "recorded in the run]",
        ),
    ] = None,
    format: PictureFormat = "png",
    title: Title = True,
    dpi: Dpi = None,
    open_them: Annotated[
        bool, typer.Option("--open/--no-open", help="Open the pictures if there is a screen.")
    ] = True,
) -> None:
    """Show the pictures of a run: print their paths and open them.

    Pictures that the run lacks are drawn from its photos, and kept in the run folder.
    """
    from ..errors import printable
    from ..explanation.display import has_screen
    from ..render import file_type
    from ..sweep.run import open_run
    from ..sweep.store.object_store import Remote, place_of

    style = Style(file_type(format, dpi), title)
    if isinstance(place_of(run), Remote) and out is None:
        out = Path("convviz-out")  # the cache of the run is deleted at exit
    from ..plugin.sources import load_model
    from ..results.number_ranges import numbers_of_parts

    units = numbers_of_parts(unit or ())
    if worst is not None and (units or query):
        raise ParameterError("--worst cannot be combined with --unit and --query")
    opened = open_run(run, load_model(model) if model else None)
    opened.photos = photos
    if query and not explainer:
        explainer = [name for name in opened.explainers if _has_queries(opened, name)]
        if not explainer:
            raise ParameterError("--query: no explainer of the run looks up images; add neighbors")
    if worst is None:
        chosen = _Chosen(units, tuple(query or ()), photos)
        pictures = list(_pictures(opened, explainer or (), layer or (), chosen, out, style))
    else:
        rankings = _rankings(opened, explainer or (), layer or (), worst, photos)
        pictures = list(_draw_rankings(rankings, out, style))
    if worst is not None and not pictures:
        raise ParameterError(f"{opened.address} has no ranking of photos to draw here")
    for path in pictures:
        print(printable(str(path)))
        if open_them and has_screen():
            webbrowser.open(path.resolve().as_uri())


@dataclass(frozen=True)
class _Chosen:
    """The units and queries to draw, and the data set to read; none for the saved pictures."""

    units: tuple[int, ...]
    queries: tuple[str, ...]
    photos: str | None


def _has_queries(run: Run, name: str) -> bool:
    from ..results.types import Matches

    return all(isinstance(explanation.result, Matches) for _, explanation in run[name].items())


def _pictures(
    run: Run,
    explainers: list[str] | tuple[str, ...],
    layers: list[str] | tuple[str, ...],
    chosen: _Chosen,
    out: Path | None,
    style: Style,
) -> Iterator[Path]:
    """Yield the paths of the pictures.

    Those of units or in another style are drawn. Others are drawn into the run folder, if they are
    not there, and copied to `out`.
    """
    from ..storage.path_names import folder_name
    from ..storage.untrusted_files import open_regular

    for name in explainers or run.explainers:
        is_restricted = bool(chosen.units or chosen.queries)
        is_drawn_here = is_restricted or not style.is_that_of_runs
        is_saved = not is_drawn_here and run.save_pictures(name, layers or None)
        for layer in layers or run[name].keys():
            explanation = run[name][layer]  # an error for an unknown layer
            place = Path(folder_name(name), folder_name(layer))
            target = (out or Path("convviz-out")) / place
            if is_restricted:
                yield from _write_pictures(_draw(run, name, layer, chosen, style), target)
                continue
            if not is_saved:
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


def _draw(run: Run, name: str, layer: str, chosen: _Chosen, style: Style) -> list[Picture]:
    """Draw units of a layer."""
    from ..render.unit import name_pictures

    drawn = run.draw(name, layer, units=chosen.units, queries=chosen.queries, photos=chosen.photos)
    units = getattr(drawn.result, "order", ()) or getattr(drawn.result, "show", ()) or chosen.units
    pictures = drawn.pictures(style.kind.format, style.title, style.kind.dpi)
    return name_pictures(pictures, units)


def _write_pictures(pictures: Iterable[Picture], target: Path) -> Iterator[Path]:
    """Write pictures into a folder; yields their paths."""
    target.mkdir(parents=True, exist_ok=True)
    for picture in pictures:
        path = target / picture.file_name
        path.write_bytes(picture.data)
        yield path


def _rankings(
    run: Run,
    explainers: Sequence[str],
    layers: Sequence[str],
    count: int,
    photos: str | None,
) -> Iterator[Explanation]:
    """Yield the rankings of a run whose first `count` tiles are drawn."""
    from dataclasses import replace

    from ..render.ranking import with_photos
    from ..results.types import Tiles
    from ..sweep.photos import PhotosOfRun

    load = PhotosOfRun(run, photos).load_item
    for name in explainers or run.explainers:
        for layer in layers or run[name].keys():
            explanation = run[name][layer]
            result = explanation.result
            if isinstance(result, Tiles) and result.layout == "photos":
                ranking = with_photos(result, explanation.items, count, load)
                yield replace(explanation, result=ranking, deferred=None)


def _draw_rankings(
    rankings: Iterable[Explanation], out: Path | None, style: Style
) -> Iterator[Path]:
    """Draw rankings into one folder each; yields the paths of the pictures."""
    for ranking in rankings:
        pictures = ranking.pictures(style.kind.format, style.title, style.kind.dpi)
        yield from _write_pictures(pictures, (out or Path("convviz-out")) / ranking.place)


def _copy_picture(folder: Path, name: str, target: Path) -> Path:
    from ..storage.untrusted_files import copy_regular

    target.mkdir(parents=True, exist_ok=True)
    copy_regular(folder, name, target / name)
    return target / name
