"""captum.*: the attribution methods of Captum that explain one image.

The classes are generated when one of them is used, so that listing explainers does not import
Captum.
"""

from __future__ import annotations

from typing import Any

from convviz.authoring import Explainer, hookimpl


@hookimpl
def convviz_loads_on_demand() -> bool:
    """Return True: the classes of this family are made by importing Captum."""
    return True


@hookimpl
def convviz_explainers() -> list[type[Explainer]]:
    """Return a class for each method.

    Raises:
        MissingLibraryError: Captum is not installed.
    """
    from .family import classes

    return list(classes().values())


def __getattr__(name: str) -> Any:
    """Return a generated class, so that its instances can be pickled."""
    if name.startswith("_"):
        raise AttributeError(name)
    from .family import classes

    if name not in classes():
        raise AttributeError(f"Captum has no method {name} that explains one image")
    return classes()[name]
