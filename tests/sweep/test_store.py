"""The store of shards: killed at every write, fsync and rename, and cut off by a full disk."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from convviz.storage import durable_file
from convviz.sweep.store.shard_files import LocalShardFiles
from convviz.sweep.store.shard_manifest import ShardManifest

SHARDS = 3

PROGRAM = '''
import os, signal, sys
from pathlib import Path
from convviz.storage import durable_file
from convviz.sweep.store.shard_files import LocalShardFiles
from convviz.sweep.store.shard_manifest import ShardManifest

folder, kill_at, shards = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
assert "torch" not in sys.modules and "numpy" not in sys.modules
count = 0

class Counted:
    """os, whose n-th write, fsync or rename is the last thing the process does, or half does."""
    def __getattr__(self, name):
        real = getattr(os, name)
        if name not in ("write", "fsync", "replace"):
            return real
        def step(*args):
            global count
            count += 1
            if count == kill_at:
                if name == "write":
                    real(args[0], bytes(args[1])[: len(args[1]) // 2])
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*args)
        return step

durable_file.os = Counted()
manifest = ShardManifest(LocalShardFiles(folder))
manifest.begin()
for shard in range(shards):
    entry = manifest.entry(shard)
    if entry is not None and not manifest.damage(entry):
        print("kept", shard)
        continue
    files = {"a": bytes([shard]) * 70, "b": b"", "c": os.fsencode("x") * (shard + 1)}
    manifest.enter(manifest.store(shard, files, {"items": shard}))
print("steps", count)
'''


def content(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in sorted(folder.iterdir())}


def store(folder: Path, kill_at: int = 0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-c", PROGRAM, str(folder), str(kill_at), str(SHARDS)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def whole_entries(folder: Path) -> int:
    """Check by hand that every entry speaks of files that are whole; returns their number."""
    entries = [p for p in folder.iterdir() if p.suffix == ".json" and p.name[0] != "."]
    for path in entries:
        entry = json.loads(path.read_text())
        for kind, known in entry["files"].items():
            data = (folder / f"{path.stem}.{kind}").read_bytes()
            assert len(data) == known["bytes"]
            assert hashlib.sha256(data).hexdigest() == known["sha256"]
    return len(entries)


def test_a_kill_at_every_step_costs_at_most_the_shard_in_hand(tmp_path: Path) -> None:
    done = store(tmp_path / "whole")
    assert done.returncode == 0, done.stderr
    steps = int(done.stdout.split()[-1])
    expected = content(tmp_path / "whole")
    assert len(expected) == 4 * SHARDS
    # Each shard: three files and an entry, each of them a write (none where empty), an fsync
    # of the file, a rename and an fsync of the folder; and one fsync for the entry withdrawn.
    assert steps == SHARDS * (3 * 4 + 3 + 1)
    for step in range(1, steps + 1):
        folder = tmp_path / f"killed at {step}"
        killed = store(folder, step)
        assert killed.returncode == -signal.SIGKILL
        assert "steps" not in killed.stdout
        entries = whole_entries(folder)
        assert entries >= (step - 1) // (steps // SHARDS)
        again = store(folder)
        assert again.returncode == 0, again.stderr
        assert again.stdout.count("kept") == entries
        assert content(folder) == expected
    print(f"\nshard store: killed at each of {steps} writes, fsyncs and renames, recovered {steps}")


def test_a_shard_made_again_is_not_whole_before_its_new_entry(tmp_path: Path) -> None:
    manifest = ShardManifest(LocalShardFiles(tmp_path))
    manifest.begin()
    manifest.enter(manifest.store(0, {"a": b"old"}, {}))
    entry = manifest.store(0, {"a": b"new!"}, {})
    assert manifest.entry(0) is None
    manifest.enter(entry)
    assert manifest.entry(0) == entry
    assert manifest.damage(entry) == ""
    (tmp_path / "000000.a").write_bytes(b"nEw!")
    assert "checksum" in manifest.damage(entry)
    (tmp_path / "000000.a").unlink()
    assert "missing" in manifest.damage(entry)
    (tmp_path / "000000.json").write_text("{")
    assert manifest.entry(0) is None


def test_a_full_disk_leaves_the_former_version(tmp_path: Path) -> None:
    """A limit on the size of files stands for the full disk: the system refuses the same way."""
    program = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from convviz.storage import durable_file\n"
        "path = Path(sys.argv[1])\n"
        "durable_file.write(path, b'first')\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n"
        "try:\n"
        "    durable_file.write(path, b'x' * 1000)\n"
        "except OSError as error:\n"
        "    print(error.errno)\n"
    )
    command = [sys.executable, "-P", "-c", program, str(tmp_path / "file")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(done.stdout) == errno.EFBIG
    assert errno.EFBIG in durable_file.FULL
    assert content(tmp_path) == {"file": b"first"}


@pytest.mark.parametrize("step", ["write", "fsync", "replace"])
def test_an_error_leaves_no_temporary_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    durable_file.write(tmp_path / "file", b"first")

    def full(*args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, step, full)
    with pytest.raises(OSError, match="No space"):
        durable_file.write(tmp_path / "file", b"second")
    monkeypatch.undo()
    assert content(tmp_path) == {"file": b"first"}
