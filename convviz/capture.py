"""Watching a forward pass: every call of a module or operation by name, copies of outputs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from threading import get_ident
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from . import naming
from .eager import call_eagerly
from .errors import UnknownNameError

Visit = Callable[[str, str, Tensor, Tensor | None], None]
"""Gets a call's key, its kind (class or operation), its output and its first input tensor."""


@dataclass(frozen=True)
class Call:
    """One layer of a forward pass.

    Attributes:
        name: the layer's name.
        path: the module called, or the module that calls the operation; "" is the network.
        op: the operation, or "" for a module.
        kind: the module's class, or the operation.
        shape: of its output, with the batch axis.
        source: the call whose output is its first input, by its place in the trace; None
            where no call made it (the images themselves).
    """

    name: str
    path: str
    op: str
    kind: str
    shape: tuple[int, ...]
    source: int | None


@contextmanager
def watched(module: nn.Module, visit: Visit, operations: bool = True) -> Iterator[None]:
    """Call `visit` after every module and, if asked for, functional operation of the block.

    It sees what the network passes on: a module's output comes after the user's own hooks.
    Calls of other threads, which may use the network meanwhile, are passed over.
    """
    stack = [(naming.key(""), False)]
    with ExitStack() as exit:
        for path, m in module.named_modules():
            for handle in _watch_module(path, m, stack, visit):
                exit.callback(handle.remove)
        if operations:
            exit.enter_context(_Operations(stack, visit))
        yield


def _watch_module(
    path: str, module: nn.Module, stack: list[tuple[str, bool]], visit: Visit
) -> list[Any]:
    """Hook a module so that the stack of calls is known, and its output is visited."""
    thread = get_ident()

    def enter(_module: nn.Module, _args: Any) -> None:
        if get_ident() == thread:
            stack.append((path, naming.opaque(module)))

    def leave(_module: nn.Module, args: Any, out: Any) -> None:
        if get_ident() != thread:
            return
        stack.pop()
        tensor = first_tensor(out)
        if path and tensor is not None:
            visit(path, type(module).__name__, tensor, first_tensor(args))

    # always_call: a network may catch what one of its modules raises, and go on
    return [
        module.register_forward_pre_hook(enter, prepend=True),
        module.register_forward_hook(leave, always_call=True),
    ]


class _Operations(TorchFunctionMode):
    """Visits the functional operations that are layers."""

    def __init__(self, stack: list[tuple[str, bool]], visit: Visit) -> None:
        super().__init__()
        self.stack, self.visit = stack, visit

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        path, opaque = self.stack[-1]
        op = None if opaque else naming.operation(getattr(func, "__name__", ""))
        if op is not None:
            tensor = first_tensor(out)
            if tensor is not None:
                self.visit(naming.key(path, op), op, tensor, first_tensor(args))
        return out


def first_tensor(value: Any) -> Tensor | None:
    """Return the value, or the first in a tuple or list, that is a tensor of real numbers."""
    if isinstance(value, Tensor):
        return value if value.is_floating_point() else None
    if isinstance(value, tuple | list):
        for item in value:
            found = first_tensor(item)
            if found is not None:
                return found
    return None


class Keeper:
    """Keeps copies of the outputs of some layers: an in-place ReLU overwrites its input.

    Args:
        layers: names of layers.
        graph: the copies stay connected to the images, for gradients.
    """

    def __init__(self, layers: Sequence[str], graph: bool = False) -> None:
        self.graph = graph
        self.activations: dict[str, Tensor] = {}
        self._wanted = {name: naming.split(name) for name in dict.fromkeys(layers)}
        self._keys = {k for k, _ in self._wanted.values()}
        self._count = Counter[str]()

    @property
    def operations(self) -> bool:
        """Whether functional operations have to be watched."""
        return any("/" in key for key in self._keys)

    def __call__(self, key: str, kind: str, out: Tensor, source: Tensor | None) -> None:
        """Keep the output if its layer is wanted."""
        if key not in self._keys:
            return
        self._count[key] += 1
        for name, (wanted, number) in self._wanted.items():
            if wanted == key and (number or 1) == self._count[key]:
                self.activations[name] = out.clone() if self.graph else out.detach().clone()

    def misnamed(self) -> list[str]:
        """Return the layers whose name is not that of exactly one call."""
        return [
            name
            for name, (key, number) in self._wanted.items()
            if name not in self.activations or (number is None) != (self._count[key] == 1)
        ]


@contextmanager
def kept(module: nn.Module, keeper: Keeper) -> Iterator[None]:
    """Keep outputs during the block; costs nothing where no layer is wanted."""
    if not keeper._wanted:
        yield
        return
    with watched(module, keeper, keeper.operations):
        yield


def trace(module: nn.Module, images: Tensor) -> tuple[Call, ...]:
    """Run the network once and list its layers in the order in which they finish."""
    seen: list[tuple[str, str, tuple[int, ...], int | None]] = []
    made: list[Tensor] = []  # kept alive: identity says who source whom

    def visit(key: str, kind: str, out: Tensor, source: Tensor | None) -> None:
        seen.append((key, kind, tuple(out.shape), _last(made, source)))
        made.append(out)

    with torch.no_grad(), watched(module, visit):
        call_eagerly(module, images)
    names = naming.numbered(key for key, *_ in seen)
    calls = []
    for name, (key, kind, shape, source) in zip(names, seen, strict=True):
        path, _, op = key.partition("/")
        calls.append(Call(name, path, op, kind, shape, source))
    return tuple(calls)


def _last(made: list[Tensor], tensor: Tensor | None) -> int | None:
    """Find the last call that made this very tensor."""
    for i in range(len(made) - 1, -1, -1):
        if made[i] is tensor:
            return i
    return None


def check(name: str, known: Iterable[str]) -> str:
    """Return the name if it is known; raises UnknownNameError naming the closest."""
    names = tuple(known)
    if name not in names:
        raise UnknownNameError("layer", name, names)
    return name
