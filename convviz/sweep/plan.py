"""What a sweep does: which explainers, on what they build, and how the items are cut up."""

from __future__ import annotations

import hashlib
import json
import random
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np
import torch

from ..data.dataset import Dataset, notes_of
from ..device import is_out_of_memory
from ..errors import ConvvizWarning, ModelError, ParameterError, PluginError, UnknownNameError
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
from ..results.json_codec import encode
from .input.decoder_process import DECODE, EXACT
from .input.gpu_jpeg import check_decode

PRECISIONS = ("model", "bf16")
SHARD_SIZE = 1024
BATCH_SIZE = 32
"""On the CPU larger batches are no faster."""

CUDA_BATCH_SIZE = 256
CPU_ROOM = 2 << 30
"""Bytes that the outputs of all layers may take together; they do not all live at once."""

RANDOM = "different at every call"
"""What a plan says of a preprocess that draws random numbers."""

SAYS_NOTHING = frozenset({"model.source", "dataset.name", "dataset.notes", "schema"})
"""What may change without changing any number."""

SAID = {"dataset.ids_hash": "dataset, the ids or labels of its items (by their hash)"}
"""What a difference is called whose name says too little."""

SCHEMA = 2
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


@dataclass(frozen=True)
class Settings:
    """How a sweep is run; None leaves the choice to the plan.

    Attributes:
        batch_size: items of a forward pass.
        shard_size: items of a shard.
        threads: of PyTorch on the CPU.
        deterministic: use PyTorch's deterministic algorithms only.
        workers: processes that decode; 0 decodes in the process of the model.
        timeout: seconds that an item may take a worker; 60 where None.
        verify: before going on, read again what was swept, and refuse where it has changed.
        precision: "model", or "bf16" where the device is fast at it.
        compiled: have torch.compile translate the network.
        decode: "exact", "scaled": JPEG files are decoded no larger than the resize needs, or
            "gpu": they are decoded by the model's CUDA device.
    """

    batch_size: int | None = None
    shard_size: int | None = None
    threads: int | None = None
    deterministic: bool = False
    workers: int | None = None
    timeout: float | None = None
    verify: bool = False
    decode: str = EXACT
    precision: str = "model"
    compiled: bool = False

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise UnknownNameError("precision", self.precision, PRECISIONS)
        for name in ("batch_size", "shard_size", "threads"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, int) or value < 1):
                raise ParameterError(f"{name} is a positive number, not {value!r}")
        if self.workers is not None and (not isinstance(self.workers, int) or self.workers < 0):
            raise ParameterError(f"workers is a number of processes, or 0, not {self.workers!r}")
        if self.decode not in DECODE:
            raise UnknownNameError("decode", self.decode, DECODE)
        if self.timeout is not None and self.workers == 0:
            raise ParameterError(
                f"timeout={self.timeout!r} goes with workers: without (workers=0) nobody can stop "
                "a photo that takes longer"
            )
        if self.timeout is not None and not self.timeout > 0:
            raise ParameterError(f"timeout is a number of seconds above 0, not {self.timeout!r}")

    def after(self, kept: Mapping[str, Any]) -> Settings:
        """Take what is not given from the plan of the sweep that goes on."""
        return replace(
            self,
            batch_size=self.batch_size or kept.get("batch_size"),
            shard_size=self.shard_size or kept.get("shard_size"),
            threads=self.threads or kept.get("threads"),
        )


def make_plan(
    model: Model, dataset: Dataset, who: Sequence[Named], settings: Settings | None = None
) -> Plan:
    """Decide on a sweep; raises where a layer or a parameter does not fit."""
    settings = settings or Settings()
    if model.preprocess is None:
        raise ModelError(
            f"{model.name} has no preprocess, which a data set of photos needs: give "
            "Model(…, preprocess=convviz.Preprocess(…))"
        )
    check_decode(settings.decode, model)
    steps = make_steps(model, who)
    batch_size = settings.batch_size or fitting_batch(model)
    shard_size = settings.shard_size or SHARD_SIZE
    preprocess = describe_preprocess(model)
    if RANDOM in preprocess:
        warnings.warn(
            f"the preprocess of {model.name} makes another image of a photo at every call: no "
            "result of this sweep can be repeated, nor will a sweep that goes on give the same",
            ConvvizWarning,
            stacklevel=2,
        )
    record = {
        "schema": SCHEMA,
        "model": {**describe_model(model), "preprocess": preprocess},
        "dataset": describe_dataset(dataset),
        "explainers": {s.who.name: _describe_step(s) for s in steps if s.wanted},
        "batch_size": batch_size,
        "shard_size": shard_size,
        "dtype": str(model.dtype).removeprefix("torch."),
        "device": model.device.type,
        "threads": settings.threads or torch.get_num_threads(),
        "deterministic": settings.deterministic,
        "decode": settings.decode,
        "precision": settings.precision,
        "compile": settings.compiled,
        "versions": versions(tuple(step.who for step in steps)),
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
    with attribute_errors(who):
        below = [_named(need) for need in who.explainer.needs()]
    needs = tuple(_add(model, need, steps, False, depth + 1) for need in below)
    steps.append(Step(who, who.explainer, needs, wanted, read_layers(who, model)))
    return len(steps) - 1


def _named(need: DatasetExplainer) -> Named:
    return named(need, {})[0]


def fitting_batch(model: Model) -> int:
    """Choose a batch from the memory that the outputs of all layers take, a power of two."""
    try:
        values = sum(prod(call.shape) for call in model.calls())
    except ModelError:  # it runs on no images that we could think of; the data set may know
        return BATCH_SIZE
    room, most = CPU_ROOM, BATCH_SIZE
    if model.device.type == "cuda":
        room, most = torch.cuda.mem_get_info(model.device)[0] // 4, CUDA_BATCH_SIZE
    fits = room // max(1, values * model.dtype.itemsize)
    return max(1, min(most, 1 << max(0, int(fits).bit_length() - 1)))


def describe_preprocess(model: Model) -> str:
    """Return what a run keeps of how photos become the model's input.

    Of a preprocess of the user's own that is its name, and a hash of what it makes of a photo.
    """
    if isinstance(model.preprocess, Preprocess):
        return repr(model.preprocess)
    cls = model.preprocess if callable(model.preprocess) else type(model.preprocess)
    name = str(getattr(cls, "__qualname__", type(cls).__qualname__))
    return f"{name} ({_trial(model.preprocess)})"


def _trial(preprocess: Any) -> str:
    """Say what a preprocess makes of a photo that is always the same."""
    y, x = np.mgrid[:480, :640]
    photo = np.stack([x % 256, y % 256, (x * y) % 251], 2).astype(np.uint8)
    states = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng(devices=[]):
            first, second = (_hashed(prepare_with(preprocess, photo).image) for _ in range(2))
    except (ModelError, SystemExit) as error:  # it may take other photos than this
        if error.__cause__ is not None and is_out_of_memory(error.__cause__):
            raise
        return "fails on a test photo"
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
    return first if first == second else RANDOM


def _hashed(image: torch.Tensor) -> str:
    about = f"{image.dtype} {tuple(image.shape)} ".encode()
    wide = (image.double() + 0).contiguous().numpy()  # NumPy knows no bfloat16
    return hashlib.sha256(about + wide.tobytes()).hexdigest()[:16]


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Say what two plans differ in, old value → new value; empty where they do the same."""
    before, after = _flat(old), _flat(_plain(new))
    names = (*after, *(n for n in before if n not in after))
    differing = [
        name for name in names if before.get(name) != after.get(name) and name.split(".")[0] in new
    ]
    values = [[_short(of.get(name, "none")) for of in (before, after)] for name in differing]
    said = [SAID.get(name, name) for name in differing]
    return [f"{what}: {a} → {b}" for what, (a, b) in zip(said, values, strict=True)]


def _plain(record: Mapping[str, Any]) -> Any:
    """Return a plan as it comes back from its file."""
    return json.loads(json.dumps(record))


def _flat(record: Any, name: str = "") -> dict[str, Any]:
    """Return the values of nested mappings under dotted names, without what decides nothing."""
    if not isinstance(record, Mapping):
        return {} if name in SAYS_NOTHING else {name: record}
    inner = [_flat(v, f"{name}.{k}" if name else k) for k, v in record.items()]
    return {k: v for part in inner for k, v in part.items()}


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}…"


def describe_dataset(dataset: Dataset) -> dict[str, Any]:
    """Return what a run keeps of its data set's identity."""
    content = json.dumps([list(dataset.ids), list(dataset.labels)], ensure_ascii=True)
    return {
        "name": dataset.name,
        "count": len(dataset.ids),
        "ids_hash": hashlib.sha256(content.encode()).hexdigest(),
        "classes": list(dataset.classes),
        "notes": list(notes_of(dataset)),
    }


def _describe_step(step: Step) -> dict[str, Any]:
    return {
        "distribution": step.who.distribution,
        "version": step.who.version,
        "parameters": encode(step.explainer.model_dump(mode="json"), {}, step.who.name),
        "layers": list(step.layers),
    }
