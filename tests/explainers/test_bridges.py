"""captum.*, pytorch_grad_cam.* and zennit.*: the libraries' numbers, and their limits."""

from __future__ import annotations

import pickle
import subprocess
import sys
from functools import cache
from importlib import import_module
from types import ModuleType

import captum.attr
import pytest
import torch
from helpers.attribution import TARGETS, Net, close, images, net, not_in_place, with_seed
from torch import Tensor, nn
from torch.nn import functional

import convviz
from convviz import (
    Contrast,
    ConvvizError,
    MissingLibraryError,
    Model,
    ParameterError,
    TargetError,
    Unit,
)
from convviz.plugin import registry
from convviz.plugin.validation import snake_case
from convviz.testing import check_explainer, tiny_model

pytestmark = pytest.mark.filterwarnings(
    "ignore:Input Tensor 0 did not already", "ignore:Setting (forward, )?backward hooks"
)

FAMILIES = ("captum", "pytorch_grad_cam", "zennit")

FAST = {
    "n_samples": 6,
    "n_steps": 6,
    "num_scales": 2,
    "feature_count": 4,
    "nt_samples": 3,
    "neuron": "conv2:3",
}
"""Values of parameters that many methods have."""


@cache
def members(family: str) -> dict[str, type]:
    return dict(registry.current().explainer_classes(registry.current().find("explainers", family)))


def names() -> list[str]:
    return [name for family in FAMILIES for name in members(family)]


def fast(name: str, **params):
    fields = registry.current().explainer_class(name).model_fields
    chosen = {key: value for key, value in FAST.items() if key in fields} | params
    return convviz.explainer(name, **chosen)


def of_first_image(name: str, module: nn.Module | None = None, target=TARGETS[0], **params):
    return convviz.explain(
        Model(module or net()), images(1), convviz.explainer(name, **params), target=target
    )


@pytest.mark.parametrize("name", names())
def test_every_method_explains_a_small_network_as_it_declares(name):
    model, explainer = tiny_model(), fast(name)
    inputs = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0)).double()
    before = {key: value.clone() for key, value in model.module.state_dict().items()}
    result = convviz.explain(model, inputs, explainer, target=[1, 3])
    assert result.values.shape[0] == 2
    assert result.values.shape[-2:] == (32, 32)
    assert result.values.isfinite().all()
    assert result.values.any() or name == "captum.lime"  # whose lasso ignores small scores
    assert explainer.map_kind in ("gradient", "contribution", "rank", None)
    assert (explainer.map_kind is None) == (name == "captum.layer_activation")
    assert result.result.signed or explainer.map_kind in ("rank", None)
    alone = convviz.explain(model, inputs[1:], explainer, target=3)
    torch.testing.assert_close(alone.values[0], result.values[1], rtol=1e-9, atol=1e-12)
    assert all(torch.equal(before[key], value) for key, value in model.module.state_dict().items())
    assert all(parameter.grad is None for parameter in model.module.parameters())
    assert pickle.loads(pickle.dumps(explainer)) == explainer
    assert "http" in type(explainer).__doc__
    assert all(field.description for field in type(explainer).model_fields.values())


def test_the_families_hold_every_method_for_single_images():
    count = {family: len(members(family)) for family in FAMILIES}
    assert count == {"captum": 37, "pytorch_grad_cam": 19, "zennit": 9}
    assert {"captum.deep_lift", "captum.lime", "captum.noise_tunnel"} <= set(members("captum"))
    assert "captum.feature_permutation" not in members("captum")
    assert "zennit.epsilon_plus_flat" in members("zennit")


@pytest.mark.parametrize(
    "name",
    [
        "captum.integrated_gradients",
        "captum.gradient_shap",
        "captum.layer_grad_cam",
        "pytorch_grad_cam.score_cam",
        "zennit.epsilon_plus_flat",
    ],
)
def test_the_contract_is_kept(name):
    check_explainer(fast(name))


# The libraries' own numbers


def test_integrated_gradients_are_those_of_captum():
    expected = captum.attr.IntegratedGradients(net()).attribute(
        images(1), torch.full_like(images(1), 0.3), target=TARGETS[0], n_steps=9
    )
    result = of_first_image("captum.integrated_gradients", baseline=0.3, n_steps=9)
    close(result.values, expected.detach())
    assert result.result.measures["sum of the attributions"] == pytest.approx(float(expected.sum()))
    with torch.no_grad():
        difference = net()(images(1)) - net()(torch.full_like(images(1), 0.3))
    expected_sum = float(difference[0, TARGETS[0]])
    assert result.result.measures["sum expected"] == pytest.approx(expected_sum)


def test_occlusion_is_that_of_captum():
    expected = captum.attr.Occlusion(net()).attribute(
        images(1), (3, 5, 4), strides=(3, 2, 3), baselines=0.5, target=TARGETS[0]
    )
    result = of_first_image("captum.occlusion", window=(5, 4), stride=(2, 3), baseline=0.5)
    close(result.values, expected)


def test_feature_ablation_gives_each_part_its_drop():
    result = of_first_image("captum.feature_ablation", feature_count=9, baseline=0.0)
    parts = result["parts"][0]
    mask = parts[None, None].expand(1, 3, -1, -1)
    expected = captum.attr.FeatureAblation(net()).attribute(
        images(1), feature_mask=mask.contiguous(), target=TARGETS[0]
    )
    close(result["part_values"][0][parts], expected[0, 0])
    sizes = torch.bincount(parts.flatten())
    close(result.values[0] * sizes[parts], expected[0, 0])


def test_lrp_is_that_of_captum_on_a_plain_network():
    plain = with_seed(
        lambda: nn.Sequential(
            nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(16, 5)
        )
    ).double()
    for part in (plain[0], plain[4]):
        nn.init.zeros_(part.bias)
    copy = pickle.loads(pickle.dumps(plain))
    without_flatten = nn.Sequential(*copy[:3], _Flatten(), copy[4])
    expected = captum.attr.LRP(_Functional(without_flatten)).attribute(images(1), target=TARGETS[0])
    result = of_first_image("captum.lrp", plain)
    close(result.values, expected.detach())
    assert result.result.measures["completeness gap"] < 1e-6
    assert not any("complete" in note for note in result.result.notes)


class _Flatten(nn.Flatten):
    """Marks the place of a flatten; `_Functional` calls a function instead."""


class _Functional(nn.Module):
    """A sequence of modules whose flatten is a function, as Captum's LRP needs it."""

    def __init__(self, sequence: nn.Sequential) -> None:
        super().__init__()
        self.parts = nn.ModuleList(part for part in sequence if not isinstance(part, _Flatten))

    def forward(self, x: Tensor) -> Tensor:
        for part in self.parts[:-1]:
            x = part(x)
        return self.parts[-1](x.flatten(1))


def test_grad_cam_is_that_of_pytorch_grad_cam():
    from pytorch_grad_cam import GradCAM
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    reference = not_in_place(net())
    cam = GradCAM(reference, [reference.relu1])
    expected = cam(images(1), [ClassifierOutputTarget(TARGETS[0])])
    result = of_first_image("pytorch_grad_cam.grad_cam", layer="relu1")
    close(result.values, torch.from_numpy(expected).double(), 1e-6)


@pytest.mark.parametrize("composite", ["EpsilonPlusFlat", "EpsilonAlpha2Beta1"])
def test_lrp_of_a_resnet_is_that_of_zennit_with_its_canonizer(composite):
    import zennit.composites
    from torchvision.models import resnet18
    from zennit.attribution import Gradient
    from zennit.torchvision import ResNetCanonizer

    module = with_seed(lambda: resnet18(num_classes=5)).double().eval()
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            nn.init.uniform_(part.running_mean, -0.2, 0.2)
            nn.init.uniform_(part.running_var, 0.5, 2)
            part.eps = 0.0  # zennit keeps it in merged batch norms, which scales their outputs
    pixels = torch.randn(1, 3, 40, 40, generator=torch.Generator().manual_seed(1)).double()
    name = f"zennit.{snake_case(composite)}"
    result = convviz.explain(Model(module), pixels, name, target=2)
    rules = getattr(zennit.composites, composite)(canonizers=[ResNetCanonizer()])
    with Gradient(model=module, composite=rules) as attributor:
        _, expected = attributor(pixels, lambda out: out * torch.eye(5).double()[[2]])
    close(result.values, expected.detach(), 1e-9)


# The private copy


class Functional(nn.Module):
    """Functional, in-place and reused activations, and a sum."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 6, 3, padding=1)
        self.relu, self.head = nn.ReLU(inplace=True), nn.Linear(6, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.conv1(x))
        y = functional.relu(self.conv2(x), inplace=True)
        y += x
        return self.head(self.relu(y).mean((2, 3)).relu())


class Modular(Functional):
    """The same with a module for each activation."""

    def __init__(self) -> None:
        super().__init__()
        self.relus = nn.ModuleList(nn.ReLU() for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        x = self.relus[0](self.conv1(x))
        y = self.relus[1](self.conv2(x)) + x
        return self.head(self.relus[3](self.relus[2](y).mean((2, 3))))


@pytest.mark.parametrize("name", ["GuidedBackprop", "DeepLift"])
def test_functional_and_reused_activations_become_modules(name):
    functional_net, modular = (with_seed(cls).double().eval() for cls in (Functional, Modular))
    modular.load_state_dict(functional_net.state_dict())
    expected = getattr(captum.attr, name)(modular).attribute(images(1), target=TARGETS[0])
    result = of_first_image(f"captum.{snake_case(name)}", functional_net)
    close(result.values, expected.detach())


def test_deep_lift_is_noted_as_incomplete_where_relu_meets_max_pool():
    result = of_first_image("captum.deep_lift", baseline=0.0)
    measures = result.result.measures
    gap = abs(measures["sum of the attributions"] - measures["sum expected"])
    assert measures["completeness gap"] == pytest.approx(gap)
    large = gap > 0.05 * abs(measures["sum expected"])
    assert large == any("not complete" in note for note in result.result.notes)


class Cubic(nn.Module):
    """One score, the cube of the sum of the image's mean and of a part of it."""

    def forward(self, x: Tensor) -> Tensor:
        return (x.mean((1, 2, 3)) + x[:, 0, 3:6, 3:6].mean((1, 2)))[:, None].pow(3)


@pytest.mark.parametrize(
    ("name", "params", "cause"),
    [
        ("captum.integrated_gradients", {"n_steps": 1}, "n_steps"),
        ("captum.gradient_shap", {"n_samples": 1}, "n_samples"),
        ("captum.kernel_shap", {"n_samples": 1}, "n_samples"),
        ("captum.kernel_shap", {"n_samples": 3}, ""),
        ("captum.shapley_value_sampling", {"n_samples": 1}, ""),
    ],
)
def test_a_sum_that_is_not_as_promised_is_noted_with_the_error_of_the_method(name, params, cause):
    pixels = torch.rand(1, 3, 12, 12, generator=torch.Generator().manual_seed(0)).double()
    result = convviz.explain(Model(Cubic()), pixels, fast(name, **params), target=0).result
    measures = result.measures
    gap = abs(measures["sum of the attributions"] - measures["sum expected"])
    assert (gap > 0.05 * abs(measures["sum expected"])) == bool(cause)
    notes = [note for note in result.notes if "not complete" in note]
    assert [cause in note for note in notes] == [True] * bool(cause)


class Branching(Net):
    """Cannot be traced, because it branches on the values of the images."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x if x.sum() > -1e9 else -x)


def test_a_network_that_cannot_be_rebuilt_runs_where_that_does_not_matter():
    module = with_seed(Branching).double().eval()
    for name in ("captum.integrated_gradients", "pytorch_grad_cam.grad_cam"):
        close(of_first_image(name, module).values, of_first_image(name).values)
    for name in ("captum.deep_lift", "captum.lrp", "zennit.epsilon_plus"):
        with pytest.raises(ConvvizError, match="cannot trace"):
            of_first_image(name, module)


def test_lrp_without_a_rule_says_so():
    module = with_seed(
        lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.GELU(), _Mean(), nn.Linear(4, 5))
    )
    with pytest.raises(ConvvizError, match="GELU"):
        of_first_image("captum.lrp", module.double())


class _Mean(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3))


def test_a_network_that_couples_images_is_rejected():
    class Coupled(Net):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x - x.mean())

    with pytest.raises(ConvvizError, match="couples"):
        of_first_image("captum.saliency", with_seed(Coupled).double().eval())


# Targets and parameters


def test_contrasts_and_units_are_targets():
    name = "captum.input_x_gradient"
    first, second = (of_first_image(name, target=c).values for c in (1, 3))
    close(of_first_image(name, target=Contrast(1, 3)).values, first - second)
    unit = Unit("relu2", 2, (3, 4))
    expected = convviz.explain(Model(net()), images(1), "input_x_gradient", target=unit)
    close(of_first_image(name, target=unit).values, expected.values)
    close(of_first_image("captum.neuron_gradient", target=unit).values * images(1), expected.values)


def test_neuron_methods_need_a_unit_and_softmax_methods_a_class():
    with pytest.raises(TargetError, match="neuron="):
        of_first_image("captum.neuron_gradient")
    with pytest.raises(TargetError, match="SESS"):
        of_first_image("pytorch_grad_cam.sess", target=Contrast(1, 3), num_scales=1)


@pytest.mark.parametrize(
    ("name", "params", "match"),
    [
        ("captum.integrated_gradients", {"method": "simpson"}, "gausslegendre"),
        ("captum.integrated_gradients", {"n_steps": 0}, "n_steps"),
        ("captum.shapley_values", {"feature_count": 30}, "feature_count"),
        ("captum.integrated_gradients", {"baseline": "red"}, "baseline"),
    ],
)
def test_wrong_parameters_are_named(name, params, match):
    with pytest.raises(ParameterError, match=match):
        convviz.explainer(name, **params)


def test_a_window_larger_than_the_image_is_an_error():
    with pytest.raises(ParameterError, match="19 x 17"):
        of_first_image("captum.occlusion", window=40)


def test_saliency_without_its_sign_is_a_rank():
    assert convviz.explainer("captum.saliency").map_kind == "rank"
    assert convviz.explainer("captum.saliency", abs=False).map_kind == "gradient"
    signed = of_first_image("captum.saliency", abs=False)
    close(of_first_image("captum.saliency").values, signed.values.abs().amax(1))


def test_listing_and_unknown_names_import_no_library():
    code = """
import sys, convviz
from convviz.plugin import registry
from convviz.plugin.default_explainers import default_names
assert {"captum", "pytorch_grad_cam", "zennit"} <= set(convviz.explainer_names())
assert default_names() and dict(registry.current().all_explainer_classes())
try:
    convviz.explainer("no_such_explainer")
except convviz.UnknownNameError:
    pass
print(sorted({"captum", "pytorch_grad_cam", "zennit"} & set(sys.modules)))
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("family", "module", "extra"),
    [
        ("captum", "captum.attr", "captum"),
        ("pytorch_grad_cam", "pytorch_grad_cam", "grad-cam"),
        ("zennit", "zennit.composites", "zennit"),
    ],
)
def test_a_missing_library_is_an_error_that_names_the_extra(family, module, extra, monkeypatch):
    entry = registry.current().find("explainers", family)
    classes = import_module(f"{entry.module}.family").classes
    monkeypatch.setitem(sys.modules, module, None)
    classes.cache_clear()
    try:
        for use in (convviz.explainer, lambda name: convviz.explainer(f"{name}.method")):
            with pytest.raises(MissingLibraryError, match=rf"convviz\[{extra}\]"):
                use(family)
        strict = registry.Registry([entry], strict=True)
        strict.verify()
        (row,) = strict.status()
        assert row.state == "not installed"
        assert f"pip install 'convviz[{extra}]'" in row.reason
    finally:
        classes.cache_clear()


def test_a_library_that_is_installed_but_fails_is_broken(monkeypatch):
    entry = registry.current().find("explainers", "zennit")
    classes = import_module(f"{entry.module}.family").classes
    monkeypatch.setitem(sys.modules, "zennit.composites", ModuleType("zennit.composites"))
    classes.cache_clear()
    try:
        (row,) = registry.Registry([entry]).status()
        assert row.state == "broken"
        assert "cannot import name" in row.reason
    finally:
        classes.cache_clear()
