"""The run folder, written: plan, items, bad files, and one leaf folder a result.

RUN/run.json                       the plan: model, data set, explainers, versions
RUN/items.parquet                  one row an item that was used
RUN/skipped.parquet                one row an item that could not be used, with the reason
RUN/results/<explainer>/<layer>/   explanations; `convviz.names` turns layers into folder names
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..errors import ParameterError
from ..images import Item
from ..names import folder_name
from .finish import Outcome
from .shard import Skipped

RUN, ITEMS, SKIPPED, RESULTS = "run.json", "items.parquet", "skipped.parquet", "results"
OURS = (RUN, ITEMS, SKIPPED, RESULTS)


def check_out(out: Path, overwrite: bool) -> None:
    """Refuse a folder that holds anything else than a run that may be replaced."""
    if not out.exists():
        return
    if not out.is_dir():
        raise ParameterError(f"out={str(out)!r} is a file")
    if not any(out.iterdir()):
        return
    if not is_run(out):
        raise ParameterError(
            f"out={str(out)!r} holds other files; give a new or empty folder, or a run folder "
            "with overwrite=True"
        )
    if not overwrite:
        raise ParameterError(
            f"out={str(out)!r} holds a run already; overwrite=True replaces it, "
            "convviz.open_run() opens it"
        )


def is_run(folder: Path) -> bool:
    """Say whether a folder holds a finished run."""
    return (folder / RUN).is_file() and (folder / ITEMS).is_file()


def write_run(
    out: Path,
    record: dict[str, Any],
    items: Sequence[Item],
    skipped: Sequence[Skipped],
    outcome: Outcome,
) -> None:
    """Write a run folder.

    Everything is written beside `out` first and moved in at the end, so that a failure leaves
    a former run as it was. Files in `out` that are not a run's own stay.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    new = Path(tempfile.mkdtemp(prefix=f".{out.name}-new-", dir=out.parent))
    try:
        for name, layers in outcome.explanations.items():
            for layer, explanation in layers.items():
                explanation.save(new / RESULTS / folder_name(name) / folder_name(layer))
        (new / RESULTS).mkdir(exist_ok=True)
        write_items(new / ITEMS, items)
        write_skipped(new / SKIPPED, skipped)
        failed = {name: str(error) for name, error in outcome.failed.items()}
        text = json.dumps({**record, "failed": failed}, indent=2, ensure_ascii=False)
        (new / RUN).write_text(text + "\n", encoding="utf-8")
        _move_in(new, out)
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _move_in(new: Path, out: Path) -> None:
    """Put the new files in their places; on a failure the former ones come back."""
    old = Path(tempfile.mkdtemp(prefix=f".{out.name}-old-", dir=out.parent))
    out.mkdir(exist_ok=True)
    try:
        for name in OURS:
            with suppress(FileNotFoundError):
                (out / name).rename(old / name)
        for name in OURS:
            (new / name).rename(out / name)
    except BaseException:
        for kept in old.iterdir():
            _remove(out / kept.name)
            kept.rename(out / kept.name)
        old.rmdir()
        raise
    shutil.rmtree(old, ignore_errors=True)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def write_items(path: Path, items: Sequence[Item]) -> None:
    """Write the items that were used as a Parquet table."""
    import pyarrow as pa
    from pyarrow import parquet

    table = pa.table(
        {
            "id": pa.array([item.id for item in items], pa.string()),
            "source": pa.array([item.source for item in items], pa.string()),
            "label": pa.array([item.label for item in items], pa.int64()),
            "height": pa.array([item.size[0] for item in items], pa.int32()),
            "width": pa.array([item.size[1] for item in items], pa.int32()),
            "affine": pa.array([list(item.affine) for item in items], pa.list_(pa.float64(), 6)),
        }
    )
    parquet.write_table(table, path, compression="zstd")


def write_skipped(path: Path, skipped: Sequence[Skipped]) -> None:
    """Write the items that could not be used as a Parquet table."""
    import pyarrow as pa
    from pyarrow import parquet

    table = pa.table(
        {
            "index": pa.array([one.index for one in skipped], pa.int64()),
            "id": pa.array([one.id for one in skipped], pa.string()),
            "reason": pa.array([one.reason for one in skipped], pa.string()),
        }
    )
    parquet.write_table(table, path, compression="zstd")
