"""`convviz explain` and `convviz analyze`."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import ConvvizError, ImageError, ParameterError
from ..progress import show_progress
from .app import USAGE_ERRORS, command

if TYPE_CHECKING:
    from ..explanation.explanation import Explanation
    from ..network.model import Model

MODEL_HELP = (
    "resnet50, timm:convnext_tiny, weights.safetensors?arch=resnet18, "
    "python:package.module:factory, …"
)
Explainers = Annotated[
    list[str] | None,
    typer.Option(
        "-e",
        "--explainer",
        metavar="NAME",
        help="An explainer; may be repeated. `convviz explainers` lists them.",
    ),
]
Parameters = Annotated[
    list[str] | None,
    typer.Option(
        "-p",
        "--parameter",
        metavar="NAME.FIELD=VALUE",
        help="A parameter of an explainer; may be repeated. `convviz explainers NAME` lists them.",
    ),
]
ModelSource = Annotated[
    str,
    typer.Option(
        "-m",
        "--model",
        metavar="SOURCE",
        help=MODEL_HELP,
    ),
]
ModelOrRuns = Annotated[
    str | None,
    typer.Option(
        "-m",
        "--model",
        metavar="SOURCE",
        help=f"{MODEL_HELP}; if not given, that of a run among the parameters, or else demo.",
    ),
]
Device = Annotated[str, typer.Option(help="Where to run: auto, cpu, cuda, cuda:1, …")]
Dtype = Annotated[
    str | None, typer.Option(help="float32, float64, …; the model's own if not given.")
]
Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="Describe every result.")]


@dataclass(frozen=True)
class _Job:
    """What is done to every image."""

    model: Model
    explainers: Mapping[str, Any]
    target: Any


@command
def explain(
    images: Annotated[
        list[str] | None,
        typer.Argument(metavar="IMAGE", help="Image files, folders of images, or glob patterns."),
    ] = None,
    explainer: Explainers = None,
    parameter: Parameters = None,
    model: ModelOrRuns = None,
    target: Annotated[
        str | None,
        typer.Option(
            "-t",
            "--target",
            help="A class (281), a class name (tabby) or a unit (layer4.1:17, layer4.1:17@3,5); "
            "the top class of each image if not given.",
        ),
    ] = None,
    out: Annotated[
        Path, typer.Option("-o", "--out", metavar="DIR", help="Where the results go.")
    ] = Path("convviz-out"),
    device: Device = "auto",
    dtype: Dtype = None,
    show: Annotated[bool, typer.Option("--show", help="Also show the pictures.")] = False,
    verbose: Verbose = False,
) -> None:
    """Explain photos: writes DIR/<image>/<explainer>/ with pictures, arrays and metadata."""
    from ..images.image_files import image_files

    explainers = _explainers(explainer, parameter)
    files = [file for source in images or () for file in image_files(source)]
    with show_progress():
        job = _job(explainers, model, device, dtype, target)
        failures = 0
        for image, folder in _folders(files, out, job.model):
            with _plans_shown(verbose):
                done, failed = _explain_image(job, image)
            failures += len(failed)
            _tell(image, done, failed, _write(done, folder), verbose)
            for explanation in done.values() if show else ():
                explanation.show()
        _overview(out)
    if failures:
        raise typer.Exit(1)


@command
def analyze(
    dataset: Annotated[
        str, typer.Argument(metavar="DATASET", help="A folder of photos, or another source.")
    ],
    explainer: Explainers = None,
    parameter: Parameters = None,
    model: ModelSource = "demo",
    out: Annotated[
        str,
        typer.Option(
            "-o", "--out", metavar="RUN", help="The run folder to write, or s3://BUCKET/RUN."
        ),
    ] = "convviz-run",
    batch_size: Annotated[
        int | None,
        typer.Option(min=1, help="Images in a forward pass; chosen by memory if not given."),
    ] = None,
    shard_size: Annotated[
        int | None, typer.Option(min=1, help="Images between two safe points; 1024 if not given.")
    ] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads of PyTorch on the CPU.")
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=0, help="Processes that decode photos; chosen if not given."),
    ] = None,
    timeout: Annotated[
        float | None,
        typer.Option(help="Seconds that a photo may take a worker to decode; 60 if not given."),
    ] = None,
    decode: Annotated[
        str,
        typer.Option(
            help="exact; scaled: large JPEG files faster, with slightly other pixels; gpu: JPEG "
            "files on the model's CUDA device, likewise."
        ),
    ] = "exact",
    engine: Annotated[
        str, typer.Option(help="Where the sweep runs: local, or ray for a Ray cluster.")
    ] = "local",
    address: Annotated[
        str | None,
        typer.Option(help="Of the Ray cluster; one on this machine if not given."),
    ] = None,
    deterministic: Annotated[
        bool, typer.Option("--deterministic", help="Deterministic algorithms only, for a GPU.")
    ] = False,
    verify: Annotated[
        bool, typer.Option("--verify", help="Refuse to go on if a photo already swept has changed.")
    ] = False,
    precision: Annotated[
        str, typer.Option(help="model: the network's own, or bf16 where the machine is fast at it.")
    ] = "model",
    compile: Annotated[
        bool, typer.Option("--compile", help="Have torch.compile translate the network.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Start anew; a run in RUN is replaced at the end.")
    ] = False,
    device: Device = "auto",
    dtype: Dtype = None,
    verbose: Verbose = False,
) -> None:
    """Explain a data set: one sweep over all its photos, kept in a run folder.

    The same command goes on where it was interrupted, and opens a run that is finished.
    """
    explainers = _explainers(explainer, parameter)
    with show_progress():
        from ..api import analyze as sweep
        from ..plugin.sources import load_model, open_dataset
        from ..report import page_path
        from ..sweep.store.object_store import Remote, place_of
        from ..sweep.store.remote import is_finished
        from ..text import printable

        place = place_of(out)
        finished = not overwrite and is_finished(place)
        items = open_dataset(dataset)
        loaded = load_model(model, device=device, dtype=dtype)
        wanted = list(explainers.values())
        how = {"batch_size": batch_size, "shard_size": shard_size, "threads": threads}
        try:
            run = sweep(
                loaded, items, wanted, out, engine, overwrite=overwrite,
                deterministic=deterministic, address=address, workers=workers, timeout=timeout,
                verify=verify, precision=precision, compile=compile, decode=decode, **how,
            )  # fmt: skip
        except KeyboardInterrupt as stop:
            print(stop, file=sys.stderr)
            raise
    if finished:
        print(f"{out} holds this run already, finished: nothing was computed")
    if "forward" in run.plan and not finished:
        from ..sweep.forward_pass import How

        print(How.of(run.plan["forward"]))
    for skipped in run.skipped:
        print(printable(f"left out {skipped.id}: {skipped.reason}"), file=sys.stderr)
    print(f"{len(run.items)} items in {out}")
    for name in run.explainers:
        for layer in run[name]:
            print(printable(f"  {name} {layer}".rstrip()))
            if verbose:
                print(run[name][layer].describe())
    page = place / "index.html" if isinstance(place, Remote) else page_path(place)
    print(f"overview: {page}")


def _explainers(names: Sequence[str] | None, assignments: Sequence[str] | None) -> dict[str, Any]:
    from ..plugin import registry
    from .values import build_explainers

    if not names:
        known = ", ".join(registry.explainer_names())
        raise ParameterError(f"say which explainer: -e NAME, one of {known}")
    return dict(zip(names, build_explainers(names, assignments or ()), strict=True))


def _job(
    explainers: Mapping[str, Any],
    source: str | None,
    device: str,
    dtype: str | None,
    target: str | None,
) -> _Job:
    from ..scores.targets import parse_target
    from .choice import chosen_model

    model = chosen_model(source, explainers, device, dtype)
    return _Job(model, explainers, target and parse_target(target, model.labels))


def _folders(images: Sequence[str], out: Path, model: Model) -> Iterator[tuple[str | None, Path]]:
    """Yield each image and a folder of its own: its stem, numbered where stems repeat."""
    from ..storage.path_names import folder_name

    if not images:
        yield None, out / folder_name(model.name)
    taken: set[str] = set()
    for image in images:
        stem = unique = Path(image).stem
        count = 1
        while unique.casefold() in taken:  # some file systems do not tell "a" from "A"
            count += 1
            unique = f"{stem}-{count}"
        taken.add(unique.casefold())
        yield image, out / unique


def _explain_image(
    job: _Job, image: str | None
) -> tuple[dict[str, Explanation], dict[str, ConvvizError]]:
    """Explain one image; returns what came out and, by explainer, what failed."""
    from ..api import explain as explain_now

    names = list(job.explainers)
    try:
        done = explain_now(job.model, image, list(job.explainers.values()), job.target)
        return dict(zip(names, done, strict=True)), {}
    except (ImageError, *USAGE_ERRORS) as error:
        if isinstance(error, ImageError):
            return {}, {"": error}
        raise
    except ConvvizError as error:
        if len(names) == 1:
            return {}, {names[0]: error}
    # One of them failed: the others shall not suffer for it.
    done_alone: dict[str, Explanation] = {}
    failed: dict[str, ConvvizError] = {}
    for name in names:
        one, error_of = _explain_image(
            _Job(job.model, {name: job.explainers[name]}, job.target), image
        )
        done_alone |= one
        failed |= error_of
    return done_alone, failed


def _write(done: Mapping[str, Explanation], folder: Path) -> dict[str, Path]:
    """Save explanations below an image's folder; returns where each one is."""
    from ..storage.path_names import folder_name

    # Under the name asked for: explainers of two distributions may share the plain one.
    return {
        name: explanation.save(folder.joinpath(folder_name(name), *explanation.place.parts[1:]))
        for name, explanation in done.items()
    }


@contextmanager
def _plans_shown(verbose: bool) -> Iterator[None]:
    """Print how occlusion is computed, layer by layer; it is kept in no result."""
    if not verbose:
        yield
        return
    from ..occlusion.occluded_scores import logger

    handler, level = logging.StreamHandler(sys.stdout), logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


def _tell(
    image: str | None,
    done: Mapping[str, Explanation],
    failed: Mapping[str, ConvvizError],
    leaves: Mapping[str, Path],
    verbose: bool,
) -> None:
    from ..explanation.display import found
    from ..text import printable

    shown = printable(image or "(no image)")
    for name, error in failed.items():
        where = f"{shown}, {name}" if name else shown
        print(printable(f"error: {where}: {' '.join(str(error).split())}"), file=sys.stderr)
    if not done:
        return
    first = next(iter(done.values()))
    targets = ", ".join(f"{t.label} ({t.score:.2f})" for t in first.target)
    print(printable(f"{shown}{': ' if targets else ''}{targets}"))
    for name, explanation in done.items():
        print(printable(f"  {name} → {leaves[name]}"))
        if verbose:
            print(explanation.describe())
            continue
        for line in found(explanation):
            print(f"    {printable(line)}")


def _overview(out: Path) -> None:
    from ..report import write_report

    if out.is_dir():
        print(f"overview: {write_report(out)}")
