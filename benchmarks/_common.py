"""Shared parts of the benchmarks: versions, records in files, and tables."""

from __future__ import annotations

import argparse
import datetime
import json
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

from convviz.evaluation.clock import interleaved as interleaved
from convviz.evaluation.clock import medians as medians
from convviz.evaluation.clock import timed as timed
from convviz.evaluation.machine import load as load
from convviz.evaluation.machine import machine as machine
from convviz.evaluation.machine import resident as resident

Record = dict[str, Any]

README = Path(__file__).with_name("README.md")
RESULTS = Path(__file__).with_name("results")
END_OF_TABLE = "<!-- end of the table -->"


def versions(*more: str) -> Record:
    """Return the versions of Python, of what every benchmark runs on, and of more packages."""
    names = ("convviz", "torch", "torchvision", "captum", "numpy", *more)
    return {"python": platform.python_version(), **{name: version(name) for name in names}}


def today() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def read(path: Path) -> Record:
    """Return the records of a file, none where there is no file."""
    if not path.exists():
        return {}
    try:
        return json.loads(path.read_text())
    except ValueError as error:
        raise SystemExit(f"{path} holds no records ({error}); move it away to begin anew") from None


def write(path: Path, records: Record) -> None:
    """Write the records so that an interruption leaves the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(records, indent=1) + "\n")
    part.replace(path)


def table(head: list[str], rows: list[list[str]]) -> str:
    """Lay out a Markdown table, the columns aligned."""
    lines = [head, ["---"] * len(head), *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    return "\n".join(
        "| " + " | ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)) + " |"
        for line in lines
    )


def folder_parser(doc: str | None) -> argparse.ArgumentParser:
    """Return a parser of the command line of a script that reads the folder of a benchmark."""
    parser = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="folder of the benchmark")
    return parser


def fill_in_table(name: str, text: str) -> None:
    """Replace a table of README.md, which stands between a comment with its name and another."""
    begin = f"<!-- {name} -->\n"
    before, marker, rest = README.read_text().partition(begin)
    if not marker or END_OF_TABLE not in rest:
        raise SystemExit(f"{README.name} has no table between {begin.strip()!r} and its end")
    README.write_text(f"{before}{begin}{text}\n{END_OF_TABLE}{rest.partition(END_OF_TABLE)[2]}")
