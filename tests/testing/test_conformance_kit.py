"""The conformance kit: explainers that break one promise each are caught by the right check."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
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


BAD = {
    WrongSize: "result keeps its form",
    WrongCount: "result keeps its form",
    WrongDtype: "result keeps its form",
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
    checks = list(conformance(Honest()))
    assert len(checks) == 11
    assert all(check.passed and not check.detail for check in checks)


@pytest.mark.parametrize("cls", BAD, ids=lambda cls: cls.__name__)
def test_a_broken_promise_is_caught_by_its_check(cls):
    with pytest.raises(ConformanceError) as caught:
        check_explainer(cls())
    failed = [check.name for check in caught.value.failed]
    assert BAD[cls] in failed
    assert isinstance(caught.value, AssertionError)
    assert cls.__name__ in str(caught.value)
    assert BAD[cls] in str(caught.value)


@pytest.mark.parametrize("cls", [Rolls, LooksAround, ForgetsWeights, Bare])
def test_only_the_check_of_the_broken_promise_fails(cls):
    failed = [check.name for check in conformance(cls()) if not check.passed]
    images = ["batched equals single", "takes units as targets"]
    expected = {Rolls: ["repeats", *images], LooksAround: images}
    assert failed == expected.get(cls, [BAD[cls]])


class Mean(convviz.authoring.DatasetExplainer):
    """The mean of every channel, over all items."""

    def default_layers(self, model):
        return ("conv2",)

    def reduce(self, model, batch, forward):
        found = {}
        for layer, maps in forward.activations.items():
            found[f"{layer}/sum"] = maps.mean((2, 3)).sum(0).cpu()
            found[f"{layer}/count"] = torch.tensor(len(batch))
        return found

    def merge(self, a, b):
        return {key: a[key] + b[key] for key in a}

    def finish(self, model, partials, items, needs):
        whole = None
        for one in partials:
            whole = one if whole is None else self.merge(whole, one)
        return {
            layer: convviz.Table(
                (whole[f"{layer}/sum"] / whole[f"{layer}/count"])[:, None], columns=("mean",)
            )
            for layer in self.resolve_layers(model)
        }


class TakesTurns(Mean):
    """Halves at every merge: the earlier, the less it counts."""

    def merge(self, a, b):
        return {key: a[key] / 2 + b[key] / 2 for key in a}


class CountsBatches(Mean):
    def reduce(self, model, batch, forward):
        found = super().reduce(model, batch, forward)
        return {key: value + (key.endswith("count")) for key, value in found.items()}


class KeepsLast(Mean):
    def finish(self, model, partials, items, needs):
        return super().finish(model, iter(list(partials)[-1:]), items, needs)


class Noisy(Mean):
    def finish(self, model, partials, items, needs):
        found = super().finish(model, partials, items, needs)
        return {
            k: convviz.Table(v.values + torch.rand(()), columns=v.columns) for k, v in found.items()
        }


class NotTensors(Mean):
    def reduce(self, model, batch, forward):
        return {key: value.tolist() for key, value in super().reduce(model, batch, forward).items()}

    def merge(self, a, b):
        return {
            key: a[key] + b[key]
            if key.endswith("count")
            else [x + y for x, y in zip(a[key], b[key], strict=True)]
            for key in a
        }

    def finish(self, model, partials, items, needs):
        tensors = ({key: torch.tensor(value) for key, value in one.items()} for one in partials)
        found = None
        for one in tensors:
            found = one if found is None else Mean.merge(self, found, one)
        return Mean.finish(self, model, iter([found]), items, needs)


BAD_FOR_DATA = {
    TakesTurns: "merge is associative",
    CountsBatches: "any batches",
    KeepsLast: "any shards",
    Noisy: "repeats",
    NotTensors: "partials keep their form",
}


def small_conformance(explainer):
    return list(conformance(explainer, photos=tiny_photos(12)))


def test_an_honest_data_set_explainer_passes():
    convviz.register(Mean)
    check_explainer(Mean(), photos=tiny_photos(12))
    assert len(small_conformance(Mean())) == 11


@pytest.mark.parametrize("cls", BAD_FOR_DATA, ids=lambda cls: cls.__name__)
def test_a_broken_promise_over_data_is_caught_by_its_check(cls):
    failed = {check.name: check.detail for check in small_conformance(cls()) if not check.passed}
    assert BAD_FOR_DATA[cls] in failed
    assert failed[BAD_FOR_DATA[cls]]


def test_the_tiny_model_and_photos_are_always_the_same():
    assert tiny_model().weights_hash == tiny_model().weights_hash
    assert (tiny_photos(3) == tiny_photos(3)).all()
    before = torch.get_rng_state()
    tiny_model()
    assert torch.equal(before, torch.get_rng_state())


def test_what_is_no_explainer_is_refused():
    with pytest.raises(TypeError, match="neither an Explainer"):
        check_explainer(3)


@pytest.mark.parametrize(
    "name", ["saliency", "occlusion", "guided_backprop", "filters", "activations"]
)
def test_the_builtins_keep_the_contract(name):
    check_explainer(name)


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("patches", {"k": 3, "guided": False, "layers": ["conv2"]}),
        ("neighbors", {"k": 3}),
        ("embedding", {"method": "pca"}),
    ],
)
def test_the_builtins_over_data_keep_the_contract(name, params):
    check_explainer(convviz.explainer(name, **params), photos=tiny_photos(12))


def test_the_ten_minutes_example_of_the_plugins_readme_keeps_the_contract():
    readme = Path(__file__).parents[2] / "plugins" / "README.md"
    example = readme.read_text("utf-8").partition("```python\n")[2].partition("```")[0]
    module: dict[str, object] = {"__name__": "example"}
    exec(example, module)
    (cls,) = module["convviz_explainers"]()
    check_explainer(cls(power=0.5))
