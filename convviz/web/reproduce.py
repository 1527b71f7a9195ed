"""The lines of Python and of the shell that reproduce a result."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from ..plugin import registry
from ..plugin.validation import is_explainer
from ..scores.targets import Contrast, Unit

MODEL_PLACEHOLDER = "MODEL"


def python_lines(model: str, photo: str | None, name: str, explainer: Any, target: Any) -> str:
    """Return Python code that computes an explanation.

    Args:
        model: source of the model; "" if it is not known.
        photo: name of the file; None without an image.
        name, explainer: the explainer.
        target: as an argument of `explain`.
    """
    arguments = [
        "model",
        repr(photo),
        _explainer_code(name, explainer),
        *([] if target is None else [f"target={_target_code(target)}"]),
    ]
    return "\n".join(
        (
            "import convviz",
            f"model = convviz.load_model({model or MODEL_PLACEHOLDER!r})",
            f"explanation = convviz.explain({', '.join(arguments)})",
        )
    )


def shell_line(
    model: str, photo: str | None, name: str, parameters: Mapping[str, str], target: str
) -> str:
    """Return the call of `convviz explain` that computes an explanation.

    Args:
        model, photo, name: as in `python_lines`.
        parameters: field -> text, as after `-p NAME.FIELD=`.
        target: text of the target; "" for the top class.
    """
    words = ["convviz", "explain"]
    if photo is not None:
        words.append(f"./{photo}" if photo.startswith("-") else photo)
    words += ["-m", model or MODEL_PLACEHOLDER, "-e", name]
    for field, text in parameters.items():
        words += ["-p", f"{name}.{field}={text}"]
    if target:
        words.append(f"--target={target}")
    return shlex.join(words)


def covered_lines(
    model: str, photo: str, box: Sequence[int], target: int, uses_preprocess: bool
) -> str:
    """Return Python code for the score of a class with a rectangle covered.

    Args:
        model, photo: as in `python_lines`.
        box: x0, y0, x1, y1 in pixels of the model's input.
        target: the class.
        uses_preprocess: the rectangle has the mean of the preprocessing, not that of the image.
    """
    fill = "batch.images.mean((2, 3), keepdim=True)"
    if uses_preprocess:
        fill = "torch.zeros(1, batch.images.shape[1], 1, 1)  # the mean of the preprocessing"
    return "\n".join(
        (
            "import torch, convviz",
            "from convviz.authoring import make_batch, occluded",
            f"model = convviz.load_model({model or MODEL_PLACEHOLDER!r})",
            f"batch = make_batch({photo!r}, model)",
            f"box = torch.tensor([{list(box)}])  # x0, y0, x1, y1 in pixels of the model's input",
            f"mean = {fill}",
            "scores = occluded(model, batch.images, box, mean, lambda forward, _: forward.output)",
            f"print(model.label({target}), float(scores.scores[0, 0, {target}]))",
        )
    )


def query_lines(run: str, model: str, photo: str, k: int, layer: str | None) -> str:
    """Return Python code that finds the nearest images of a run."""
    return "\n".join(
        (
            "import convviz",
            f"model = convviz.load_model({model or MODEL_PLACEHOLDER!r})",
            f"matches = convviz.query({run!r}, {photo!r}, {k}, model, {layer!r})",
        )
    )


def _explainer_code(name: str, explainer: Any) -> str:
    """Return the name, or a call that builds the explainer with its parameters."""
    chosen = _parameters_code(explainer)
    return f"convviz.explainer({name!r}, {chosen})" if chosen else repr(name)


def _parameters_code(explainer: BaseModel) -> str:
    """Return the parameters that were set, as keyword arguments."""
    chosen = {f: getattr(explainer, f) for f in explainer.model_fields_set}
    return ", ".join(f"{field}={_value_code(value)}" for field, value in sorted(chosen.items()))


def _value_code(value: Any) -> str:
    if is_explainer(type(value)):
        inner = _parameters_code(value)
        return f"convviz.explainer({registry.identify(value).name!r}{', ' if inner else ''}{inner})"
    return repr(value)


def _target_code(target: Any) -> str:
    if isinstance(target, Contrast):
        return f"convviz.Contrast({_target_code(target.a)}, {_target_code(target.b)})"
    if isinstance(target, Unit):
        position = "" if target.position is None else f", {target.position!r}"
        return f"convviz.Unit({target.layer!r}, {target.channel}{position})"
    return repr(target)
