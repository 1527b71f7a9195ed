"""tools/gpu-check, as far as it can be tested without running its steps."""

from __future__ import annotations

import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


def load(path: Path, name: str) -> ModuleType:
    """Import a script, which may have no suffix, under a name of its own."""
    loader = SourceFileLoader(name, str(path))
    module = ModuleType(name)
    module.__file__ = str(path)
    sys.modules[name] = module  # dataclasses look their module up
    loader.exec_module(module)
    return module


@pytest.fixture
def check(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    if not (ROOT / "tools" / "gpu-check").exists():
        pytest.skip("the tools are not installed")
    monkeypatch.setenv("TORCH_CUDA_ARCH_LIST", "9.0")  # or a device would be asked
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield load(ROOT / "tools" / "gpu-check", "gpu_check_script")
    del sys.modules["gpu_check_script"]


def test_the_benchmarks_accept_the_arguments_of_both_runs(
    check: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    benchmark = load(ROOT / "benchmarks" / "gpu.py", "gpu_benchmark_script")
    del sys.modules["gpu_benchmark_script"]
    runs = {}
    for dry_run in (False, True):
        steps = [s for s in check.plan_steps(tmp_path, dry_run) if "benchmarks/gpu.py" in s.command]
        runs[dry_run] = [benchmark.arguments(step.command[2:]) for step in steps]
        assert len({step.name for step in steps}) == len(steps)
    sections = [(args.section, args.precision) for args in runs[False]]
    assert set(benchmark.SECTIONS) == {section for section, _ in sections}
    assert sections == [(args.section, args.precision) for args in runs[True]]
    assert all(args.device == "cuda" and not args.check for args in runs[False])
    assert all(args.device == "cpu" and args.check for args in runs[True])


def test_steps_name_files_that_exist(check: ModuleType, tmp_path: Path) -> None:
    for dry_run in (False, True):
        for step in check.plan_steps(tmp_path, dry_run):
            paths = [a for a in step.command if a.startswith(("tests/", "tools/", "benchmarks/"))]
            assert all((ROOT / path).exists() for path in paths), step.command


def test_a_step_that_fails_fails_the_check(check: ModuleType, tmp_path: Path) -> None:
    commands = {code: ["sh", "-c", f"echo said; exit {code}"] for code in (0, 3)}
    steps = [check.Step(f"exit {code}", command, 60) for code, command in commands.items()]
    steps.append(check.Step("late", ["true"], 60))
    for number, step in enumerate(steps):
        check.run(step, tmp_path, number, left_s=60 if step.name != "late" else 1)
    assert [s.status for s in steps] == [
        "passed", "failed: exit status 3", "skipped: no time was left",
    ]  # fmt: skip
    assert (tmp_path / steps[1].log).read_text() == "said\n"
