"""Options of occlusion, and how results describe the way they were computed."""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

import convviz
from convviz.cli.main import run
from convviz.errors import ParameterError
from convviz.network.model import Forward, Model
from convviz.occlusion import occluded_scores
from convviz.occlusion.executor import WindowExecutor
from convviz.occlusion.occluded_scores import Occluded
from convviz.occlusion.prepare import PreparedOcclusion, prepare
from convviz.state import device as precision


@pytest.mark.parametrize(
    ("parameter", "words"),
    [
        ("occlusion.engine=auto", ["layer by layer", "MACs saved", "bound", "whole maps from"]),
        ("occlusion.engine=dense", ['full forward pass per window (engine="dense")']),
    ],
)
def test_verbose_tells_the_plan(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], parameter: str, words: list[str]
) -> None:
    photo, out = tmp_path / "grey.png", tmp_path / "out"
    Image.new("RGB", (8, 8), (90, 120, 60)).save(photo)
    arguments = ["explain", str(photo), "-e", "occlusion", "-p", "occlusion.window=1"]
    arguments += ["-p", parameter, "--model", "demo-digits", "-o", str(out)]
    assert run(arguments) == 0
    assert "MACs" not in capsys.readouterr().out
    assert run([*arguments, "--verbose"]) == 0
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
    monkeypatch.setattr(occluded_scores, "MIN_PIXELS_FOR_EXPORT", 0)


def scores(net: nn.Module, images: Tensor, boxes: Tensor = BOXES, **options: Any) -> Occluded:
    fill = torch.zeros_like(images)
    return occluded_scores.occluded(
        Model(net), images, boxes, fill, lambda f, _: f.output, (), **options
    )


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
            assert isinstance(ready, PreparedOcclusion)
            work = WindowExecutor(ready.program, ready.plan, image, torch.zeros_like(image), memory)
            order = np.split(ready.order, range(ready.chunk, len(BOXES), ready.chunk))
            subset = order[len(order) // 2]
            taken.append(most_allocated(lambda: list(work.outputs(subset))))  # noqa: B023
        actual = scores(net, images, memory=memory).scores
        torch.testing.assert_close(actual, want, rtol=0, atol=1e-6)
    assert taken[0] < taken[1] <= 400_000
    assert 400_000 < taken[2] <= 1_600_000 < taken[3] <= 6_400_000


def test_no_budget_of_nothing(net: nn.Module, images: Tensor) -> None:
    with pytest.raises(ParameterError, match="memory must be at least 1 byte, got 0"):
        scores(net, images, memory=0)


def reference(net: nn.Module, images: Tensor) -> Tensor:
    """Scores `[N, P, K]` in float64, one forward pass a window."""
    net = copy.deepcopy(net).double()
    actual = []
    with torch.no_grad():
        for x0, y0, x1, y1 in BOXES.tolist():
            covered = images.double()
            covered[..., y0:y1, x0:x1] = 0
            actual.append(net(covered))
    return torch.stack(actual, 1)


@pytest.fixture
def bf16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "fast_bf16", lambda device: True)


@pytest.fixture
def no_bf16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "fast_bf16", lambda device: False)


@pytest.mark.usefixtures("bf16")
@pytest.mark.parametrize("engine", ["auto", "dense"])
def test_bf16_is_near_and_its_deviation_is_told(
    net: nn.Module, images: Tensor, engine: occluded_scores.Engine
) -> None:
    want = reference(net, images)
    actual = scores(net, images, engine=engine, precision="bf16")
    assert "in bf16" in actual.how
    assert (actual.plan is not None) == (engine == "auto")
    assert actual.scores.dtype == torch.float32
    largest = float(want.abs().max())
    assert 1e-4 < float((actual.scores - want).abs().max()) / largest < 2e-2
    assert actual.sample is not None
    assert actual.exact is not None
    assert len(actual.sample.unique()) == 16
    exact = want[:, actual.sample].float()
    torch.testing.assert_close(actual.exact, exact, rtol=0, atol=1e-5 * largest)


@pytest.mark.usefixtures("bf16")
def test_bf16_runs_the_covered_passes_in_bf16(net: nn.Module, images: Tensor) -> None:
    seen = []
    original = WindowExecutor.outputs

    def outputs(run: WindowExecutor, positions: Any) -> Any:
        seen.append((run.image.dtype, {v.dtype for v in run.clean.values()}, len(positions)))
        return original(run, positions)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WindowExecutor, "outputs", outputs)
        scores(net, images, precision="bf16", batch_size=len(BOXES))
    low, full = torch.bfloat16, torch.float32
    tried = (full, {full}, 2)
    assert seen == [
        *(tried, (low, {low}, 1), *[(low, {low}, len(BOXES))] * 2),
        *(tried, *[(full, {full}, 16)] * 2),
    ]


@pytest.mark.usefixtures("bf16")
def test_bf16_reads_layers_in_the_models_precision(net: nn.Module, images: Tensor) -> None:
    def read(forward: Forward, _: Tensor) -> Tensor:
        assert forward.activations["b"].dtype == torch.float32
        return forward.activations["b"].mean((2, 3))

    options = (BOXES, torch.zeros_like(images), read, ("b",))
    want = occluded_scores.occluded(Model(net), images, *options)
    for engine in ("auto", "dense"):
        actual = occluded_scores.occluded(
            Model(net), images, *options, engine=engine, precision="bf16"
        )
        torch.testing.assert_close(actual.scores, want.scores, rtol=0, atol=2e-2)


@pytest.mark.usefixtures("no_bf16")
@pytest.mark.parametrize("engine", ["auto", "dense"])
def test_without_fast_bf16_the_model_keeps_its_own(
    net: nn.Module, images: Tensor, engine: occluded_scores.Engine
) -> None:
    actual = scores(net, images, engine=engine, precision="bf16")
    assert actual.how.endswith("no fast bf16 on this processor: computed in float32")
    assert actual.sample is None
    assert torch.equal(actual.scores, scores(net, images, engine=engine).scores)


@pytest.mark.usefixtures("bf16")
def test_bf16_is_for_single_precision(net: nn.Module, images: Tensor) -> None:
    actual = scores(net.double(), images.double(), precision="bf16")
    assert actual.how.endswith("the model is in float64: bf16 is for float32 only")
    assert actual.scores.dtype == torch.float64


@pytest.mark.usefixtures("bf16")
def test_a_network_that_refuses_bf16_keeps_its_own(images: Tensor) -> None:
    class Stubborn(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 5, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.b(self.a(x).to(torch.float64).to(torch.float32)).mean((2, 3))

    net = Stubborn().eval()
    actual = scores(net, images, precision="bf16")
    assert "in float32 because an operator refuses bf16" in actual.how
    torch.testing.assert_close(actual.scores, scores(net, images).scores, rtol=0, atol=0)


def middle_only(net: Deep, image: Tensor, box: Tensor, share: float) -> Tensor:
    """Scores with each map changed only in the middle of what a box reaches, by hand."""

    def middle(start: int, stop: int, length: int) -> tuple[int, int]:
        size = min(stop - start, math.ceil(share * length))
        start += (stop - start - size) // 2
        return start, start + size

    def cut(clean: Tensor, changed: Tensor, spans: list[tuple[int, int]]) -> Tensor:
        (y0, y1), (x0, x1) = spans
        laid = clean.clone()
        laid[..., y0:y1, x0:x1] = changed[..., y0:y1, x0:x1]
        return laid

    x0, y0, x1, y1 = box.tolist()
    a, b = image.clone(), image.clone()
    b[..., y0:y1, x0:x1] = 0
    spans = [(y0, y1), (x0, x1)]

    def through(layer: Callable[[Tensor], Tensor], grown: Callable[[int, int], tuple[int, int]]):
        nonlocal a, b, spans
        a, b = layer(a), layer(b)
        spans = [middle(*grown(*span), a.shape[-1]) for span in spans]
        b = cut(a, b, spans)

    side = image.shape[-1]
    through(lambda x: torch.relu(net.stem[0](x)), lambda p, q: (max(p - 1, 0), min(q + 1, side)))
    through(net.stem[2], lambda p, q: (p // 2, (q + 1) // 2))
    c, d, before = a, b, spans
    half = side // 2
    through(lambda x: torch.relu(net.a(x)), lambda p, q: (max(p - 1, 0), min(q + 1, half)))
    through(net.b, lambda p, q: (max(p - 1, 0), min(q + 1, half)))
    both = [(min(p, r), max(q, s)) for (p, q), (r, s) in zip(spans, before, strict=True)]
    spans = [middle(*span, half) for span in both]
    b = cut(a + c, b + d, spans)
    return net.head(torch.relu(b).mean((2, 3)))


@pytest.mark.parametrize("share", [0.2, 0.3])
def test_approximate_cuts_windows_to_their_middle(share: float) -> None:
    torch.manual_seed(0)
    net = Deep().double().eval()
    image = torch.randn(1, 3, 64, 64, dtype=torch.float64)
    for box in BOXES[[16, 108, 149]]:  # one box a run: no window is computed larger
        actual = scores(net, image, box[None], approximate=share)
        assert actual.plan is not None
        assert actual.plan.cut > 5
        with torch.no_grad():
            want = middle_only(net, image, box, share)
        torch.testing.assert_close(actual.scores[0], want, rtol=0, atol=1e-12)


def test_approximate_saves_more_and_tells_its_deviation(net: nn.Module, images: Tensor) -> None:
    want = reference(net, images)
    exact, actual = scores(net, images), scores(net, images, approximate=0.25)
    assert exact.plan is not None
    assert actual.plan is not None
    assert actual.plan.saving > exact.plan.saving
    assert "each window cut to 25% of the map" in actual.how
    assert actual.sample is not None
    assert actual.exact is not None
    assert exact.sample is None
    torch.testing.assert_close(actual.exact, want[:, actual.sample].float(), rtol=0, atol=1e-5)
    assert float((actual.scores - exact.scores).abs().max()) > 1e-4


def test_approximate_1_is_exact(net: nn.Module, images: Tensor) -> None:
    assert torch.equal(scores(net, images, approximate=1.0).scores, scores(net, images).scores)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"approximate": 0.0}, "approximate must be above 0 and at most 1, got 0"),
        ({"approximate": 1.1}, "at most 1, got 1.1"),
        ({"approximate": 0.5, "engine": "dense"}, 'requires engine="auto"'),
        ({"precision": "fp8"}, "precision='fp8': allowed are 'model' and 'bf16'"),
    ],
)
def test_options_that_are_not_allowed(
    net: nn.Module, images: Tensor, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(ParameterError, match=re.escape(words)):
        scores(net, images, **options)


@pytest.mark.usefixtures("bf16")
@pytest.mark.parametrize("output", ["drop", "value", "argmax"])
@pytest.mark.parametrize("option", [{"approximate": 0.25}, {"precision": "bf16"}])
def test_the_result_tells_the_deviation(
    net: nn.Module, images: Tensor, output: str, option: dict[str, Any]
) -> None:
    arguments = {"window": 8, "stride": 4, "edge": "drop", "fill": 0.0, "output": output}
    target = None if output == "argmax" else 3
    actual = convviz.explain(Model(net), images, "occlusion", target, **arguments, **option)
    measures, grid = actual.result.measures, actual.result.arrays["grid"].flatten(1)
    want = reference(net, images)
    sample = torch.linspace(0, len(BOXES) - 1, 16).round().long()
    got = grid[:, sample]
    if output == "argmax":
        deviation = float((got != want.argmax(2)[:, sample]).double().mean())
    else:
        exact = want[:, sample, 3]
        if output == "drop":
            with torch.no_grad():
                exact = copy.deepcopy(net).double()(images.double())[:, 3, None] - exact
        deviation = float((got - exact).abs().max() / exact.abs().max())
        assert deviation > 1e-4
    assert measures["deviation from exact"] == pytest.approx(deviation, rel=1e-2)
    assert measures["windows checked"] == 16
    assert ("MACs saved" in measures) == ("approximate" in option)
    assert 0 < measures.get("MACs saved", 0.5) < 1


def test_exact_results_have_no_deviation(net: nn.Module, images: Tensor) -> None:
    actual = convviz.explain(Model(net), images, "occlusion", 3, window=8)
    assert set(actual.result.measures) == {"positions", "computed", "window", "stride"}


def test_the_explainer_refuses_approximate_dense() -> None:
    with pytest.raises(convviz.ParameterError, match='use engine="auto"'):
        convviz.explainer("occlusion", approximate=0.5, engine="dense")
