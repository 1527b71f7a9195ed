"""`convviz explain`, and the options that it shares with `convviz analyze`."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import ConvvizError, ImageError, ParameterError, TargetError
from ..progress import show_progress
from .app import USAGE_ERRORS, command

if TYPE_CHECKING:
    from ..explanation.explanation import Explanation
    from ..network.model import Model
    from ..render import FileType

MODEL_HELP = (
    "Model: resnet50, timm:convnext_tiny, weights.safetensors?arch=resnet18, "
    "python:package.module:factory, …"
)
Explainers = Annotated[
    list[str] | None,
    typer.Option(
        "-e",
        "--explainer",
        metavar="NAME",
        help="Explainer to run. May be repeated. `convviz explainers` lists them.",
    ),
]
Parameters = Annotated[
    list[str] | None,
    typer.Option(
        "-p",
        "--parameter",
        metavar="NAME.FIELD=VALUE",
        help="Parameter of an explainer. May be repeated. `convviz explainers NAME` lists them.",
    ),
]
ModelOrRuns = Annotated[
    str | None,
    typer.Option(
        "-m",
        "--model",
        metavar="SOURCE",
        help=f"{MODEL_HELP} [default: the model of a run among the parameters, or demo]",
    ),
]
Device = Annotated[str, typer.Option(help="Device: auto, cpu, cuda, cuda:1, …")]
Dtype = Annotated[
    str | None, typer.Option(help="Data type: float32, float64, … [default: that of the model]")
]
PictureFormat = Annotated[
    str, typer.Option("--format", help="Format of the pictures: png, svg or pdf.")
]
Title = Annotated[
    bool, typer.Option("--title/--no-title", help="Draw titles above pictures and notes below.")
]
Dpi = Annotated[
    float | None,
    typer.Option(
        help="Pixels per inch; in svg and pdf, of the photos and maps inside. [default: 120]"
    ),
]
Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="Print details of every result.")]


@dataclass(frozen=True)
class _ImageJob:
    """The model, explainers and targets, the same for every image.

    `targets` maps the text of each target to the target; it is empty for the top class.
    """

    model: Model
    explainers: Mapping[str, Any]
    targets: Mapping[str, Any]


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
        list[str] | None,
        typer.Option(
            "-t",
            "--target",
            help="Class index (281), class name (tabby), difference of two scores ('tabby - tiger "
            "cat'), unit (layer4.1:17, layer4.1:17@3,5), or your function of the network's output "
            "(python:module:function). May be repeated. [default: the top class of each image]",
        ),
    ] = None,
    out: Annotated[
        Path, typer.Option("-o", "--out", metavar="DIR", help="Folder for the results.")
    ] = Path("convviz-out"),
    device: Device = "auto",
    dtype: Dtype = None,
    compare: Annotated[
        bool,
        typer.Option(
            "--compare",
            help="Draw the maps of all explainers side by side, one row per image or target, with "
            "rank correlations.",
        ),
    ] = False,
    format: PictureFormat = "png",
    title: Title = True,
    dpi: Dpi = None,
    show: Annotated[bool, typer.Option("--show", help="Also open the pictures.")] = False,
    verbose: Verbose = False,
) -> None:
    """Explain images.

    Writes pictures, arrays and metadata to DIR/<image>/<explainer>/; with several targets, to
    DIR/<image>/<explainer>/<target>/.
    """
    from ..gallery import write_report
    from ..images.image_files import image_files
    from ..render import file_type
    from .comparisons import Comparisons

    kind = file_type(format, dpi)
    explainers = chosen_explainers(explainer, parameter)
    files = [file for source in images or () for file in image_files(source)]
    with show_progress():
        job = _job(explainers, model, device, dtype, target)
        comparisons = Comparisons(out, len(job.targets) > 1) if compare else None
        failures = 0
        for image, folder in _folders(files, out, job.model):
            with _log_occlusion(verbose):
                explanations, failed = _explain_image(job, image)
            failures += len(failed)
            _print_failures(image, failed)
            folders = _save(explanations, folder, job.targets, kind, title)
            _print_results(image, explanations, folders, verbose)
            for explanation in _flat(explanations) if show else ():
                explanation.show()
            if comparisons is not None:
                comparisons.add(_flat(explanations), folder)
        if comparisons is not None:
            comparisons.finish()
        if out.is_dir():
            print(f"overview: {write_report(out)}")
    if failures:
        raise typer.Exit(1)


def chosen_explainers(
    names: Sequence[str] | None, assignments: Sequence[str] | None
) -> dict[str, Any]:
    """Return the explainers of the options -e and -p, by name."""
    from ..plugin import registry
    from ..plugin.parameter_values import build_explainers

    if not names:
        known = ", ".join(registry.explainer_names())
        raise ParameterError(f"no explainer is given: add -e NAME, one of {known}")
    return dict(zip(names, build_explainers(names, assignments or ()), strict=True))


def _job(
    explainers: Mapping[str, Any],
    source: str | None,
    device: str,
    dtype: str | None,
    targets: Sequence[str] | None,
) -> _ImageJob:
    from .model_choice import chosen_model

    model = chosen_model(source, explainers, device, dtype)
    parsed = {text: _parse_target(text, model.labels) for text in targets or ()}
    if len(parsed) < len(targets or ()):
        raise ParameterError("a target is given twice")
    return _ImageJob(model, explainers, parsed)


def _parse_target(text: str, labels: Sequence[str]) -> Any:
    """Return the target that a text names; "python:module:function" imports the function."""
    from ..plugin.python_objects import import_object
    from ..scores.targets import matching_labels, parse_target

    scheme, _, function = text.partition(":")
    if scheme != "python" or matching_labels(text, labels):
        return parse_target(text, labels)
    module_name, _, name = function.partition(":")
    if not module_name or not name:
        raise ParameterError(f"target {text!r}: write python:module:function")
    target = import_object(module_name, name, "target function", TargetError)
    if not callable(target):
        raise TargetError(f"target {text!r} is {type(target).__name__}, not a function")
    return target


def _folders(images: Sequence[str], out: Path, model: Model) -> Iterator[tuple[str | None, Path]]:
    """Yield each image and its folder: the stem of the file, numbered if stems repeat."""
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
    job: _ImageJob, image: str | None
) -> tuple[dict[str, list[Explanation]], dict[str, ConvvizError]]:
    """Explain one image; returns explanations and errors by explainer (an image error by "")."""
    from ..api import explain as explain_images

    names, targets = list(job.explainers), list(job.targets.values()) or [None]
    try:
        explanations = explain_images(
            job.model, image, list(job.explainers.values()), targets=targets
        )
        return dict(zip(names, explanations, strict=True)), {}
    except (ImageError, *USAGE_ERRORS) as error:
        if isinstance(error, ImageError):
            return {}, {"": error}
        raise
    except ConvvizError as error:
        if len(names) == 1:
            return {}, {names[0]: error}
    # One of several explainers failed: run each alone to get the results of the others.
    done: dict[str, list[Explanation]] = {}
    failed: dict[str, ConvvizError] = {}
    for name in names:
        alone = _ImageJob(job.model, {name: job.explainers[name]}, job.targets)
        explanations, errors = _explain_image(alone, image)
        done |= explanations
        failed |= errors
    return done, failed


def _save(
    explanations: Mapping[str, list[Explanation]],
    folder: Path,
    targets: Mapping[str, Any],
    kind: FileType,
    title: bool,
) -> dict[str, list[Path]]:
    """Save explanations below an image's folder; returns the folders of each explainer."""
    from ..storage.path_names import folder_name

    folders = {}
    for name, by_target in explanations.items():
        # By the name from the command line: explainers of two distributions may have the same one.
        base = folder / folder_name(name)
        several = len(by_target) > 1
        folders[name] = [
            explanation.save(
                base.joinpath(
                    *([folder_name(text)] if several else []), *explanation.place.parts[1:]
                ),
                format=kind.format,
                title=title,
                dpi=kind.dpi,
            )
            for text, explanation in zip(targets or [""], by_target, strict=False)
        ]
    return folders


def _flat(explanations: Mapping[str, list[Explanation]]) -> list[Explanation]:
    """Return the explanations of all explainers and targets."""
    return [explanation for by_target in explanations.values() for explanation in by_target]


@contextmanager
def _log_occlusion(verbose: bool) -> Iterator[None]:
    """Print how occluded scores are computed, layer by layer; no result records it."""
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


def _print_failures(image: str | None, failed: Mapping[str, ConvvizError]) -> None:
    from ..errors import printable

    for name, error in failed.items():
        place = f"{image or '(no image)'}{', ' if name else ''}{name}"
        print(printable(f"error: {place}: {' '.join(str(error).split())}"), file=sys.stderr)


def _print_results(
    image: str | None,
    explanations: Mapping[str, list[Explanation]],
    folders: Mapping[str, list[Path]],
    verbose: bool,
) -> None:
    from ..errors import printable
    from ..explanation.display import list_matches

    if not explanations:
        return
    resolved = [t for explanation in _flat(explanations) for t in explanation.target]
    targets = ", ".join(dict.fromkeys(f"{t.label} ({t.score:.2f})" for t in resolved))
    print(printable(f"{image or '(no image)'}{': ' if targets else ''}{targets}"))
    for name, by_target in explanations.items():
        for explanation, folder in zip(by_target, folders[name], strict=True):
            print(printable(f"  {name} → {folder}"))
            if verbose:
                print(explanation.describe())
                continue
            for line in list_matches(explanation):
                print(f"    {printable(line)}")
