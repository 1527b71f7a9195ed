"""Python objects that the user names on the command line: "package.module:function"."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

from ..errors import ConvvizError, UnknownNameError, first_line


def import_object(
    module_name: str, name: str, kind: str, error: type[ConvvizError] = ConvvizError
) -> Any:
    """Import a module, which runs its code, and return one of its objects.

    Pass only names that the user gave, never those in files. The current folder is searched before
    the Python path.

    Args:
        module_name: "package.module".
        name: "function", or "Class.method".
        kind: what the object is, for error messages.
        error: class of the error if the module cannot be imported.

    Raises:
        UnknownNameError: the module has no such object.
    """
    sys.path.insert(0, os.getcwd())
    try:
        module = importlib.import_module(module_name)
    except Exception as reason:
        raise error(f"cannot import {module_name!r}: {first_line(reason)}") from reason
    finally:
        sys.path.remove(os.getcwd())
    named: Any = module
    for part in name.split("."):
        if not hasattr(named, part):
            public = [known for known in dir(named) if not known.startswith("_")]
            raise UnknownNameError(f"{kind} in {module_name}", name, public)
        named = getattr(named, part)
    return named
