"""Speed of explainers: the public call of each, in turn, at its best batch and memory layout."""

from __future__ import annotations

import datetime
import platform
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from torch import fx, nn

from ..api import as_model, explain
from ..errors import ConvvizError, ParameterError, PluginError, UnknownNameError
from ..explanation.provenance import Named, named, versions
from ..network.inputs import make_batch
from ..network.model import Model
from ..plugin import registry
from ..plugin.explainer import Explainer
from ..progress import report_progress_to, track
from .clock import timed
from .machine import commit, load, machine
from .peak_memory import peak_memory
from .speed_inputs import LAYOUTS, SIDE, load_photos, with_layout
from .speed_record import FORWARD, SpeedRecord, SpeedRow

SLOW_CALL_S = 20.0
"""Seconds of a call with one image above which larger batches and other layouts are not tried."""

Call = Callable[[], Any]


@dataclass(frozen=True)
class SpeedSettings:
    """How speed is measured.

    Attributes:
        batches: numbers of images per call that are tried.
        repeats: rounds, in each of which every explainer is called once.
        memory: measure the peak memory of each explainer in a process of its own.
        images: a folder or glob pattern of photos; "" for generated images.
    """

    batches: tuple[int, ...] = (1, 8)
    repeats: int = 5
    memory: bool = True
    images: str = ""

    def __post_init__(self) -> None:
        if not self.batches or min(self.batches) < 1:
            raise ParameterError(f"batches={self.batches!r} must be numbers from 1")
        if self.repeats < 1:
            raise ParameterError(f"repeats={self.repeats} must be 1 or more")


@dataclass
class _Candidate:
    """An explainer, or the forward pass, with what has been measured of it.

    Attributes:
        name: name in the record.
        method: the explainer; None for the forward pass.
        peer_of: the explainer that it is compared with.
        trials: (layout, batch) -> seconds per image.
        first_call_s, passes, notes: see `SpeedRow`.
    """

    name: str
    method: Named | None
    peer_of: str = ""
    trials: dict[tuple[str, int], float] = field(default_factory=dict)
    first_call_s: float = 0.0
    passes: float = 0.0
    notes: list[str] = field(default_factory=list)

    @property
    def best(self) -> tuple[str, int]:
        """The fastest layout and batch."""
        return min(self.trials, key=self.trials.__getitem__)

    def call(self, model: Model, photos: Sequence[np.ndarray]) -> Call:
        """Return the call to time; photos are decoded before, preprocessing is part of it."""
        if self.method is None:
            images = make_batch(photos, model).images
            return lambda: model.forward(images)
        explainer = self.method.explainer
        return lambda: explain(model, list(photos), explainer)


def benchmark_speed(
    model: Model | str,
    explainers: Sequence[Any] | None = None,
    *,
    against: Sequence[str] = (),
    batches: Sequence[int] = (1, 8),
    repeats: int = 5,
    memory: bool = True,
    images: str = "",
) -> SpeedRecord:
    """Measure the speed of explainers of images.

    Each explainer is tried with all batches and with the weights in both memory formats. Then all
    explainers are called in turn, each with the batch and format that were fastest for it, and the
    network's forward pass beside them.

    Args:
        model: a Model, or a source that `load_model` accepts. Memory is measured only for a model
            from a source, because another process has to load it.
        explainers: names or instances of explainers of images; None for all that are installed,
            without those of families such as `captum.*`.
        against: families, such as "captum", whose explainers of the same method are measured as
            well, if they are installed.
        batches: numbers of images per call that are tried.
        repeats: rounds of calls.
        memory: measure the peak memory of each explainer in a process of its own.
        images: a folder or glob pattern of photos; "" for generated images.

    Returns:
        The record. Explainers that fail are listed with the reason.

    Raises:
        ParameterError: a setting is not allowed, or an explainer does not explain images.
    """
    settings = SpeedSettings(tuple(batches), repeats, memory, images)
    model = as_model(model)
    methods = _methods(explainers)
    notes: list[str] = []
    names = [method.name for method in methods]
    candidates = [_Candidate(FORWARD, None)]
    for method in methods:
        candidates.append(_Candidate(method.name, method))
        candidates += [
            _Candidate(peer.name, peer, method.name)
            for peer in _peers(method, against, notes)
            if peer.name not in names
        ]
    return _measure(model, candidates, settings, notes)


def _methods(explainers: Sequence[Any] | None) -> tuple[Named, ...]:
    """Return the explainers to measure."""
    methods = named(list(explainers), {}) if explainers is not None else _installed()
    for method in methods:
        if not _explains_images(method.explainer):
            raise ParameterError(f"{method.name} does not explain single images")
    names = [method.name for method in methods]
    if repeated := [name for name in names if names.count(name) > 1]:
        raise ParameterError(f"explainer {repeated[0]!r} is given twice")
    return methods


def _installed() -> tuple[Named, ...]:
    """Return all explainers of images, without the members of families."""
    classes = registry.current().all_explainer_classes()
    names = [name for name, cls in classes if "." not in name and issubclass(cls, Explainer)]
    methods = (method for name in names for method in named(name, {}))
    return tuple(method for method in methods if _explains_images(method.explainer))


def _explains_images(explainer: object) -> bool:
    return isinstance(explainer, Explainer) and explainer.needs_image


def _peers(method: Named, families: Sequence[str], notes: list[str]) -> list[Named]:
    """Return the explainers of the same method in other families; adds a note for a missing one.

    The names agree but for underscores and the prefix "layer_": `captum.layer_grad_cam` is a peer
    of `grad_cam`.
    """
    peers = []
    for family in families:
        try:
            entry = registry.current().find("explainers", family)
            members = registry.current().explainer_classes(entry)
        except (UnknownNameError, PluginError) as error:
            note = f"not measured: {family}: {error}"
            notes += [note] if note not in notes else []
            continue
        same = [name for name in members if _method_of(name) == _method_of(method.name)]
        peers += [peer for name in same for peer in named(name, {})]
    return peers


def _method_of(name: str) -> str:
    return name.rpartition(".")[2].removeprefix("layer_").replace("_", "")


def _measure(
    model: Model, candidates: list[_Candidate], settings: SpeedSettings, notes: list[str]
) -> SpeedRecord:
    state = machine()
    photos = load_photos(settings.images, max(settings.batches))
    models = {layout: with_layout(model, layout) for layout in LAYOUTS}
    failed: dict[str, str] = {}
    usable = []
    for candidate in track(candidates, "trying batches and layouts", total=len(candidates)):
        try:
            with _quiet():
                _try_settings(candidate, model, models, photos, settings.batches)
            usable.append(candidate)
        except ConvvizError as error:
            if candidate.method is None:
                raise
            failed[candidate.name] = str(error)
    seconds = _rounds(usable, models, photos, settings.repeats)
    peaks = _peaks(usable, model, settings)
    state["load_after"] = load()
    return SpeedRecord(
        date=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        commit=commit(),
        machine=state,
        versions=_versions(usable),
        model=_description(model),
        images=_images_text(settings, photos),
        rows=tuple(_row(c, seconds[c.name], peaks.get(c.name)) for c in usable),
        failed=failed,
        notes=tuple(notes),
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Hide warnings and the progress of single calls, which would be printed for every call."""
    with warnings.catch_warnings(), report_progress_to(None):
        warnings.simplefilter("ignore")
        yield


def _try_settings(
    candidate: _Candidate,
    model: Model,
    models: Mapping[str, Model],
    photos: Sequence[np.ndarray],
    batches: Sequence[int],
) -> None:
    """Measure the first call and count passes, then time a call of each batch and layout."""
    device = str(model.device)
    fresh = with_layout(model, "contiguous")
    call = candidate.call(fresh, photos[:1])
    candidate.first_call_s, _ = timed(call, device)
    with _count_passes(fresh.module) as passes:
        later, _ = timed(call, device)
    candidate.passes = float(passes())
    if later > SLOW_CALL_S:
        candidate.trials["contiguous", 1] = later
        candidate.notes.append(f"A call takes {later:.0f} s, so only one setting was tried.")
        return
    for layout, copied in models.items():
        for batch in batches:
            call = candidate.call(copied, photos[:batch])
            call()  # the first call of a shape exports the network or selects kernels
            candidate.trials[layout, batch] = timed(call, device)[0] / batch


@contextmanager
def _count_passes(network: nn.Module) -> Iterator[Callable[[], int]]:
    """Count the images that a network processes; yield a function that returns their number.

    Calls of the network count, and those of private copies that bridges to other libraries make:
    they are rebuilt from its fx graph. Calls are not counted by a hook, because convviz measures a
    network with a new hook again.
    """
    count = 0
    call = nn.Module.__call__

    def counting(module: nn.Module, *inputs: Any, **options: Any) -> Any:
        nonlocal count
        is_whole = module is network or isinstance(module, fx.GraphModule)
        if is_whole and inputs and isinstance(inputs[0], torch.Tensor):
            count += len(inputs[0])
        return call(module, *inputs, **options)

    with patch.object(nn.Module, "__call__", counting):
        yield lambda: count


def _rounds(
    candidates: Sequence[_Candidate],
    models: Mapping[str, Model],
    photos: Sequence[np.ndarray],
    repeats: int,
) -> dict[str, list[float]]:
    """Return seconds per image of all candidates, called in turn at their best settings."""
    calls = {c.name: c.call(models[c.best[0]], photos[: c.best[1]]) for c in candidates}
    batches = {c.name: c.best[1] for c in candidates}
    device = str(next(iter(models.values())).device)
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for turn in track(range(repeats), "rounds", total=repeats):
        # Every round starts with another explainer, so that other load affects all alike.
        names = [*calls][turn % len(calls) :] + [*calls][: turn % len(calls)]
        with _quiet():
            for name in names:
                seconds[name].append(timed(calls[name], device)[0] / batches[name])
    return seconds


def _peaks(
    candidates: Sequence[_Candidate], model: Model, settings: SpeedSettings
) -> dict[str, float]:
    """Return the peak memory of each explainer; adds a note where it cannot be measured."""
    methods = [c for c in candidates if c.method is not None]
    if not settings.memory:
        return {}
    peaks = {}
    for candidate in track(methods, "peak memory", total=len(methods)):
        try:
            peaks[candidate.name] = _peak(candidate, model, settings)
        except ConvvizError as error:
            candidate.notes.append(f"Peak memory is unknown: {error}.")
    return peaks


def _peak(candidate: _Candidate, model: Model, settings: SpeedSettings) -> float:
    assert candidate.method is not None
    if not model.source:
        raise ConvvizError("the model has no source from which another process could load it")
    if not candidate.method.distribution:
        raise ConvvizError("no installed plugin provides the explainer")
    layout, batch = candidate.best
    return peak_memory(
        {
            "model": model.source,
            "device": str(model.device),
            "layout": layout,
            "explainer": candidate.method.name,
            "parameters": candidate.method.explainer.model_dump(mode="json"),
            "images": settings.images,
            "batch": batch,
            "threads": torch.get_num_threads(),
        }
    )


def _row(candidate: _Candidate, seconds: list[float], peak_mb: float | None) -> SpeedRow:
    method = candidate.method
    layout, batch = candidate.best
    return SpeedRow(
        name=candidate.name,
        distribution=method.distribution if method else "",
        version=method.version if method else "",
        parameters=method.explainer.model_dump(mode="json") if method else {},
        peer_of=candidate.peer_of,
        batch=batch,
        layout=layout,
        trials={f"{layout}, {batch}": s for (layout, batch), s in candidate.trials.items()},
        seconds=seconds,
        first_call_s=candidate.first_call_s,
        passes=candidate.passes,
        peak_mb=peak_mb,
        notes=tuple(candidate.notes),
    )


def _versions(candidates: Sequence[_Candidate]) -> dict[str, str]:
    methods = tuple(c.method for c in candidates if c.method is not None)
    return {"python": platform.python_version(), **versions(methods)}


def _description(model: Model) -> dict[str, str]:
    return {
        "name": model.name,
        "source": model.source,
        "weights_hash": model.weights_hash,
        "device": model.device.type,
        "dtype": str(model.dtype).removeprefix("torch."),
    }


def _images_text(settings: SpeedSettings, photos: Sequence[np.ndarray]) -> str:
    count, ending = len(photos), "" if len(photos) == 1 else "s"
    if not settings.images:
        return f"{count} generated image{ending} of {SIDE} x {SIDE} pixels"
    return f"{count} photo{ending} of {settings.images}"
