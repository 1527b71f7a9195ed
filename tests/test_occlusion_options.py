"""What occlusion tells about the way it is computed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from convviz import occluding
from convviz.cli.app import run
from convviz.errors import ParameterError
from convviz.incremental import Prepared, Run, prepare
from convviz.model import Model
from convviz.occluding import Occluded


@pytest.mark.parametrize(
    ("parameter", "words"),
    [
        ("occlusion.engine=auto", ["layer by layer", "MACs saved", "bound", "whole maps from"]),
        ("occlusion.engine=dense", ['full forward pass a window (engine="dense")']),
    ],
)
def test_verbose_tells_the_plan(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], parameter: str, words: list[str]
) -> None:
    photo, out = tmp_path / "grey.png", tmp_path / "out"
    Image.new("RGB", (96, 96), (90, 120, 60)).save(photo)
    given = ["explain", str(photo), "-e", "occlusion", "-p", "occlusion.stride=32"]
    given += ["-p", parameter, "--model", "demo", "-o", str(out)]
    assert run(given) == 0
    assert "MACs" not in capsys.readouterr().out
    assert run([*given, "--verbose"]) == 0
    shown = capsys.readouterr().out
    assert all(word in shown for word in words)
    assert not any("MACs saved" in p.read_text("utf-8", "ignore") for p in out.rglob("*.json"))


class Deep(nn.Module):
    """Convolutions, a residual branch, pooling and a linear head."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
        self.a, self.b = nn.Conv2d(8, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1)
        self.head = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        x = torch.relu(self.b(torch.relu(self.a(x))) + x)
        return self.head(x.mean((2, 3)))


BOXES = torch.tensor([(x, y, x + 8, y + 8) for y in range(0, 57, 4) for x in range(0, 57, 4)])


@pytest.fixture
def net() -> nn.Module:
    torch.manual_seed(0)
    return Deep().eval()


@pytest.fixture
def images() -> Tensor:
    return torch.randn(2, 3, 64, 64, generator=torch.manual_seed(1))


@pytest.fixture(autouse=True)
def however_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plan small work too."""
    monkeypatch.setattr(occluding, "_WORTH_EXPORTING", 0)


def scores(net: nn.Module, images: Tensor, boxes: Tensor = BOXES, **options: Any) -> Occluded:
    fill = torch.zeros_like(images)
    return occluding.occluded(Model(net), images, boxes, fill, lambda f, _: f.output, (), **options)


def most_allocated(run: Callable[[], object]) -> int:
    """Return the most bytes that tensors made by a run take at a time."""
    with torch.profiler.profile(
        activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True
    ) as profile:
        run()
    events = [e for e in profile.profiler.kineto_results.events() if e.name() == "[memory]"]
    changes = [e.nbytes() for e in sorted(events, key=lambda e: e.start_ns())]
    return int(np.cumsum([0, *changes]).max())


def test_a_budget_of_memory_is_kept_and_changes_no_score(net: nn.Module, images: Tensor) -> None:
    model, image = Model(net), images[:1]
    want = scores(net, images).scores
    taken = []
    for memory in (1, 400_000, 1_600_000, 6_400_000):
        with torch.no_grad():
            ready = prepare(model, image, BOXES, (), memory)
            assert isinstance(ready, Prepared)
            work = Run(ready.program, ready.plan, image, torch.zeros_like(image), memory)
            order = np.split(ready.order, range(ready.chunk, len(BOXES), ready.chunk))
            some = order[len(order) // 2]
            taken.append(most_allocated(lambda: list(work.outputs(some))))  # noqa: B023
        found = scores(net, images, memory=memory).scores
        torch.testing.assert_close(found, want, rtol=0, atol=1e-6)
    assert taken[0] < taken[1] <= 400_000
    assert 400_000 < taken[2] <= 1_600_000 < taken[3] <= 6_400_000


def test_no_budget_of_nothing(net: nn.Module, images: Tensor) -> None:
    with pytest.raises(ParameterError, match="memory must be at least 1 byte, got 0"):
        scores(net, images, memory=0)
