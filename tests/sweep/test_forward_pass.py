"""Sweeps run a network's graph made faster, and only where it gives the network's own numbers."""

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
from convviz.graph import export as graph
from convviz.sweep import forward_pass
from convviz.sweep.forward_pass import Forwards, How, choose

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
        chosen = choose(model, layers, IMAGES[:1], 1000, 4)
        assert chosen.how == How(True, (3, 8, 8), "float32")
        found = chosen(IMAGES)
        moved = pickle.loads(pickle.dumps(chosen))(IMAGES)
        want = model.module(IMAGES.clone())
        seen = {}
        x = IMAGES
        for name, module in model.module.named_children():
            x = module(x.clone())
            seen[name] = x
    torch.testing.assert_close(found.output, want)
    assert tuple(found.activations) == layers
    assert torch.equal(moved.output, found.output)
    for name in layers:
        torch.testing.assert_close(found.activations[name], seen[name], rtol=1e-4, atol=1e-5)


def test_a_network_that_wants_contiguous_maps_runs() -> None:
    model = wrapped(Odd())
    with model.session():
        chosen = choose(model, ("conv",), IMAGES[:1], 1000, 4)
        assert chosen.how.graph
        torch.testing.assert_close(chosen(IMAGES).output, model.module(IMAGES))


def test_the_model_itself_runs_where_the_graph_does_not_serve() -> None:
    few = choose(wrapped(network()), (), IMAGES[:1], 10, 4).how
    none = choose(wrapped(network()), (), None, 1000, 4).how
    unexportable = wrapped(Unexportable())
    with unexportable.session():
        odd = choose(unexportable, (), IMAGES[:1], 1000, 4)
        assert not odd.how.graph
        assert Forwards(unexportable, ("conv",), odd.how)(IMAGES).activations.keys() == {"conv"}
    assert not few.graph
    assert "fewer than 256" in few.why[0]
    assert "could be read" in none.why[0]
    assert "torch.export" in odd.how.why[0]
    assert How.of(odd.how.record()) == odd.how


def test_a_graph_with_other_numbers_is_not_taken(monkeypatch) -> None:
    model = wrapped(network())
    whole = forward_pass.whole

    def wrong(program):
        run = whole(program)
        return lambda x: tuple(value + 0.01 for value in run(x))

    monkeypatch.setattr(forward_pass, "whole", wrong)
    with model.session():
        how = choose(model, ("0",), IMAGES[:1], 1000, 4).how
    assert not how.graph
    assert how.why == ("the graph does not give the model's own numbers",)


def test_bf16_is_taken_or_said_not_to_be(monkeypatch) -> None:
    model = wrapped(network())
    monkeypatch.setattr(forward_pass, "no_bf16", lambda device, dtype: "no fast bf16 here")
    with model.session(), pytest.warns(ConvvizWarning, match="not in bf16: no fast bf16 here"):
        assert choose(model, (), IMAGES[:1], 10, 4, "bf16").how.dtype == "float32"
    monkeypatch.setattr(forward_pass, "no_bf16", lambda device, dtype: "")
    with model.session():
        chosen = choose(model, ("2",), IMAGES[:1], 10, 4, "bf16")
        found, want = chosen(IMAGES), model.forward(IMAGES, ("2",))
    assert chosen.how.dtype == "bfloat16"
    assert found.activations["2"].dtype == torch.float32
    torch.testing.assert_close(found.activations["2"], want.activations["2"], rtol=0.05, atol=0.05)
    assert not torch.equal(found.activations["2"], want.activations["2"])


def test_without_a_compiler_the_graph_runs_uncompiled(monkeypatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise RuntimeError("no C++ compiler was found\nand more")

    monkeypatch.setattr(torch, "compile", refused)
    model = wrapped(network())
    with model.session(), pytest.warns(ConvvizWarning, match="not compiled: RuntimeError: no C"):
        how = choose(model, (), IMAGES[:1], 10, 4, compiled=True).how
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
        chosen = choose(model, layers, images[:1], 10, 5, compiled=True)
        assert (chosen.how.graph, chosen.how.compiled, chosen.how.why) == (True, 5, ())
        for count in (5, 6):  # the second is not compiled
            found, want = chosen(images[:count]), model.forward(images[:count], layers)
            torch.testing.assert_close(found.output, want.output, rtol=1e-4, atol=1e-5)
            for name in layers:
                mine, own = found.activations[name], want.activations[name]
                torch.testing.assert_close(mine, own, rtol=1e-4, atol=1e-5)


def small_data_sets_count(monkeypatch) -> None:
    monkeypatch.setattr(forward_pass, "FEW", 4)


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
    call = Forwards.__call__

    def stopped(self, images):
        if stops.pop():
            raise KeyboardInterrupt
        return call(self, images)

    stops = [True, *[False] * 4]
    monkeypatch.setattr(Forwards, "__call__", stopped)
    with pytest.raises(KeyboardInterrupt):
        run("cut")
    monkeypatch.setattr(Forwards, "__call__", call)
    monkeypatch.setattr("convviz.sweep.driver.choose", None)  # nothing is chosen a second time
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
    given = ["analyze", str(tmp_path), "--model", "demo-digits", "--out", str(tmp_path / "run")]
    given += ["-e", "statistics", "--precision", "bf16"]
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        assert command(given) == 0
    out, err = capsys.readouterr()
    assert err.startswith("warning: not in bf16: no fast bf16 here")
    said = "forward pass: its graph, batch norm folded, channels_last, float32"
    assert f"{said}; not in bf16: no fast bf16 here" in out


@pytest.mark.slow
def test_the_command_has_the_network_compiled(tmp_path: Path, capsys) -> None:
    found = {}
    for name, more in (("plain", []), ("compiled", ["--compile"])):
        out = tmp_path / name
        given = ["analyze", "demo-digits?limit=12", "-m", "demo-digits", "-e", "statistics"]
        given += ["--batch-size", "5", "--workers", "0", "-o", str(out), *more]
        assert command(given) == 0
        found[name] = convviz.open_run(out)
    said = capsys.readouterr().out
    assert found["plain"].plan["forward"].get("compiled", 0) == 0
    assert found["compiled"].plan["forward"]["compiled"] == 5
    assert str(How.of(found["compiled"].plan["forward"])) in said
    assert found["compiled"].plan["compile"] is True
    for layer, plain in found["plain"]["statistics"].items():
        mine = found["compiled"]["statistics"][layer]
        torch.testing.assert_close(mine.values, plain.values, rtol=1e-3, atol=1e-4, equal_nan=True)
