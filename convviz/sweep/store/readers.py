"""Finished runs, opened for reading."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from pathlib import Path

from ...errors import ConvvizError
from ...explanation.result_folder import JSON_NAME, read_json
from ...storage.checksums import CHECKSUMS
from ...storage.untrusted_files import JSON_LIMIT
from .file_names import DONE, ITEMS, RESULTS, RUN, SKIPPED, SWEEP
from .local import LocalRunStore, is_run
from .object_store import Remote
from .remote import UNFINISHED_PLAN
from .run_record import read_run

PICTURE_LIMIT = 1 << 30
"""Maximum size of a picture in bytes."""


class LocalRunReader:
    """A finished run in a local folder.

    Args:
        folder: the run folder.

    Raises:
        ConvvizError: it is not a run folder, or its sweep is not finished.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # The results are complete, but the process was killed before it had moved all of them.
        if (folder / SWEEP / DONE).is_dir():
            store = LocalRunStore(folder)
            with store.lock():
                store.settle()
        _check_run(str(folder), is_run(folder), (folder / SWEEP).is_dir() and not is_run(folder))

    def fetch(self, folder: Path) -> None:
        """Do nothing: the files are in the folder."""


class RemoteRunReader:
    """A finished run in an object store. Its files are fetched on first use.

    Args:
        place: the run.

    Attributes:
        folder: a temporary run folder that is removed when the process ends.

    Raises:
        ConvvizError: there is no run, or its sweep is not finished.
    """

    def __init__(self, place: Remote) -> None:
        self.place = place
        self._names = [name for name in place.names() if _is_below(name)]
        _check_run(str(place), {RUN, ITEMS} <= set(self._names), UNFINISHED_PLAN in self._names)
        self.folder = Path(tempfile.mkdtemp(prefix="convviz-"))
        atexit.register(shutil.rmtree, self.folder, ignore_errors=True)
        place.fetch(RUN, self.folder / RUN, JSON_LIMIT)
        sizes = read_run(self.folder, RUN)[CHECKSUMS]
        for name in (ITEMS, SKIPPED):
            place.fetch(name, self.folder / name, sizes[name]["bytes"])
        for name in self._names:
            if name.startswith(f"{RESULTS}/"):
                (self.folder / name).parent.mkdir(parents=True, exist_ok=True)

    def fetch(self, folder: Path) -> None:
        """Fetch the files of a result that are not in its folder yet."""
        prefix = folder.relative_to(self.folder).as_posix() + "/"
        if f"{prefix}{JSON_NAME}" not in self._names or (folder / JSON_NAME).exists():
            return
        self.place.fetch(f"{prefix}{JSON_NAME}", folder / JSON_NAME, JSON_LIMIT)
        document = read_json(folder)
        limits = {name: entry["bytes"] for name, entry in document[CHECKSUMS].items()}
        limits |= dict.fromkeys(document["pictures"], PICTURE_LIMIT)
        for name, limit in limits.items():
            if f"{prefix}{name}" in self._names:
                self.place.fetch(f"{prefix}{name}", folder / name, limit)


def _check_run(location: str, is_run: bool, is_unfinished: bool) -> None:
    if is_unfinished:
        raise ConvvizError(f"the run in {location!r} is not finished: the same analyze resumes it")
    if not is_run:
        raise ConvvizError(f"{location!r} is not a run folder: it has no {RUN} and {ITEMS}")


def _is_below(name: str) -> bool:
    """Return whether the name of an object, as a path, stays below its folder."""
    return all(part not in ("", ".", "..") and "\\" not in part for part in name.split("/"))
