"""Hooks on a forward pass: the calls of modules and operations by name, copies of outputs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from threading import get_ident
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from ..errors import UnknownNameError
from ..layouts import UNKNOWN, AxisLayout, TracedValue, Tracker, decide
from ..scores.outputs import Pick, pick_scores
from ..state.eager_mode import call_eagerly
from . import naming
from .gradient_edges import LayerEdges

Visit = Callable[[str, str, Tensor, Tensor | None, Any], Tensor | None]
"""Gets a call's key, its kind (class or operation), its output, its first input tensor, and the
value that `Note` returned when it began. May return a tensor that replaces the output."""

Note = Callable[[str, tuple[Any, ...], dict[str, Any]], Any]
"""Gets the key and the arguments of a call that begins."""


@dataclass(frozen=True)
class LayerCall:
    """One layer of a forward pass.

    Attributes:
        name: the layer's name.
        path: the module called, or the module that calls the operation; "" is the network.
        op: the operation, or "" for a module.
        kind: the module's class, or the operation.
        shape: of its output, with the batch axis.
        source: index in the trace of the call whose output is its first input; None if there is
            no such call (as for the images).
        layout: how its output becomes maps.
        value: index of its output among the values of the trace; None if it is not among them.
        input: index of its first input among the values.
    """

    name: str
    path: str
    op: str
    kind: str
    shape: tuple[int, ...]
    source: int | None
    layout: AxisLayout = UNKNOWN
    value: int | None = None
    input: int | None = None


class LayerCalls(tuple[LayerCall, ...]):
    """The layers of a forward pass in the order in which they finish.

    Attributes:
        values: all values that depend on the images, in the order of computation.
        outputs: indices among them of the tensors that the network returns.
        stages: layers that end a stage; None until `defaults` has computed them.
    """

    values: tuple[TracedValue, ...] = ()
    stages: tuple[str, ...] | None = None
    outputs: tuple[int, ...] = ()

    @cached_property
    def layouts(self) -> dict[str, AxisLayout]:
        """Layer -> how its output becomes maps."""
        return {call.name: call.layout for call in self}


_Stack = list[tuple[str, bool, Any]]
"""For each call in progress: path, whether functional calls are left out, result of `Note`."""


@contextmanager
def watch(
    module: nn.Module, visit: Visit, operations: bool = True, note: Note = lambda *_: None
) -> Iterator[None]:
    """Call `visit` after every module and, optionally, functional operation of the block.

    `visit` sees the outputs with which the network continues, after the user's own hooks. Calls in
    other threads, which may use the network at the same time, are ignored.
    """
    stack: _Stack = [(naming.key(""), False, None)]
    with ExitStack() as exit:
        for path, m in module.named_modules():
            for handle in _watch_module(path, m, stack, visit, note):
                exit.callback(handle.remove)
        if operations:
            exit.enter_context(_Operations(stack, visit, note))
        yield


def _watch_module(
    path: str, module: nn.Module, stack: _Stack, visit: Visit, note: Note
) -> list[Any]:
    """Register hooks on a module that maintain the stack of calls and visit its output."""
    thread = get_ident()

    def enter(_module: nn.Module, args: Any, kwargs: dict[str, Any]) -> None:
        if get_ident() == thread:
            stack.append((path, naming.opaque(module), note(path, args, kwargs)))

    def leave(_module: nn.Module, args: Any, kwargs: dict[str, Any], out: Any) -> Any:
        if get_ident() != thread:
            return None
        _, _, noted = stack.pop()
        tensor = first_tensor(out)
        if not path or tensor is None:
            return None
        changed = visit(path, type(module).__name__, tensor, first_tensor(args), noted)
        return None if changed is None else _with_first_tensor(out, tensor, changed)

    # always_call: a network may catch an exception of one of its modules and continue
    return [
        module.register_forward_pre_hook(enter, prepend=True, with_kwargs=True),
        module.register_forward_hook(leave, always_call=True, with_kwargs=True),
    ]


class _Operations(TorchFunctionMode):
    """Visits the functional operations that are layers."""

    def __init__(self, stack: _Stack, visit: Visit, note: Note) -> None:
        super().__init__()
        self.stack, self.visit, self.note = stack, visit, note

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        path, opaque, _ = self.stack[-1]
        op = None if opaque else naming.operation(getattr(func, "__name__", ""))
        if op is None:
            return func(*args, **(kwargs or {}))
        key = naming.key(path, op)
        noted = self.note(key, args, kwargs or {})
        out = func(*args, **(kwargs or {}))
        tensor = first_tensor(out)
        if tensor is None:
            return out
        changed = self.visit(key, op, tensor, first_tensor(args), noted)
        return out if changed is None else _with_first_tensor(out, tensor, changed)


def first_tensor(value: Any) -> Tensor | None:
    """Return the first floating-point tensor in a value: itself, or inside a tuple or list."""
    if isinstance(value, Tensor):
        return value if value.is_floating_point() else None
    if isinstance(value, tuple | list):
        for item in value:
            if (tensor := first_tensor(item)) is not None:
                return tensor
    return None


def _with_first_tensor(value: Any, tensor: Tensor, new: Tensor) -> Any:
    """Return the value with another tensor in place of the one that `first_tensor` returns."""
    if value is tensor:
        return new
    if not isinstance(value, tuple | list):
        return value
    place = next(i for i, item in enumerate(value) if first_tensor(item) is tensor)
    items = [*value]
    items[place] = _with_first_tensor(items[place], tensor, new)
    return value._make(items) if hasattr(value, "_make") else type(value)(items)


class AllKept(BaseException):
    """Ends a forward pass as soon as all outputs are copied.

    It is no Exception, so that no handler in the network catches it.
    """


class Keeper:
    """Copies the outputs of some layers. Without a copy, an in-place ReLU would overwrite them.

    Args:
        layers: names of layers.
        graph: the copies stay connected to the images, for gradients.
        edges: collects where the output of a layer, one of `layers`, enters autograd's graph.
        stops: raise AllKept once the outputs of all layers are copied.
    """

    def __init__(
        self,
        layers: Sequence[str],
        graph: bool = False,
        edges: LayerEdges | None = None,
        stops: bool = False,
    ) -> None:
        self.graph, self.edges, self.stops = graph, edges, stops
        self.activations: dict[str, Tensor] = {}
        self._layers = {name: naming.split(name) for name in dict.fromkeys(layers)}
        self._keys = {k for k, _ in self._layers.values()}
        self._count = Counter[str]()

    @property
    def operations(self) -> bool:
        """True if some layers are functional operations."""
        return any("/" in key for key in self._keys)

    def note(self, key: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Return what `edges` must know of the inputs of a call."""
        if self.edges is None or key != naming.split(self.edges.layer)[0]:
            return None
        return self.edges.versions(args, kwargs)

    def __call__(
        self, key: str, kind: str, out: Tensor, source: Tensor | None, noted: Any
    ) -> Tensor | None:
        """Copy the output if it belongs to one of the layers."""
        if key not in self._keys:
            return None
        self._count[key] += 1
        changed = None
        for name, (layer_key, number) in self._layers.items():
            if layer_key == key and (number or 1) == self._count[key]:
                if self.edges is not None and name == self.edges.layer:
                    out = changed = self.edges.add(out, noted)
                self.activations[name] = out.clone() if self.graph else out.detach().clone()
        if self.stops and len(self.activations) == len(self._layers):
            raise AllKept
        return changed

    def unmatched_layers(self) -> list[str]:
        """Return the layers whose name does not match exactly one call."""
        return [
            name
            for name, (key, number) in self._layers.items()
            if name not in self.activations or (number is None) != (self._count[key] == 1)
        ]


@contextmanager
def keep_outputs(module: nn.Module, keeper: Keeper) -> Iterator[None]:
    """Copy outputs during the block; costs nothing if the keeper has no layers."""
    if not keeper._layers:
        yield
        return
    with watch(module, keeper, keeper.operations, keeper.note):
        yield


def trace_any(module: nn.Module, images: Tensor, output: Pick) -> LayerCalls:
    """Trace the network on images, or on the first alone if it accepts no more at a time.

    Two images are better: with one, the axis of the batch may be confused with others of size 1.
    """
    try:
        return trace(module, images, output)
    except Exception:  # networks raise anything for a batch size that they do not accept
        return trace(module, images[:1], output)


def trace(module: nn.Module, images: Tensor, output: Pick = None) -> LayerCalls:
    """Run the network once and list its layers in the order in which they finish.

    Args:
        module: the network.
        images: `[N, C, H, W]`.
        output: selects the scores in the network's output.
    """
    seen: list[dict[str, Any]] = []
    outputs: list[Tensor] = []  # references, because calls are connected by identity

    def visit(key: str, kind: str, out: Tensor, source: Tensor | None, place: Any) -> None:
        path, _, op = key.partition("/")
        layout = decide(tracker.axes(out), out.shape)
        call = {"path": path, "op": op, "kind": kind, "shape": tuple(out.shape), "layout": layout}
        call |= {"source": _index_of(outputs, source), "value": tracker.place(out), "input": place}
        seen.append(call)
        outputs.append(out)

    def note(_key: str, args: tuple[Any, ...], _kwargs: dict[str, Any]) -> int | None:
        source = first_tensor(args)
        return None if source is None else tracker.place(source)

    with torch.no_grad(), Tracker(images) as tracker, watch(module, visit, note=note):
        out = call_eagerly(module, images)
    names = naming.number_names(naming.key(call["path"], call["op"]) for call in seen)
    calls = LayerCalls(LayerCall(name, **call) for name, call in zip(names, seen, strict=True))
    calls.values = tuple(tracker.values)
    places = [tracker.place(t) for t in _scores(out, output)]
    calls.outputs = tuple(place for place in places if place is not None)
    return calls


def _scores(out: Any, output: Pick) -> list[Tensor]:
    """Return the scores, or all tensors of the network's output if there are no scores."""
    # `output` may be a function of the user; its errors are raised by ordinary forward passes.
    with suppress(Exception):
        out = pick_scores(out, output)
    return [t for t in tree_leaves(out) if isinstance(t, Tensor)]


def _index_of(outputs: list[Tensor], tensor: Tensor | None) -> int | None:
    """Return the index of the last call that returned this very tensor."""
    return next((i for i in range(len(outputs) - 1, -1, -1) if outputs[i] is tensor), None)


def check(name: str, known: Iterable[str]) -> str:
    """Return the name if it is known; otherwise raise UnknownNameError with the closest ones."""
    names = tuple(known)
    if name not in names:
        raise UnknownNameError("layer", name, names)
    return name
