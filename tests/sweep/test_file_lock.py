"""The lock of a run folder: one process at a time, clear errors, nothing left behind."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from convviz import ConvvizError
from convviz.sweep.store.file_lock import lock_folder
from convviz.sweep.store.file_names import LOCK

HOLD = (
    "import sys, time\nfrom pathlib import Path\n"
    "from convviz.sweep.store.file_lock import lock_folder\n"
    "with lock_folder(Path(sys.argv[1])):\n    print('locked', flush=True); time.sleep(60)"
)


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that holds the lock of `tmp_path`."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"locked\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_second_process_is_refused_at_once(tmp_path: Path, holder) -> None:
    start = time.monotonic()
    with (
        pytest.raises(ConvvizError, match=rf"{tmp_path}.*process {holder.pid}\b"),
        lock_folder(tmp_path),
    ):
        pass
    assert time.monotonic() - start < 2
    assert (tmp_path / LOCK).read_text() == f"{holder.pid}\n"  # the holder's entry is intact


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_process_that_died_does_not_hold_the_lock(tmp_path: Path, holder, number) -> None:
    holder.send_signal(number)
    holder.wait()
    with lock_folder(tmp_path):
        assert (tmp_path / LOCK).read_text() == f"{os.getpid()}\n"
    assert not (tmp_path / LOCK).exists()


def test_the_same_process_cannot_lock_twice(tmp_path: Path) -> None:
    with (
        lock_folder(tmp_path),
        pytest.raises(ConvvizError, match=f"process {os.getpid()}"),
        lock_folder(tmp_path),
    ):
        pass
    with lock_folder(tmp_path):
        pass


def test_a_folder_created_for_the_lock_is_removed_again(tmp_path: Path) -> None:
    with lock_folder(tmp_path / "new"):
        assert (tmp_path / "new" / LOCK).exists()
    assert not (tmp_path / "new").exists()
    with lock_folder(tmp_path / "used"):
        (tmp_path / "used" / "file").touch()
    assert os.listdir(tmp_path / "used") == ["file"]


@pytest.mark.parametrize("kind", ["fifo", "link", "folder"])
def test_a_lock_file_that_is_no_regular_file_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / LOCK
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "link":
        path.symlink_to(tmp_path / "elsewhere")
    else:
        path.mkdir()
    with pytest.raises(ConvvizError, match=LOCK), lock_folder(tmp_path):
        pass
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_named(tmp_path: Path, monkeypatch, number: int) -> None:
    def flock(*args: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(ConvvizError, match=f"{tmp_path}.*without locks"), lock_folder(tmp_path):
        pass


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES])
def test_a_read_only_folder_is_named(tmp_path: Path, monkeypatch, number: int) -> None:
    real = os.open

    def refuse(path, flags: int, *args: int, **options: int) -> int:
        if str(path).endswith(LOCK):
            raise OSError(number, os.strerror(number), str(path))
        return real(path, flags, *args, **options)

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(ConvvizError, match=f"{tmp_path}.*cannot be opened"), lock_folder(tmp_path):
        pass
