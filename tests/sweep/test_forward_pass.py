"""Sweeps run an optimized graph of the network, if it gives the numbers of the network."""

from __future__ import annotations

import pickle
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import convviz
from convviz import ConvvizWarning, ParameterError, UnknownNameError
from convviz.cli.main import run as command
from convviz.network import graph_cache as graph
from convviz.sweep import forward_pass
from convviz.sweep.forward_pass import ForwardMode, ForwardRunner, choose_forward

LAYERS = ("0", "1", "2", "5")


class Odd(nn.Module):
    """Asks for a view that channels_last maps do not have."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.out = nn.Conv2d(3, 4, 3), nn.Linear(144, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv(x).relu_()
        return self.out(x.view(x.shape[0], -1))


class Unexportable(Odd):
    """Decides by what it sees."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = super().forward(x)
        return y if float(y.sum()) > 0 else y * 1


def network() -> nn.Module:
    torch.manual_seed(0)
    norm = nn.BatchNorm2d(4)
    norm.running_mean.normal_()
    norm.running_var.uniform_(0.5, 2)
    convs = nn.Conv2d(3, 4, 3), norm, nn.ReLU(inplace=True), nn.MaxPool2d(2)
    return nn.Sequential(*convs, nn.Flatten(), nn.Linear(36, 2))


def wrapped(module: nn.Module) -> convviz.Model:
    preprocess = convviz.Preprocess(resize=None, crop=8, mean=(0.5,) * 3, std=(0.5,) * 3)
    return convviz.Model(module, preprocess=preprocess)


IMAGES = torch.randn(5, 3, 8, 8, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("layers", [("0", "2"), ("1", "5"), LAYERS, ()])
def test_the_graph_gives_the_layers_of_the_model(layers) -> None:
    model = wrapped(network())
    with model.session():
        chosen = choose_forward(model, layers, IMAGES[:1], 1000, 4)
        assert chosen.mode == ForwardMode(True, (3, 8, 8), "float32")
        actual = chosen(IMAGES)
        moved = pickle.loads(pickle.dumps(chosen))(IMAGES)
        want = model.module(IMAGES.clone())
        seen = {}
        x = IMAGES
        for name, module in model.module.named_children():
            x = module(x.clone())
            seen[name] = x
    torch.testing.assert_close(actual.output, want)
    assert tuple(actual.activations) == layers
    assert torch.equal(moved.output, actual.output)
    for name in layers:
        torch.testing.assert_close(actual.activations[name], seen[name], rtol=1e-4, atol=1e-5)


def test_a_network_that_wants_contiguous_maps_runs() -> None:
    model = wrapped(Odd())
    with model.session():
        chosen = choose_forward(model, ("conv",), IMAGES[:1], 1000, 4)
        assert chosen.mode.graph
        torch.testing.assert_close(chosen(IMAGES).output, model.module(IMAGES))


def test_the_model_itself_runs_where_the_graph_does_not_serve() -> None:
    few = choose_forward(wrapped(network()), (), IMAGES[:1], 10, 4).mode
    none = choose_forward(wrapped(network()), (), None, 1000, 4).mode
    unexportable = wrapped(Unexportable())
    with unexportable.session():
        odd = choose_forward(unexportable, (), IMAGES[:1], 1000, 4)
        assert not odd.mode.graph
        forward = ForwardRunner(unexportable, ("conv",), odd.mode)(IMAGES)
        assert forward.activations.keys() == {"conv"}
    assert not few.graph
    assert "64 items or more" in few.why[0]
    assert "could be read" in none.why[0]
    assert "torch.export" in odd.mode.why[0]
    assert ForwardMode.from_record(odd.mode.record()) == odd.mode


def test_a_graph_with_other_numbers_is_not_taken(monkeypatch) -> None:
    model = wrapped(network())
    to_module = forward_pass.to_module

    def wrong(program):
        run = to_module(program)
        return lambda x: tuple(value + 0.01 for value in run(x))

    monkeypatch.setattr(forward_pass, "to_module", wrong)
    with model.session():
        how = choose_forward(model, ("0",), IMAGES[:1], 1000, 4).mode
    assert not how.graph
    assert "numbers" in how.why[0]


def test_bf16_is_taken_or_said_not_to_be(monkeypatch) -> None:
    model = wrapped(network())
    monkeypatch.setattr(forward_pass, "no_bf16", lambda device, dtype: "no fast bf16 here")
    with model.session(), pytest.warns(ConvvizWarning, match="not in bf16: no fast bf16 here"):
        assert choose_forward(model, (), IMAGES[:1], 10, 4, "bf16").mode.dtype == "float32"
    monkeypatch.setattr(forward_pass, "no_bf16", lambda device, dtype: "")
    with model.session():
        chosen = choose_forward(model, ("2",), IMAGES[:1], 10, 4, "bf16")
        actual, want = chosen(IMAGES), model.forward(IMAGES, ("2",))
    assert chosen.mode.dtype == "bfloat16"
    assert actual.activations["2"].dtype == torch.float32
    torch.testing.assert_close(actual.activations["2"], want.activations["2"], rtol=0.05, atol=0.05)
    assert not torch.equal(actual.activations["2"], want.activations["2"])


def test_without_a_compiler_the_graph_runs_uncompiled(monkeypatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise RuntimeError("no C++ compiler was found\nand more")

    monkeypatch.setattr(torch, "compile", refused)
    model = wrapped(network())
    with model.session(), pytest.warns(ConvvizWarning, match="not compiled: RuntimeError: no C"):
        how = choose_forward(model, (), IMAGES[:1], 10, 4, compiled=True).mode
    assert (how.graph, how.compiled) == (True, 0)


class Convs(nn.Module):
    """Has convolutions that Winograd's algorithm takes, beside others."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm = nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16)
        self.second, self.third = nn.Conv2d(16, 32, 3, padding=1), nn.Conv2d(32, 32, 3, padding=1)
        self.out = nn.Linear(32, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.second(self.norm(self.first(x)).relu_()).relu_()
        return self.out((self.third(x) + x).relu().mean((2, 3)))


@pytest.mark.slow
def test_compiled_code_gives_the_same() -> None:
    torch.manual_seed(0)
    model, layers = wrapped(Convs()), ("norm", "third")
    images = torch.randn(6, 3, 24, 24)
    with model.session():
        chosen = choose_forward(model, layers, images[:1], 10, 5, compiled=True)
        assert (chosen.mode.graph, chosen.mode.compiled, chosen.mode.why) == (True, 5, ())
        for count in (5, 6):  # the second is not compiled
            actual, want = chosen(images[:count]), model.forward(images[:count], layers)
            torch.testing.assert_close(actual.output, want.output, rtol=1e-4, atol=1e-5)
            for name in layers:
                actual_map, expected_map = actual.activations[name], want.activations[name]
                torch.testing.assert_close(actual_map, expected_map, rtol=1e-4, atol=1e-5)


def small_data_sets_count(monkeypatch) -> None:
    monkeypatch.setattr(forward_pass, "MIN_ITEMS_FOR_GRAPH", 4)


def test_a_sweep_keeps_how_it_ran_and_goes_on_with_it(tmp_path: Path, monkeypatch) -> None:
    small_data_sets_count(monkeypatch)
    model = wrapped(network())
    photos = np.random.default_rng(0).integers(0, 256, (12, 8, 8, 3), np.uint8)
    what = [convviz.explainer("statistics", layers=("2",))]

    exports = []
    export = graph.export
    monkeypatch.setattr(graph, "export", lambda *a: exports.append(a) or export(*a))

    def run(name: str, **given: object) -> convviz.Run:
        sizes = {"batch_size": 2, "shard_size": 4, "threads": 1}
        return convviz.analyze(model, photos, what, tmp_path / name, **sizes, **given)

    whole = run("whole")
    assert whole.plan["forward"]["graph"]
    assert whole.plan["precision"] == "model"
    assert len(exports) == 1
    call = ForwardRunner.__call__

    def stopped(self, images):
        if stops.pop():
            raise KeyboardInterrupt
        return call(self, images)

    stops = [True, *[False] * 4]
    monkeypatch.setattr(ForwardRunner, "__call__", stopped)
    with pytest.raises(KeyboardInterrupt):
        run("cut")
    monkeypatch.setattr(ForwardRunner, "__call__", call)
    # A resumed sweep does not choose again.
    monkeypatch.setattr("convviz.sweep.driver.choose_forward", None)
    run("cut")
    files = [p.relative_to(whole.folder) for p in whole.folder.rglob("*") if p.is_file()]
    assert len(files) > 4
    for file in files:
        assert (tmp_path / "cut" / file).read_bytes() == (whole.folder / file).read_bytes(), file
    with pytest.raises(ParameterError, match="precision: model → bf16"):
        run("whole", precision="bf16")
    with pytest.raises(UnknownNameError):
        run("other", precision="half")


def test_the_command_says_how_it_ran(tmp_path: Path, monkeypatch, capsys) -> None:
    small_data_sets_count(monkeypatch)
    monkeypatch.setattr(forward_pass, "no_bf16", lambda device, dtype: "no fast bf16 here")
    for i in range(5):
        Image.new("RGB", (8, 8), (40 * i, 0, 0)).save(tmp_path / f"{i}.png")
    options = ["analyze", str(tmp_path), "--model", "demo-digits", "--out", str(tmp_path / "run")]
    options += ["-e", "statistics", "--precision", "bf16"]
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        assert command(options) == 0
    out, err = capsys.readouterr()
    assert err.startswith("warning: not in bf16: no fast bf16 here")
    message = "forward pass: its graph, batch norm folded, channels_last, float32"
    assert f"{message}; not in bf16: no fast bf16 here" in out


@pytest.mark.slow
def test_the_command_has_the_network_compiled(tmp_path: Path, capsys) -> None:
    actual = {}
    for name, others in (("plain", []), ("compiled", ["--compile"])):
        out = tmp_path / name
        options = ["analyze", "demo-digits?limit=12", "-m", "demo-digits", "-e", "statistics"]
        options += ["--batch-size", "5", "--workers", "0", "-o", str(out), *others]
        assert command(options) == 0
        actual[name] = convviz.open_run(out)
    message = capsys.readouterr().out
    assert actual["plain"].plan["forward"].get("compiled", 0) == 0
    assert actual["compiled"].plan["forward"]["compiled"] == 5
    assert str(ForwardMode.from_record(actual["compiled"].plan["forward"])) in message
    assert actual["compiled"].plan["compile"] is True
    for layer, plain in actual["plain"]["statistics"].items():
        layer_result = actual["compiled"]["statistics"][layer]
        torch.testing.assert_close(
            layer_result.values, plain.values, rtol=1e-3, atol=1e-4, equal_nan=True
        )
