"""The extension of a finished run by explainers, layers or photos.

A shard of the run is used again if it has the same items as a shard of the new plan. If the new
plan has further steps, only these are computed for it. All other shards are swept.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..data.dataset import Dataset
from ..data.item_table import ItemTable
from ..errors import ConvvizError, ConvvizWarning, ParameterError
from ..explanation.provenance import Named, named, read_layers
from ..network.model import Model
from ..plugin import registry
from ..plugin.default_explainers import default_names
from ..storage.checksums import CHECKSUMS
from .class_names import class_names
from .forward_pass import ForwardMode, ForwardRunner, differs_from
from .plan import OMITTED, SHARD_SIZES, ExplainerStep, SweepPlan, differences, make_steps, shards_of
from .store.file_names import ITEMS, SKIPPED
from .store.protocol import RunStore
from .store.run_record import entry_problem
from .store.shard_manifest import ShardEntry, ShardManifest
from .store.tables import read_rows, skipped_types
from .worker import KnownPartials

HISTORY = "history"
"""Entry of the plan of an extended run: the explainers and the number of items of each call."""

MAX_NAMED = 3
"""Maximum number of items that an error names."""


@dataclass(frozen=True, eq=False)
class SweptDataset:
    """The data set of a finished run, skipped items included.

    Attributes:
        ids: of all items.
        labels: the class index of each item, or None.
        classes: the names of the classes.
        used: whether the item was used; the label of a skipped item is not known.
    """

    ids: list[str]
    labels: list[int | None]
    classes: Sequence[str]
    used: list[bool]


@dataclass(eq=False)
class Extension:
    """A finished run that a sweep extends.

    Attributes:
        record: the plan of the run.
        known: its partials, by the steps of the new plan.
        shards: shard of the new plan -> entry of the shard of the run with the same items.
        has_same_items: whether the data set is unchanged.
    """

    record: Mapping[str, Any]
    known: KnownPartials
    shards: dict[int, ShardEntry] = field(default_factory=dict)
    has_same_items: bool = False

    def drop_shards_of_other_numbers(self, runner: ForwardRunner) -> str:
        """Forget all shards if the network is run in another way now; returns the reason."""
        mode = ForwardMode.from_record(self.record["forward"])
        layers = {n for e in self.record["explainers"].values() for n in e["layers"]}
        reason = differs_from(runner, mode, [n for n in runner.layers if n in layers])
        if reason:
            self.shards.clear()
        return reason

    def reused_steps(self, plan: SweepPlan, notes: Sequence[str]) -> tuple[int, ...]:
        """Return the steps whose results in the run are those of the new plan."""
        is_unchanged = self.has_same_items and len(self.shards) == len(plan.shards)
        is_unchanged &= class_names(self.record) == class_names(plan.record)
        if not is_unchanged or list(notes) != list(self.record["forward"].get("notes", ())):
            return ()
        failed = {**self.record["failed"], **self.record.get(OMITTED, {})}
        known = self.record["explainers"].keys() - failed.keys()
        return tuple(
            i
            for i, step in enumerate(plan.steps)
            if step.is_requested and step.named.name in known
            if self.known.steps.keys() >= {i, *step.optional_needs}
        )


def explainers_of_both(
    record: Mapping[str, Any], explainers: Sequence[Named], model: Model
) -> tuple[Named, ...]:
    """Return the explainers of a run, with the layers of a call added, and then the new ones.

    Args:
        record: the plan of the run.
        explainers: those of the call.
        model: the model.
    """
    remaining = list(explainers)
    of_run = []
    for name, saved in record["explainers"].items():
        of_call = next((e for e in remaining if e.name == name), None)
        if of_call is not None:
            remaining.remove(of_call)
        if of_call is None or _is_unchanged_default(of_call):
            of_run.append(rebuild(name, saved))
            continue
        of_run.append(_with_layers_of_run(of_call, saved, model))
    return (*of_run, *remaining)


def _is_unchanged_default(named: Named) -> bool:
    """Return whether an explainer is in a call only because it is on by default."""
    return named.is_default and not named.explainer.model_fields_set


def rebuild(name: str, saved: Mapping[str, Any]) -> Named:
    """Return an explainer of a run; raises ParameterError if it cannot be loaded."""
    full = f"{saved['distribution']}:{name}" if saved["distribution"] else name
    try:
        [rebuilt] = named(registry.explainer(full, **saved["parameters"]), {})
    except ConvvizError as error:
        raise ParameterError(
            f"the explainer {name!r} of the run cannot be loaded, so it has to be given again: "
            f"{error}"
        ) from error
    return replace(rebuilt, is_default=rebuilt.name in default_names())


def _with_layers_of_run(of_call: Named, saved: Mapping[str, Any], model: Model) -> Named:
    """Return an explainer of the call with the layers that it has in the run, and its new ones."""
    of_run = tuple(saved["parameters"].get("layers", ()))
    new = tuple(n for n in read_layers(of_call, model) if n not in saved["layers"])
    layers = (*saved["layers"], *new) if new else of_run
    return replace(of_call, explainer=of_call.explainer.model_copy(update={"layers": layers}))


def keep_shard_sizes(saved: Mapping[str, Any], plan: SweepPlan) -> None:
    """Copy the shards of a joined run with the same number of items into a plan."""
    if SHARD_SIZES in saved and saved["dataset"]["count"] == plan.count:
        plan.record[SHARD_SIZES] = saved[SHARD_SIZES]


def check_extension(saved: Mapping[str, Any], plan: SweepPlan, location: str) -> None:
    """Raise ParameterError if a plan changes what a run has, other than by layers and items."""
    changed = differences(*_without_additions(saved, plan))
    if changed:
        raise ParameterError(
            f"extend=True adds explainers, layers and photos to {location!r}, and this call "
            f"differs from the run in {'; '.join(changed)}. Nothing was changed. Use the values "
            "of the run, or another folder"
        )


def is_addition(saved: Mapping[str, Any], plan: SweepPlan) -> bool:
    """Return whether a plan differs from that of a run only in what an extension may add."""
    return not differences(*_without_additions(saved, plan))


def _without_additions(
    saved: Mapping[str, Any], plan: SweepPlan
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the records of a run and of a plan without what an extension may add to the run."""
    record = plan.record
    common = [s for s in plan.steps if s.is_requested and s.named.name in saved["explainers"]]
    versions = saved["versions"].keys() & record["versions"].keys()
    old, new = (
        {
            **of_sweep,
            "explainers": {
                step.named.name: _without_additions_of_step(of_sweep["explainers"], step)
                for step in common
            },
            "versions": {n: of_sweep["versions"][n] for n in sorted(versions)},
        }
        for of_sweep in (saved, record)
    )
    del old["dataset"], new["dataset"]
    return old, new


def _without_additions_of_step(explainers: Mapping[str, Any], step: ExplainerStep) -> Any:
    """Return the record of an explainer without its layers and without what the data set sets."""
    explainer = explainers[step.named.name]
    ignored = {"layers", *step.explainer.dataset_fields}
    parameters = {n: v for n, v in explainer["parameters"].items() if n not in ignored}
    return {**explainer, "layers": [], "parameters": parameters}


def open_extension(
    model: Model, dataset: Dataset, plan: SweepPlan, store: RunStore, saved: Mapping[str, Any]
) -> Extension:
    """Compare the plan of an extension with the run in the folder.

    Args:
        model, dataset, plan: of the extended run.
        store: of the run, inside of its lock.
        saved: the plan of the run.

    Raises:
        ParameterError: an item of the run is not in the data set, or has another class there.
    """
    swept = swept_dataset(store, saved)
    _check_items(swept, dataset, saved["dataset"]["name"])
    explainers = [_rebuild_or_take(n, e, plan) for n, e in saved["explainers"].items()]
    steps = _same_steps(make_steps(model, explainers), plan.steps)
    same = _same_shards(swept, saved, dataset, plan)
    has_same_items = list(dataset.ids) == swept.ids and len(same) == len(plan.shards)
    manifest = store.kept_shards
    entries = {shard: entry for shard in same if (entry := _intact_entry(manifest, shard))}
    return Extension(saved, KnownPartials(manifest, steps), entries, has_same_items)


def _intact_entry(manifest: ShardManifest, shard: int) -> ShardEntry | None:
    """Return the entry of a kept shard; None, with a warning, if it is damaged."""
    entry = manifest.entry(shard)
    if entry is None:
        return None
    damage = entry_problem(entry, shard) or manifest.damage(entry)
    if damage:
        warnings.warn(f"{damage}: shard {shard} is computed again", ConvvizWarning, stacklevel=6)
    return None if damage else entry


def swept_dataset(store: RunStore, saved: Mapping[str, Any]) -> SweptDataset:
    """Return the data set of a finished run.

    Args:
        store: of the run.
        saved: its plan.
    """
    count, classes = saved["dataset"]["count"], saved["dataset"]["classes"]
    table = ItemTable(store.finished_table(ITEMS), saved[CHECKSUMS][ITEMS], saved["items"])
    swept = SweptDataset([""] * count, [None] * count, classes, [False] * count)
    columns = (table.column("index"), table.ids, table.column("label"))
    skipped = read_rows(store.finished_table(SKIPPED), skipped_types(), saved[CHECKSUMS][SKIPPED])
    try:
        for index, name, label in zip(*columns, strict=True):
            swept.ids[index], swept.labels[index], swept.used[index] = name, label, True
        for row in skipped:
            swept.ids[row["index"]] = row["id"]
    except IndexError as error:
        raise ConvvizError(f"the tables of {store.location!r} have items beyond its end") from error
    return swept


def _check_items(swept: SweptDataset, dataset: Dataset, name: str) -> None:
    """Raise ParameterError if a data set lacks an item of a run, or has it in another class."""
    places = {item: i for i, item in enumerate(dataset.ids)}
    missing = [item for item in swept.ids if item not in places]
    if missing:
        raise ParameterError(
            f"{len(missing)} of {len(swept.ids)} items of the run over {name!r} are not in "
            f"{dataset.name!r}: {_names(missing)}. An extended run reads all its photos, old and "
            "new ones; convviz merge joins a run over new photos with this one"
        )
    order = [places[item] for item in swept.ids]
    if order != sorted(order):
        raise ParameterError(f"the items of the run are in another order in {dataset.name!r}")
    for i, place in enumerate(order):
        classes = (
            _class_name(swept.classes, swept.labels[i]),
            _class_name(dataset.classes, dataset.labels[place]),
        )
        if swept.used[i] and classes[0] != classes[1]:
            raise ParameterError(
                f"the class of {swept.ids[i]!r} differs from the run: {' → '.join(classes)}"
            )


def _class_name(classes: Sequence[str], label: int | None) -> str:
    if label is None:
        return "none"
    return repr(classes[label]) if label < len(classes) else str(label)


def _names(items: Sequence[str]) -> str:
    return ", ".join(map(repr, items[:MAX_NAMED])) + (", …" if len(items) > MAX_NAMED else "")


def _rebuild_or_take(name: str, saved: Mapping[str, Any], plan: SweepPlan) -> Named:
    """Return an explainer with the parameters of the run."""
    step = next(s for s in plan.steps if s.is_requested and s.named.name == name)
    parameters = saved["parameters"]
    of_run: dict[str, Any] = {"layers": tuple(parameters.get("layers", ()))}
    for field_name in step.explainer.dataset_fields:
        before, now = parameters.get(field_name), getattr(step.explainer, field_name)
        # Entries that were added do not change the partials of the items of the run.
        has_additions = before and now and before.items() <= now.items()
        of_run[field_name] = now if has_additions else before
    return replace(step.named, explainer=step.explainer.model_copy(update=of_run))


def _same_steps(old: Sequence[ExplainerStep], new: Sequence[ExplainerStep]) -> dict[int, int]:
    """Return position in `new` -> position in `old`, for equal steps."""
    return {
        i: j
        for i, step in enumerate(new)
        for j, other in enumerate(old)
        if type(step.explainer) is type(other.explainer) and step.explainer == other.explainer
    }


def _same_shards(
    swept: SweptDataset, saved: Mapping[str, Any], dataset: Dataset, plan: SweepPlan
) -> list[int]:
    """Return the shards of a plan that have the same items and labels in a run."""
    same = []
    for shard, (items, old) in enumerate(zip(plan.shards, shards_of(saved), strict=False)):
        if items != old:
            continue
        where = slice(items.start, items.stop)
        ids_match = swept.ids[where] == list(dataset.ids[where])
        # Explainers see labels as indices, which change if a class is added before others.
        if ids_match and all(swept.labels[i] == dataset.labels[i] for i in items if swept.used[i]):
            same.append(shard)
    return same


def history_of(saved: Mapping[str, Any], plan: SweepPlan) -> list[dict[str, Any]]:
    """Return the calls from which an extended run results, the present one last.

    A call that only repairs shards is not listed.
    """
    earlier = saved.get(HISTORY, [])
    last, new = describe_call(saved), describe_call(plan.record)
    return [*(earlier or [last]), new] if new != last else list(earlier)


def describe_call(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entry of the history for a call with a plan."""
    layers = {name: explainer["layers"] for name, explainer in record["explainers"].items()}
    return {"items": record["dataset"]["count"], "explainers": layers}
