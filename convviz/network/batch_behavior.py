"""Batch behavior of a network: coupling between the images of a batch, and randomness.

A batch norm without running statistics, dynamic quantization or `x - x.mean(0)` makes the scores
of an image depend on the other images of the batch. Functional dropout makes scores random even in
evaluation mode. Neither is visible in the modules, so both are measured: an image is run between
two others, then alone, and a second time alone if the two results differ. `Model` runs networks
that couple images one image at a time, for all explainers. The notes of every result mention both
properties.

Besides the scores, the output of every module whose first axis is the batch is compared: a later
normalization may hide a coupling from the scores that still changes activations.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from ..errors import ConvvizWarning, ModelError
from ..scores.outputs import Pick
from ..state.device import is_out_of_memory
from ..state.network_state import RandomState, preserve_network
from .interface import TracedNetwork
from .probing import Difference, ProbePass, attempt, difference, largest_gap, mirror, probe_images
from .structure import Structure, learn_volatile_attributes, structure_of, tensor_versions

_TOLERANCE = {torch.float64: 1e-10, torch.float32: 1e-4}
"""Network's dtype -> difference that rounding may cause, as a share of the largest score."""

_TOLERANCE_BELOW_FLOAT32 = 2e-2


def score_tolerance(dtype: torch.dtype) -> float:
    """Return the difference, as a share of the largest score, that rounding may cause."""
    return _TOLERANCE.get(dtype, _TOLERANCE_BELOW_FLOAT32)


@dataclass(frozen=True)
class Behavior:
    """The measured batch behavior of a network for images of one shape.

    Attributes:
        coupled: an image's scores or activations depend on the batch it is in.
        coupling: largest change of a score due to coupling, as a share of the largest score.
        random: the network draws random numbers in evaluation mode.
        randomness: largest change of a score between two passes over the same image, also as a
            share of the largest score.
        single: images must be run one at a time.
        layer: the first layer that differed.
        sigmoid: the scores are the output of a sigmoid.
        alone: the error with which the network rejects a single image; "" if it runs.
    """

    coupled: bool = False
    coupling: float = 0.0
    random: bool = False
    randomness: float = 0.0
    single: bool = False
    layer: str = ""
    sigmoid: bool = False
    alone: str = ""

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences for the results that depend on the network's output."""
        notes = []
        if self.random:
            notes.append(
                f"The network is random in evaluation mode{self._where}: {self._spread}. All "
                "numbers are of a single draw, so differences of that size mean nothing."
                + (" Every image was run alone." if self.single else "")
            )
        if self.coupled:
            notes.append(
                "The network couples the images of a batch: an image's "
                f"{self._change} with the other images of the batch{self._where}. Every image was "
                "run alone, so the result depends neither on the batch size nor on other images."
            )
        return tuple(notes)

    @property
    def _where(self) -> str:
        return f" (first seen in layer {self.layer!r})" if self.layer else ""

    @property
    def _spread(self) -> str:
        if not self.randomness:
            return "it draws random numbers, although the scores of the test image stayed the same"
        return (
            "the scores of the same image changed by up to "
            f"{self.randomness:.1%} of the largest score between two passes"
        )

    @property
    def _change(self) -> str:
        if self.coupling:
            return f"scores changed by up to {self.coupling:.1%} of the largest score"
        return "activations, though not its scores, changed"

    @property
    def reason(self) -> str:
        """Why the network's exported graph must not replace it; "" if it may."""
        if self.random:
            return "the network is random in evaluation mode"
        if self.coupled:
            return "the network couples the images of a batch"
        return "the network takes one image at a time" if self.single else ""


@dataclass(frozen=True, eq=False)
class _Measurement:
    """A measurement, with the state of the network for which it is valid.

    Attributes:
        structure: the fingerprint of the network.
        versions: of its parameters and buffers, without those that every pass changes.
        behavior: the measured behavior.
    """

    structure: Structure
    versions: dict[str, Hashable]
    behavior: Behavior

    def holds(self, model: TracedNetwork) -> bool:
        """Return whether the network has not changed since the measurement.

        It is compared once per session, during which nothing changes the network.
        """
        known = model.cache.measurements
        if self not in known:
            known[self] = model.structure[0] == self.structure and self._has_versions(model)
        return known[self]

    def _has_versions(self, model: TracedNetwork) -> bool:
        versions = tensor_versions(model.module)
        return all(versions.get(name) == version for name, version in self.versions.items())


_CACHE: WeakKeyDictionary[nn.Module, dict[Any, _Measurement]] = WeakKeyDictionary()


def behavior_of(model: TracedNetwork, images: Tensor) -> Behavior:
    """Return the batch behavior of a network in evaluation mode, measured on first use.

    It takes two or three small forward passes per network and image shape, again after weights,
    modules, hooks or plain attributes of the network have changed. The network and the random
    generators are restored.

    Args:
        model: the network, inside its session.
        images: `[N, C, H, W]`, N at least 1, preprocessed for the network.

    Warns:
        ConvvizWarning: once, if the network is random.
    """
    module, output = model.module, model.output
    entries = _CACHE.setdefault(module, {})
    key = (tuple(images.shape[1:]), images.dtype, images.device, _identity(output))
    entry = entries.get(key)
    if entry is not None and entry.holds(model):
        return entry.behavior
    before = tensor_versions(module)
    no_autocast = torch.autocast(images.device.type, enabled=False)
    quiet = warnings.catch_warnings(action="ignore")  # the user's own pass emits them
    try:
        with (
            preserve_network(module),
            torch.no_grad(),
            no_autocast,
            learn_volatile_attributes(module),
            quiet,
        ):
            behavior = _measure(module, images, output)
    except Exception as error:
        if is_out_of_memory(error):  # running one image at a time is right for every network
            return Behavior(single=True)
        raise
    if behavior is None:  # no scores: the user's own call raises the reason
        return Behavior()
    entries[key] = _measurement(module, before, behavior)
    model.cache.structure = None  # without the attributes that the passes changed
    if behavior.random and (behavior.randomness or behavior.layer):
        warnings.warn(
            f"{type(module).__name__} is random in evaluation mode{behavior._where}: "
            f"{behavior._spread}; the notes of the results mention it",
            ConvvizWarning,
            stacklevel=2,
        )
    return behavior


def _measurement(
    module: nn.Module, before: dict[str, Hashable], behavior: Behavior
) -> _Measurement:
    """Return the measurement, with the versions of the tensors that the passes did not write to."""
    after = tensor_versions(module)
    lasting = {name: version for name, version in before.items() if after.get(name) == version}
    return _Measurement(structure_of(module), lasting, behavior)


def is_measured(model: TracedNetwork, images: Tensor) -> bool:
    """Return whether the network's behavior on images like these is already measured."""
    key = (tuple(images.shape[1:]), model.dtype, model.device, _identity(model.output))
    entry = _CACHE.get(model.module, {}).get(key)
    return entry is not None and entry.holds(model)


def repeats(model: TracedNetwork, images: Tensor, scores: Tensor) -> bool:
    """Return whether a second pass gives the same scores, without drawing random numbers.

    This takes one pass; `behavior_of` takes several.
    """
    entries = _CACHE.setdefault(model.module, {})
    key = ("repeats", tuple(images.shape[1:]), model.dtype, model.device, _identity(model.output))
    if key in entries and entries[key].holds(model):
        return True
    generators, versions = RandomState(), tensor_versions(model.module)
    with learn_volatile_attributes(model.module):
        again = model.forward(images).output
    tolerance = score_tolerance(model.dtype)
    same = largest_gap(again, scores) <= tolerance * float(scores.abs().nan_to_num(0, 0).max())
    if not same or not generators.is_current():
        return False
    entries[key] = _measurement(model.module, versions, Behavior())
    model.cache.structure = None  # without the attributes that the passes changed
    return True


def one_by_one(
    run: Callable[[Tensor], tuple[Tensor, dict[str, Tensor]]], images: Tensor
) -> tuple[Tensor, dict[str, Tensor]]:
    """Run images one at a time, and join scores and activations along their first axis."""
    # copies: autograd forbids a network to write into one of the views that `split` returns
    passes = [run(images[i : i + 1].clone()) for i in range(len(images))]
    names = passes[0][1]
    joined = {name: torch.cat([outputs[name] for _, outputs in passes]) for name in names}
    return torch.cat([scores for scores, _ in passes]), joined


def _identity(output: Pick) -> Any:
    """Return a key for a choice of scores that keeps no object alive."""
    return (id(output), repr(output)) if callable(output) else output


def _measure(module: nn.Module, images: Tensor, output: Pick) -> Behavior | None:
    image, neighbor = probe_images(images)
    # Between two others, because it may depend on images before or after it.
    pair, failure = attempt(module, torch.cat([neighbor, image, neighbor]), output)
    if pair is None and not failure:
        return None
    alone, refusal = attempt(module, image, output)
    if alone is None:
        if pair is None:  # it may accept even numbers of images only
            pair, _ = attempt(module, torch.cat([neighbor, image]), output)
        if pair is None:
            return None
        other, _ = attempt(module, torch.cat([mirror(neighbor), image]), output)
        return _without_single(pair, other, images.dtype, refusal)
    tolerance = score_tolerance(images.dtype)
    beside = Difference() if pair is None else difference(pair, alone, tolerance)
    if pair is not None and not beside.differs and not alone.drew:
        return Behavior(sigmoid=alone.sigmoid)
    again, _ = attempt(module, image, output)
    repeated = Difference() if again is None else difference(again, alone, tolerance)
    drew = alone.drew or (again is not None and again.drew)
    coupled = beside.differs and not repeated.differs and not drew
    is_random = repeated.differs or drew
    return Behavior(
        coupled=coupled,
        coupling=beside.scores if coupled else 0.0,
        random=is_random,
        randomness=max(repeated.scores, beside.scores) if is_random else 0.0,
        # In a random network a coupling cannot be excluded, so it is assumed.
        single=pair is None or beside.differs,
        layer=repeated.layer or beside.layer,
        sigmoid=alone.sigmoid,
    )


def _without_single(
    pair: ProbePass, other: ProbePass | None, dtype: torch.dtype, refusal: str
) -> Behavior:
    """Measure a network that rejects a single image: run one image beside two different ones."""
    tolerance = score_tolerance(dtype)
    beside = Difference() if other is None else difference(other, pair, tolerance)
    if not beside.differs:
        return Behavior(sigmoid=pair.sigmoid)
    return Behavior(
        coupled=True,
        coupling=beside.scores,
        single=True,
        layer=beside.layer,
        sigmoid=pair.sigmoid,
        alone=refusal or "it returns no scores [1, classes]",
    )


def check_single(behavior: Behavior, name: str) -> None:
    """Raise ModelError if images must be run alone, and the network rejects single images."""
    if behavior.alone:
        raise ModelError(
            f"{name} couples the images of a batch (a score changed by up to "
            f"{behavior.coupling:.1%} of the largest{behavior._where}), and it does not run on an "
            f"image alone ({behavior.alone}), so the scores of one image are not defined. A batch "
            "norm in training mode has this effect: make it use its running statistics"
        )
