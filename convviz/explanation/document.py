"""Schema of `explanation.json`, checked before any entry is used."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..errors import ConvvizError
from ..results.types import RESULT_TYPES
from ..storage.atomic_folder import plain

Count = Annotated[int, Field(ge=0, lt=1 << 48)]
Encoded = float | dict[str, Any]
"""A number as `json_codec.encode` writes it."""


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")


class FileChecksum(_Strict):
    """Length and SHA-256 of a file."""

    bytes: Count
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class _ExplainerRecord(_Strict):
    name: str
    distribution: str
    version: str
    summary: str
    parameters: dict[str, Any]


class _Unit(_Strict):
    layer: str
    channel: int
    position: Annotated[list[int], Field(min_length=2, max_length=2)] | None


class _Function(_Strict):
    name: str
    column: Count


class _Part(_Strict):
    """A class or unit of a contrast."""

    index: int | None
    unit: _Unit | None
    label: str
    score: Encoded
    contrast: None
    function: None


class _Target(_Strict):
    index: int | None
    unit: _Unit | None
    label: str
    score: Encoded
    contrast: Annotated[list[_Part], Field(min_length=2, max_length=2)] | None
    function: _Function | None


class _Item(_Strict):
    id: str
    source: str
    affine: Annotated[list[Encoded], Field(min_length=6, max_length=6)]
    size: Annotated[list[Count], Field(min_length=2, max_length=2)]
    label: int | None


class _Table(_Strict):
    table: str
    count: Count


class _Note(_Strict):
    note: Annotated[list[str], Field(alias="$note", min_length=2, max_length=2)]


class _Result(BaseModel):
    model_config = ConfigDict(strict=True, extra="allow")

    kind: str
    unit: str
    measures: dict[str, Any]
    notes: list[str | _Note]


class _Array(_Strict):
    dtype: str
    shape: list[Count]


class _Document(_Strict):
    """All entries of `explanation.json` except the seal."""

    schema_: Annotated[int, Field(alias="schema")]
    explainer: _ExplainerRecord
    layer: str
    model: dict[str, Any]
    target: list[_Target]
    items: list[_Item] | _Table
    result: _Result
    versions: dict[str, str]
    files: list[str]
    pictures: dict[str, str]
    arrays: dict[str, _Array]
    checksums: dict[str, FileChecksum]
    undrawn: str = ""


def check_document(document: dict[str, Any], name: str) -> None:
    """Raise ConvvizError, naming the file, if an entry is missing or has another type."""
    checked = validate(_Document, document, name)
    if checked.result.kind not in RESULT_TYPES:
        raise ConvvizError(f"{name} is damaged: {checked.result.kind!r} is not a kind of result")
    try:
        for file in (*checked.files, *checked.pictures, *checked.checksums):
            plain(file)
    except ConvvizError as error:
        raise ConvvizError(f"{name} is damaged: {error}") from None


def validate(model: type[BaseModel], document: Any, name: str) -> Any:
    """Validate a document by a pydantic model; raises ConvvizError naming file and entry."""
    try:
        return model.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise ConvvizError(f"{name} is damaged: {place}: {first['msg']}") from None
