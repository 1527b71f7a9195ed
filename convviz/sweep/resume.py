"""What an interrupted sweep has finished: the run in a folder, intact shards, unchanged items.

A shard counts as finished if its entry is in the manifest and its files have the length and the
checksum of the entry. Everything else is computed again, with the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path

from ..data.dataset import Dataset
from ..data.fingerprint import verify
from ..errors import ConvvizError, ParameterError
from .plan import SweepPlan, differences
from .store.file_names import ITEMS, SKIPPED
from .store.protocol import RunStore
from .store.shard_manifest import ShardEntry, ShardManifest
from .store.tables import content_types, read_rows

MAX_DIFFERENCES = 4
"""Differences between two plans that an error message names."""


def holds_finished_run(store: RunStore, plan: SweepPlan, overwrite: bool) -> bool:
    """Return whether a folder holds the finished run of a plan.

    Raises:
        ParameterError: it holds another run, or an unfinished sweep of another plan.
        ConvvizError: it holds this run, and explainers failed in it.
    """
    unfinished = store.unfinished_plan()
    saved = unfinished or (None if overwrite else store.finished_plan())
    if saved is None:
        return False
    location = store.location
    if changed := differences(saved, plan.record):
        content = "an unfinished sweep" if unfinished else "a run"
        raise ParameterError(
            f"out={location!r} already holds {content} that differs from this one: "
            f"{_first_differences(changed)}. Nothing was changed. Use overwrite=True "
            "(--overwrite) to replace it, or another folder to keep both"
        )
    if unfinished is None and (failed := saved.get("failed")):
        reasons = "; ".join(f"{name}: {reason}" for name, reason in failed.items())
        raise ConvvizError(
            f"{location!r} holds this run, finished except for {reasons}. Use overwrite=True "
            "(--overwrite) to compute it again"
        )
    return unfinished is None


def finished_shards(manifest: ShardManifest, count: int) -> tuple[dict[int, ShardEntry], list[str]]:
    """Return the entries of intact shards by number, and a sentence about each damaged one.

    Args:
        manifest: of the sweep.
        count: the number of shards in the plan.
    """
    entries: dict[int, ShardEntry] = {}
    damages: list[str] = []
    for shard in range(count):
        entry = manifest.entry(shard)
        if entry is None:
            continue
        if damage := manifest.damage(entry):
            damages.append(f"{damage}: shard {shard} is computed again")
            continue
        entries[shard] = entry
    return entries, damages


def check_contents_of_shards(
    dataset: Dataset, manifest: ShardManifest, entries: Mapping[int, ShardEntry]
) -> None:
    """Raise ParameterError if items of finished shards have changed since they were swept."""
    for shard in entries:
        tables = [manifest.path(shard, kind) for kind in (ITEMS, SKIPPED)]
        check_contents(dataset, *tables)


def check_contents(dataset: Dataset, *tables: Path) -> None:
    """Raise ParameterError if items have changed since they were swept."""
    saved = chain.from_iterable(read_rows(table, content_types()) for table in tables)
    if changed := verify(dataset, saved):
        names = ", ".join(map(repr, changed[:3])) + (", …" if len(changed) > 3 else "")
        raise ParameterError(
            f"{len(changed)} items of {dataset.name!r} have changed since they were swept: "
            f"{names}. Nothing was changed. Use overwrite=True (--overwrite) to start again"
        )


def _first_differences(changed: Sequence[str]) -> str:
    omitted = len(changed) - MAX_DIFFERENCES
    return "; ".join(changed[:MAX_DIFFERENCES]) + (f"; and {omitted} more" if omitted > 0 else "")
