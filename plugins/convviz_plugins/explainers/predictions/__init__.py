"""predictions: top classes, accuracy, calibration, confident errors and label suspects."""

from __future__ import annotations

from convviz.authoring import hookimpl

from .option_texts import CLASSES_HELP


@hookimpl
def convviz_explainers() -> list[type]:
    """Return the explainer."""
    from .explainer import Predictions  # imports torch, which `convviz analyze --help` avoids

    return [Predictions]


@hookimpl
def convviz_analyze_options() -> dict[str, tuple[str, str]]:
    """Return the option `--classes FILE` of `convviz analyze`."""
    return {"classes": ("FILE", CLASSES_HELP)}
