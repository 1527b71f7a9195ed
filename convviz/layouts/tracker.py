"""Tracking of the images through a forward pass: axes and sources of every value."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from . import axes as ax
from .axes import Axes
from .cells import MapCells, cells_of, image_cells
from .operator_rules import TracedOperation, rule_of

_FIXED = frozenset(
    """
    empty_like full_like new_empty new_full new_ones new_zeros ones_like zeros_like rand_like
    randn_like new_empty_strided
    """.split()  # noqa: SIM905
)
"""Operators that use the shape of a tensor only."""


@dataclass(frozen=True, eq=False)
class TracedValue:
    """One value that depends on the images.

    Attributes:
        op: the ATen operator that computed it; "" for the images.
        sources: indices of the values that it was computed from, in the tracker's list.
        axes: its axes.
        shape: its shape.
        window: for a convolution, height and width of the kernel.
        stride: for a convolution, its strides.
        cells: the pixels that its rows and its columns stand for.
    """

    op: str
    sources: tuple[int, ...]
    axes: Axes
    shape: tuple[int, ...]
    window: tuple[int, ...] = ()
    stride: tuple[int, ...] = ()
    cells: MapCells = (None, None)


class Tracker(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Records, while it is active, every value that depends on the images.

    A tensor is identified by its memory: the storage, and offset, shape and strides of the view.
    So no tensor is kept alive, and a second view of the same memory is recognized. Only a weak
    reference to each storage is held, which keeps its address from being used again.

    In-place operators complicate this. A write changes every view of the storage. Known views get
    a new value that also depends on the written one; views that are created later are looked up
    in `_writes`, which holds the last write to each storage.

    Args:
        images: `[N, C, H, W]`, the input of the network.
    """

    def __init__(self, images: Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.values: list[TracedValue] = []
        self._places: dict[int, dict[Any, int]] = {}
        self._storages: dict[int, StorageWeakRef] = {}
        self._writes: dict[int, tuple[int, tuple[int, ...]]] = {}
        shape = tuple(images.shape)
        axes, cells = ax.image_axes(shape), image_cells(shape)
        self._add(images, TracedValue("", (), axes, shape, cells=cells))

    def place(self, tensor: Tensor) -> int | None:
        """Return the index of a tensor's value; None if it does not depend on the images."""
        key = _key(tensor)
        if key is None:
            return None
        known = self._places.get(key[0], {}).get(key[1])
        write = self._writes.get(key[0])
        return write[0] if known is None and write is not None else known

    def axes(self, tensor: Tensor) -> Axes | None:
        """Return the axes of a tensor; None if nothing is known about them."""
        place = self.place(tensor)
        if place is None:
            return None
        axes, shape = self.values[place].axes, tuple(tensor.shape)
        if tuple(map(ax.length, axes)) == shape:
            return axes
        # Only a part of its memory was written, such as a map inside a margin, or one of several
        # pieces. If the strides are those of the written view, the axes are the same but longer.
        key = _key(tensor)
        write = None if key is None else self._writes.get(key[0])
        if write is None or write[1] != tensor.stride():
            return tuple(map(ax.unknown, shape))
        return tuple(ax.cut(axis, -1, size) for axis, size in zip(axes, shape, strict=True))

    def _cells(self, tensor: Tensor) -> MapCells | None:
        place = self.place(tensor)
        return None if place is None else self.values[place].cells

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        with torch._C.DisableTorchFunction():  # reading tensors here is no call of the network
            return self._dispatch(func, args, kwargs)

    def _dispatch(self, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        inputs = [t for t in tree_leaves((args, kwargs)) if isinstance(t, Tensor)]
        places = [p for t in inputs if (p := self.place(t)) is not None]
        # Axes and cells are read before the call, which may overwrite an input.
        known = {id(t): self.axes(t) for t in inputs} if places else {}
        cells = {id(t): self._cells(t) for t in inputs} if places else {}
        out = func(*args, **kwargs)
        outputs = [t for t in tree_leaves(out) if isinstance(t, Tensor)]
        if places and outputs and not _ignores_values(func):
            count = self.values[0].shape[0]
            call = _DispatchedCall(func, args, kwargs, outputs, known, cells, count)
            self._note(call, tuple(dict.fromkeys(places)))
        return out

    def _note(self, call: _DispatchedCall, sources: tuple[int, ...]) -> None:
        window, stride = call.window()
        for tensor, axes in zip(call.outputs, call.axes(), strict=True):
            settled, shape = ax.settle(axes), tuple(tensor.shape)
            cells = call.cells(settled)
            value = TracedValue(call.name, sources, settled, shape, window, stride, cells)
            self._add(tensor, value, call.func._schema.is_mutable)

    def _add(self, tensor: Tensor, value: TracedValue, written: bool = False) -> None:
        key = _key(tensor)
        if key is None:
            return
        storage, form = key
        if storage not in self._storages:
            self._storages[storage] = StorageWeakRef(tensor.untyped_storage())  # type: ignore[no-untyped-call]
        known = self._places.setdefault(storage, {})
        for other in [form for form in known if form != key[1]] if written else ():
            # The other known views of the memory have changed too.
            before = self.values[known[other]]
            sources = tuple(dict.fromkeys((*value.sources, known[other])))
            known[other] = len(self.values)
            self.values.append(
                replace(
                    value,
                    sources=sources,
                    axes=before.axes,
                    shape=before.shape,
                    cells=before.cells,
                )
            )
        known[form] = len(self.values)
        if written:  # views of the memory that are not known yet have changed too
            self._writes[storage] = len(self.values), tensor.stride()
        self.values.append(value)


@dataclass(frozen=True, eq=False)
class _DispatchedCall:
    """A call of an operator, with its outputs."""

    func: Any
    args: Any
    kwargs: dict[str, Any]
    outputs: list[Tensor]
    known: dict[int, Axes | None]
    known_cells: dict[int, MapCells | None]
    count: int

    @property
    def name(self) -> str:
        return str(self.func._schema.name).split("::")[-1]

    def axes(self) -> list[Axes]:
        """Return the axes of every output; unknown if there is no rule."""
        shapes = [tuple(t.shape) for t in self.outputs]
        rule = rule_of(self.func)
        candidates: list[Axes] = []
        if rule is not None:
            try:
                axes = rule(self._operation)
                candidates = axes if isinstance(axes, list) else [axes]
            except (IndexError, KeyError, TypeError, ValueError):
                candidates = []  # the rule does not cover this way to call the operator
        return [_fitting_axes(candidates[i : i + 1], shape) for i, shape in enumerate(shapes)]

    def cells(self, axes: Axes) -> MapCells:
        """Return the cells of an output with these axes."""
        try:
            return cells_of(self._operation, axes, lambda t: self.known_cells.get(id(t)))
        except (AttributeError, IndexError, KeyError, TypeError, ValueError, ZeroDivisionError):
            return None, None  # arguments of a form that is not known

    @cached_property
    def _operation(self) -> TracedOperation:
        shapes = [tuple(t.shape) for t in self.outputs]
        call = self.func, self.args, self.kwargs, shapes
        return TracedOperation(*call, lambda t: self.known.get(id(t)), self.count)

    def window(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Return the size of a convolution's kernel, and its strides."""
        if "conv" not in self.name:
            return (), ()
        names = [argument.name for argument in self.func._schema.arguments]
        arguments = dict(zip(names, self.args, strict=False)) | self.kwargs
        weight, stride = arguments.get("weight"), arguments.get("stride")
        window = tuple(weight.shape[2:]) if isinstance(weight, Tensor) else ()
        return window, tuple(stride) if isinstance(stride, list | tuple) else ()


def _fitting_axes(candidates: list[Axes], shape: tuple[int, ...]) -> Axes:
    """Return axes if they fit a shape, otherwise unknown ones."""
    if candidates and tuple(map(ax.length, candidates[0])) == shape:
        return candidates[0]
    return tuple(map(ax.unknown, shape))


def _ignores_values(func: Any) -> bool:
    return str(func._schema.name).split("::")[-1] in _FIXED


def _key(tensor: Tensor) -> tuple[int, Any] | None:
    """Return storage and view of a tensor as a key; None if it has no storage."""
    if tensor.layout != torch.strided or tensor.is_quantized:
        return None
    try:
        storage = StorageWeakRef(tensor.untyped_storage()).cdata  # type: ignore[no-untyped-call]
    except (NotImplementedError, RuntimeError):
        return None
    return storage, (tensor.storage_offset(), tuple(tensor.shape), tensor.stride())
