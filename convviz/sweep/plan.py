"""What a sweep does: which explainers, on what they build, and how the items are cut up."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ..datasets import Dataset
from ..errors import ModelError, ParameterError, PluginError
from ..explainers import DatasetExplainer
from ..model import Model
from ..provenance import Named, blamed_on, describe_model, named, read_layers, versions

SHARD_SIZE = 1024
BATCH_SIZE = 32
SCHEMA = 1
DEEPEST = 8
"""More levels of `needs` than any sensible explainer has; a circle is caught by it."""


@dataclass(frozen=True, eq=False)
class Step:
    """One explainer of a sweep.

    Attributes:
        who: the explainer.
        explainer: the same, known to be one of data sets.
        needs: positions in the sweep's steps of what it builds on; all earlier than itself.
        wanted: it was asked for, so its results are kept.
        layers: the layers it reads.
    """

    who: Named
    explainer: DatasetExplainer
    needs: tuple[int, ...]
    wanted: bool
    layers: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Plan:
    """A sweep, decided before its first batch.

    Attributes:
        steps: the explainers, each after what it needs; equal ones are there once.
        count: items in the data set.
        batch_size: items of a forward pass.
        shard_size: items of a shard.
        record: what `run.json` keeps; nothing in it depends on when or where it was made.
    """

    steps: tuple[Step, ...]
    count: int
    batch_size: int
    shard_size: int
    record: dict[str, Any]

    @property
    def layers(self) -> tuple[str, ...]:
        """The union of all layers, in order of first mention."""
        return tuple(dict.fromkeys(layer for step in self.steps for layer in step.layers))

    @property
    def shards(self) -> tuple[range, ...]:
        """The items of each shard."""
        starts = range(0, self.count, self.shard_size)
        return tuple(range(i, min(i + self.shard_size, self.count)) for i in starts)


def make_plan(
    model: Model,
    dataset: Dataset,
    who: Sequence[Named],
    batch_size: int | None = None,
    shard_size: int = SHARD_SIZE,
) -> Plan:
    """Decide on a sweep; raises where a layer or a parameter does not fit."""
    batch_size = BATCH_SIZE if batch_size is None else batch_size
    if not isinstance(batch_size, int) or batch_size < 1:
        raise ParameterError(f"batch_size is a positive number, not {batch_size!r}")
    if model.preprocess is None:
        raise ModelError(
            f"{model.name} has no preprocess, which a data set of photos needs: give "
            "Model(…, preprocess=convviz.Preprocess(…))"
        )
    steps = make_steps(model, who)
    record = {
        "schema": SCHEMA,
        "model": describe_model(model),
        "dataset": describe_dataset(dataset),
        "explainers": {s.who.name: _describe_step(s) for s in steps if s.wanted},
        "batch_size": batch_size,
        "shard_size": shard_size,
        "dtype": str(model.dtype).removeprefix("torch."),
        "threads": torch.get_num_threads(),
        "versions": versions(tuple(who)),
    }
    return Plan(steps, len(dataset.ids), batch_size, shard_size, record)


def make_steps(model: Model, who: Sequence[Named]) -> tuple[Step, ...]:
    """Order the explainers so that each comes after what it needs; equal ones become one."""
    for i, one in enumerate(who):
        if not isinstance(one.explainer, DatasetExplainer):
            raise ParameterError(
                f"{one.name} explains single images: use convviz.explain() or `convviz explain`"
            )
        if one.name in [other.name for other in who[:i]]:
            raise ParameterError(f"{one.name} is asked for twice; a run holds each explainer once")
    steps: list[Step] = []
    for one in who:
        _add(model, one, steps, wanted=True, depth=0)
    return tuple(steps)


def _add(model: Model, who: Named, steps: list[Step], wanted: bool, depth: int) -> int:
    """Append an explainer after what it needs, and return its position."""
    if not isinstance(who.explainer, DatasetExplainer):
        raise PluginError(f"{who} is among the needs of an explainer, and explains single images")
    if depth > DEEPEST:
        raise PluginError(f"explainer {who}: its needs lead in a circle")
    for i, step in enumerate(steps):
        if type(step.explainer) is type(who.explainer) and step.explainer == who.explainer:
            steps[i] = Step(
                step.who, step.explainer, step.needs, step.wanted or wanted, step.layers
            )
            return i
    with blamed_on(who):
        below = [_named(need) for need in who.explainer.needs()]
    needs = tuple(_add(model, need, steps, False, depth + 1) for need in below)
    steps.append(Step(who, who.explainer, needs, wanted, read_layers(who, model)))
    return len(steps) - 1


def _named(need: DatasetExplainer) -> Named:
    return named(need, {})[0]


def describe_dataset(dataset: Dataset) -> dict[str, Any]:
    """Return what a run keeps of its data set's identity."""
    content = json.dumps([list(dataset.ids), list(dataset.labels)], ensure_ascii=True)
    return {
        "name": dataset.name,
        "count": len(dataset.ids),
        "ids_hash": hashlib.sha256(content.encode()).hexdigest(),
        "classes": list(dataset.classes),
    }


def _describe_step(step: Step) -> dict[str, Any]:
    return {
        "distribution": step.who.distribution,
        "version": step.who.version,
        "parameters": step.explainer.model_dump(mode="json"),
        "layers": list(step.layers),
    }
