"""The options of `analyze`, declared once.

The Python signature and the docstring of `convviz.analyze`, the options of `convviz analyze`, the
validation and the settings saved in a plan are derived from the fields of `SweepSettings`.
"""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal, TypeVar, cast, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator
from pydantic.fields import FieldInfo

from ..errors import ParameterError, UnknownNameError
from ..plugin.parameters import build
from .decode_modes import EXACT, DecodeMode

EngineName = Literal["local", "ray"]
Precision = Literal["model", "bf16"]

PLACEHOLDER = "    {settings}"
"""The line of a docstring that `add_settings` replaces by the descriptions of the settings."""

Function = TypeVar("Function", bound=Callable[..., Any])


class SweepSettings(BaseModel):
    """Options of a sweep; None means that the plan or the loader chooses."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    PLAN_FIELDS: ClassVar = (
        "batch_size",
        "shard_size",
        "threads",
        "deterministic",
        "decode",
        "precision",
        "compile",
    )
    """The settings that affect numbers or shards. They are saved in the plan, in this order."""

    engine: EngineName = Field(
        default="local",
        description="Where the sweep runs: local is this process, ray a Ray cluster.",
    )
    address: str | None = Field(
        default=None,
        description="Address of the Ray cluster, as `ray.init` accepts it. If not given, a running "
        "cluster is used, or one is started for the duration of the sweep.",
    )
    batch_size: int | None = Field(
        default=None, ge=1, description="Images per forward pass; chosen by memory if not given."
    )
    shard_size: int | None = Field(
        default=None,
        ge=1,
        description="Images per shard; 1024 if not given, or fewer for parts of a small data set. "
        "A resumed sweep continues after the last complete shard.",
    )
    threads: int | None = Field(
        default=None,
        ge=1,
        description="Threads of PyTorch on the CPU; the current number if not given. It affects "
        "the last bits of sums, so it is part of the plan.",
    )
    workers: int | None = Field(
        default=None,
        ge=0,
        description="Processes that decode photos; 0 decodes in the process of the model. Chosen "
        "by the data set if not given. Results do not depend on it.",
    )
    timeout: float | None = Field(
        default=None,
        gt=0,
        description="Seconds that a worker may take to decode a photo; 60 if not given. A photo "
        "that takes longer is skipped. Requires worker processes.",
    )
    decode: DecodeMode = Field(
        default=EXACT,
        description="How JPEG files are decoded. scaled: large photos at a reduced size; gpu: in "
        "batches on the model's CUDA device (requires `convviz[gpu]`). Both are faster than exact "
        "and give slightly different pixels.",
    )
    precision: Precision = Field(
        default="model",
        description="model: that of the network; bf16: bfloat16, if the device computes it fast.",
    )
    compile: bool = Field(
        default=False,
        description="Compile the graph of the network with torch.compile, if possible.",
    )
    deterministic: bool = Field(
        default=False, description="Use only deterministic algorithms of PyTorch, for a GPU."
    )
    verify: bool = Field(
        default=False,
        description="Read the photos of earlier calls again, and raise an error if one has "
        "changed. Otherwise only ids and labels are compared.",
    )
    pictures: bool = Field(
        default=False,
        description="Draw the pictures of all results at the end of the sweep. Otherwise they are "
        "drawn from the photos when something shows them, and then kept in the run folder.",
    )
    part: str | None = Field(
        default=None,
        description="Sweep only a part of the data set: 2/5 is the second of five parts, which "
        "end at shards. `convviz merge` joins the runs of all parts.",
    )
    extend: bool = Field(
        default=False,
        description="Add explainers, layers or photos to the run in the run folder; only missing "
        "parts are swept. Everything else has to be as in the run.",
    )
    overwrite: bool = Field(
        default=False,
        description="Replace the run in the run folder. A finished run stays until the new one is "
        "complete.",
    )

    @field_validator("engine", "decode", "precision", mode="before")
    @classmethod
    def _check_choice(cls, value: object, info: ValidationInfo) -> object:
        name = str(info.field_name)
        choices = get_args(cls.model_fields[name].annotation)
        if value not in choices:
            raise UnknownNameError(name, value, choices)
        return value

    @field_validator("part")
    @classmethod
    def _check_part(cls, part: str | None) -> str | None:
        if part is not None:
            match = re.fullmatch(r"(\d{1,6})/(\d{1,6})", part)
            if match is None or not 1 <= int(match[1]) <= int(match[2]):
                raise ParameterError(f"part={part!r} is not K/N with K from 1 to N, such as 2/5")
        return part

    @property
    def part_numbers(self) -> tuple[int, int]:
        """The number of the part, from 0, and the number of parts."""
        number, _, count = (self.part or "1/1").partition("/")
        return int(number) - 1, int(count)

    @model_validator(mode="after")
    def _check_combinations(self) -> SweepSettings:
        if self.timeout is not None and self.workers == 0:
            raise ParameterError(
                f"timeout={self.timeout!r} requires workers >= 1: in the process of the model "
                "(workers=0), decoding cannot be stopped"
            )
        if self.extend and self.overwrite:
            raise ParameterError("extend=True adds to a run, and overwrite=True replaces it")
        if self.address is not None and self.engine != "ray":
            raise ParameterError(
                f"address={self.address!r} requires engine='ray', not {self.engine!r}"
            )
        return self

    def fill_from(self, plan: Mapping[str, Any]) -> SweepSettings:
        """Return the settings with missing sizes and threads copied from a saved plan."""
        names = ("batch_size", "shard_size", "threads")
        return self.model_copy(update={n: getattr(self, n) or plan.get(n) for n in names})

    def plan_record(self) -> dict[str, Any]:
        """Return the settings that a plan saves."""
        return {name: getattr(self, name) for name in self.PLAN_FIELDS}


def make_settings(values: Mapping[str, Any]) -> SweepSettings:
    """Validate the options of a call to `analyze`.

    Raises:
        UnknownNameError: an engine, a decode mode or a precision does not exist.
        ParameterError: a value is not allowed, or two options contradict each other.
    """
    return cast(SweepSettings, build(SweepSettings, "analyze", values))


def add_settings(function: Function) -> Function:
    """Add the settings to the signature and the docstring of a function that accepts `**params`."""
    settings = SweepSettings.model_fields.items()
    signature = inspect.signature(function)
    *fixed, params = signature.parameters.values()
    kind = inspect.Parameter.KEYWORD_ONLY
    options = [
        inspect.Parameter(name, kind, default=field.default, annotation=field.annotation)
        for name, field in settings
    ]
    signature = signature.replace(parameters=[*fixed, *options, params])
    function.__signature__ = signature  # type: ignore[attr-defined]
    if function.__doc__ is not None:  # python -OO removes docstrings
        # Python 3.13 removes the indentation of docstrings, earlier versions do not.
        text = inspect.cleandoc(function.__doc__)
        function.__doc__ = text.replace(PLACEHOLDER, "\n".join(map(_describe, settings)))
    return function


def _describe(setting: tuple[str, FieldInfo]) -> str:
    """Return the entry of a setting in the section "Args" of a docstring."""
    name, field = setting
    text = f"{name}: {field.description}"
    return textwrap.fill(text, 96, initial_indent=" " * 4, subsequent_indent=" " * 8)
