"""All modules of a network with their paths, in one quick walk."""

from __future__ import annotations

from torch import nn


def named_parts(module: nn.Module) -> list[tuple[str, nn.Module]]:
    """Return all modules of a network with their paths, in the order of `named_modules`.

    A session looks at all modules about ten times. `named_modules` passes each of them through as
    many generators as it is deep, which takes several times as long.
    """
    parts: list[tuple[str, nn.Module]] = []
    _collect(module, "", set(), parts)
    return parts


def parts_of(module: nn.Module) -> list[nn.Module]:
    """Return all modules of a network, in the order of `nn.Module.modules`."""
    return [part for _, part in named_parts(module)]


def _collect(
    module: nn.Module, path: str, seen: set[nn.Module], parts: list[tuple[str, nn.Module]]
) -> None:
    seen.add(module)
    parts.append((path, module))
    for name, part in module._modules.items():
        if part is not None and part not in seen:
            _collect(part, f"{path}.{name}" if path else name, seen, parts)
