"""Switch a network to eval mode and back, with its own `train` and `eval` if it overrides them.

Weight averaging, merged adapters and re-parametrisation override these methods: their `eval`
changes weights, and only their `train` can undo it. Resetting the flags alone would keep the
changed weights.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import ModelError
from .module_walk import parts_of
from .network_state import put_back_entries, same_entries

_checked: weakref.WeakSet[nn.Module] = weakref.WeakSet()
"""Networks whose `train` is known to undo their `eval`."""


def is_overriding(module: nn.Module) -> bool:
    """Return whether a module overrides `train` or `eval` of nn.Module."""
    return any(
        name in vars(module) or getattr(type(module), name) is not getattr(nn.Module, name)
        for name in ("train", "eval")
    )


@contextmanager
def eval_mode(module: nn.Module) -> Iterator[Evaluation]:
    """Switch a network to eval mode for the block.

    Nothing is called if all of its modules are in eval mode already.

    Raises:
        ModelError: `eval` failed, or `train` does not undo it.
    """
    evaluation = Evaluation(module)
    if evaluation.contents is not None and module not in _checked:
        evaluation.begin()  # a trial, so that irreversible changes are an error before any work
        evaluation.end()
        _checked.add(module)
        evaluation = Evaluation(module)
    evaluation.begin()
    try:
        yield evaluation
    finally:
        evaluation.end()


class Evaluation:
    """Switches one network to eval mode and back."""

    def __init__(self, module: nn.Module) -> None:
        self.module = module
        self.flags = [(m, m.training) for m in parts_of(module)]
        switches = any(training for _, training in self.flags)
        overriding = switches and any(is_overriding(m) for m, _ in self.flags)
        self.contents = _Contents(module) if overriding else None

    def begin(self) -> None:
        """Switch the network to eval mode."""
        try:
            if self.module.training and is_overriding(self.module):
                self.module.eval()
            _switch([(m, False) for m in parts_of(self.module)])
        except Exception as error:
            self._put_back()
            raise ModelError(
                f"eval() of {type(self.module).__name__} failed: {type(error).__name__}: {error}"
            ) from error

    def end(self) -> None:
        """Restore the modes and undo what `eval` did.

        Raises:
            ModelError: `train` does not undo it.
        """
        if self.contents is None:
            _switch(self.flags)
            return
        try:
            _switch(self.flags)
        except Exception as error:
            self._put_back()
            raise self._refusal(f"train() failed: {type(error).__name__}: {error}") from error
        gaps = self.contents.differences()
        rounding = all(gap.rounding for gap in gaps)
        if rounding:  # merged adapters: W + AB - AB is W up to rounding
            self.contents.put_back_values()
            return
        self._put_back()
        names = "; ".join(str(gap) for gap in gaps if not gap.rounding)
        raise self._refusal(f"after train() {names[:300]}")

    def _put_back(self) -> None:
        if self.contents is not None:
            self.contents.put_back()
        for m, training in self.flags:
            m.training = training

    def _refusal(self, what: str) -> ModelError:
        return ModelError(
            f"{type(self.module).__name__} has an eval() that does more than set a flag, and its "
            f"train() does not undo it: {what}. Everything was restored. Call eval() on the "
            "network before you pass it to convviz: then neither is called"
        )


def _switch(flags: list[tuple[nn.Module, bool]]) -> None:
    """Set the flags, parents first, with the modules' own methods if they override them."""
    for m, training in flags:
        if m.training != training and is_overriding(m):
            m.train(training)
    for m, training in flags:
        if m.training != training:
            m.training = training


@dataclass(frozen=True)
class _Gap:
    """A difference from the state before.

    Attributes:
        what: a parameter, buffer or module.
        how: the kind of difference.
        rounding: the difference of the values may be due to rounding.
    """

    what: str
    how: str
    rounding: bool = False

    def __str__(self) -> str:
        return f"{self.what!r} {self.how}"


@dataclass
class _Held:
    """A tensor, its original memory, and a copy of its values."""

    tensor: Tensor
    memory: Tensor = field(init=False)
    value: Tensor = field(init=False)

    def __post_init__(self) -> None:
        self.memory, self.value = self.tensor.data, self.tensor.detach().clone()

    @property
    def gap(self) -> float | None:
        """Largest difference from the copy, relative to the largest value; None if equal."""
        now, value = self.tensor.detach(), self.value
        if now.shape != value.shape or now.dtype != value.dtype:
            return float("inf")
        if torch.equal(now, value) or (
            torch.equal(now.isnan(), value.isnan())
            and torch.equal(now.nan_to_num(), value.nan_to_num())
        ):
            return None
        if not value.is_floating_point():
            return float("inf")
        scale = float(value.nan_to_num().abs().max()) or 1.0
        return float((now - value).nan_to_num(float("inf")).abs().max()) / scale

    @property
    def is_rounding(self) -> bool:
        """True if the difference may be due to rounding."""
        gap = self.gap
        floating = self.value.is_floating_point()
        return gap is None or (floating and gap <= torch.finfo(self.value.dtype).eps ** 0.5)

    def put_back(self) -> None:
        if (
            self.tensor.data_ptr() != self.memory.data_ptr()
            or self.tensor.shape != self.value.shape
        ):
            self.tensor.data = self.memory
        if self.gap is not None:
            with torch.no_grad():
                self.tensor.copy_(self.value)


class _Contents:
    """Names, objects and values of a network's modules, parameters and buffers."""

    def __init__(self, module: nn.Module) -> None:
        modules = dict(module.named_modules())
        self.attributes = [(m, dict(vars(m))) for m in modules.values()]
        self.tables = [
            (name, table, dict(table))
            for name, m in modules.items()
            for table in (m._modules, m._parameters, m._buffers)
            if isinstance(table, dict)
        ]
        self.held = {
            name: _Held(tensor)
            for tensors in (module.named_parameters(), module.named_buffers())
            for name, tensor in tensors
        }

    def differences(self) -> list[_Gap]:
        gaps = []
        for name, table, before in self.tables:
            if not same_entries(table, before):
                names = [k for k in {**before, **table} if table.get(k) is not before.get(k)]
                where = f"{name}." if name else ""
                gaps += [_Gap(f"{where}{key}", _change(key, before, table)) for key in names]
        for name, held in self.held.items():
            if (gap := held.gap) is not None:
                gaps.append(_Gap(name, f"differs by {gap:.2g} of its scale", held.is_rounding))
        return gaps

    def put_back_values(self) -> None:
        for held in self.held.values():
            held.put_back()

    def put_back(self) -> None:
        for m, attributes in self.attributes:
            put_back_entries(m.__dict__, attributes)
        for _, table, before in self.tables:
            put_back_entries(table, before)
        self.put_back_values()


def _change(key: str, before: dict[str, Any], now: dict[str, Any]) -> str:
    if key not in now:
        return "is gone"
    return "is another object" if key in before else "is new"
