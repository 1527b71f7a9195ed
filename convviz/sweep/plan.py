"""The plan of a sweep: its explainers, what they need, batches, shards and versions."""

from __future__ import annotations

import hashlib
import json
import random
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from math import prod
from typing import Any

import numpy as np
import torch

from ..data.dataset import Dataset, notes_of
from ..data.parts import PartOfDataset, part_of
from ..errors import ConvvizWarning, ModelError, ParameterError, PluginError
from ..explanation.provenance import (
    Named,
    attribute_errors,
    describe_model,
    named,
    read_layers,
    versions,
)
from ..images.preprocess import Preprocess
from ..network.inputs import prepare_with
from ..network.model import Model
from ..plugin.explainer import DatasetExplainer
from ..plugin.sources import place_of_dataset
from ..results.json_codec import encode
from ..state.device import is_out_of_memory
from .input.gpu_jpeg import check_decode
from .settings import SweepSettings

SCHEMA = 2
SHARD_SIZE = 1024
CPU_BATCH_SIZE = 32
"""On the CPU larger batches are not faster."""

CUDA_BATCH_SIZE = 256
CPU_ACTIVATION_BYTES = 2 << 30
"""Memory for the outputs of all layers of a batch; they do not all exist at the same time."""

RANDOM = "different at every call"
"""The description of a preprocess that draws random numbers."""

IRRELEVANT = frozenset({"model.source", "dataset.name", "dataset.notes", "dataset.place", "schema"})
"""Entries of a plan that may change without changing any number."""

DESCRIPTIONS = {"dataset.ids_hash": "dataset, the ids or labels of its items (by their hash)"}
"""Descriptions of entries whose names are not clear enough for an error message."""

OMITTED = "omitted"
"""Entry of a finished run: explainers that are on by default and failed, with the reason."""

SHARD_SIZES = "shard_sizes"
"""Entry of the plan of a joined run whose shards do not all have `shard_size` items."""

PART = "part"
"""Entry of the data set of a run over a part: its first item, and the whole data set."""

MAX_NEEDS_DEPTH = 8
"""Levels of `needs`; explainers that need each other in a circle exceed it."""


@dataclass(frozen=True, eq=False)
class ExplainerStep:
    """One explainer of a sweep.

    Attributes:
        named: the explainer with its name and version.
        explainer: the explainer.
        needs: positions of the steps that it builds on; all of them come earlier.
        optional_needs: positions of the steps whose results it uses if they exist.
        is_requested: the user asked for it, so its results are saved.
        layers: the layers it reads.
    """

    named: Named
    explainer: DatasetExplainer
    needs: tuple[int, ...]
    is_requested: bool
    layers: tuple[str, ...]
    optional_needs: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False)
class SweepPlan:
    """A sweep, as decided before its first batch.

    Attributes:
        steps: the explainers, each after those that it needs; equal ones share a step.
        count: number of items in the data set.
        batch_size: items per forward pass.
        shard_size: items per shard.
        record: the content of `run.json`; does not depend on the time or place of the sweep.
    """

    steps: tuple[ExplainerStep, ...]
    count: int
    batch_size: int
    shard_size: int
    record: dict[str, Any]

    @property
    def layers(self) -> tuple[str, ...]:
        """The layers that any step reads, in order of first use."""
        return tuple(dict.fromkeys(layer for step in self.steps for layer in step.layers))

    @property
    def shards(self) -> tuple[range, ...]:
        """The items of each shard."""
        return shards_of(self.record)


def shards_of(record: Mapping[str, Any]) -> tuple[range, ...]:
    """Return the items of each shard of a plan."""
    count, size = record["dataset"]["count"], record["shard_size"]
    sizes = record.get(SHARD_SIZES) or [size] * -(-count // size)
    stops = list(accumulate(sizes))
    pairs = zip([0, *stops], stops, strict=False)
    return tuple(range(start, min(stop, count)) for start, stop in pairs)


def part_of_dataset(dataset: Dataset, settings: SweepSettings) -> tuple[Dataset, SweepSettings]:
    """Return the part of a data set that the settings name, and the settings with its shard size.

    Parts consist of whole shards, as equal in number as possible. If no shard size is given, that
    of a data set with fewer items than parts of 1024 is smaller, so that there are enough shards.

    Raises:
        ParameterError: the data set has fewer shards than parts.
    """
    if settings.part is None:
        return dataset, settings
    number, parts = settings.part_numbers
    count = len(dataset.ids)
    size = settings.shard_size or max(1, min(SHARD_SIZE, count // parts))
    shards = -(-count // size)
    if parts > shards:
        raise ParameterError(
            f"part={settings.part!r}: the {count} items are {shards} shards of {size}, fewer than "
            f"{parts} parts; a smaller shard_size gives more shards"
        )
    first, last = (size * (i * shards // parts) for i in (number, number + 1))
    part = part_of(dataset, range(first, min(last, count)))
    return part, settings.model_copy(update={"shard_size": size})


def make_plan(
    model: Model,
    dataset: Dataset,
    explainers: Sequence[Named],
    settings: SweepSettings | None = None,
) -> SweepPlan:
    """Return the plan of a sweep; raises if a layer or a setting does not fit the model."""
    settings = settings or SweepSettings()
    if model.preprocess is None:
        raise ModelError(
            f"{model.name} has no preprocess, which a data set of photos requires: use "
            "Model(…, preprocess=convviz.Preprocess(…))"
        )
    check_decode(settings.decode, model)
    steps = make_steps(model, [for_dataset(named, model, dataset) for named in explainers])
    settings = _with_sizes(settings, model)
    preprocess = describe_preprocess(model)
    if RANDOM in preprocess:
        warnings.warn(
            f"the preprocess of {model.name} returns another image of a photo at every call: the "
            "results of this sweep cannot be reproduced, and resuming it changes them",
            ConvvizWarning,
            stacklevel=2,
        )
    chosen = settings.plan_record()
    # The order of the keys is that of earlier versions.
    sizes = {name: chosen.pop(name) for name in ("batch_size", "shard_size")}
    record = {
        "schema": SCHEMA,
        "model": {**describe_model(model), "preprocess": preprocess},
        "dataset": describe_dataset(dataset),
        "explainers": describe_explainers(steps),
        **sizes,
        "dtype": str(model.dtype).removeprefix("torch."),
        "device": model.device.type,
        **chosen,
        "versions": versions(tuple(step.named for step in steps)),
    }
    return SweepPlan(steps, len(dataset.ids), sizes["batch_size"], sizes["shard_size"], record)


def for_dataset(named: Named, model: Model, dataset: Dataset) -> Named:
    """Return an explainer with the parameters that depend on the data set."""
    if not isinstance(named.explainer, DatasetExplainer):
        return named
    with attribute_errors(named):
        return replace(named, explainer=named.explainer.for_dataset(model, dataset))


def _with_sizes(settings: SweepSettings, model: Model) -> SweepSettings:
    """Return settings with defaults for the sizes and threads that are not given."""
    return settings.model_copy(
        update={
            "batch_size": settings.batch_size or batch_size_for_memory(model),
            "shard_size": settings.shard_size or SHARD_SIZE,
            "threads": settings.threads or torch.get_num_threads(),
        }
    )


def make_steps(model: Model, explainers: Sequence[Named]) -> tuple[ExplainerStep, ...]:
    """Order the explainers so that each comes after those that it needs; merge equal ones."""
    for i, named_explainer in enumerate(explainers):
        name = named_explainer.name
        if not isinstance(named_explainer.explainer, DatasetExplainer):
            raise ParameterError(
                f"{name} explains single images: use convviz.explain() or `convviz explain`"
            )
        if name in [other.name for other in explainers[:i]]:
            raise ParameterError(f"{name} is requested twice; a run holds each explainer once")
    optional = [_optional_needs(new, explainers) for new in explainers]
    steps: list[ExplainerStep] = []
    # Explainers with optional needs come last, after the explainers that they use.
    for i in sorted(range(len(explainers)), key=lambda i: bool(optional[i])):
        place = _add_step(model, explainers[i], steps, is_requested=True, depth=0)
        earlier = tuple(j for j, step in enumerate(steps[:place]) if step.explainer in optional[i])
        steps[place] = replace(steps[place], optional_needs=earlier)
    return tuple(steps)


def _optional_needs(named: Named, requested: Sequence[Named]) -> tuple[DatasetExplainer, ...]:
    others = [n.explainer for n in requested if n is not named]
    with attribute_errors(named):
        return named.explainer.optional_needs(tuple(others))  # type: ignore[union-attr,arg-type]


def _add_step(
    model: Model, new: Named, steps: list[ExplainerStep], is_requested: bool, depth: int
) -> int:
    """Append an explainer after those that it needs, and return its position."""
    if not isinstance(new.explainer, DatasetExplainer):
        raise PluginError(f"{new} is needed by another explainer, but explains single images")
    if depth > MAX_NEEDS_DEPTH:
        raise PluginError(f"explainer {new}: its needs form a circle")
    for i, step in enumerate(steps):
        if type(step.explainer) is type(new.explainer) and step.explainer == new.explainer:
            steps[i] = replace(step, is_requested=step.is_requested or is_requested)
            return i
    with attribute_errors(new):
        needed = [named(need, {})[0] for need in new.explainer.needs()]
    needs = tuple(_add_step(model, need, steps, False, depth + 1) for need in needed)
    steps.append(ExplainerStep(new, new.explainer, needs, is_requested, read_layers(new, model)))
    return len(steps) - 1


def batch_size_for_memory(model: Model) -> int:
    """Return a batch size, a power of two, such that the outputs of all layers fit into memory."""
    try:
        values = sum(prod(call.shape) for call in model.calls())
    except ModelError:  # no image size is known with which the model runs; the data set has one
        return CPU_BATCH_SIZE
    available, limit = CPU_ACTIVATION_BYTES, CPU_BATCH_SIZE
    if model.device.type == "cuda":
        available, limit = torch.cuda.mem_get_info(model.device)[0] // 4, CUDA_BATCH_SIZE
    fitting = available // max(1, values * model.dtype.itemsize)
    return max(1, min(limit, 1 << max(0, int(fitting).bit_length() - 1)))


def describe_preprocess(model: Model) -> str:
    """Return a text that identifies the preprocess of a model.

    For a preprocess that is not a `Preprocess`, it is the name and a hash of the output for a
    test photo.
    """
    if isinstance(model.preprocess, Preprocess):
        return repr(model.preprocess)
    cls = model.preprocess if callable(model.preprocess) else type(model.preprocess)
    name = str(getattr(cls, "__qualname__", type(cls).__qualname__))
    return f"{name} ({_hash_of_output(model.preprocess)})"


def _hash_of_output(preprocess: Any) -> str:
    """Return a hash of the output of a preprocess for a fixed photo."""
    y, x = np.mgrid[:480, :640]
    photo = np.stack([x % 256, y % 256, (x * y) % 251], 2).astype(np.uint8)
    states = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng(devices=[]):
            first, second = (_hash_image(prepare_with(preprocess, photo).image) for _ in range(2))
    except (ModelError, SystemExit) as error:  # it may accept only other kinds of photos
        if error.__cause__ is not None and is_out_of_memory(error.__cause__):
            raise
        return "fails on a test photo"
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
    return first if first == second else RANDOM


def _hash_image(image: torch.Tensor) -> str:
    header = f"{image.dtype} {tuple(image.shape)} ".encode()
    values = (image.double() + 0).contiguous().numpy()  # NumPy has no bfloat16
    return hashlib.sha256(header + values.tobytes()).hexdigest()[:16]


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Return the differences between two plans as "name: old → new"; empty if there are none.

    Only entries of the new plan count, because a saved plan has further ones.
    """
    before, after = _flatten(old), _flatten(json.loads(json.dumps(new)))
    names = (*after, *(n for n in before if n not in after))
    changed = [
        name for name in names if before.get(name) != after.get(name) and name.split(".")[0] in new
    ]
    return [
        f"{DESCRIPTIONS.get(name, name)}: {_shorten(before.get(name, 'none'))} → "
        f"{_shorten(after.get(name, 'none'))}"
        for name in changed
    ]


def _flatten(record: Any, name: str = "") -> dict[str, Any]:
    """Return the relevant values of nested mappings under dotted names."""
    if name in IRRELEVANT:
        return {}
    if not isinstance(record, Mapping):
        return {name: record}
    inner = [_flatten(v, f"{name}.{k}" if name else k) for k, v in record.items()]
    return {k: v for part in inner for k, v in part.items()}


def _shorten(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}…"


def describe_dataset(dataset: Dataset) -> dict[str, Any]:
    """Return the entries of a plan that identify the data set, and where it was found."""
    place = place_of_dataset(dataset.whole if isinstance(dataset, PartOfDataset) else dataset)
    return {
        "name": dataset.name,
        "count": len(dataset.ids),
        "ids_hash": hash_of_items(dataset.ids, dataset.labels),
        "classes": list(dataset.classes),
        "notes": list(notes_of(dataset)),
        **({"place": dict(place)} if place else {}),
        **_describe_part(dataset),
    }


def hash_of_items(ids: Sequence[str], labels: Sequence[int | None]) -> str:
    """Return a hash of the ids and labels of a data set."""
    content = json.dumps([list(ids), list(labels)], ensure_ascii=True)
    return hashlib.sha256(content.encode()).hexdigest()


def _describe_part(dataset: Dataset) -> dict[str, Any]:
    if not isinstance(dataset, PartOfDataset):
        return {}
    whole = describe_dataset(dataset.whole)
    numbers = {"start": dataset.items.start, **{n: whole[n] for n in ("count", "ids_hash")}}
    return {PART: numbers}


def describe_explainers(steps: Sequence[ExplainerStep]) -> dict[str, Any]:
    """Return the entries of a plan for the explainers that the user requested."""
    return {step.named.name: _describe_step(step) for step in steps if step.is_requested}


def _describe_step(step: ExplainerStep) -> dict[str, Any]:
    return {
        "distribution": step.named.distribution,
        "version": step.named.version,
        "parameters": encode(step.explainer.model_dump(mode="json"), {}, step.named.name),
        "layers": list(step.layers),
    }
