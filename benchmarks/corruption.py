"""Damaged and hostile run folders: how many are detected, and what they can do.

    python benchmarks/corruption.py                       500 corruptions, 300 hostile folders
    python benchmarks/corruption.py --corruptions 50 --hostile 30 --seed 7

*Corruptions* change one byte of one file that a finished run is loaded from. Each is detected (a
ConvvizError), harmless (everything that is loaded is as before) or missed. *Hostile folders* are
made by somebody who knows the format and repairs the checksums. Each is opened, listed,
described, drawn, looked up, saved elsewhere and put on an overview page; an exception that is no
ConvvizError, a hang, a file touched outside of the folder and code that runs are failures.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import _attacks as attacks
import numpy as np
import torch
from torch import nn

import convviz
from convviz.cli.main import run as command
from convviz.gallery import write_report

PATIENCE_S = 60
LOADED = (".json", ".safetensors", ".parquet", ".npy", ".faiss")
"""Suffixes of the files that results are loaded from; pictures and pages have no checksums."""


class Hang(BaseException):
    """A folder kept convviz busy for too long."""


def make_run(folder: Path) -> tuple[Path, convviz.Model]:
    """Write a small run with every explainer of data sets; returns its folder and its model."""
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 5, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(5, 2),
    )  # fmt: skip
    flat = convviz.Preprocess(resize=None, crop=None, mean=(0.0,) * 3, std=(1.0,) * 3)
    photos = np.random.default_rng(0).integers(0, 256, (10, 12, 12, 3), dtype=np.uint8)
    what = [
        convviz.explainer("patches", layers=("1",), k=2, draw=2),
        convviz.explainer("neighbors", k=2),
        convviz.explainer("embedding", method="pca"),
        convviz.explainer("statistics", layers=("1",)),
    ]
    model = convviz.Model(net, preprocess=flat, name="tiny")
    convviz.analyze(model, (photos, [0, 1] * 5), what, folder / "run", workers=0, pictures=True)
    return folder / "run", model


def content(folder: Path) -> str:
    """Return a hash of all that is loaded from a run."""
    run = convviz.open_run(folder)
    parts: list[Any] = [run.plan, tuple(run.items), run.skipped]
    for name in run:
        for layer in run[name]:
            parts += _parts(run[name][layer])
    sha256 = hashlib.sha256()
    for part in parts:
        sha256.update(part if isinstance(part, bytes) else repr(part).encode())
    return sha256.hexdigest()


def _parts(explanation: convviz.Explanation) -> Iterator[Any]:
    result = explanation.result
    yield from (explanation.record, explanation.model, explanation.target, explanation.layer)
    yield from (explanation.versions, tuple(explanation.items), type(result))
    hidden = ("values", "arrays", "files")
    yield [(k, getattr(result, k)) for k in result.__dataclass_fields__ if k not in hidden]
    for name, array in {"values": result.values, **result.arrays}.items():
        yield from (name, array.dtype, array.shape, array.contiguous().numpy().tobytes())
    for name, file in result.files.items():
        yield from (name, file if isinstance(file, bytes) else file.tobytes())


def corrupt(run: Path, count: int, seed: int = 0) -> Counter[str]:
    """Change one byte at a time; count what is detected, harmless and missed, by kind of file."""
    chance = random.Random(seed)
    files = sorted(p for p in run.rglob("*") if p.suffix in LOADED and p.is_file())
    # The shards are read, and their checksums verified, when the run is extended or joined.
    files = [p for p in files if p.parent.name != "shards"]
    before, outcomes = content(run), Counter[str]()
    for _ in range(count):
        path = chance.choice(files)
        # The tables of the results are one file with several names: break the link first.
        original = path.read_bytes()
        place, change = chance.randrange(len(original)), chance.randrange(1, 256)
        path.unlink()
        damaged = bytes([original[place] ^ change])
        path.write_bytes(original[:place] + damaged + original[place + 1 :])
        try:
            outcome = "harmless" if content(run) == before else "missed"
        except convviz.ConvvizError:
            outcome = "detected"
        outcomes[f"{outcome} {path.suffix}"] += 1
        outcomes[outcome] += 1
        path.write_bytes(original)
    return outcomes


@contextlib.contextmanager
def patience(seconds: int) -> Iterator[None]:
    """Raise Hang in a block that takes longer."""

    def ring(*_: object) -> None:
        raise Hang(f"no answer after {seconds} s")

    former = signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, former)


def uses(
    run: Path, good: Path, model: convviz.Model, elsewhere: Path
) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Yield what is done with a hostile run folder, each by its name.

    Args:
        run: the folder.
        good: the run it was made from; results that are as there are not drawn again.
        model: the model of the run.
        elsewhere: a folder to write to.
    """
    photo = np.zeros((12, 12, 3), np.uint8)
    yield "open and read", lambda: content(run)
    yield "load the model", lambda: convviz.open_run(run).load_model()
    yield "look up", lambda: convviz.query(convviz.open_run(run, model), photo, k=1)
    yield "overview", lambda: write_report(run)
    yield "list", lambda: repr(convviz.open_run(run))
    yield "show", lambda: _command("show", str(run), "--no-open", "-o", str(elsewhere / "shown"))
    changed = [leaf for leaf in sorted(run.glob("results/*/*")) if not _is_same(leaf, run, good)]
    for leaf in changed:
        unit = ["show", str(run), "--no-open", "-u", "0", "-o", str(elsewhere / "unit")]
        yield "show one unit", lambda e=leaf.parent.name, u=unit: _command(*u, "-e", e)
        yield f"load {leaf.parent.name}", lambda leaf=leaf: _use_leaf(leaf, elsewhere)


def _is_same(leaf: Path, run: Path, good: Path) -> bool:
    """Say whether a result is as in the good run."""
    before = good / leaf.relative_to(run)
    names = sorted(path.name for path in before.glob("*"))
    return (
        sorted(path.name for path in leaf.glob("*")) == names
        and all((leaf / n).is_file() and not (leaf / n).is_symlink() for n in names)
        and all((leaf / n).stat().st_size < 1 << 30 for n in names)
        and all((leaf / n).read_bytes() == (before / n).read_bytes() for n in names)
    )


def _command(*given: str) -> None:
    """Run a command; raises where it met an error that it did not expect."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        command(list(given))
    text = printed.getvalue()
    if "--debug shows where" in text:
        raise AssertionError(f"the command ends with {text!r:.200}")
    if not all(line.isprintable() for line in text.split("\n")):
        raise AssertionError(f"the command prints control characters: {text!r:.200}")


def _use_leaf(leaf: Path, elsewhere: Path) -> None:
    explanation = convviz.load(leaf)
    text = explanation.describe()
    if not all(line.isprintable() for line in text.split("\n")):
        raise AssertionError(f"describe() prints control characters: {text!r:.200}")
    explanation.save(elsewhere / "saved")
    explanation.pictures()


def attack(
    run: Path, model: convviz.Model, count: int, seed: int = 0
) -> tuple[Counter[str], list[str]]:
    """Use hostile folders; returns outcomes by name, and a line for every failure."""
    outcomes, failures = Counter[str](), list[str]()
    with tempfile.TemporaryDirectory() as name:
        scene = attacks.Scene(Path(name))
        for number in range(count):
            chance = random.Random(seed * 1_000_003 + number)
            folder = Path(name) / "hostile"
            shutil.copytree(run, folder)
            title = attacks.make(scene, folder, number, chance)
            for use, act in uses(folder, run, model, Path(name) / "elsewhere"):
                outcome = _outcome(act)
                outcomes[outcome.partition(":")[0]] += 1
                if outcome.startswith(("exception", "hang")):
                    failures.append(f"{number} {title}, {use}: {outcome}")
            failures += [f"{number} {title}: {line}" for line in scene.harm()]
            scene.remove(folder)
            shutil.rmtree(Path(name) / "elsewhere", ignore_errors=True)
    return outcomes, failures


def _outcome(act: Callable[[], Any]) -> str:
    try:
        with patience(PATIENCE_S), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            act()
    except convviz.ConvvizError:
        return "refused"
    except Hang as hang:
        return f"hang: {hang}"
    except Exception as error:
        where = error.__traceback__
        while where is not None and where.tb_next is not None:
            where = where.tb_next
        at = f"{Path(where.tb_frame.f_code.co_filename).name}:{where.tb_lineno}" if where else ""
        return f"exception: {type(error).__name__} at {at}: {error!s:.120}"
    return "accepted"


def main(given: list[str] | None = None) -> int:
    """Print the counts; returns 1 where something was missed or failed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--corruptions", type=int, default=500)
    parser.add_argument("--hostile", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args(given)
    with tempfile.TemporaryDirectory() as name:
        start = time.perf_counter()
        run, model = make_run(Path(name))
        found = corrupt(run, arguments.corruptions, arguments.seed)
        share = found["detected"] / max(1, arguments.corruptions)
        counts = ", ".join(f"{found[key]} {key}" for key in sorted(found))
        print(f"{arguments.corruptions} corruptions, {share:.1%} detected: {counts}")
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        outcomes, failures = attack(run, model, arguments.hostile, arguments.seed)
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory) / 1024
        seconds = time.perf_counter() - start
    print(f"{arguments.hostile} hostile folders, {sum(outcomes.values())} uses: {dict(outcomes)}")
    print(f"{len(failures)} failures; memory grew by {grown:.0f} MiB; {seconds:.0f} s in all")
    print(*failures, sep="\n")
    return 1 if failures or found["missed"] else 0


if __name__ == "__main__":
    sys.exit(main())
