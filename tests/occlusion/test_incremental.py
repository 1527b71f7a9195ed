"""Incremental occlusion against full forward passes, and its work against an independent count."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
import torchvision
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from convviz import explain
from convviz.errors import ParameterError
from convviz.network.model import Model
from convviz.occlusion import occluded_scores
from convviz.occlusion.executor import WindowExecutor, order_by_window_size
from convviz.occlusion.plan import make_plan
from convviz.occlusion.prepare import PreparedOcclusion, prepare
from convviz.program.program import compile_graph


def randomised(module: nn.Module) -> nn.Module:
    """Give batch norms statistics that folding must get right."""
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.normal_(0, 0.1)
            part.running_var.uniform_(0.5, 1.5)
    return module.eval().double()


def slid(height: int, width: int, window: tuple[int, int], stride: tuple[int, int]) -> Tensor:
    """Boxes of a grid whose last row and column are cut off at the border."""
    tops, lefts = range(0, height, stride[0]), range(0, width, stride[1])
    return torch.tensor(
        [(x, y, min(x + window[1], width), min(y + window[0], height)) for y in tops for x in lefts]
    )


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


class Branches(nn.Module):
    """Residual and concatenated branches of unlike reach, ceil_mode, dilation, odd strides."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(2, 6, 5, stride=2, padding=1)
        self.pool = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.a = nn.Sequential(nn.Conv2d(6, 6, 3, padding=2, dilation=2), nn.BatchNorm2d(6))
        self.b = nn.Sequential(nn.Conv2d(6, 6, 1), nn.ReLU(inplace=True), nn.AvgPool2d(3, 1, 1))
        self.c = nn.Conv2d(12, 8, (3, 2), stride=(1, 2), padding=(0, 1), groups=2)
        self.head = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(torch.relu(self.stem(x)))
        y = nn.functional.silu(self.a(x) + x)
        z = self.c(torch.cat([y, self.b(x)], 1)) * 0.5 + 1
        return self.head(z.mean((2, 3)))


@pytest.mark.parametrize("size", [(41, 37), (64, 50)])
@pytest.mark.parametrize(("window", "stride"), [((9, 9), (8, 8)), ((3, 14), (13, 5))])
def test_equals_full_inference(size, window, stride):
    torch.manual_seed(0)
    module = randomised(Branches())
    image = torch.randn(1, 2, *size, dtype=torch.float64)
    fill = torch.randn_like(image)
    boxes = slid(*size, window, stride)
    got, plan = run(module, image, boxes, fill)
    want = one_by_one(module, image, boxes, fill)
    assert plan.cut > 0
    torch.testing.assert_close(got, want, rtol=0, atol=1e-10 * float(want.abs().max()))


def test_occluding_with_the_image_itself_changes_nothing():
    torch.manual_seed(0)
    module = randomised(Branches())
    image = torch.randn(1, 2, 40, 40, dtype=torch.float64)
    got, _ = run(module, image, slid(40, 40, (8, 8), (8, 8)), image)
    with torch.no_grad():
        want = module(image).expand_as(got)
    torch.testing.assert_close(got, want, rtol=0, atol=1e-12)


NETS = {
    # network -> the layer it runs in windows up to at least
    "alexnet": "features.3",
    "resnet18": "layer2.1.conv2",
    "squeezenet1_1": "features.6.expand3x3",
    "mobilenet_v2": "features.6.conv.1.0",
    "googlenet": "inception3b.branch2.1.conv",
    "convnext_tiny": "features.1.2.block.0",
    "mobilenet_v3_small": "features.0.0",
}


@pytest.mark.parametrize("name", NETS)
def test_torchvision_nets_run_incrementally_and_exactly(name):
    torch.manual_seed(0)
    options = {"init_weights": False, "transform_input": True} if name == "googlenet" else {}
    module = randomised(getattr(torchvision.models, name)(weights=None, **options))
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


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2"])
def test_batch_norms_are_folded_into_the_convolutions_before_them(name):
    module = randomised(getattr(torchvision.models, name)(weights=None))
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
    module = randomised(torchvision.models.resnet.BasicBlock(8, 8))
    image = torch.randn(1, 8, 40, 44, dtype=torch.float64)
    graph = Model(module).graph(tuple(image.shape[1:]))
    with torch.no_grad():
        program = compile_graph(graph)
        plan = make_plan(program, slid(40, 44, (6, 7), (5, 3)))
    (added,) = [s for s in program.steps if s.call == torch.ops.aten.add.Tensor]
    (standing,) = plan.standing(added)
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
        one, other = self.up(x).chunk(2, 1)
        y = self.norm(x.permute(0, 2, 3, 1))
        y = self.back(nn.functional.gelu(self.mlp(y))).permute(0, 3, 1, 2)
        return torch.cat([self.last(x + y), (one * other)[:, :4, 1:-1, 1:-1]], 1).mean((2, 3))


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


class TestOccluded:
    """The engine that explainers call: incremental where it can be, and it says how."""

    boxes = slid(40, 40, (8, 8), (8, 8))

    @pytest.fixture(autouse=True)
    def however_small(self, monkeypatch):
        monkeypatch.setattr(occluded_scores, "MIN_PIXELS_FOR_EXPORT", 0)

    def call(self, model: Model, images: Tensor, layers=(), **options):
        def read(forward, owner):
            assert set(forward.activations) == set(layers)
            parts = [forward.output, *(a.flatten(1) for a in forward.activations.values())]
            return torch.cat(parts, 1) + owner[:, None]

        fill = torch.full_like(images, 0.3)
        return occluded_scores.occluded(model, images, self.boxes, fill, read, layers, **options)

    def test_equals_the_dense_engine_for_images_scores_and_layers(self):
        torch.manual_seed(0)
        model = Model(randomised(Branches()))
        images = torch.randn(3, 2, 40, 40, dtype=torch.float64)
        for layers in ((), ("stem", "c"), ("a.0", "b.1")):
            found = self.call(model, images, layers, batch_size=11)
            want = self.call(model, images, layers, engine="dense")
            assert "only what each window changes" in found.how
            assert found.plan is not None
            assert want.plan is None
            torch.testing.assert_close(found.scores, want.scores, rtol=0, atol=1e-10)

    def test_where_nothing_is_saved_it_says_so(self):
        class Squeezed(nn.Module):
            def __init__(self):
                super().__init__()
                self.head = nn.Linear(2, 3)

            def forward(self, x):
                return self.head((x * x.mean((2, 3), keepdim=True)).mean((2, 3)))

        model = Model(Squeezed().double())
        images = torch.randn(1, 2, 40, 40, dtype=torch.float64)
        found = self.call(model, images)
        assert found.how.startswith("nearly all in whole maps, from ")
        want = self.call(model, images, engine="dense")
        torch.testing.assert_close(found.scores, want.scores, rtol=0, atol=1e-12)

    def test_a_network_without_weights_has_nothing_to_count(self):
        model = Model(nn.Sequential(nn.AvgPool2d(8), nn.Flatten()))
        images = torch.randn(1, 2, 40, 40)
        found = self.call(model, images, approximate=0.5)
        assert found.plan is not None
        assert found.plan.saving == found.plan.bound == 1
        assert found.how.startswith("only what each window changes; whole maps from ")
        explanation = explain(
            model, torch.rand(1, 2, 240, 240), "occlusion", 0, window=16, approximate=0.5
        )
        assert explanation.result.measures["MACs saved"] == 0

    def test_axes_of_size_1_are_no_obstacle(self):
        class Small(nn.Module):
            def __init__(self):
                super().__init__()
                convs = [nn.Conv2d(2, 4, 3, 2, 1), *(nn.Conv2d(4, 4, 3, 2, 1) for _ in range(5))]
                self.convs = nn.Sequential(*convs)

            def forward(self, x):
                x = self.convs(x)
                return x.view(x.shape[0], -1, 1, 1).relu().flatten(1)

        model = Model(randomised(Small()))
        images = torch.randn(1, 2, 40, 40, dtype=torch.float64)
        found = self.call(model, images)
        assert found.plan is not None
        want = self.call(model, images, engine="dense")
        torch.testing.assert_close(found.scores, want.scores, rtol=0, atol=1e-12)

    def test_a_graph_that_holds_for_one_batch_size_is_not_run(self):
        """len(x) becomes the number that the network was exported with."""

        class Counting(nn.Module):
            def __init__(self):
                super().__init__()
                self.conv = nn.Conv2d(2, 4, 3)

            def forward(self, x):
                return self.conv(x).mean((2, 3)).view(len(x), -1)

        model = Model(randomised(Counting()))
        images = torch.randn(1, 2, 40, 40, dtype=torch.float64)
        found = self.call(model, images)
        assert "the graph holds for one batch size only" in found.how
        want = self.call(model, images, engine="dense")
        assert torch.equal(found.scores, want.scores)

    @pytest.mark.parametrize(
        ("images", "fill", "words"),
        [
            (torch.ones(1, 2, 40, 40, dtype=torch.uint8), torch.tensor(0.5), "floating point"),
            (torch.ones(2, 40, 40), torch.zeros(2, 1, 1), r"\[N, C, H, W\]"),
            (torch.ones(1, 2, 40, 40), torch.zeros(2), r"fill \[2\] does not fit"),
        ],
    )
    def test_images_and_fills_that_do_not_fit_are_refused(self, images, fill, words):
        model = Model(nn.Sequential(nn.Conv2d(2, 1, 3), nn.Flatten()))
        for engine in ("auto", "dense"):
            with pytest.raises(ParameterError, match=words):
                occluded_scores.occluded(
                    model, images, self.boxes, fill, lambda f, _: f.output, engine=engine
                )

    def test_a_lowered_program_is_tried_in_windows_too(self):
        class Mixed(nn.Module):
            def __init__(self):
                super().__init__()
                self.a, self.b = nn.Conv2d(2, 4, 3), nn.Conv2d(2, 4, 3)

            def forward(self, x):
                return (self.a(x) + self.b(x).double().float()).relu().mean((2, 3))

        model = Model(Mixed())
        images = torch.randn(1, 2, 40, 40)
        with model.session(), torch.no_grad():
            prepared = prepare(model, images, self.boxes, (), dtype=torch.bfloat16)
            assert isinstance(prepared, PreparedOcclusion)
            run = WindowExecutor(prepared.program, prepared.plan, *[images.to(prepared.dtype)] * 2)
            list(run.outputs(np.arange(2)))

    def test_a_network_without_a_graph_runs_in_full_and_says_why(self):
        class Odd(nn.Module):
            def forward(self, x):  # whose branches are the same, which an export cannot know
                return x.mean((2, 3)) if float(x.sum()) > 0 else x.sum((2, 3)) / x[0, 0].numel()

        model = Model(Odd().double())
        images = torch.randn(1, 2, 40, 40, dtype=torch.float64)
        found = self.call(model, images)
        assert found.how.startswith("a full forward pass a window, because torch.export")
        want = self.call(model, images, engine="dense")
        assert torch.equal(found.scores, want.scores)

    def test_a_graph_that_misses_something_is_not_believed(self, monkeypatch):
        class Twofold(Branches):
            def forward(self, x):
                scores = super().forward(x)
                return scores if torch.compiler.is_exporting() else scores * 2

        model = Model(randomised(Twofold()))
        images = torch.randn(1, 2, 40, 40, dtype=torch.float64)
        found = self.call(model, images)
        assert "does not give the model's scores" in found.how
        want = self.call(model, images, engine="dense")
        assert torch.equal(found.scores, want.scores)

    def test_weights_changed_in_place_are_followed(self):
        model = Model(randomised(Branches()))
        images = torch.randn(1, 2, 40, 40, dtype=torch.float64)
        before = self.call(model, images).scores
        with torch.no_grad():
            model.module.stem.weight.mul_(1.5)
        after = self.call(model, images)
        assert "only what each window changes" in after.how
        assert not torch.allclose(after.scores, before)
        want = self.call(model, images, engine="dense")
        torch.testing.assert_close(after.scores, want.scores, rtol=0, atol=1e-10)

    def test_out_of_memory_halves_the_chunk(self, monkeypatch):
        model = Model(randomised(Branches()))
        images = torch.randn(1, 2, 40, 40, dtype=torch.float64)
        want = self.call(model, images).scores
        outputs, tried = WindowExecutor.outputs, []

        def scarce(run, positions):
            tried.append(len(positions))
            if len(positions) > 5:
                raise torch.OutOfMemoryError("not enough")
            return outputs(run, positions)

        monkeypatch.setattr(WindowExecutor, "outputs", scarce)
        images = torch.cat([images, images + 1])
        found = self.call(model, images, batch_size=10)
        assert found.plan is not None
        torch.testing.assert_close(found.scores[:1], want, rtol=0, atol=1e-12)
        assert [n for n in tried if n > 5] == [10]  # the smaller size is kept, for all images

    def test_half_precision_scores_are_read_in_single_precision(self):
        torch.manual_seed(0)
        model = Model(randomised(Branches()).to(torch.bfloat16))
        images = torch.randn(1, 2, 40, 40)
        fill = torch.full_like(images, 50.0)  # so that windows count for more than rounding
        found, want = (
            occluded_scores.occluded(
                model, images, self.boxes, fill, lambda f, _: f.output, engine=e
            )
            for e in ("auto", "dense")
        )
        assert found.plan is not None
        assert found.scores.dtype == want.scores.dtype == torch.float32
        largest = float(want.scores.abs().max())
        torch.testing.assert_close(found.scores, want.scores, rtol=0, atol=0.02 * largest)
        assert float((want.scores - want.scores[:, :1]).abs().max()) > 0.05 * largest

    def test_windows_that_would_be_wrong_are_not_believed(self, monkeypatch):
        """Where every clean score is right: windows are tried, not only the graph."""
        model = Model(randomised(Branches()))
        images = torch.randn(1, 2, 40, 40, dtype=torch.float64)
        gather = WindowExecutor._gather

        def shifted(run, node, held, group, corner, size, padding=0.0):
            windows = gather(run, node, held, group, corner, size, padding)
            return windows if size[0] < 3 else windows.roll(1, 2)

        monkeypatch.setattr(WindowExecutor, "_gather", shifted)
        found = self.call(model, images)
        assert "does not give the model's scores" in found.how
        monkeypatch.undo()
        want = self.call(model, images, engine="dense")
        assert torch.equal(found.scores, want.scores)

    def test_what_fails_in_windows_runs_in_full_and_says_why(self, monkeypatch):
        model = Model(randomised(Branches()))
        images = torch.randn(1, 2, 40, 40, dtype=torch.float64)

        def failing(*_):
            raise IndexError("no such window\nand more")

        monkeypatch.setattr(WindowExecutor, "_slide", failing)
        found = self.call(model, images)
        assert found.how.endswith("does not run in windows (IndexError: no such window)")
        want = self.call(model, images, engine="dense")
        assert torch.equal(found.scores, want.scores)

    @pytest.mark.parametrize("dtype", [torch.int16, torch.int32, torch.uint8])
    def test_boxes_of_any_integers(self, dtype):
        torch.manual_seed(0)
        model, images = Model(randomised(Branches())), torch.randn(1, 2, 40, 40).double()
        fill = torch.zeros(1, 2, 1, 1)  # of another dtype than the images
        for engine in ("auto", "dense"):
            found, want = (
                occluded_scores.occluded(
                    model, images, boxes, fill, lambda f, _: f.output, engine=engine
                ).scores
                for boxes in (self.boxes.to(dtype), self.boxes)
            )
            assert torch.equal(found, want)

    @pytest.mark.parametrize(
        ("given", "said"),
        [
            ({"engine": "fast"}, "engine='fast': allowed are 'auto' and 'dense'"),
            ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
            ({"batch_size": -1}, "batch_size must be at least 1, got -1"),
            ({"boxes": torch.tensor([[0, 0, 4, 4], [3, 3, 3, 9]])}, r"box \[3, 3, 3, 9\]"),
            ({"boxes": torch.tensor([[30, 30, 41, 40]])}, "no window of an image of 40 x 40"),
            ({"boxes": torch.tensor([[-1, 0, 4, 4]])}, "no window of an image of 40 x 40"),
            ({"boxes": torch.rand(2, 4)}, r"these are float32 \[2, 4\]"),
            ({"boxes": torch.zeros(0, 4, dtype=torch.int64)}, "1 images and 0 boxes"),
        ],
    )
    def test_bad_input_is_named(self, given, said):
        model, images = Model(randomised(Branches())), torch.randn(1, 2, 40, 40).double()
        given = {"boxes": self.boxes, **given}
        with pytest.raises(ParameterError, match=said):
            occluded_scores.occluded(
                model, images, fill=torch.zeros(1), read=lambda f, _: f.output, **given
            )
