"""grad_cam and guided_grad_cam, against Captum and closed forms, and the placement of cells."""

from __future__ import annotations

import pytest
import torch
from captum.attr import LayerGradCam, LayerGradientXActivation
from helpers.attribution import TARGETS, Net, close, explain, images, net, not_in_place, with_seed
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models import VisionTransformer

import convviz
from convviz import Model, ModelError, ParameterError, Preprocess, Unit, UnknownNameError

CAMS = ("grad_cam", "guided_grad_cam")


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


def test_guided_grad_cam_is_the_product_of_both():
    product = explain("guided_grad_cam", layer="relu2")
    cam, guided = explain("grad_cam", layer="relu2"), explain("guided_backprop")
    close(product.values, guided.values * cam.values[:, None], 1e-14)
    assert any("Adebayo" in note for note in product.result.notes)
    close(product["weights"], cam["weights"])


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
