"""Incremental occlusion against full forward passes, and its work against an independent count."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
import torchvision
from occlusion.branching_network import Branches, randomize_statistics, slid
from occlusion.short_networks import SHORT, build_network
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from convviz.network.model import Model
from convviz.occlusion.executor import WindowExecutor, order_by_window_size
from convviz.occlusion.plan import make_plan
from convviz.program.program import compile_graph


def run(module: nn.Module, image: Tensor, boxes: Tensor, fill: Tensor, chunk: int = 7):
    model = Model(module)
    graph = model.graph(tuple(image.shape[1:]))
    with torch.no_grad():
        program = compile_graph(graph)
        plan = make_plan(program, boxes)
        outputs = WindowExecutor(program, plan, image, fill)
        order = order_by_window_size(plan)
        got = None
        for start in range(0, len(order), chunk):
            for positions, values in outputs.outputs(order[start : start + chunk]):
                scores = values[program.output]
                got = scores.new_zeros(len(order), *scores.shape[1:]) if got is None else got
                got[torch.from_numpy(positions)] = scores
    return got, plan


def one_by_one(module: nn.Module, image: Tensor, boxes: Tensor, fill: Tensor) -> Tensor:
    scores = []
    for x0, y0, x1, y1 in boxes.tolist():
        copy = image.clone()
        copy[..., y0:y1, x0:x1] = fill[..., y0:y1, x0:x1]
        with torch.no_grad():
            scores.append(module(copy))
    return torch.cat(scores)


@pytest.mark.parametrize("size", [(41, 37), (64, 50)])
@pytest.mark.parametrize(("window", "stride"), [((9, 9), (8, 8)), ((3, 14), (13, 5))])
def test_equals_full_inference(size, window, stride):
    torch.manual_seed(0)
    module = randomize_statistics(Branches())
    image = torch.randn(1, 2, *size, dtype=torch.float64)
    fill = torch.randn_like(image)
    boxes = slid(*size, window, stride)
    got, plan = run(module, image, boxes, fill)
    want = one_by_one(module, image, boxes, fill)
    assert plan.cut > 0
    torch.testing.assert_close(got, want, rtol=0, atol=1e-10 * float(want.abs().max()))


def test_occluding_with_the_image_itself_changes_nothing():
    torch.manual_seed(0)
    module = randomize_statistics(Branches())
    image = torch.randn(1, 2, 40, 40, dtype=torch.float64)
    got, _ = run(module, image, slid(40, 40, (8, 8), (8, 8)), image)
    with torch.no_grad():
        want = module(image).expand_as(got)
    torch.testing.assert_close(got, want, rtol=0, atol=1e-12)


NETS = {
    # network -> the layer it runs in windows up to at least
    f"googlenet{SHORT}": "inception3b.branch2.1.conv",
    f"convnext_tiny{SHORT}": "features.1.2.block.0",
    "mobilenet_v3_small": "features.0.0",
}
"""Networks with operators that those of `test_exactness.py` lack."""


@pytest.mark.parametrize("name", NETS)
def test_torchvision_nets_run_incrementally_and_exactly(name):
    torch.manual_seed(0)
    options = {"init_weights": False, "transform_input": True} if "googlenet" in name else {}
    module = randomize_statistics(build_network(name, **options))
    image = torch.randn(1, 3, 97, 97, dtype=torch.float64)
    fill = torch.zeros_like(image)
    boxes = slid(97, 97, (12, 12), (32, 32))
    got, plan = run(module, image, boxes, fill)
    want = one_by_one(module, image, boxes, fill)
    torch.testing.assert_close(got, want, rtol=0, atol=1e-10 * float(want.abs().max()))
    windowed = [line.layer for line in plan.lines if line.window is not None]
    assert NETS[name] in windowed
    full, exact, done = plan.macs
    assert exact <= done < full


@pytest.mark.parametrize("name", [f"resnet18{SHORT}", f"mobilenet_v2{SHORT}"])
def test_batch_norms_are_folded_into_the_convolutions_before_them(name):
    module = randomize_statistics(build_network(name))
    program = compile_graph(Model(module).graph((3, 64, 64)))
    calls = [step.call for step in program.steps]
    assert torch.ops.aten.batch_norm.default not in calls
    convolutions = [m for m in module.modules() if isinstance(m, nn.Conv2d)]
    assert calls.count(torch.ops.aten.conv2d.default) == len(convolutions)


def test_a_sum_that_broadcasts_or_promotes_is_not_written_over_its_input():
    class Sums(nn.Module):
        def __init__(self):
            super().__init__()
            self.wide, self.one = nn.Conv2d(3, 4, 3), nn.Conv2d(3, 1, 3)

        def forward(self, x):
            return (self.one(x) + self.wide(x)).flatten(1)

    module, image = Sums().double(), torch.rand(1, 3, 12, 13, dtype=torch.float64)
    boxes, fill = slid(12, 13, (4, 4), (3, 3)), torch.zeros_like(image)
    got, _ = run(module, image, boxes, fill)
    torch.testing.assert_close(got, one_by_one(module, image, boxes, fill), rtol=0, atol=1e-12)


def test_little_more_is_computed_than_changes():
    """At the usual size the classes of windows and the early end cost under a tenth."""
    module = torchvision.models.resnet18(weights=None).eval()
    graph = Model(module).graph((3, 224, 224))
    with torch.no_grad():
        plan = make_plan(compile_graph(graph), slid(224, 224, (16, 16), (8, 8)))
    _, exact, done = plan.macs
    assert done <= 1.1 * exact
    assert plan.bound > 2.5


def test_a_branch_is_added_to_windows_that_stay_where_they_are():
    """In a residual block the windows of the convolutions hold those of the short cut."""
    module = randomize_statistics(torchvision.models.resnet.BasicBlock(8, 8))
    image = torch.randn(1, 8, 40, 44, dtype=torch.float64)
    graph = Model(module).graph(tuple(image.shape[1:]))
    with torch.no_grad():
        program = compile_graph(graph)
        plan = make_plan(program, slid(40, 44, (6, 7), (5, 3)))
    (added,) = [s for s in program.steps if s.call == torch.ops.aten.add.Tensor]
    (standing,) = plan.aligned_inputs(added)
    assert standing.target == torch.ops.aten.batch_norm.default  # of the last convolution
    assert {edge.source for edge in added.rule.edges} == {standing, program.image}


class Wide(nn.Module):
    """Pixels mixed by layers of many channels, one of them on a map with channels last."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3)
        self.up, self.down = nn.Conv2d(8, 256, 1), nn.Conv2d(256, 8, 1)
        self.norm, self.mlp, self.back = nn.LayerNorm(8), nn.Linear(8, 256), nn.Linear(256, 8)
        self.last = nn.Conv2d(8, 4, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        x = x + self.down(torch.relu(self.up(x)))
        single, other = self.up(x).chunk(2, 1)
        y = self.norm(x.permute(0, 2, 3, 1))
        y = self.back(nn.functional.gelu(self.mlp(y))).permute(0, 3, 1, 2)
        return torch.cat([self.last(x + y), (single * other)[:, :4, 1:-1, 1:-1]], 1).mean((2, 3))


class Products(TorchDispatchMode):
    """Counts the matrix products and convolutions that read weights of each shape."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: Counter[tuple[int, ...]] = Counter()

    def __torch_dispatch__(self, call, types, args=(), kwargs=None):
        if call is torch.ops.aten.convolution.default:
            self.calls[tuple(args[1].shape)] += 1
        elif call is torch.ops.aten.addmm.default:
            self.calls[tuple(args[2].shape)] += 1
        return call(*args, **(kwargs or {}))


def test_windows_of_all_sizes_are_computed_in_one_call():
    torch.manual_seed(0)
    module = Wide().double().eval()
    image, fill = torch.randn(2, 1, 3, 66, 71, dtype=torch.float64)
    boxes = torch.cat([slid(66, 71, (4, 5), (20, 20)), slid(66, 71, (40, 36), (22, 24))])
    with Products() as products:
        got, _ = run(module, image, boxes, fill, chunk=len(boxes))
    want = one_by_one(module, image, boxes, fill)
    torch.testing.assert_close(got, want, rtol=0, atol=1e-12 * float(want.abs().max()))
    # To list the layers, by torch.export, for the image itself, and for all its windows.
    assert products.calls[256, 8, 1, 1] == 2 * 4
    assert products.calls[8, 256, 1, 1] == 4
    assert products.calls[8, 256] + products.calls[256, 8] == 2 * 4
    assert products.calls[4, 8, 3, 3] > 4  # where windows of every size have a call of their own


def test_a_turned_map_meets_turned_weights():
    """Windows wide enough for Winograd's algorithm, of a map whose rows run along its last axis."""

    class Turned(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Conv2d(2, 64, 3, padding=1), nn.Conv2d(64, 64, 3, padding=1)

        def forward(self, x: Tensor) -> Tensor:
            return torch.tanh(self.b(torch.tanh(self.a(x)).transpose(2, 3))).mean((2, 3))

    torch.manual_seed(0)
    image, module = torch.randn(1, 2, 36, 40, dtype=torch.float64), Turned().double().eval()
    fill, boxes = torch.randn_like(image), slid(36, 40, (14, 10), (11, 9))
    got, plan = run(module, image, boxes, fill)
    want = one_by_one(module, image, boxes, fill)
    assert all(line.window is not None for line in plan.lines)
    torch.testing.assert_close(got, want, rtol=0, atol=1e-10 * float(want.abs().max()))


def test_a_growing_concatenation_takes_the_one_before_it():
    """As in dense blocks, also where one of another order lies between."""

    class Dense(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.convs = nn.ModuleList(nn.Conv2d(n, 2, 3, padding=1) for n in (2, 4, 6, 8))

        def forward(self, x: Tensor) -> Tensor:
            features = [x]
            for conv in self.convs:
                joined = torch.cat(features, 1)
                features.append(torch.tanh(conv(joined)))
            swapped = torch.cat(features[1::-1], 1)
            return torch.cat([*features, swapped], 1).mean((2, 3))

    image = torch.randn(1, 2, 30, 34, dtype=torch.float64)
    module, boxes = Dense().double().eval(), slid(30, 34, (4, 5), (9, 7))
    with torch.no_grad():
        program = compile_graph(Model(module).graph((2, 30, 34)))
    cats = [s for s in program.steps if s.call == torch.ops.aten.cat.default]
    joined = [[n.name.split("_")[0] for n in s.args[0]] for s in cats]
    assert joined[:2] == [["images"], ["images", "tanh"]]
    assert joined[2:4] == [["cat", "tanh"]] * 2
    assert joined[4:] == [["tanh", "images"], ["cat", "tanh", "cat"]]
    fill = torch.randn_like(image)
    got, _ = run(module, image, boxes, fill)
    want = one_by_one(module, image, boxes, fill)
    torch.testing.assert_close(got, want, rtol=0, atol=1e-12)


def test_work_equals_a_count_from_gradients():
    """Which outputs a box reaches, counted by perturbing it, layer by layer."""
    torch.manual_seed(0)
    layers = [nn.Conv2d(1, 3, 3, padding=1), nn.Conv2d(3, 4, 5, 2, 2), nn.Conv2d(4, 2, 3)]
    module = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten()).double().eval()
    for layer in layers:
        nn.init.uniform_(layer.weight, 0.5, 1.0)
    image = torch.rand(1, 1, 60, 56, dtype=torch.float64)
    boxes = slid(60, 56, (6, 6), (18, 10))
    _, plan = run(module, image, boxes, image + 1)
    want = [[], [], []]
    for x0, y0, x1, y1 in boxes.tolist():
        changed = image.clone()
        changed[..., y0:y1, x0:x1] += 1
        a, b = image, changed
        for i, layer in enumerate(layers):
            a, b = layer(a), layer(b)
            differ = (a != b).any(1)[0]
            height, width = differ.any(1).sum(), differ.any(0).sum()
            want[i].append(int(height * width) * layer.weight.numel())
    for line, counts in zip(plan.lines, want, strict=True):
        assert line.exact == pytest.approx(np.mean(counts))


def test_the_summary_names_layers_and_where_whole_maps_begin():
    module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    image = torch.rand(1, 1, 30, 30, dtype=torch.float64)
    _, plan = run(module.double().eval(), image, slid(30, 30, (4, 4), (13, 13)), image * 0)
    text = plan.summary()
    assert "9 positions" in text
    assert "whole maps from: 2" in text
    assert plan.lines[0].layer == "0"
    assert plan.saving > 2
