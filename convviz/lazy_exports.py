"""Public names that are imported on first use."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any


def lazy_exports(
    namespace: dict[str, Any], modules: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return the `__getattr__` and `__dir__` of a module whose names live in other modules.

    This keeps `import convviz` and `convviz --help` fast: torch is imported with the first name
    that needs it.

    Args:
        namespace: `globals()` of the module.
        modules: name -> the module below `convviz` that defines it.
    """

    def get(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {namespace['__name__']!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(f"convviz.{modules[name]}"), name)
        namespace[name] = value
        return value

    return get, lambda: sorted({*namespace, *modules})
