"""The conformance kit: explainers that break one promise each are caught by the right check."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import ClassVar

import pytest
import torch
from helpers.pictures import checksums_instead_of_pictures
from pydantic import ConfigDict, Field
from torch import Tensor

import convviz
import convviz.authoring
from convviz.testing import ConformanceError, check_explainer, conformance, tiny_model, tiny_photos


class Honest(convviz.authoring.Explainer):
    """The gradient's size."""

    power: int = Field(1, gt=0, description="Exponent.")

    def explain(self, model, batch, target, forward):
        heat = model.gradient(batch.images, target).abs().amax(1) ** self.power
        return self.result(heat.cpu())

    def result(self, heat: Tensor):
        return convviz.Heatmap(heat)


class WrongSize(Honest):
    def result(self, heat):
        return convviz.Heatmap(heat[:, :5, :5].contiguous())


class WrongCount(Honest):
    def result(self, heat):
        return convviz.Heatmap(heat[:1])


class WrongDtype(Honest):
    def result(self, heat):
        return convviz.Heatmap(heat.float())


class NoResult(Honest):
    def result(self, heat):
        return heat


class Raises(Honest):
    def result(self, heat):
        raise ZeroDivisionError


class Rolls(Honest):
    def result(self, heat):
        return convviz.Heatmap(heat + 0.1 * torch.rand_like(heat))


class LooksAround(Honest):
    """Scales by the largest value of the batch."""

    def result(self, heat):
        return convviz.Heatmap(heat / heat.max())


class WritesInputs(Honest):
    def explain(self, model, batch, target, forward):
        result = super().explain(model, batch, target, forward)
        batch.images.mul_(0.5)
        return result


class WritesWeights(Honest):
    def explain(self, model, batch, target, forward):
        result = super().explain(model, batch, target, forward)
        with torch.no_grad():
            next(model.module.parameters())[0, 0, 0, 0] *= 1 + 1e-12
        return result


class ForgetsWeights(Honest):
    """Changes a weight, and puts it back, but not where the network raises."""

    def explain(self, model, batch, target, forward):
        weight = next(model.module.parameters())
        with torch.no_grad():
            before = weight.clone()
            weight.zero_()
            model.forward(batch.images)
            weight.copy_(before)
        return super().explain(model, batch, target, forward)


class Bare(Honest):
    power: int = Field(1)


class Thawed(Honest):
    model_config = ConfigDict(frozen=False)


class UnsignedContribution(Honest):
    map_kind: ClassVar[str] = "contribution"


class UnknownKind(Honest):
    @property
    def map_kind(self):
        return "importance"


BAD = {
    WrongSize: "result keeps its form",
    WrongCount: "result keeps its form",
    WrongDtype: "result keeps its form",
    UnsignedContribution: "result keeps its form",
    UnknownKind: "result keeps its form",
    NoResult: "runs",
    Raises: "runs",
    Rolls: "repeats",
    LooksAround: "batched equals single",
    WritesInputs: "leaves no trace",
    WritesWeights: "leaves no trace",
    ForgetsWeights: "leaves no trace of errors",
    Bare: "parameters round-trip",
    Thawed: "parameters round-trip",
}


def test_an_honest_explainer_passes():
    check_explainer(Honest)
    with checksums_instead_of_pictures():
        checks = list(conformance(Honest()))
    assert len(checks) == 12
    assert all(check.passed and not check.detail for check in checks)


@pytest.mark.parametrize("cls", BAD, ids=lambda cls: cls.__name__)
def test_a_broken_promise_is_caught_by_its_check(cls):
    with checksums_instead_of_pictures(), pytest.raises(ConformanceError) as caught:
        check_explainer(cls())
    failed = [check.name for check in caught.value.failed]
    assert BAD[cls] in failed
    assert isinstance(caught.value, AssertionError)
    assert cls.__name__ in str(caught.value)
    assert BAD[cls] in str(caught.value)


@pytest.mark.parametrize("cls", [Rolls, LooksAround, ForgetsWeights, Bare])
def test_only_the_check_of_the_broken_promise_fails(cls):
    with checksums_instead_of_pictures():
        failed = [check.name for check in conformance(cls()) if not check.passed]
    images = ["batched equals single", "takes units as targets"]
    expected = {Rolls: ["repeats", *images], LooksAround: images}
    assert failed == expected.get(cls, [BAD[cls]])


class Mean(convviz.authoring.DatasetExplainer):
    """The mean of every channel, over all items."""

    def default_layers(self, model):
        return ("conv2",)

    def reduce(self, model, batch, forward):
        return {
            layer: {"sum": maps.mean((2, 3)).sum(0).cpu(), "count": torch.tensor(len(batch))}
            for layer, maps in forward.activations.items()
        }

    def merge(self, a, b):
        return mapped(lambda x, y: x + y, a, b)

    def finish(self, model, partials, items, needs):
        whole = functools.reduce(self.merge, partials)
        return {
            layer: convviz.Table(
                (whole[layer]["sum"] / whole[layer]["count"])[:, None], columns=("mean",)
            )
            for layer in self.resolve_layers(model)
        }


def mapped(function, partial, *others):
    """Apply a function to each entry of partials of the same form."""
    return {
        layer: {name: function(x, *(p[layer][name] for p in others)) for name, x in tensors.items()}
        for layer, tensors in partial.items()
    }


class TakesTurns(Mean):
    """Halves at every merge: the earlier, the less it counts."""

    def merge(self, a, b):
        return mapped(lambda x, y: x / 2 + y / 2, a, b)


class CountsBatches(Mean):
    def reduce(self, model, batch, forward):
        partial = super().reduce(model, batch, forward)
        return {layer: {**p, "count": p["count"] + 1} for layer, p in partial.items()}


class KeepsLast(Mean):
    def finish(self, model, partials, items, needs):
        return super().finish(model, iter(list(partials)[-1:]), items, needs)


class Noisy(Mean):
    def finish(self, model, partials, items, needs):
        results = super().finish(model, partials, items, needs)
        return {
            k: convviz.Table(v.values + torch.rand(()), columns=v.columns)
            for k, v in results.items()
        }


class NotTensors(Mean):
    """Its partials are nested dicts of lists and numbers."""

    def reduce(self, model, batch, forward):
        return mapped(torch.Tensor.tolist, super().reduce(model, batch, forward))

    def merge(self, a, b):
        tensors = (mapped(torch.tensor, partial) for partial in (a, b))
        return mapped(torch.Tensor.tolist, super().merge(*tensors))

    def finish(self, model, partials, items, needs):
        whole = mapped(torch.tensor, functools.reduce(self.merge, partials))
        return Mean.finish(self, model, iter([whole]), items, needs)


class Flat(Mean):
    """Its partials are flat dicts with joined keys."""

    def reduce(self, model, batch, forward):
        partial = super().reduce(model, batch, forward)
        return {f"{layer}/{name}": t for layer, p in partial.items() for name, t in p.items()}

    def merge(self, a, b):
        return {key: a[key] + b[key] for key in a}

    def finish(self, model, partials, items, needs):
        whole = functools.reduce(self.merge, partials)
        nested = {"conv2": {name: whole[f"conv2/{name}"] for name in ("sum", "count")}}
        return Mean.finish(self, model, iter([nested]), items, needs)


BAD_FOR_DATA = {
    TakesTurns: "merge is associative",
    CountsBatches: "any batches",
    KeepsLast: "any shards",
    Noisy: "repeats",
    NotTensors: "partials keep their form",
    Flat: "partials keep their form",
}


def test_an_honest_data_set_explainer_passes():
    convviz.register(Mean)
    with checksums_instead_of_pictures():
        check_explainer(Mean(), photos=tiny_photos(12))
        assert len(list(conformance(Mean(), photos=tiny_photos(12)))) == 11


@pytest.mark.parametrize("cls", BAD_FOR_DATA, ids=lambda cls: cls.__name__)
def test_a_broken_promise_over_data_is_caught_by_its_check(cls):
    with checksums_instead_of_pictures():
        checks = list(conformance(cls(), photos=tiny_photos(12)))
    failed = {check.name: check.detail for check in checks if not check.passed}
    assert BAD_FOR_DATA[cls] in failed
    assert failed[BAD_FOR_DATA[cls]]


def test_the_tiny_model_and_photos_are_always_the_same():
    assert tiny_model().weights_hash == tiny_model().weights_hash
    assert (tiny_photos(3) == tiny_photos(3)).all()
    before = torch.get_rng_state()
    tiny_model()
    assert torch.equal(before, torch.get_rng_state())


def test_what_is_no_explainer_is_refused():
    with pytest.raises(TypeError, match="3 is neither an explainer nor a Metric"):
        check_explainer(3)


@pytest.mark.parametrize(
    ("name", "params"),
    [
        *((name, {}) for name in ("saliency", "guided_backprop", "filters", "activations")),
        *((name, {}) for name in ("grad_cam", "guided_grad_cam", "input_x_gradient")),
        ("integrated_gradients", {}),
        ("occlusion", {"window": 8, "stride": 6}),  # few positions
    ],
)
def test_the_builtins_keep_the_contract(name, params):
    check_explainer(convviz.explainer(name, **params))


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("patches", {"k": 3, "guided": False, "layers": ["conv2"]}),
        ("neighbors", {"k": 3}),
        ("embedding", {"method": "pca"}),
        ("predictions", {}),
        ("flip", {"grid": 3, "max_area": 0.4}),
    ],
)
def test_the_builtins_over_data_keep_the_contract(name, params):
    with checksums_instead_of_pictures():  # the demo and tests/explainers draw them
        check_explainer(convviz.explainer(name, **params), photos=tiny_photos(12))


def test_the_ten_minutes_example_of_the_plugins_readme_keeps_the_contract():
    readme = Path(__file__).parents[2] / "plugins" / "README.md"
    example = readme.read_text("utf-8").partition("```python\n")[2].partition("```")[0]
    module: dict[str, object] = {"__name__": "example"}
    exec(example, module)
    (cls,) = module["convviz_explainers"]()
    check_explainer(cls(power=0.5))
