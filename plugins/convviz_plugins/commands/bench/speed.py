"""`convviz bench speed`: seconds, passes and memory of explainers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

MODEL, QUICK_MODEL = "resnet18?weights=none", "demo-digits"
BATCHES, QUICK_BATCHES = "1,8", "1,2"
REPEATS, QUICK_REPEATS = 5, 3

ModelSource = Annotated[
    str | None,
    typer.Option(
        "-m",
        "--model",
        metavar="SOURCE",
        help=f"Model. [default: {MODEL}; with --quick {QUICK_MODEL}]",
    ),
]
ExplainerNames = Annotated[
    list[str] | None,
    typer.Option(
        "-e",
        "--explainer",
        metavar="NAME",
        help="Explainer to measure, built-in or of another package. May be repeated. [default: "
        "all explainers of images, without those of families such as captum.*]",
    ),
]
Parameters = Annotated[
    list[str] | None,
    typer.Option(
        "-p",
        "--parameter",
        metavar="NAME.FIELD=VALUE",
        help="Parameter of an explainer given with -e. May be repeated.",
    ),
]
Families = Annotated[
    str,
    typer.Option(
        metavar="FAMILY,…",
        help="Also measure the same methods of these families, if they are installed: "
        "captum,pytorch_grad_cam.",
    ),
]
Images = Annotated[
    str,
    typer.Option(metavar="DIR", help="Folder of photos, or a pattern. [default: generated images]"),
]
BatchSizes = Annotated[
    str | None,
    typer.Option(
        metavar="N,…",
        help=f"Images per call to try. [default: {BATCHES}; with --quick {QUICK_BATCHES}]",
    ),
]
Repeats = Annotated[
    int | None,
    typer.Option(
        help="Rounds, in each of which every explainer is called once. "
        f"[default: {REPEATS}; with --quick {QUICK_REPEATS}]"
    ),
]
IsQuick = Annotated[
    bool,
    typer.Option(
        "--quick",
        help="Use a small model and few rounds, and do not measure memory. This only checks that "
        "everything runs.",
    ),
]
WithMemory = Annotated[
    bool,
    typer.Option(
        "--memory/--no-memory",
        help="Measure the peak memory of each explainer in a process of its own.",
    ),
]
OutFolder = Annotated[
    Path | None,
    typer.Option("-o", "--out", metavar="DIR", help="Folder for the record, speed.json."),
]
OldRecord = Annotated[
    Path | None,
    typer.Option(
        metavar="OLD.json",
        help="Earlier record to compare with; prints which explainers became slower.",
    ),
]
Device = Annotated[str, typer.Option(help="Device: auto, cpu, cuda, cuda:1, …")]


def speed(
    model: ModelSource = None,
    explainer: ExplainerNames = None,
    parameter: Parameters = None,
    against: Families = "",
    images: Images = "",
    batch: BatchSizes = None,
    repeats: Repeats = None,
    quick: IsQuick = False,
    memory: WithMemory = True,
    out: OutFolder = None,
    compare: OldRecord = None,
    device: Device = "auto",
) -> None:
    """Measure seconds per image, forward passes and memory of explainers, side by side."""
    from convviz import benchmark_speed, load_model, show_progress

    old = _old_record(compare)
    source = model or (QUICK_MODEL if quick else MODEL)
    with show_progress():
        record = benchmark_speed(
            load_model(source, device=device),
            _explainers(explainer or [], parameter or []),
            against=[name for name in against.split(",") if name],
            batches=_numbers(batch or (QUICK_BATCHES if quick else BATCHES)),
            repeats=(QUICK_REPEATS if quick else REPEATS) if repeats is None else repeats,
            memory=memory and not quick,
            images=images,
        )
    _report(record, old, out)


def _old_record(path: Path | None) -> Any:
    from convviz import SpeedRecord

    return None if path is None else SpeedRecord.load(path)


def _explainers(names: list[str], parameters: list[str]) -> Any:
    from convviz.authoring import build_explainers

    return build_explainers(names, parameters) if names or parameters else None


def _numbers(text: str) -> list[int]:
    from convviz import ParameterError

    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise ParameterError(f"--batch {text!r}: give numbers with commas, such as 1,8") from None


def _report(record: Any, old: Any, out: Path | None) -> None:
    """Print the table and the changes, and save the record."""
    from rich.console import Console

    from convviz import compare_speed
    from convviz.authoring import speed_differences, speed_table

    if out is not None:
        typer.echo(f"record: {record.save(out)}")
    changes = [] if old is None else compare_speed(old, record)
    Console().print(speed_table(record, changes))
    if old is not None:
        for line in speed_differences(old, record):
            typer.echo(f"also differs: {line}")
        slower = [change.name for change in changes if change.verdict == "slower"]
        typer.echo(f"slower beyond noise: {', '.join(slower) or 'none'}")
