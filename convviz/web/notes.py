"""Labels and notes of users on units, in a file of the run folder."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

from ..errors import ConvvizError
from ..storage import durable_file
from ..storage.untrusted_files import MissingFileError, read_bounded

FILE_NAME = "notes.json"
SCHEMA = 1
MAX_BYTES = 16 << 20
MAX_NOTES = 100_000

Notes = dict[str, dict[str, dict[str, str]]]
"""Layer -> number of the unit -> "label" and "note"."""


class UnitNotes:
    """The notes of one run; writes are atomic.

    Args:
        folder: the run folder; None where notes cannot be kept.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._lock = threading.Lock()

    @property
    def can_write(self) -> bool:
        """Whether notes can be kept."""
        return self._folder is not None

    def read(self) -> Notes:
        """Return all notes; raises ConvvizError if the file is damaged."""
        if self._folder is None:
            return {}
        try:
            data = read_bounded(self._folder, FILE_NAME, MAX_BYTES)
        except MissingFileError:
            return {}
        try:
            return _checked(json.loads(data))
        except (ValueError, RecursionError, TypeError, KeyError, AttributeError) as error:
            raise ConvvizError(f"{self._folder / FILE_NAME} is damaged: {error}") from error

    def write(self, layer: str, unit: int, label: str, note: str) -> Notes:
        """Set label and note of a unit, or remove both if they are empty; return all notes.

        Raises:
            ConvvizError: notes cannot be kept here, or the file cannot be read or written.
        """
        if self._folder is None:
            raise ConvvizError("notes are kept in run folders on this computer only")
        with self._lock:
            notes = self.read()
            units = notes.setdefault(layer, {})
            units.pop(str(unit), None)
            if label or note:
                units[str(unit)] = {"label": label, "note": note}
            if not units:
                del notes[layer]
            if sum(map(len, notes.values())) > MAX_NOTES:
                raise ConvvizError(f"there are more than {MAX_NOTES:,} notes")
            text = json.dumps({"schema": SCHEMA, "units": notes}, indent=1, sort_keys=True)
            try:
                durable_file.write(self._folder / FILE_NAME, text.encode())
            except OSError as error:
                raise ConvvizError(f"the note cannot be written: {error.strerror}") from error
            return notes


def _checked(document: Any) -> Notes:
    """Return the notes of a document of unknown origin; raises ValueError."""
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise ValueError(f"it does not have schema {SCHEMA}")
    return {
        _text(layer): {
            str(int(unit)): {"label": _text(entry["label"]), "note": _text(entry["note"])}
            for unit, entry in units.items()
        }
        for layer, units in document["units"].items()
    }


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r:.40} is not a text")
    return value
