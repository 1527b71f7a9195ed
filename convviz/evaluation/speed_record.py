"""Records of speed measurements: their JSON form, and which explainers became slower."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..errors import ConvvizError, ParameterError
from ..storage import durable_file
from ..storage.untrusted_files import read_bounded

FORWARD = "forward pass"
"""Name of the reference: the network's forward pass, through `Model.forward`."""

FILE_NAME = "speed.json"
MAX_BYTES = 64 << 20

MIN_REPEATS = 3
"""Rounds below which two records are not compared."""

MIN_CHANGE = 1.1
"""Ratio of medians below which a change does not count."""

Seconds = list[float]


class SpeedRow(BaseModel):
    """The speed of one explainer, or of the network's forward pass.

    Attributes:
        name: name of the explainer, or "forward pass".
        distribution, version: its package.
        parameters: its parameters.
        peer_of: the explainer that it is compared with; "" for none.
        batch, layout: the images per call and the memory format of the weights that were fastest.
        trials: "layout, batch" -> seconds per image of one call.
        seconds: seconds per image, one per round.
        first_call_s: seconds of the first call on a new Model with one image.
        passes: images that the network's forward passes processed, per image of a later call. Work
            of exact incremental inference and backward passes are not counted.
        peak_mb: memory in MB that the explainer adds in a process of its own; None if it was not
            measured.
        notes: sentences.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    distribution: str = ""
    version: str = ""
    parameters: dict[str, Any] = {}
    peer_of: str = ""
    batch: int = Field(ge=1)
    layout: str
    trials: dict[str, float] = {}
    seconds: Seconds = Field(min_length=1)
    first_call_s: float
    passes: float
    peak_mb: float | None = None
    notes: tuple[str, ...] = ()

    @property
    def median(self) -> float:
        """Median of the seconds per image."""
        return statistics.median(self.seconds)

    @property
    def quartiles(self) -> tuple[float, float]:
        """Lower and upper quartile of the seconds per image."""
        return quartiles(self.seconds)


class SpeedRecord(BaseModel):
    """Speeds of several explainers that were measured in turn on one machine.

    Attributes:
        date: of the measurement, UTC.
        commit: git commit of convviz, with "+" if files differed; "" outside of a checkout.
        machine: processor, cores, threads, GPU, and the load average before and after.
        versions: distribution -> version.
        model: name, source, hash of the weights, and device.
        images: a description of the images.
        rows: the forward pass, then the explainers.
        failed: name of an explainer -> why it could not be measured.
        notes: sentences, such as peers that are not installed.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1] = 1
    date: str
    commit: str
    machine: dict[str, Any]
    versions: dict[str, str]
    model: dict[str, str]
    images: str
    rows: tuple[SpeedRow, ...] = Field(min_length=1)
    failed: dict[str, str] = {}
    notes: tuple[str, ...] = ()

    def row(self, name: str) -> SpeedRow | None:
        """Return the row of a name, or None."""
        return next((row for row in self.rows if row.name == name), None)

    def save(self, folder: Path) -> Path:
        """Write `speed.json` to a folder, which is created if necessary; return its path."""
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(self.model_dump(mode="json"), indent=1, allow_nan=False)
        durable_file.write(folder / FILE_NAME, f"{text}\n".encode())
        return folder / FILE_NAME

    @classmethod
    def load(cls, path: Path) -> SpeedRecord:
        """Read a saved record.

        Args:
            path: the file, or the folder with `speed.json`.

        Raises:
            ConvvizError: the file is missing, or no record of speeds.
        """
        file = path / FILE_NAME if path.is_dir() else path
        content = read_bounded(file.parent, file.name, MAX_BYTES)
        try:
            return cls.model_validate_json(content)
        except ValidationError as error:
            problem = error.errors()[0]
            place = ".".join(map(str, problem["loc"]))
            reason = f"{place}: {problem['msg']}" if place else problem["msg"]
            message = f"{file} is not a record of `convviz bench speed`: {reason}"
            raise ConvvizError(message) from None


class Change(BaseModel):
    """The change of an explainer's speed between two records.

    Attributes:
        name: name of the explainer.
        ratio: new over old median, in forward passes of the same round; None if not compared.
        verdict: "slower", "faster", "same", or "not compared".
        reason: why the two are not compared.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    ratio: float | None = None
    verdict: Literal["slower", "faster", "same", "not compared"]
    reason: str = ""


def compare_speed(old: SpeedRecord, new: SpeedRecord) -> list[Change]:
    """Return the changes of all explainers of the new record.

    Seconds are divided by those of the network's forward pass in the same round, so that load and
    the speed of the machine cancel to a large part. An explainer is slower (or faster) if the
    medians of these ratios differ by more than 10 % and the ranges between their quartiles do not
    overlap.

    Raises:
        ParameterError: the records are of different models or devices.
    """
    for key in ("weights_hash", "device"):
        a, b = old.model.get(key, ""), new.model.get(key, "")
        if a != b:
            raise ParameterError(
                f"the records are of different models: {key} {a!r} ({old.model.get('name')}) and "
                f"{b!r} ({new.model.get('name')})"
            )
    return [_change(row, old, new) for row in new.rows if row.name != FORWARD]


def _change(row: SpeedRow, old: SpeedRecord, new: SpeedRecord) -> Change:
    before = old.row(row.name)
    if reason := _obstacle(before, row):
        return Change(name=row.name, verdict="not compared", reason=reason)
    assert before is not None
    a, b = _in_forward_passes(before, old), _in_forward_passes(row, new)
    ratio = statistics.median(b) / statistics.median(a)
    (low_a, high_a), (low_b, high_b) = quartiles(a), quartiles(b)
    if ratio > MIN_CHANGE and low_b > high_a:
        return Change(name=row.name, ratio=ratio, verdict="slower")
    if ratio < 1 / MIN_CHANGE and high_b < low_a:
        return Change(name=row.name, ratio=ratio, verdict="faster")
    return Change(name=row.name, ratio=ratio, verdict="same")


def _obstacle(before: SpeedRow | None, row: SpeedRow) -> str:
    """Return why two rows cannot be compared, or ""."""
    if before is None:
        return "not in the old record"
    if before.parameters != row.parameters:
        keys = before.parameters.keys() | row.parameters.keys()
        differ = [k for k in sorted(keys) if before.parameters.get(k) != row.parameters.get(k)]
        return f"other parameters: {', '.join(differ)}"
    if (fewest := min(len(before.seconds), len(row.seconds))) < MIN_REPEATS:
        return f"{fewest} repeats; at least {MIN_REPEATS} are necessary"
    return ""


def _in_forward_passes(row: SpeedRow, record: SpeedRecord) -> Seconds:
    reference = record.row(FORWARD)
    if reference is None or len(reference.seconds) != len(row.seconds):
        raise ConvvizError(f"the record of {record.date} has no forward pass in every round")
    return [s / f for s, f in zip(row.seconds, reference.seconds, strict=True)]


def speed_differences(old: SpeedRecord, new: SpeedRecord) -> list[str]:
    """Return what else differs between two records: machine, threads, images and versions."""
    pairs = [(key, old.machine.get(key), new.machine.get(key)) for key in ("cpu", "threads", "gpu")]
    pairs += [("images", old.images, new.images), ("commit", old.commit, new.commit)]
    names = sorted(old.versions.keys() | new.versions.keys())
    pairs += [(name, old.versions.get(name), new.versions.get(name)) for name in names]
    return [f"{name}: {a or 'none'} → {b or 'none'}" for name, a, b in pairs if a != b]


def quartiles(values: Sequence[float]) -> tuple[float, float]:
    """Return the lower and the upper quartile; of one value, the value."""
    if len(values) == 1:
        return values[0], values[0]
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, high
