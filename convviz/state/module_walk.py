"""The modules and tensors of a network, listed quickly.

A session walks the network a dozen times. `nn.Module.named_modules` is a generator that calls
itself for every module, so it takes several times as long as a loop.
"""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor, nn


def walk_modules(module: nn.Module) -> list[tuple[str, nn.Module]]:
    """Return the modules with their names, in the order of `named_modules`, each once."""
    modules: list[tuple[str, nn.Module]] = []
    seen: set[int] = set()
    todo: list[tuple[str, nn.Module]] = [("", module)]
    while todo:
        name, part = todo.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        modules.append((name, part))
        if children := part._modules:
            prefix = f"{name}." if name else ""
            todo += [(prefix + key, m) for key, m in children.items() if m is not None][::-1]
    return modules


def walk_parameters(module: nn.Module) -> list[nn.Parameter]:
    """Return the parameters; one that several modules share comes several times."""
    return [
        parameter
        for _, part in walk_modules(module)
        for parameter in part._parameters.values()
        if parameter is not None
    ]


def named_tensors(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Yield the parameters and buffers with their names.

    A tensor that several modules share comes several times.
    """
    for path, part in walk_modules(module):
        prefix = f"{path}." if path else ""
        for table in (part._parameters, part._buffers):
            for name, tensor in table.items():
                if tensor is not None:
                    yield prefix + name, tensor
