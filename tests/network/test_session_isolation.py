"""Explainers of one call do not change each other's results, and the one to blame is named."""

from __future__ import annotations

import gc
import locale
import os
import random
import threading
import time
import warnings

import cv2
import matplotlib
import numpy as np
import pytest
import torch
from PIL import Image, ImageFile
from torch import nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

import convviz
import convviz.authoring
from convviz.state.process_state import ProcessState, preserve_state
from convviz.testing import conformance, tiny_model, tiny_photos

pytestmark = pytest.mark.usefixtures("quick_pictures")


class Doubles(TorchFunctionMode):
    def __torch_function__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        return out * 2 if func is torch.conv2d else out


class Noop(TorchDispatchMode):
    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return func(*args, **(kwargs or {}))


class Honest(convviz.authoring.Explainer):
    """Looks at everything that explainers share."""

    def layers(self, model):
        return ("conv2",)

    def explain(self, model, batch, target, forward):
        heat = model.gradient(batch.images, target).abs().amax(1)
        shared = batch.pixels.double().mean() + forward.output.sum()
        heat = heat + batch.images.sum() + shared + forward.activations["conv2"].sum()
        heat = heat + torch.tensor(1.0).double() + torch.rand(1, dtype=heat.dtype)
        return convviz.Heatmap((heat + random.random() + np.random.rand()).detach().cpu())


class Guilty(Honest):
    """Does the deed that the test gives it, then explains."""

    deed: str

    def explain(self, model, batch, target, forward):
        result = super().explain(model, batch, target, forward)
        DEEDS[self.deed](model, batch, forward)
        return result


def written_by_numpy(model, batch, forward):
    batch.pixels.numpy()[:] = 0


def drops_entry(model, batch, forward):
    forward.activations.clear()


def double_dtype(*_):
    torch.set_default_dtype(torch.float64)


def global_hook(*_):
    nn.modules.module.register_module_forward_hook(lambda m, args, out: out * 2)


def add_hook(model, *_):
    model.module.conv1.register_forward_hook(lambda m, args, out: out * 2)


def replace_part(model, *_):
    model.module.conv1 = nn.Conv2d(3, 8, 3, padding=1, dtype=torch.float64)


def replace_table(model, *_):
    model.module.conv1._parameters = dict.fromkeys(model.module.conv1._parameters)


def pillow(*_):
    ImageFile.LOAD_TRUNCATED_IMAGES = True
    Image.MAX_IMAGE_PIXELS = None


def filters(*_):
    warnings.simplefilter("ignore")


def leave_inference_mode(*_):
    KEPT.append(torch.inference_mode())
    KEPT[-1].__enter__()


KEPT = []
"""What a careless plugin keeps in a global."""

INPUTS = {
    "images": lambda m, batch, f: batch.images.mul_(0.5),
    "images by data": lambda m, batch, f: batch.images.data.zero_(),
    "requires_grad": lambda m, batch, f: batch.images.requires_grad_(),
    "resized": lambda m, batch, f: batch.images.resize_(1, 3, 2, 2),
    "pixels by numpy": written_by_numpy,
    "output": lambda m, b, forward: forward.output.zero_(),
    "activations": lambda m, b, forward: forward.activations["conv2"].relu_(),
}
NETWORK = {
    "hook": add_hook,
    "train mode": lambda model, *_: model.module.train(),
    "requires_grad of weights": lambda model, *_: model.module.requires_grad_(False),
    "part": replace_part,
}
PROCESS = {
    "default dtype": double_dtype,
    "default device": lambda *_: torch.set_default_device("meta"),
    "function mode": lambda *_: Doubles().__enter__(),
    "dispatch mode": lambda *_: Noop().__enter__(),
    "grad mode": lambda *_: torch._C._set_grad_enabled(not torch.is_grad_enabled()),
    "inference mode": leave_inference_mode,
    "autocast": lambda *_: torch.set_autocast_enabled("cpu", True),
    "anomalies": lambda *_: torch.autograd.set_detect_anomaly(True, check_nan=False),
    "threads": lambda *_: torch.set_num_threads(torch.get_num_threads() + 1),
    "deterministic": lambda *_: torch.use_deterministic_algorithms(True),
    "cudnn": lambda *_: setattr(torch.backends.cudnn, "benchmark", True),
    "matmul": lambda *_: torch.set_float32_matmul_precision("medium"),
    "mkldnn": lambda *_: torch._C._set_mkldnn_enabled(False),
    "global hook": global_hook,
    "seterr": lambda *_: np.seterr(all="raise"),
    "folder": lambda *_: os.chdir("/"),
    "gc": lambda *_: gc.disable(),
    "opencv": lambda *_: cv2.setNumThreads(3),
    "pillow": pillow,
    "rcParams": lambda *_: matplotlib.rcParams.update({"figure.dpi": 7}),
    "locale": lambda *_: locale.setlocale(locale.LC_ALL, "C.UTF-8"),
}
QUIET = {
    "another entry": drops_entry,
    "filters": filters,
    "environment": lambda *_: os.environ.update({"HOME": "/nowhere"}),
    "random": lambda *_: (random.seed(3), np.random.seed(3), torch.manual_seed(3)),
    "gradients": lambda m, b, f: [setattr(p, "grad", p.detach()) for p in m.module.parameters()],
    "buffers": lambda model, *_: model.module.bn1.running_var.fill_(9),
}
DEEDS = {**INPUTS, **NETWORK, **PROCESS, **QUIET, "table of parts": replace_table}


@pytest.fixture(autouse=True)
def clean():
    with preserve_state(), warnings.catch_warnings():
        cv2.setNumThreads(1)
        yield


@pytest.fixture
def model():
    return tiny_model()


def values(model, what):
    torch.manual_seed(0)
    random.seed(0)
    np.random.seed(0)
    explanations = convviz.explain(model, list(tiny_photos(2)), what)
    return [explanation.result.values for explanation in explanations]


@pytest.mark.parametrize("deed", DEEDS)
def test_the_next_explainer_gets_what_it_gets_alone(deed, model):
    before, home = ProcessState(), os.environ.get("HOME")
    (alone,) = values(model, [Honest()])
    if deed in QUIET:
        first, second = values(model, [Guilty(deed=deed), Honest()])
    else:
        with pytest.warns(convviz.ConvvizWarning, match="guilty"):
            first, second = values(model, [Guilty(deed=deed), Honest()])
    assert torch.equal(first, alone)
    assert torch.equal(second, alone)
    assert not before.differences()
    assert os.environ.get("HOME") == home


def test_photos_of_earlier_explanations_stay_what_they_were(model):
    (alone,) = convviz.explain(model, list(tiny_photos(1)), [Honest()])
    with pytest.warns(convviz.ConvvizWarning, match=r"batch\.pixels"):
        actual = convviz.explain(
            model, list(tiny_photos(1)), [Honest(), Guilty(deed="pixels by numpy")]
        )
    for explanation in actual:
        assert torch.equal(explanation.pixels, alone.pixels)


def test_changed_weights_are_an_error_that_names_the_explainer(model):
    class Trains(Honest):
        def explain(self, model, batch, target, forward):
            with torch.no_grad():
                model.module.conv1.weight.mul_(2)
            return super().explain(model, batch, target, forward)

    with pytest.raises(convviz.PluginError, match=r"trains.*weights"):
        convviz.explain(model, list(tiny_photos(1)), [Trains(), Honest()])


def test_weights_that_are_put_back_are_no_error(model):
    class Tries(Honest):
        def explain(self, model, batch, target, forward):
            weight = model.module.conv1.weight
            with torch.no_grad():
                before = weight.clone()
                model.forward(batch.images)
                weight.zero_()
                model.forward(batch.images)
                weight.copy_(before)
            return super().explain(model, batch, target, forward)

    assert torch.equal(*values(model, [Tries(), Honest()]))


class BadText(Exception):  # noqa: N818
    def __str__(self):
        raise SystemExit(3)

    __repr__ = __str__


class BadRuntime(RuntimeError):  # noqa: N818
    def __str__(self):
        raise ValueError


class BadError(convviz.ConvvizError):
    def __str__(self):
        raise ValueError


class Raises(convviz.authoring.Explainer):
    kind: str

    def explain(self, model, batch, target, forward):
        torch.set_default_dtype(torch.float64)
        raise RAISED[self.kind]


RAISED = {
    "text": BadText(),
    "runtime": BadRuntime(),
    "convviz": BadError(),
    "exit": SystemExit(2),
    "generator": GeneratorExit(),
    "stop": StopIteration(),
    "base": BaseException("odd"),
}


@pytest.mark.parametrize("kind", RAISED)
def test_whatever_a_plugin_raises_becomes_an_error_that_names_it(kind, model):
    with pytest.raises(convviz.PluginError, match=r"raises.*failed") as caught:
        convviz.explain(model, list(tiny_photos(1)), Raises(kind=kind))
    assert type(RAISED[kind]).__name__ in str(caught.value)
    assert torch.get_default_dtype() == torch.float32


def test_an_interrupt_passes(model):
    class Interrupted(convviz.authoring.Explainer):
        def explain(self, model, batch, target, forward):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convviz.explain(model, list(tiny_photos(1)), Interrupted())


def test_a_broken_plugin_whose_exception_has_no_text_is_reported(house):
    house.explainer("bad", "class E(Exception):\n    def __str__(self): 1 / 0\nraise E")
    with pytest.raises(convviz.PluginError, match=r"bad.*E: .*ZeroDivisionError"):
        convviz.explainer("bad")


def test_settings_of_the_process_stay_where_another_thread_is_at_work():
    """They may be that thread's: it puts them back itself."""
    begun, end = threading.Event(), threading.Event()

    def work():
        with preserve_state():
            begun.set()
            end.wait(10)

    threads = torch.get_num_threads()
    thread = threading.Thread(target=work)
    with preserve_state() as rest:
        thread.start()
        assert begun.wait(10)
        torch.set_num_threads(threads + 1)
        np.seterr(all="raise")
    assert torch.get_num_threads() == threads + 1
    assert rest == ["numpy.seterr"]  # the thread's own is put back all the same
    torch.set_num_threads(threads)
    end.set()
    thread.join()


class Mean(convviz.authoring.DatasetExplainer):
    """The mean of every channel, and of what else a batch holds."""

    def default_layers(self, model):
        return ("conv2",)

    def reduce(self, model, batch, forward):
        maps = forward.activations["conv2"].sum((0, 2, 3))
        return {"": {"sum": maps.cpu() + batch.images.sum().cpu() + batch.pixels.sum()}}

    def merge(self, a, b):
        return {"": {"sum": a[""]["sum"] + b[""]["sum"]}}

    def finish(self, model, partials, items, needs):
        (whole,) = list(partials)
        return {"conv2": convviz.Table(whole[""]["sum"][:, None], columns=("sum",))}


class GuiltyMean(Mean):
    deed: str
    at: str = "reduce"

    def reduce(self, model, batch, forward):
        actual = super().reduce(model, batch, forward)
        if self.at == "reduce":
            DEEDS[self.deed](model, batch, forward)
        return actual

    def finish(self, model, partials, items, needs):
        if self.at == "finish":
            DEEDS[self.deed](model, None, None)
        return super().finish(model, partials, items, needs)


def sweep(model, what, folder):
    return convviz.analyze(model, convviz.array_dataset(tiny_photos(6)), what, folder, batch_size=3)


BY_VERSION = [deed for deed in (*INPUTS, *NETWORK) if deed not in ("part", "images by data")]
"""A sweep compares versions and sums; the rest is for the conformance kit to find."""


@pytest.mark.parametrize("deed", BY_VERSION)
def test_a_sweep_refuses_an_explainer_that_changes_what_others_read(deed, model, tmp_path):
    with pytest.raises(convviz.PluginError, match=r"guilty_mean.*changed"):
        sweep(model, [GuiltyMean(deed=deed), Mean()], tmp_path / "run")


@pytest.mark.parametrize("at", ["reduce", "finish"])
@pytest.mark.parametrize("deed", ["default dtype", "seterr", "global hook", "function mode"])
def test_a_sweep_puts_the_process_back(deed, at, model, tmp_path):
    alone = sweep(model, [Mean()], tmp_path / "alone")["mean"].values
    with pytest.warns(convviz.ConvvizWarning, match="guilty_mean"):
        run = sweep(model, [GuiltyMean(deed=deed, at=at), Mean()], tmp_path / "both")
    assert torch.equal(run["mean"].values, alone)


@pytest.mark.parametrize("deed", NETWORK)
def test_finish_of_one_does_not_reach_the_next(deed, model, tmp_path):
    with pytest.warns(convviz.ConvvizWarning, match="guilty_mean"):
        sweep(model, [GuiltyMean(deed=deed, at="finish"), Mean()], tmp_path / "run")


def failed_checks(explainer, photos=None):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", convviz.ConvvizWarning)
        return {c.name: c.detail for c in conformance(explainer, photos=photos) if not c.passed}


@pytest.mark.parametrize("deed", [*PROCESS, "filters", "environment"])
def test_the_kit_finds_changes_of_the_process(deed):
    assert "leaves the process as it was" in failed_checks(Guilty(deed=deed))


def test_the_kit_finds_what_is_changed_once_and_for_all():
    done = []

    class Once(Honest):
        def explain(self, model, batch, target, forward):
            if not done:
                done.append(torch.set_default_dtype(torch.float64))
            return super().explain(model, batch, target, forward)

    assert "default dtype" in failed_checks(Once())["leaves the process as it was"]


@pytest.mark.parametrize("deed", INPUTS)
def test_the_kit_finds_what_is_written(deed):
    assert "leaves no trace" in failed_checks(Guilty(deed=deed))


def test_the_kit_finds_what_a_sweeps_explainer_changes():
    actual = failed_checks(GuiltyMean(deed="seterr"), photos=tiny_photos(6))
    assert "numpy" in actual["leaves the process as it was"]


class TakesUnitForClass(convviz.authoring.Explainer):
    """Differentiates the class of the unit's number."""

    def explain(self, model, batch, target, forward):
        numbers = [t.index if t.unit is None else t.unit.channel for t in target]
        classes = model.resolve(numbers, forward)
        return convviz.Heatmap(model.gradient(batch.images, classes).abs().amax(1))


class CannotUnits(TakesUnitForClass):
    def explain(self, model, batch, target, forward):
        classes = model.resolve([int(t.index) for t in target], forward)
        return convviz.Heatmap(model.gradient(batch.images, classes).abs().amax(1))


class RefusesUnits(TakesUnitForClass):
    def explain(self, model, batch, target, forward):
        if any(t.index is None for t in target):
            raise convviz.TargetError("only classes are supported")
        return super().explain(model, batch, target, forward)


class WritesForUnits(convviz.authoring.Explainer):
    def explain(self, model, batch, target, forward):
        heat = model.gradient(batch.images, target).abs().amax(1)
        if target[0].unit is not None:
            batch.images.zero_()
        return convviz.Heatmap(heat)


class TakesFirstOfContrast(convviz.authoring.Explainer):
    def explain(self, model, batch, target, forward):
        first = [t if t.contrast is None else t.contrast[0] for t in target]
        return convviz.Heatmap(model.gradient(batch.images, first).abs().amax(1))


@pytest.mark.parametrize(
    ("cls", "kinds"),
    [
        (TakesUnitForClass, ["units", "contrasts"]),
        (CannotUnits, ["units", "contrasts"]),
        (WritesForUnits, ["units"]),
        (TakesFirstOfContrast, ["contrasts"]),
    ],
)
def test_the_kit_finds_explainers_that_fail_on_kinds_of_targets(cls, kinds):
    assert list(failed_checks(cls())) == [f"takes {kind} as targets" for kind in kinds]


def test_the_kit_lets_an_explainer_refuse_units():
    assert not failed_checks(RefusesUnits())


def test_the_kit_outlives_an_explainer_that_exits():
    actual = failed_checks(Raises(kind="exit"))
    assert "SystemExit" in actual["runs"]


def test_isolation_costs_little():
    before = time.process_time()
    for _ in range(100):
        with preserve_state():
            pass
    assert time.process_time() - before < 0.1  # usually 0.015 s
