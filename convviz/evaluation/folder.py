"""The folder of a benchmark: its plan and the scores of each image, for resuming."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ConvvizError, ParameterError
from ..storage import durable_file
from ..storage.untrusted_files import JSON_LIMIT, MissingFileError, read_bounded
from .image_scores import ImageScores

PLAN = "plan.json"
SHARDS = "shards"
SCHEMA = 1


@dataclass(frozen=True)
class BenchmarkFolder:
    """The folder of a benchmark.

    Attributes:
        path: the folder.
    """

    path: Path

    def start(self, plan: Mapping[str, Any]) -> None:
        """Write the plan into a new folder, or compare it with the one of an earlier call.

        Raises:
            ParameterError: the folder holds another benchmark, or other files.
        """
        plan = json.loads(json.dumps({"schema": SCHEMA, **plan}, default=repr))
        (self.path / SHARDS).mkdir(parents=True, exist_ok=True)
        earlier = self.plan()
        if earlier is None:
            self.write_json(PLAN, plan)
            return
        different = [
            f"{key} (was {_short(earlier.get(key))}, is {_short(plan.get(key))})"
            for key in dict.fromkeys((*earlier, *plan))
            if earlier.get(key) != plan.get(key)
        ]
        if different:
            raise ParameterError(
                f"{str(self.path)!r} holds another benchmark, which differs in "
                f"{'; '.join(different)}: use another folder"
            )

    def plan(self) -> dict[str, Any] | None:
        """Return the plan; None in a new folder."""
        record = self.read_json(PLAN)
        if record is not None and record.get("schema") != SCHEMA:
            raise ConvvizError(f"{self.path / PLAN} has the schema {record.get('schema')!r}")
        return record

    def read_json(self, name: str) -> dict[str, Any] | None:
        """Return the object in a JSON file; None if there is no such file."""
        try:
            record = json.loads(read_bounded(self.path, name, JSON_LIMIT))
        except MissingFileError:
            return None
        except (ValueError, RecursionError) as error:
            raise ConvvizError(f"{self.path / name} is damaged: {error}") from error
        if not isinstance(record, dict):
            raise ConvvizError(f"{self.path / name} is damaged: it holds no object")
        return record

    def write_json(self, name: str, record: Mapping[str, Any]) -> None:
        """Write an object as a JSON file."""
        content = json.dumps(record, indent=1, allow_nan=False)
        durable_file.write(self.path / name, content.encode())

    def load(self, index: int) -> ImageScores | None:
        """Return the scores of the image with this index in the data set; None without them."""
        name = f"{SHARDS}/{index:06}.json"
        try:
            content = read_bounded(self.path, name, JSON_LIMIT)
        except MissingFileError:
            return None
        return ImageScores.from_json(content, str(self.path / name))

    def save(self, index: int, scores: ImageScores) -> None:
        """Write the scores of an image: afterwards the file is complete, or absent."""
        durable_file.write(self.path / SHARDS / f"{index:06}.json", scores.to_json())


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
