"""Sweeps in other processes: killed and interrupted at any moment, then resumed."""

from __future__ import annotations

import contextlib
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from helpers.folders import content, same

from convviz.sweep.store.file_names import LOCK, SWEEP

SHARD, SHARDS = 150, 10
# One explainer with one layer: most of the time goes into shards, where kills shall fall.
SWEEP_ARGUMENTS = [
    *("analyze", "demo-digits?limit=1500", "-m", "demo-digits", "-e", "statistics"),
    *("-p", "statistics.layers=stage1.conv", "--batch-size", "16"),
    *("--shard-size", str(SHARD), "--threads", "1"),
]


def command(out: Path) -> list[str]:
    return [sys.executable, "-P", "-m", "convviz", *SWEEP_ARGUMENTS, "--out", str(out)]


def at_work(out: Path) -> subprocess.Popen[bytes]:
    """Start the command, and return it once it has the folder for itself (or has ended)."""
    process = subprocess.Popen(command(out), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    lock = out / LOCK
    while process.poll() is None:
        if lock.exists() and lock.read_text() == f"{process.pid}\n":
            break
        time.sleep(0.002)
    return process


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The folder of an uninterrupted run."""
    out = tmp_path_factory.mktemp("whole") / "run"
    done = subprocess.run(command(out), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return content(out)


def shards_in(out: Path) -> int:
    return len(list((out / SWEEP / "shards").glob("*.json")))


def kill(out: Path, shards: int, delay: float) -> str | None:
    """Kill the command some seconds after it has so many shards; says what it left, if it was."""
    process = at_work(out)
    while process.poll() is None and shards_in(out) < shards:
        time.sleep(0.002)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.communicate(timeout=delay)
    process.kill()
    process.communicate()
    return f"{shards_in(out)} shards" if process.returncode else None


def check_finished(out: Path, expected: dict[str, bytes]) -> None:
    """Run the command to its end, and compare the run folder."""
    done = subprocess.run(command(out), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    same(content(out), expected)


@pytest.mark.slow
def test_a_sweep_killed_five_times_ends_the_same(whole, tmp_path) -> None:
    chance = random.Random(0)
    out = tmp_path / "run"
    remaining = [kill(out, shards, chance.uniform(0, 0.05)) for shards in (0, 2, 4, 6, 8)]
    assert None not in remaining
    check_finished(out, whole)
    print("\nkilled five times, left:", remaining)


@pytest.mark.slow
def test_fifty_kills_at_any_moment_end_the_same(whole, tmp_path) -> None:
    chance = random.Random(1)
    remaining: list[str] = []
    folders = 0
    while len(remaining) < 50:
        out = tmp_path / str(folders)
        for shards in sorted(chance.choices(range(SHARDS + 1), k=6)):
            state = kill(out, shards, chance.uniform(0, 0.6))
            if state is None:
                break
            remaining.append(state)
        check_finished(out, whole)
        folders += 1
        assert folders <= 40, f"only {len(remaining)} kills came before the end"
    print(f"\n{len(remaining)} kills before the end; all {folders} folders identical")
    print("left by the kills:", {state: remaining.count(state) for state in sorted(set(remaining))})


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_says_how_to_go_on(tmp_path, number) -> None:
    out = tmp_path / "run"
    process = at_work(out)
    while process.poll() is None and not list(out.glob(f"{SWEEP}/shards/*.json")):
        time.sleep(0.002)
    process.send_signal(number)
    _, message = process.communicate()
    assert process.returncode == 130, message
    assert b"of 10 shards are safe" in message
    assert b"the same command resumes" in message
    assert not (out / LOCK).exists()
    assert (out / SWEEP / "plan.json").exists()
