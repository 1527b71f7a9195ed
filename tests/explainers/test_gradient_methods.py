"""grad_cam, guided_grad_cam, input_x_gradient and integrated_gradients, against references."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from captum.attr import InputXGradient, IntegratedGradients, LayerGradCam, LayerGradientXActivation
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models import VisionTransformer

import convviz
from convviz import Model, ModelError, ParameterError, Preprocess, Unit, UnknownNameError

METHODS = ("grad_cam", "guided_grad_cam", "input_x_gradient", "integrated_gradients")
CAMS = METHODS[:2]


def with_seed(build: Callable[[], nn.Module]) -> nn.Module:
    torch.manual_seed(0)
    return build().eval()


class Net(nn.Module):
    """In-place ReLUs, a stride without padding, and a head that is not linear."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.relu1 = nn.Conv2d(3, 6, 3, stride=2), nn.ReLU(inplace=True)
        self.conv2, self.relu2 = nn.Conv2d(6, 8, 3, padding=1), nn.ReLU(inplace=True)
        self.pool, self.head = nn.MaxPool2d(2), nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu2(self.conv2(self.relu1(self.conv1(x))))
        return self.head(self.pool(x).mean((2, 3)).tanh())


def net() -> nn.Module:
    return with_seed(Net).double().eval()


def images(count: int = 3, side: int = 19) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    return torch.randn(count, 3, side, side - 2, generator=generator, dtype=torch.float64)


TARGETS = [1, 4, 0]


def explain(name: str, target=TARGETS, module: nn.Module | None = None, **params):
    return convviz.explain(Model(module or net()), images(), name, target=target, **params)


def close(values: Tensor, expected: Tensor, share: float = 1e-12) -> None:
    assert values.shape == expected.shape
    assert expected.abs().max() > 0
    assert (values - expected).abs().max() <= share * expected.abs().max()


# References


def not_in_place(module: nn.Module) -> nn.Module:
    for part in module.modules():
        if isinstance(part, nn.ReLU):
            part.inplace = False
    return module


def test_grad_cam_is_that_of_captum():
    reference = not_in_place(net())
    cam = LayerGradCam(reference, reference.relu2)
    result = explain("grad_cam", layer="relu2")
    close(result["map"], cam.attribute(images(), target=TARGETS)[:, 0].detach())
    assert result.layer == "relu2"
    assert result["weights"].shape == (3, 8)


def test_hires_cam_is_gradient_times_activation_of_captum():
    reference = not_in_place(net())
    product = LayerGradientXActivation(reference, reference.relu2)
    result = explain("grad_cam", layer="relu2", variant="hires_cam")
    close(result["map"], product.attribute(images(), target=TARGETS).sum(1).detach())
    assert "weights" not in result.result.arrays


def test_layer_cam_keeps_positive_gradients():
    reference = not_in_place(net())
    features: list[Tensor] = []
    reference.relu2.register_forward_hook(lambda *call: features.append(call[2]))
    score = reference(images())[range(3), TARGETS].sum()
    (gradient,) = torch.autograd.grad(score, features)
    expected = (gradient.clamp(min=0) * features[0]).sum(1).detach()
    close(explain("grad_cam", layer="relu2", variant="layer_cam")["map"], expected)


def test_pytorch_grad_cam_agrees():
    package = pytest.importorskip("pytorch_grad_cam")
    targets = pytest.importorskip("pytorch_grad_cam.utils.model_targets")
    reference = not_in_place(net().float())
    with package.GradCAM(reference, [reference.relu2]) as cam:
        cam(images().float(), [targets.ClassifierOutputTarget(k) for k in TARGETS])
        captured = cam.activations_and_grads
        weights = captured.gradients[0].mean((2, 3), keepdim=True)
        expected = (weights * captured.activations[0]).sum(1).double()
    close(explain("grad_cam", layer="relu2")["map"], expected, 1e-5)


def test_before_pooling_and_a_linear_layer_grad_cam_is_cam():
    module = with_seed(
        lambda: nn.Sequential(
            *(nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(6, 8, 3, padding=1), nn.ReLU()),
            *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5)),
        )
    )
    module = module.double().eval()
    features = module[:5](images())
    cam = torch.einsum("nc,nchw->nhw", module[7].weight[TARGETS], features).detach()
    for variant in ("grad_cam", "hires_cam"):
        result = explain("grad_cam", module=module, variant=variant)
        assert result.layer == "4"
        close(result["map"], cam / features[0, 0].numel())


def test_input_x_gradient_is_that_of_captum():
    expected = InputXGradient(net()).attribute(images().requires_grad_(), target=TARGETS)
    close(explain("input_x_gradient").values, expected.detach())


@pytest.mark.parametrize("params", [{}, {"steps": 7, "batch_size": 4}, {"baseline": 0.3}])
def test_integrated_gradients_are_those_of_captum(params):
    baseline = torch.full_like(images(), params.get("baseline", 0.0))
    expected = IntegratedGradients(net()).attribute(
        images(),
        baseline,
        target=TARGETS,
        n_steps=params.get("steps", 50),
        method="riemann_middle",
    )
    # Captum computes the step size in float32.
    result = explain("integrated_gradients", **params)
    close(result.values, expected.detach(), 1e-6)
    with torch.no_grad():
        scores, before = (net()(x)[range(3), TARGETS] for x in (images(), baseline))
    close(result["score_difference"], scores - before)
    close(result["sum"], expected.sum((1, 2, 3)).detach(), 1e-6)


def test_integrated_gradients_of_a_quadratic_score_are_exact():
    class Quadratic(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.stack([(x**2).sum((1, 2, 3)), x.sum((1, 2, 3))], 1)

    # A network without weights computes in float32.
    result = explain("integrated_gradients", 0, Quadratic(), steps=3, baseline=0.5)
    close(result.values, images() ** 2 - 0.25, 1e-6)
    assert result.result.measures["largest completeness gap"] <= 1e-4
    assert all("gap" not in note for note in result.result.notes)


def test_a_linear_network_has_the_same_contributions_by_both_methods():
    weight = torch.randn(5, 3 * 19 * 17, generator=torch.Generator().manual_seed(0)).double()
    linear = nn.Sequential(nn.Flatten(), nn.Linear(3 * 19 * 17, 5)).double()
    with torch.no_grad():
        linear[1].weight.copy_(weight)
    expected = weight[TARGETS].view(3, 3, 19, 17) * images()
    close(explain("input_x_gradient", module=linear).values, expected)
    close(explain("integrated_gradients", module=linear, steps=1).values, expected)


def test_guided_grad_cam_is_the_product_of_both():
    product = explain("guided_grad_cam", layer="relu2")
    cam, guided = explain("grad_cam", layer="relu2"), explain("guided_backprop")
    close(product.values, guided.values * cam.values[:, None], 1e-14)
    assert any("Adebayo" in note for note in product.result.notes)
    close(product["weights"], cam["weights"])


# Completeness


def saturated_network() -> nn.Module:
    class Saturated(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            mean = x.mean((1, 2, 3))
            return torch.stack([3 * (50 * mean).sigmoid(), 0 * mean], 1)

    return Saturated()


def test_a_large_completeness_gap_is_noted():
    ones = torch.ones(1, 3, 8, 8, dtype=torch.float64)
    result = convviz.explain(
        Model(saturated_network()), ones, "integrated_gradients", target=0, steps=2
    )
    slope = sum(150 / (2 + 2 * math.cosh(50 * share)) for share in (0.25, 0.75)) / 2
    difference = 3 / (1 + math.exp(-50)) - 1.5
    assert result.result.measures["completeness gap"] == pytest.approx(difference - slope, rel=1e-5)
    assert any("2 steps" in note and "100%" in note for note in result.result.notes)
    many = convviz.explain(
        Model(saturated_network()), ones, "integrated_gradients", target=0, steps=400
    )
    assert many.result.measures["completeness gap"] < 1e-3 * difference
    assert not any("steps" in note for note in many.result.notes)


def test_no_share_is_given_where_the_scores_are_equal():
    ones = torch.ones(2, 3, 8, 8, dtype=torch.float64)
    result = convviz.explain(
        Model(saturated_network()), ones, "integrated_gradients", target=[0, 1]
    )
    assert result["score_difference"][1] == 0
    assert any(
        note.startswith("Image 2: the score of the baseline") for note in result.result.notes
    )
    assert not result.values[1].any()


@pytest.mark.parametrize("baseline", ["mean", "image_mean", "blur", "noise", "#808080", "0.25"])
def test_the_baseline_is_any_fill_of_occlusion(baseline):
    preprocess = Preprocess(resize=20, crop=20, mean=(0.4,) * 3, std=(0.3,) * 3)
    model = Model(net(), preprocess=preprocess)
    photo = (torch.rand(24, 24, 3, generator=torch.Generator().manual_seed(0)) * 255).byte().numpy()
    result = convviz.explain(model, photo, "integrated_gradients", steps=4, baseline=baseline)
    covered = convviz.explain(
        model, photo, "occlusion", fill=baseline, window=20, stride=20, engine="dense"
    )
    whole_window = baseline in ("blur", "noise")  # whose strength depends on the window
    if not whole_window:
        close(result["score_difference"], covered["grid"][:, 0, 0], 1e-12)
    again = convviz.explain(model, photo, "integrated_gradients", steps=4, baseline=baseline)
    assert torch.equal(result.values, again.values)


def test_a_baseline_may_be_a_tensor():
    start = images().flip(0)[:1, :, :, :]
    result = explain("integrated_gradients", baseline=start, steps=5)
    expected = IntegratedGradients(net()).attribute(
        images(), start.expand(3, -1, -1, -1), target=TARGETS, n_steps=5, method="riemann_middle"
    )
    close(result.values, expected.detach(), 1e-6)
    assert torch.equal(result["baseline_image"], start)


# Contract


@pytest.mark.parametrize("name", METHODS)
def test_targets_may_differ_per_image_and_batches_do_not_matter(name):
    together, small = explain(name), explain(name, batch_size=2)
    for i in range(3):
        alone = convviz.explain(Model(net()), images()[i : i + 1], name, target=TARGETS[i])
        close(alone.values[0], together.values[i], 1e-10)
    close(small.values, together.values, 1e-10)


@pytest.mark.parametrize("name", METHODS)
def test_units_are_targets(name):
    layer = {"layer": "relu1"} if name in CAMS else {}
    unit = Unit("relu2", 2, (3, 4))
    result = explain(name, unit, **layer)
    reference = not_in_place(net())
    activation = reference.relu2(reference.conv2(reference.relu1(reference.conv1(images()))))
    assert [t.score for t in result.target] == pytest.approx(activation[:, 2, 3, 4].tolist())
    assert result.values.any()


@pytest.mark.parametrize("name", METHODS)
def test_networks_that_couple_the_images_of_a_batch_run_image_by_image(name):
    class Coupled(Net):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x - x.mean())

    module = with_seed(Coupled).double().eval()
    together = explain(name, module=module)
    alone = convviz.explain(Model(module), images()[1:2], name, target=TARGETS[1])
    close(alone.values[0], together.values[1], 1e-10)
    assert any("couples" in note for note in together.result.notes)


@pytest.mark.parametrize("name", METHODS)
def test_half_precision_gives_float32(name):
    model = Model(net().bfloat16())
    result = convviz.explain(model, images().float(), name, target=1)
    assert result.values.dtype == torch.float32
    assert torch.isfinite(result.values).all()


@pytest.mark.parametrize(
    ("name", "kind", "params"),
    [
        ("grad_cam", "rank", {}),
        ("guided_grad_cam", "rank", {}),
        ("input_x_gradient", "contribution", {}),
        ("integrated_gradients", "contribution", {}),
        ("saliency", "rank", {}),
        ("saliency", "gradient", {"channels": "signed"}),
        ("guided_backprop", "gradient", {}),
        ("occlusion", "contribution", {}),
        ("occlusion", None, {"output": "value"}),
        ("activations", None, {}),
    ],
)
def test_explainers_declare_what_their_map_is(name, kind, params):
    assert convviz.explainer(name, **params).kind == kind


# Layers


@pytest.mark.parametrize("name", CAMS)
def test_a_layer_without_positions_is_an_error_that_names_layers_with_them(name):
    for layer in ("head", "/mean"):
        with pytest.raises(ParameterError, match=rf"'{layer}'.*'relu2'"):
            explain(name, layer=layer)
    with pytest.raises(UnknownNameError, match="relu2"):
        explain(name, layer="relu3")
    with pytest.raises(ModelError, match="relu2"):
        explain(name, Unit("conv1", 0, (1, 1)), layer="relu2")


class Tokens(nn.Module):
    """Maps whose channels come last."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 6, 4, stride=4), nn.LayerNorm(6)
        self.mix, self.head = nn.Linear(6, 6), nn.Linear(6, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x).permute(0, 2, 3, 1)
        x = self.mix(F.gelu(self.norm(x))).relu()
        return self.head(x.mean((1, 2)))


def test_layers_with_channels_last():
    module = with_seed(Tokens).double().eval()
    x = images(2, 18)
    model = Model(module)
    result = convviz.explain(model, x, "grad_cam", target=2, layer="mix")
    features = module.mix(F.gelu(module.norm(module.conv(x).permute(0, 2, 3, 1))))
    weights = (module.head.weight[2] / features[0, ..., 0].numel()) * (features > 0)
    expected = torch.einsum("nc,nhwc->nhw", weights.mean((1, 2)), features)
    close(result["map"], expected.detach())


def transformer() -> nn.Module:
    vit = VisionTransformer(
        image_size=16, patch_size=4, num_layers=2, num_heads=2, hidden_dim=8, mlp_dim=16
    )
    nn.init.normal_(vit.heads.head.weight)  # it is 0 at first
    return vit


def test_the_tokens_of_a_transformer_with_a_class_token():
    model = Model(with_seed(transformer).double(), preprocess=Preprocess(resize=16, crop=16))
    x = images(2, 18)[:, :, :16, :16]
    result = convviz.explain(model, x, "grad_cam", target=1)
    assert result.layer == "encoder.layers.encoder_layer_1.ln_1"
    assert result["map"].shape == (2, 4, 4)
    assert result["map"].any()
    # The patch in row 1, column 2 is the middle of the pixels 4 to 8 and 8 to 12.
    assert model.cell_centers(result.layer) == ((2, 6, 10, 14), (2, 6, 10, 14))
    last = convviz.explain(model, x, "grad_cam", target=1, layer="encoder.layers.encoder_layer_1")
    assert not last.values.any()
    assert any("class token" in note for note in last.result.notes)


def test_a_map_below_zero_is_noted():
    module = net()
    with torch.no_grad():
        module.head.weight[1] = -module.head.weight[1].abs()
    result = explain("grad_cam", [1, 0, 1], module, layer="relu2")
    assert not result.values[0].any()
    assert (result["map"][0] <= 0).all()
    noted = [note[:8] for note in result.result.notes if "signed map" in note]
    assert noted == ["Image 1:", "Image 3:"]


# Placement


def test_cells_are_placed_at_the_centers_of_their_receptive_fields():
    result = explain("grad_cam", layer="relu2")
    field = Model(net()).receptive_field("relu2", (19, 17))
    signed = result["map"].relu()
    # conv1 has no padding: its row i sees the pixels 2i to 2i + 2, so its center is pixel 2i + 1.
    boxes = [field.box(i, i) for i in range(8)]
    assert [(x0 + x1) / 2 for x0, _, x1, _ in boxes] == [2 * i + 1.5 for i in range(8)]
    close(result.values[:, 1:18:2, 1:17:2], signed, 1e-14)
    close(result.values[:, 2:17:2, 1], (signed[:, :-1, 0] + signed[:, 1:, 0]) / 2, 1e-14)
    close(result.values[:, 0], result.values[:, 1], 1e-14)
    close(result.values[:, :, 16], result.values[:, :, 15], 1e-14)


def test_cells_of_unknown_place_are_spread_evenly_with_a_note():
    class Sampled(Net):
        def forward(self, x: Tensor) -> Tensor:
            theta = torch.eye(2, 3)[None].to(x).expand(len(x), 2, 3)
            grid = F.affine_grid(theta, list(x.shape), align_corners=False)
            return super().forward(F.grid_sample(x, grid, align_corners=False))

    module = with_seed(Sampled).double().eval()
    result = explain("grad_cam", module=module, layer="relu2")
    assert any("spread evenly" in note for note in result.result.notes)
    expected = F.interpolate(
        result["map"].relu()[:, None], (19, 17), mode="bilinear", align_corners=False
    )
    close(result.values, expected[:, 0])
