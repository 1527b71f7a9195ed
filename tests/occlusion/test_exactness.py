"""Incremental occlusion over torchvision's ConvNets: exact, and no more work than counted here."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterator
from functools import cache
from typing import NamedTuple

import pytest
import torch
import torchvision
from occlusion.short_networks import SHORT, build_network
from torch import Tensor, fx, nn
from torch.utils.flop_counter import FlopCounterMode

from convviz.network.model import Model
from convviz.occlusion import occluded_scores
from convviz.occlusion.executor import WindowExecutor
from convviz.occlusion.prepare import PreparedOcclusion, prepare

SMALLEST = (
    *("alexnet", "convnext_tiny", "densenet121", "efficientnet_b0", "googlenet", "inception_v3"),
    *("mnasnet0_5", "mobilenet_v2", "mobilenet_v3_small", "regnet_y_400mf", "resnet18"),
    *("shufflenet_v2_x0_5", "squeezenet1_1", "vgg11"),
)
"""The smallest of each family, a module of torchvision."""

QUICK = (
    *("squeezenet1_1", f"alexnet{SHORT}", f"mobilenet_v2{SHORT}", f"resnet18{SHORT}"),
    f"vgg11{SHORT}",
)
"""Those that every test run takes; `pytest -m slow` takes all others."""

TRANSFORMERS = ("maxvit", "swin", "vit")
CONVNETS = tuple(
    name
    for name in torchvision.models.list_models(module=torchvision.models)
    if not name.startswith(TRANSFORMERS)
)

GLOBAL_FROM_THE_START = ("efficientnet_b", "mobilenet_v3", "regnet_y")
"""Families whose first blocks scale channels by a mean over the whole map (squeeze, excite).

From there every unit depends on every pixel, so that whole maps are computed, exactly. What is
saved lies before: the stem and the first convolutions.
"""

SIZES = {"inception_v3": (79, 83)}
USUAL = (65, 71)
CONV3X3 = torch.ops.convviz.conv3x3_windows


def slow_but(ordinary: Collection[str]) -> list[object]:
    """Return ordinary networks, and all other ConvNets marked as slow."""
    others = (name for name in CONVNETS if name not in ordinary)
    return [*ordinary, *(pytest.param(name, marks=pytest.mark.slow) for name in others)]


def network(name: str) -> nn.Module:
    """Return a network in float64 with random weights, and statistics that folding must get right.

    The statistics are those of noise that runs through it, so that no layer dies or explodes.
    """
    torch.manual_seed(0)
    options = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    if name.startswith("vgg"):
        options = {"init_weights": False}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that weights are not initialised
        module = build_network(name, **options).double().eval()
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            # In blocks by the dozen, residual branches as large as what they are added to
            # would carry rounding errors into the first digits of the scores.
            nn.init.uniform_(part.weight, *((0.1, 0.4) if "efficientnet" in name else (0.5, 1.5)))
            nn.init.normal_(part.bias, 0, 0.2)
            part.momentum = None
            part.reset_running_stats()
            part.train()
        if isinstance(part, nn.Conv2d) and name.startswith("vgg"):
            nn.init.kaiming_normal_(part.weight)  # without which the signal of a window dies away
    for parameter_name, parameter in module.named_parameters():
        if parameter_name.endswith("layer_scale"):
            nn.init.constant_(parameter, 0.3)
    with torch.no_grad():
        module(torch.randn(4, 3, *size_of(name), dtype=torch.float64))
    return module.eval()


def size_of(name: str) -> tuple[int, int]:
    return SIZES.get(name, USUAL)


def some_boxes(height: int, width: int) -> Tensor:
    """Windows in all corners, across the middle, of one pixel, a strip, and one over all."""
    y, x = height // 2, width // 2
    return torch.tensor(
        [
            *((0, 0, 9, 9), (width - 7, 0, width, 9), (0, height - 5, 9, height)),
            *((width - 3, height - 2, width, height), (x - 4, y - 5, x + 5, y + 4)),
            *((x, y, x + 1, y + 1), (3, y + 1, 40, y + 3), (0, 0, width, height)),
        ]
    )


def brute_force(module: nn.Module, images: Tensor, boxes: Tensor, fill: Tensor) -> Tensor:
    """Return `[N, P, classes]`: the network itself on every copy."""
    actual = []
    for image, covering in zip(images, fill, strict=True):
        copies = image.repeat(len(boxes), 1, 1, 1)
        for copy, (x0, y0, x1, y1) in zip(copies, boxes.tolist(), strict=True):
            copy[:, y0:y1, x0:x1] = covering[:, y0:y1, x0:x1]
        with torch.no_grad():
            actual.append(module(copies))
    return torch.stack(actual)


def count_executed(prepared: PreparedOcclusion, image: Tensor, fill: Tensor) -> float:
    """Return the multiply-accumulates a position that torch's own counter sees.

    Of a 3 x 3 convolution in windows it is told what a direct one makes.
    """

    def direct(clean, changed, table, height, width, weights, bias, relu, out_shape=None):
        return 2 * table[0] * height * width * bias[0] * clean[1] * 9

    with torch.no_grad():
        run = WindowExecutor(prepared.program, prepared.plan, image, fill)
        with FlopCounterMode(display=False, custom_mapping={CONV3X3: direct}) as counter:
            for _ in run.outputs(prepared.order):
                pass
    return counter.get_total_flops() / 2 / len(prepared.order)


@pytest.mark.parametrize("name", slow_but(QUICK))
def test_scores_equal_those_of_the_network_itself(name, monkeypatch):
    monkeypatch.setattr(occluded_scores, "MIN_PIXELS_FOR_EXPORT", 0)
    module, (height, width) = network(name), size_of(name)
    count = 1 if name == "convnext_tiny" else 2  # which takes longest by far
    images = torch.randn(count, 3, height, width, dtype=torch.float64)
    fill, boxes = torch.randn_like(images), some_boxes(height, width)
    actual = occluded_scores.occluded(Model(module), images, boxes, fill, lambda f, _: f.output)
    want = brute_force(module, images, boxes, fill)
    largest = float(want.abs().max())
    assert actual.plan is not None, actual.how
    assert actual.scores.shape == (count, len(boxes), 1000)
    far = float((actual.scores - want).abs().max()) / largest
    changed = float((want - want[:, -1:]).abs().max()) / largest
    print(
        f"\n{name}: {far:.1e} of the largest score; {actual.plan.saving:.3f}x fewer MACs; whole "
        f"maps from {actual.plan.reason}"
    )
    assert changed > 1e-3  # the windows matter, or nothing is tested
    assert actual.plan.saving > 1
    if far > 1e-10:
        reference = moved_by_layout(module, images, boxes, fill, want)
        assert far <= 10 * reference
        if reference > 1e-6:
            pytest.skip(
                f"its own scores move by {reference:.1e} with the layout of memory: nothing held"
            )


def moved_by_layout(
    module: nn.Module, images: Tensor, boxes: Tensor, fill: Tensor, want: Tensor
) -> float:
    """Return how far the network's own scores move with the layout of memory.

    Some of the deepest networks with random weights carry rounding errors of 1e-16 to 1e-9 in the
    scores of some images. More digits than its own cannot be asked of them.
    """
    again = brute_force(module.to(memory_format=torch.channels_last), images, boxes, fill)
    return float((again - want).abs().max() / want.abs().max())


def usual(boxes_stride: int = 8, window: int = 16, size: int = 224) -> Tensor:
    starts = range(0, size - window + 1, boxes_stride)
    return torch.tensor([(x, y, x + window, y + window) for y in starts for x in starts])


@pytest.mark.parametrize("name", slow_but(["mobilenet_v3_small", "squeezenet1_1"]))
def test_which_networks_run_incrementally(name):
    """At the usual size, where windows are small beside the maps."""
    model = Model(network(name).float())
    with model.session(), torch.no_grad():
        prepared = prepare(model, torch.randn(1, 3, 224, 224), usual(), ())
    assert isinstance(prepared, PreparedOcclusion), prepared
    plan = prepared.plan
    print(
        f"\n{name}: {plan.saving:.2f}x fewer MACs (bound {plan.bound:.2f}x); whole maps from "
        f"{plan.reason}"
    )
    assert plan.saving <= plan.bound
    if name.startswith(GLOBAL_FROM_THE_START):
        assert 1 < plan.saving < 1.5
        assert plan.reason.endswith("avgpool, which is global or has no rule")
    else:  # windows 7 wide in every block leave a ConvNeXt less to save
        assert plan.saving > (1.1 if name.startswith("convnext") else 1.2)


@pytest.mark.parametrize(
    "name",
    [
        *(f"alexnet{SHORT}", f"vgg11{SHORT}", f"resnet18{SHORT}"),
        *(pytest.param(n, marks=pytest.mark.slow) for n in ("densenet121", "resnet18")),
    ],
)
def test_the_work_is_that_of_the_changed_windows(name):
    """Against a count that walks the exported graph with loops over positions."""
    boxes, image = usual(), torch.randn(1, 3, 224, 224)
    model = Model(network(name).float())
    with model.session(), torch.no_grad():
        prepared = prepare(model, image, boxes, ())
    assert isinstance(prepared, PreparedOcclusion), prepared
    counted = list(Count(model.module, image, boxes).convolutions())
    lines = prepared.plan.lines
    assert [line.full for line in lines] == [full for full, _ in counted]
    in_windows = [line.window is not None for line in lines]
    assert prepared.plan.saving > 1.2
    least = sum(
        part if windowed else full
        for (full, part), windowed in zip(counted, in_windows, strict=True)
    )
    done = sum(line.done for line in lines)
    print(f"\n{name}: {done / 1e6:.1f} M MACs executed, {least / 1e6:.1f} M counted")
    assert any(in_windows)
    assert least * (1 - 1e-9) <= done <= 1.1 * least


IN_WINDOWS = {
    # network -> the layer it runs in windows up to at least
    f"alexnet{SHORT}": "features.3",
    "squeezenet1_1": "features.6.expand3x3",
    f"resnet18{SHORT}": "layer2.0.conv2",
    f"mobilenet_v2{SHORT}": "features.4.conv.1.0",
}


@pytest.mark.parametrize("name", IN_WINDOWS)
def test_the_plan_says_what_is_executed(name):
    """Against the calls that torch's own counter sees."""
    image = torch.randn(1, 3, 128, 128)
    model = Model(network(name).float())
    with model.session(), torch.no_grad():
        prepared = prepare(model, image, usual(23, 16, 128), ())
    assert isinstance(prepared, PreparedOcclusion), prepared
    assert IN_WINDOWS[name] in [line.layer for line in prepared.plan.lines if line.window]
    full, exact, done = prepared.plan.macs
    assert exact <= done < full
    assert count_executed(prepared, image, torch.zeros_like(image)) == pytest.approx(done, rel=1e-6)


Interval = tuple[int, int] | None
"""Which rows (or columns) of a map a window changes; None for none."""


class Count:
    """Multiply-accumulates of changed windows, counted over a graph of torch.export.

    For every row and every column interval of the windows, one node after the other: an output
    changes if one of the inputs it reads does. What an operator reads is written out here, in
    loops.
    """

    def __init__(self, module: nn.Module, image: Tensor, boxes: Tensor) -> None:
        self.graph = torch.export.export(module, (image,)).graph
        spans = boxes[:, [1, 3]].tolist(), boxes[:, [0, 2]].tolist()
        self.kinds = [sorted({tuple(span) for span in axis}) for axis in spans]
        self.pairs = [
            (self.kinds[0].index(tuple(y)), self.kinds[1].index(tuple(x)))
            for y, x in zip(*spans, strict=True)
        ]

    def convolutions(self) -> Iterator[tuple[int, float]]:
        """Yield (MACs of the whole map, mean MACs of what changes) a convolution or linear."""
        changed: dict[fx.Node, tuple[list[Interval], list[Interval]] | None] = {}
        for node in self.graph.nodes:
            if node.op == "placeholder" and node.meta["val"].shape[:2] == (1, 3):
                changed[node] = tuple(list(kinds) for kinds in self.kinds)
            inputs = [changed[n] for n in node.all_input_nodes if n in changed]
            if node.op != "call_function" or not inputs:
                continue
            name = node.target._schema.name.removeprefix("aten::").rstrip("_")
            changed[node] = None
            if None not in inputs:
                changed[node] = self._through(node, name, inputs)
            if name in ("conv2d", "linear"):
                yield self._macs(node, changed[node])

    def _through(self, node: fx.Node, name: str, inputs: list) -> tuple | None:
        if name in ("adaptive_avg_pool2d", "mean", "flatten", "linear"):
            return None
        if name in ("conv2d", "max_pool2d", "avg_pool2d"):
            size_in, size_out = node.args[0].meta["val"].shape[2:], node.meta["val"].shape[2:]
            slides = [_slide(node, name, axis) for axis in (0, 1)]
            return tuple(
                [
                    _reached_outputs(span, size_in[axis], size_out[axis], slides[axis])
                    for span in spans
                ]
                for axis, spans in enumerate(inputs[0])
            )
        known = ("relu", "hardtanh", "batch_norm", "dropout", "add", "cat")
        assert name in known, f"the reference does not know {name}"
        return tuple(
            [_hull(spans) for spans in zip(*(single[axis] for single in inputs), strict=True)]
            for axis in (0, 1)
        )

    def _macs(self, node: fx.Node, changed: tuple | None) -> tuple[int, float]:
        pixel = node.args[1].meta["val"].numel()
        if changed is None:
            shape = node.meta["val"].shape[2:]
            full = pixel * shape[0] * shape[1] if len(shape) else pixel
            return full, full
        height, width = node.meta["val"].shape[2:]
        rows, columns = ([b - a for a, b in map(_bounds, axis)] for axis in changed)
        areas = [rows[y] * columns[x] for y, x in self.pairs]
        return pixel * height * width, pixel * sum(areas) / len(areas)


class Slide(NamedTuple):
    """One axis of a sliding operator."""

    size: int
    stride: int
    padding: int
    dilation: int

    def reads(self, output: int) -> list[int]:
        start = output * self.stride - self.padding
        return [start + i * self.dilation for i in range(self.size)]


def _slide(node: fx.Node, name: str, axis: int) -> Slide:
    names = [a.name for a in node.target._schema.arguments]
    inputs = {a.name: a.default_value for a in node.target._schema.arguments}
    inputs |= dict(zip(names, node.args, strict=False)) | dict(node.kwargs)

    def number(key: str, default: int) -> int:
        value = inputs.get(key) or [default]
        return value[axis] if len(value) > 1 else value[0]

    weight = inputs["weight"].meta["val"].shape[2:] if name == "conv2d" else None
    size = weight[axis] if weight is not None else number("kernel_size", 1)
    stride = number("stride", 1 if name == "conv2d" else size)
    return Slide(size, stride, number("padding", 0), number("dilation", 1))


@cache
def _reached_outputs(span: Interval, size_in: int, size_out: int, slide: Slide) -> Interval:
    """Return the hull of the outputs that read something of an interval."""
    begin, end = _bounds(span)
    actual = [
        output
        for output in range(size_out)
        if any(begin <= i < end and 0 <= i < size_in for i in slide.reads(output))
    ]
    return (actual[0], actual[-1] + 1) if actual else None


def _hull(spans: tuple[Interval, ...]) -> Interval:
    places = [span for span in spans if span is not None]
    return (min(a for a, _ in places), max(b for _, b in places)) if places else None


def _bounds(span: Interval) -> tuple[int, int]:
    return (0, 0) if span is None else span


def test_every_family_is_there():
    builders = torchvision.models.get_model_builder
    families = {builders(name).__module__ for name in CONVNETS}
    assert {builders(name).__module__ for name in SMALLEST} == families
    assert len(SMALLEST) == len(families)
    assert len(CONVNETS) >= 68
