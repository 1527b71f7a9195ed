"""Runs over parts of a data set, joined to one run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..data.dataset import Dataset
from ..data.parts import JoinedPhotos
from ..errors import ConvvizError, ParameterError
from ..explanation.provenance import describe_model
from ..network.model import Model
from ..plugin.explainer import DatasetExplainer
from ..storage.checksums import CHECKSUMS
from .driver import AMENDED, FORWARD, Progress, SweepExecution, add_relative_place
from .extension import HISTORY, SweptDataset, describe_call, rebuild, swept_dataset
from .plan import (
    OMITTED,
    PART,
    SHARD_SIZES,
    SweepPlan,
    describe_explainers,
    describe_preprocess,
    differences,
    for_dataset,
    hash_of_items,
    make_steps,
    shards_of,
)
from .resume import first_differences, holds_finished_run
from .run import Run
from .settings import SweepSettings
from .signals import Interrupts
from .store.factory import open_store, place_of
from .store.file_names import ITEMS, SKIPPED
from .store.object_store import Remote
from .store.protocol import RunStore
from .store.run_record import entry_problem
from .store.shard_manifest import ShardEntry, ShardManifest
from .store.tables import content_types, move_indices, read_rows
from .worker import torch_settings

OF_RESULTS = ("shards", "items", "skipped", "nonfinite", "failed", OMITTED, CHECKSUMS)
"""Entries of a run that are counted again."""

MAX_NAMED = 3
"""Maximum number of items that a message names."""


@dataclass(frozen=True, eq=False)
class Piece:
    """One of the runs that are joined.

    Attributes:
        run: the run.
        store: its store.
        items: its items, skipped ones included.
        start: the index of its first item in the joined run.
        first_shard: the number of its first shard there.
    """

    run: Run
    store: RunStore
    items: SweptDataset
    start: int
    first_shard: int

    @property
    def manifest(self) -> ShardManifest:
        """Its shards."""
        return self.store.kept_shards

    @property
    def plan(self) -> dict[str, Any]:
        """Its plan."""
        return self.run.plan


def merge_runs(
    runs: Sequence[Run],
    place: Path | Remote,
    model: Model | None = None,
    photos: Dataset | None = None,
    overwrite: bool = False,
) -> Model:
    """Join runs into a new one, and return the model, see `convviz.merge`."""
    if len(runs) < 2:
        raise ParameterError("merge joins two runs or more")
    _check_same_plan(runs)
    model = model or runs[0].load_model()
    _check_model(runs[0], model)
    with ExitStack() as stack:
        store = stack.enter_context(open_store(place))
        pieces = list(_pieces(runs, stack))
        plan = _plan_of(pieces, model)
        add_relative_place(plan, place)
        settings = SweepSettings(overwrite=overwrite)
        stack.enter_context(store.lock())
        store.settle()
        if not overwrite and holds_finished_run(store, plan, settings):
            return model
        store.discard()  # an interrupted merge begins again
        execution = SweepExecution(
            model,
            _photos_of(pieces, plan, photos),
            plan,
            store,
            settings,
            Interrupts(),
            Progress(len(plan.shards)),
        )
        execution.record = dict(plan.record)
        try:
            with (
                model.session(),
                execution.interrupts.handle_signals(),
                torch_settings(plan.record),
            ):
                store.begin(plan.record)
                entries = [e for piece in pieces for e in _adopt_shards(piece, store.manifest)]
                outcome = execution.finish(entries)
        except Exception:
            store.discard()
            raise
    outcome.check()
    return model


def _check_same_plan(runs: Sequence[Run]) -> None:
    """Raise ParameterError if the runs differ in more than their items."""
    first = _without_items(runs[0].plan)
    for run in runs[1:]:
        if changed := differences(first, _without_items(run.plan)):
            raise ParameterError(
                f"the runs {runs[0].address!r} and {run.address!r} cannot be joined, they differ "
                f"in {first_differences(changed)}"
            )


def _without_items(plan: Mapping[str, Any]) -> dict[str, Any]:
    ignored = ("dataset", AMENDED, FORWARD, HISTORY, SHARD_SIZES, *OF_RESULTS)
    remaining = {name: value for name, value in plan.items() if name not in ignored}
    explainers = {
        name: {**saved, "parameters": _without_dataset_fields(name, saved)}
        for name, saved in plan["explainers"].items()
    }
    return {**remaining, "explainers": explainers}


def _without_dataset_fields(name: str, saved: Mapping[str, Any]) -> dict[str, Any]:
    explainer = rebuild(name, saved).explainer
    fields = explainer.dataset_fields if isinstance(explainer, DatasetExplainer) else ()
    return {n: v for n, v in saved["parameters"].items() if n not in fields}


def _check_model(run: Run, model: Model) -> None:
    now = {**describe_model(model), "preprocess": describe_preprocess(model)}
    saved = {name: run.plan["model"].get(name) for name in now}
    if changed := differences({"model": saved}, {"model": now}):
        raise ParameterError(f"the model differs from that of the runs: {'; '.join(changed)}")


def _pieces(runs: Sequence[Run], stack: ExitStack) -> Iterator[Piece]:
    start = shard = 0
    for run in runs:
        store = stack.enter_context(open_store(place_of(run.address)))
        yield Piece(run, store, swept_dataset(store, run.plan), start, shard)
        start += run.plan["dataset"]["count"]
        shard += len(shards_of(run.plan))


def _plan_of(pieces: Sequence[Piece], model: Model) -> SweepPlan:
    """Return the plan of the joined run."""
    first = pieces[0].plan
    record = {n: v for n, v in first.items() if n not in (HISTORY, SHARD_SIZES, *OF_RESULTS)}
    record["dataset"] = _dataset_record(pieces)
    explainers = [rebuild(name, saved) for name, saved in first["explainers"].items()]
    joined = JoinedPhotos("", [], *_ids_and_labels(pieces), record["dataset"]["classes"])
    steps = make_steps(model, [for_dataset(named, model, joined) for named in explainers])
    record["explainers"] = describe_explainers(steps)
    record[AMENDED] = [
        {**change, "from_shard": change["from_shard"] + piece.first_shard}
        for piece in pieces
        for change in piece.plan.get(AMENDED, ())
    ]
    record[FORWARD] = _forward_record(pieces)
    record[HISTORY] = [
        call for p in pieces for call in p.plan.get(HISTORY, [describe_call(p.plan)])
    ]
    sizes = [len(shard) for piece in pieces for shard in shards_of(piece.plan)]
    if any(size != record["shard_size"] for size in sizes[:-1]):
        record[SHARD_SIZES] = sizes
    count = record["dataset"]["count"]
    return SweepPlan(steps, count, record["batch_size"], record["shard_size"], record)


def _forward_record(pieces: Sequence[Piece]) -> dict[str, Any]:
    """Return how the network was run; a note says if the pieces differ."""
    records = [piece.plan[FORWARD] for piece in pieces]
    ways = [(r["graph"], r["shape"], r["dtype"], r["compiled"]) for r in records]
    forward: dict[str, Any] = dict(records[0])
    if any(way != ways[0] for way in ways):
        note = (
            "The network was not run in the same way for all images: by its graph for some, by "
            "itself for others. Their values differ by rounding errors."
        )
        forward["notes"] = [*forward["notes"], note]
    return forward


def _dataset_record(pieces: Sequence[Piece]) -> dict[str, Any]:
    """Return the record of the joined data set: of the whole one if the pieces are its parts."""
    records = [deepcopy(piece.plan["dataset"]) for piece in pieces]
    _check_ids(pieces)
    parts = [record.get(PART) for record in records]
    if all(parts):
        whole = [(part["count"], part["ids_hash"]) for part in parts]
        starts = [part["start"] for part in parts]
        if len(set(whole)) == 1 and starts == [piece.start for piece in pieces]:
            count = pieces[-1].start + records[-1]["count"]
            if count == whole[0][0]:
                record = {name: v for name, v in records[0].items() if name != PART}
                return {**record, "count": whole[0][0], "ids_hash": whole[0][1]}
    ids, labels = _ids_and_labels(pieces)
    notes = [note for record in records for note in record["notes"]]
    return {
        "name": " + ".join(dict.fromkeys(record["name"] for record in records)),
        "count": len(ids),
        "ids_hash": hash_of_items(ids, labels),
        "classes": _classes(pieces),
        "notes": [*dict.fromkeys(notes), *_duplicates_note(pieces)],
        "pieces": [
            {name: record[name] for name in ("name", "count", "place") if name in record}
            for record in records
        ],
    }


def _ids_and_labels(pieces: Sequence[Piece]) -> tuple[list[str], list[int | None]]:
    ids = [item for piece in pieces for item in piece.items.ids]
    return ids, [label for piece in pieces for label in piece.items.labels]


def _classes(pieces: Sequence[Piece]) -> list[str]:
    """Return the classes of all pieces; raises ParameterError if an index has two names."""
    longest = max((list(piece.items.classes) for piece in pieces), key=len)
    for piece in pieces:
        classes = list(piece.items.classes)
        if classes != longest[: len(classes)]:
            raise ParameterError(
                f"the classes of {piece.run.address!r} are {', '.join(classes)}, and those of "
                f"another run {', '.join(longest)}: sweep parts of one data set (part=2/5, --part) "
                "so that all runs have the same classes"
            )
    return longest


def _check_ids(pieces: Sequence[Piece]) -> None:
    """Raise ParameterError if two runs have items of the same id."""
    counts = Counter(item for piece in pieces for item in piece.items.ids)
    if twice := [item for item, count in counts.items() if count > 1]:
        raise ParameterError(
            f"{len(twice)} items are in several of the runs: {_names(twice)}. Every item may be in "
            "one of them only"
        )


def _duplicates_note(pieces: Sequence[Piece]) -> list[str]:
    """Return a note on photos with the same content in several runs."""
    owners: dict[str, tuple[int, str]] = {}
    twice = []
    for number, piece in enumerate(pieces):
        for row in read_rows(piece.store.finished_table(ITEMS), content_types()):
            owner, name = owners.setdefault(row["sha256"], (number, row["id"]))
            if owner != number:
                twice.append(f"{row['id']} is {name}")
    if not twice:
        return []
    return [f"photos with equal contents in several joined runs: {len(twice)} ({_names(twice)})"]


def _names(items: Sequence[str]) -> str:
    return ", ".join(map(repr, items[:MAX_NAMED])) + (", …" if len(items) > MAX_NAMED else "")


def _photos_of(pieces: Sequence[Piece], plan: SweepPlan, photos: Dataset | None) -> JoinedPhotos:
    """Return the photos of the joined run; a data set that is gone is reported when it is read."""
    datasets = [] if photos is None else [photos]
    for piece in pieces if photos is None else ():
        try:
            datasets.append(piece.run.open_dataset())
        except ConvvizError:
            continue
    ids, labels = _ids_and_labels(pieces)
    record = plan.record["dataset"]
    return JoinedPhotos(record["name"], datasets, ids, labels, record["classes"])


def _adopt_shards(piece: Piece, manifest: ShardManifest) -> Iterator[ShardEntry]:
    """Copy the shards of a piece and yield their entries.

    Raises:
        ConvvizError: a shard is missing or damaged.
    """
    source = piece.manifest
    for shard in range(len(shards_of(piece.plan))):
        entry = source.entry(shard)
        problem = "it has no entry" if entry is None else entry_problem(entry, shard)
        if entry is None or (problem := problem or source.damage(entry)):
            raise ConvvizError(
                f"shard {shard} of {piece.run.address!r} cannot be used: {problem}. The same "
                "analyze with extend=True, verify=True (--extend --verify) computes it again"
            )
        tables: dict[str, bytes] = {}
        if piece.start:
            paths = {kind: source.path(shard, kind) for kind in (ITEMS, SKIPPED)}
            tables = {kind: move_indices(path, piece.start) for kind, path in paths.items()}
        yield manifest.adopt(piece.first_shard + shard, source, entry, tables)
