"""The requests that pages send, and the checks of their content."""

from __future__ import annotations

import json
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..errors import ParameterError

MAX_TARGETS = 12
MAX_PARAMETERS = 64

Identifier = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
LayerName = Annotated[str, Field(min_length=1, max_length=400)]
TargetText = Annotated[str, Field(max_length=400)]
Number = Annotated[int, Field(ge=0, le=10_000_000)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


Request = TypeVar("Request", bound=_Strict)


class OpenRow(_Strict):
    """Open a photo of the run."""

    row: Number


class ListExplainers(_Strict):
    """List explainers: those that are cheap to import, or the members of a family."""

    family: Annotated[str, Field(max_length=100)] = ""


class DescribeModel(_Strict):
    """Describe a model: its labels, layers and input."""


class Predict(_Strict):
    """The most probable classes of a photo."""

    photo: Identifier


class Explain(_Strict):
    """Run one explainer on a photo, or on the model alone.

    `parameters` are texts, as after `-p NAME.FIELD=` on the command line.
    """

    explainer: Annotated[str, Field(min_length=1, max_length=200)]
    photo: Identifier | None = None
    target: TargetText = ""
    parameters: Annotated[
        dict[
            Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.]{0,99}$")],
            Annotated[str, Field(max_length=1000)],
        ],
        Field(max_length=MAX_PARAMETERS),
    ] = {}


class Draw(_Strict):
    """Draw a picture of a result that is kept, as a file to download."""

    result: Identifier
    picture: Number = 0
    format: Annotated[str, Field(pattern=r"^(?:png|svg|pdf)$")] = "svg"


class Agreement(_Strict):
    """Compare the maps of results that are kept."""

    results: Annotated[list[Identifier], Field(min_length=2, max_length=MAX_TARGETS)]


class Cover(_Strict):
    """The scores of a photo with a rectangle covered.

    `box` is x0, y0, x1, y1 in pixels of the model's input, half-open.
    """

    photo: Identifier
    box: Annotated[list[Number], Field(min_length=4, max_length=4)]
    target: TargetText = ""


class PrepareCover(_Strict):
    """Prepare rectangles on a photo; with `exports` also incremental inference, for seconds."""

    photo: Identifier
    exports: bool = False


class UnitMap(_Strict):
    """The activation map of a unit on a photo; without `unit`, of the most active one."""

    photo: Identifier
    layer: LayerName
    unit: Number | None = None


class UnitGradient(_Strict):
    """The guided gradient of a unit at a position, and the receptive field there."""

    photo: Identifier
    layer: LayerName
    unit: Number
    y: Number
    x: Number


class GuidedPatches(_Strict):
    """The guided gradients of the top patches of a unit of the run."""

    layer: LayerName
    unit: Number


class Neighbours(_Strict):
    """The nearest images of the run."""

    photo: Identifier
    k: Annotated[int, Field(ge=1, le=100)] = 12
    layer: LayerName | None = None


REQUESTS: dict[str, type[_Strict]] = {
    "model": DescribeModel,
    "explainers": ListExplainers,
    "predict": Predict,
    "explain": Explain,
    "draw": Draw,
    "agreement": Agreement,
    "cover": Cover,
    "prepare_cover": PrepareCover,
    "unit_map": UnitMap,
    "unit_gradient": UnitGradient,
    "guided_patches": GuidedPatches,
    "neighbours": Neighbours,
}
"""Task -> the form of its arguments."""


class JobRequest(_Strict):
    """A job for a model."""

    model: Annotated[int, Field(ge=0, le=1000)]
    task: Annotated[str, Field(max_length=40)]
    arguments: dict[str, Any] = {}


class UnitNote(_Strict):
    """A label and a note on a unit; both empty remove the note."""

    layer: LayerName
    unit: Number
    label: Annotated[str, Field(max_length=200)] = ""
    note: Annotated[str, Field(max_length=4000)] = ""


def parse_json(body: bytes) -> Any:
    """Return the value of a JSON text; raises ParameterError."""
    try:
        return json.loads(body.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ParameterError(f"the body is not JSON: {type(error).__name__}") from None


def checked(kind: type[Request], value: Any) -> Request:
    """Return a request of a kind; raises ParameterError."""
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"])) or "the request"
        raise ParameterError(f"{place}: {first['msg']}") from None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")
