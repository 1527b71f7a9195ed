"""Exported graphs: names, values, caching; and locality on the networks people use."""

from __future__ import annotations

import gc
import subprocess
import sys
import weakref
from types import SimpleNamespace

import pytest
import torch
import torchvision
from torch import fx, nn

import convviz
from convviz.graph import functionalize as functional
from convviz.graph.export import Graph, NoGraph, export
from convviz.layers import capture
from convviz.locality import receptive_field

NETS = {
    # name: (input size, first layer that sees everything, {layer: known field})
    "alexnet": (96, "/flatten", {"features": 195}),
    "vgg16": (64, "/flatten", {"features": 212}),
    "resnet18": (96, "avgpool", {"layer1": 43, "layer4": 435}),
    "resnet50": (64, "avgpool", {"layer4": 427}),
    "googlenet": (64, "avgpool", {"maxpool1": 11}),
    "inception_v3": (96, "avgpool", {"Mixed_7c": 1311}),
    "densenet121": (32, "/adaptive_avg_pool2d", {"features": 2071}),
    "squeezenet1_1": (64, "classifier.3", {"features.0": 3}),
    "mobilenet_v2": (64, "/adaptive_avg_pool2d", {"features": 491}),
    "mobilenet_v3_large": (64, "features.4.block.2.avgpool", {"features.0.0": 3}),
    "efficientnet_b0": (64, "features.1.0.block.1.avgpool", {"features.0.0": 3}),
    "convnext_tiny": (64, "avgpool", {"features.0": 4}),
    "tf_efficientnet_lite0": (64, "global_pool.pool", {"conv_stem": 3}),
}


def build(name):
    torch.manual_seed(0)
    if name == "tf_efficientnet_lite0":
        timm = pytest.importorskip("timm")
        return timm.create_model(name, num_classes=10)
    extra = {}
    if name in ("googlenet", "inception_v3"):
        extra = {"init_weights": False, "transform_input": True}
    net = torchvision.models.get_model(name, num_classes=10, weights=None, **extra)
    if name in ("alexnet", "vgg16"):  # most of their memory is here
        net.classifier = nn.Linear(net.classifier[-6 if name == "alexnet" else 0].in_features, 10)
    return net


SLOW = ("densenet121", "inception_v3")
"""Networks whose export takes longest; `pytest -m slow` takes them."""


@pytest.fixture(
    scope="module",
    params=[pytest.param(n, marks=pytest.mark.slow) if n in SLOW else n for n in NETS],
)
def subject(request):
    size, first_global, known = NETS[request.param]
    model = convviz.Model(build(request.param).double())
    model.forward(torch.zeros(1, 3, size, size))
    graph = model.graph((3, size, size))
    assert isinstance(graph, Graph), graph
    images = torch.rand(3, 3, size, size, dtype=torch.float64)
    return SimpleNamespace(
        model=model, graph=graph, images=images, size=size, first=first_global, known=known
    )


def run(graph, images):
    """Run a graph: layer -> value, and the scores."""
    module = fx.GraphModule(nn.Module(), graph.nodes)
    arguments = [
        images if node is graph.image else graph.constants[node.name]
        for node in graph.nodes.nodes
        if node.op == "placeholder"
    ]
    with torch.no_grad():
        values = fx.Interpreter(module).run(*arguments)
    end = next(node for node in graph.nodes.nodes if node.op == "output")
    by_node = dict(zip(end.args[0], values, strict=True))
    return {name: by_node[node] for name, node in graph.layers.items()}, by_node[graph.output]


def capture_layers(model, images, layers):
    """Run a network: layer -> its output as the network has it, and the scores."""
    keeper = capture.Keeper(layers)
    with model.session(), torch.no_grad(), capture.keep_outputs(model.module, keeper):
        scores = model.pick(model.module(images.clone()))
    return keeper.activations, scores


def test_names_are_those_of_capture(subject):
    assert tuple(subject.graph.layers) == subject.model.layer_names((3, subject.size, subject.size))


def test_the_graph_computes_what_the_network_does(subject):
    assert subject.graph.batch is None
    layers, scores = run(subject.graph, subject.images)
    values, want = capture_layers(subject.model, subject.images, tuple(layers))
    torch.testing.assert_close(scores, want, rtol=1e-12, atol=0)
    for name, value in values.items():
        torch.testing.assert_close(layers[name], value, rtol=1e-12, atol=1e-12, msg=name)


def test_nothing_in_the_graph_writes_into_its_input(subject):
    ops = [n.target for n in subject.graph.nodes.nodes if n.op == "call_function"]
    assert not [op for op in ops if getattr(getattr(op, "_schema", None), "is_mutable", False)]


def test_which_layers_see_the_whole_image(subject):
    names = list(subject.graph.layers)
    whole = {name: receptive_field(subject.graph, name).whole for name in names}
    first = names.index(subject.first)
    assert not any(whole[name] for name in names[:first])
    assert whole[subject.first]
    assert whole[names[-1]]
    assert subject.first in receptive_field(subject.graph, names[-1]).reason


def test_known_sizes(subject):
    for layer, size in subject.known.items():
        assert receptive_field(subject.graph, layer).size == (size, size)


def test_noise_outside_the_box_changes_nothing(subject):
    """Noise inside it does change the unit, so that the test can fail."""
    checks = spots(subject.graph, subject.size)
    clean = subject.images[:1]
    noise = torch.rand_like(clean)
    outside, within = [], []
    for _, _, (x0, y0, x1, y1) in checks:
        mask = torch.zeros(subject.size, subject.size, dtype=torch.bool)
        mask[y0:y1, x0:x1] = True
        outside.append(torch.where(mask, clean, noise))
        within.append(torch.where(mask, noise, clean))
    layers = tuple({layer for layer, _, _ in checks})
    base = subject.model.forward(clean, layers).activations
    same = subject.model.forward(torch.cat(outside), layers).activations
    other = subject.model.forward(torch.cat(within), layers).activations
    for i, (layer, (y, x), _) in enumerate(checks):
        expected = base[layer][0, :, y, x]
        scale = base[layer].abs().max()
        assert (same[layer][i, :, y, x] - expected).abs().max() <= 1e-12 * scale, (layer, y, x)
        assert (other[layer][i, :, y, x] - expected).abs().max() > 1e-9 * scale, (layer, y, x)


def spots(graph, size):
    """Pick corner and inner positions of some layers, with the pixels that they see."""
    fields = [receptive_field(graph, name) for name in graph.layers]
    local = [f for f in fields if not f.whole and f.axes == (2, 3) and min(f.positions) > 1]
    narrow = [f for f in local if max(f.size) < size]
    assert narrow
    actual = []
    for i, field in enumerate([*narrow[:: max(1, len(narrow) // 3)], narrow[-1]]):
        h, w = field.positions
        spot = (h // 2, w // 2) if i % 2 else (0, w - 1)
        actual.append((field.layer, spot, field.support(*spot)))
    return actual


class Views(nn.Module):
    """Writes into views, which needs the exporter's own way of making it functional."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(2.0))

    def forward(self, x):
        y = x * self.scale
        left = y[:, :, :, :2]
        left += 1
        y[:, :, 0] = 0
        return torch.relu_(y).mean((2, 3)) + left.sum((2, 3))


class Writes(nn.Module):
    """Writes into tensors that have been used before and are used again."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 2, 3)
        self.act = nn.ReLU(inplace=True)
        self.drop = nn.Dropout(inplace=True)
        self.register_buffer("count", torch.zeros(()))

    def forward(self, x):
        self.count += 1
        y = self.conv(x)
        saved = y * 1
        z = self.drop(self.act(y))
        z.mul_(2)
        w = z.contiguous().add_(saved)
        return (y + z + w + self.count).mean((2, 3))


@pytest.mark.parametrize(("net", "quick"), [(Views(), False), (Writes(), True)])
def test_in_place_operators_become_functional(net, quick, monkeypatch):
    results = []
    original = functional.functionalize
    monkeypatch.setattr(
        "convviz.graph.export.functionalize",
        lambda graph: results.append(original(graph)) or results[-1],
    )
    model = convviz.Model(net.double())
    images = torch.randn(3, 2, 6, 7, dtype=torch.float64)
    graph = model.graph((2, 6, 7))
    assert isinstance(graph, Graph), graph
    assert results == [quick]
    layers, scores = run(graph, images)
    values, want = capture_layers(model, images, tuple(layers))
    torch.testing.assert_close(scores, want, rtol=1e-13, atol=1e-13)
    for name, value in values.items():
        torch.testing.assert_close(layers[name], value, rtol=1e-13, atol=1e-13, msg=name)


def test_graphs_are_kept_for_each_shape_as_long_as_the_model():
    model = convviz.Model(nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten()))
    graph = model.graph((1, 6, 6))
    assert model.graph((1, 6, 6)) is graph
    assert model.graph((1, 7, 6)) is not graph
    model.module.double()
    assert model.graph((1, 6, 6)) is not graph
    alive = weakref.ref(graph)
    del model, graph
    gc.collect()
    assert alive() is None


def test_the_network_is_left_as_it_was():
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Dropout(), nn.Flatten())
    calls = []
    net[0].register_forward_hook(lambda module, args, out: calls.append(1))
    net[1].eval()
    state = {name: value.clone() for name, value in net.state_dict().items()}
    modes = [m.training for m in net.modules()]
    random = torch.get_rng_state()
    graph = convviz.Model(net).graph((1, 5, 5))
    assert isinstance(graph, Graph)
    assert [m.training for m in net.modules()] == modes
    assert len(net[0]._forward_hooks) == 1
    assert not any(m._forward_pre_hooks for m in net.modules())
    assert all(torch.equal(value, state[name]) for name, value in net.state_dict().items())
    assert all(p.requires_grad and p.grad is None for p in net.parameters())
    assert torch.equal(torch.get_rng_state(), random)


def test_what_does_not_export_says_why():
    class Asks(nn.Module):
        def forward(self, x):
            return x.flatten(1) if float(x.sum()) > 3 else x.flatten(1) + 1

    class Breaks(nn.Module):
        def forward(self, x):
            raise OSError("no such sensor")

    asks = convviz.Model(Asks()).graph((1, 4, 4))
    assert isinstance(asks, NoGraph)
    assert "torch.export" in asks.reason
    assert "branches on the values" in asks.reason
    assert len(asks.reason) <= 240
    breaks = export(Breaks(), (1, 4, 4))
    assert isinstance(breaks, NoGraph)
    assert "no such sensor" in breaks.reason


def test_scores_are_picked_by_the_model():
    class Net(nn.Module):
        def forward(self, x):
            return {"aux": x * 0, "out": (x.flatten(1) * 3, None)}

    net = Net()
    assert export(net, (1, 4, 4)).output is None
    graph = convviz.Model(net, output=lambda out: out["out"][0]).graph((1, 4, 4))
    _, scores = run(graph, torch.ones(5, 1, 4, 4))
    assert torch.equal(scores, torch.full((5, 16), 3.0))


def test_vision_transformers_export_and_are_global():
    net = torchvision.models.VisionTransformer(32, 8, 1, 2, 16, 32)
    model = convviz.Model(net)
    model.forward(torch.zeros(1, 3, 32, 32))
    assert model.receptive_field("conv_proj").size == (8, 8)
    last = model.layers()[-1]
    assert last.receptive_field == f"whole image, from {model.receptive_field(last.name).since} on"


FORK = """
import os, torch
from torch import nn
from convviz.graph.export import Graph, export

assert isinstance(export(nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU()).eval(), (1, 5, 5)), Graph)
torch.ones((), requires_grad=True).backward()
if not os.fork():
    torch.ones((), requires_grad=True).backward()
    os._exit(7)
os._exit(os.waitstatus_to_exitcode(os.wait()[1]))
"""


@pytest.mark.skipif(sys.platform == "win32" or torch.cuda.is_available(), reason="no fork here")
def test_forked_processes_have_gradients_after_an_export():
    process = subprocess.run(
        [sys.executable, "-P", "-W", "ignore", "-c", FORK],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert process.returncode == 7, process.stderr
