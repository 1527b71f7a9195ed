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
from .extension import HISTORY, check_extension, is_addition
from .plan import SweepPlan, differences
from .settings import SweepSettings
from .store.file_names import ITEMS, SKIPPED, SWEEP
from .store.protocol import RunStore
from .store.run_record import entry_problem
from .store.shard_manifest import ShardEntry, ShardManifest
from .store.tables import content_types, read_rows
from .worker import changed_items

MAX_DIFFERENCES = 4
"""Differences between two plans that an error message names."""


def holds_finished_run(store: RunStore, plan: SweepPlan, settings: SweepSettings) -> bool:
    """Return whether a folder holds the finished run of a plan, and no run that is extended to it.

    Raises:
        ParameterError: it holds another run, or an unfinished sweep of another plan.
        ConvvizError: it holds this run, and explainers failed in it.
    """
    unfinished = store.unfinished_plan()
    saved = unfinished or (None if settings.overwrite else store.finished_plan())
    if saved is None:
        return False
    location = store.location
    changed = differences(saved, plan.record)
    if settings.extend and unfinished is None:
        check_extension(saved, plan, location)
        is_complete = not changed and not saved.get("failed")
        return is_complete and _has_all_shards(store.kept_shards, plan, settings.verify)
    if changed:
        if unfinished and HISTORY in unfinished:
            raise ParameterError(
                f"out={location!r} holds a run and its unfinished extension, which differs from "
                f"this call: {first_differences(changed)}. Repeat the call of the extension, or "
                f"give it up by deleting {SWEEP!r} in the folder of the run"
            )
        content = "an unfinished sweep" if unfinished else "a run"
        can_extend = unfinished is None and is_addition(saved, plan)
        extend = "extend=True (--extend) to add to it, " if can_extend else ""
        raise ParameterError(
            f"out={location!r} already holds {content} that differs from this one: "
            f"{first_differences(changed)}. Nothing was changed. Use {extend}overwrite=True "
            "(--overwrite) to replace it, or another folder to keep both"
        )
    if unfinished is None and (failed := saved.get("failed")):
        reasons = "; ".join(f"{name}: {reason}" for name, reason in failed.items())
        raise ConvvizError(
            f"{location!r} holds this run, finished except for {reasons}. Use overwrite=True "
            "(--overwrite) to compute it again"
        )
    return unfinished is None


def _has_all_shards(manifest: ShardManifest, plan: SweepPlan, verify: bool) -> bool:
    """Return whether a run has its shards; with `verify`, their files are read."""
    entries = [manifest.entry(shard) for shard in range(len(plan.shards))]
    return all(
        entry is not None
        and not (verify and (entry_problem(entry, shard) or manifest.damage(entry)))
        for shard, entry in enumerate(entries)
    )


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
    # Photos may have been added before others since.
    places = {name: index for index, name in enumerate(dataset.ids)}
    rows = chain.from_iterable(read_rows(table, content_types()) for table in tables)
    saved = ({**row, "index": places.get(row["id"], row["index"])} for row in rows)
    if changed := verify(dataset, saved):
        raise changed_items(changed)


def first_differences(changed: Sequence[str]) -> str:
    """Return the first differences between two plans, and the number of the others."""
    omitted = len(changed) - MAX_DIFFERENCES
    return "; ".join(changed[:MAX_DIFFERENCES]) + (f"; and {omitted} more" if omitted > 0 else "")
