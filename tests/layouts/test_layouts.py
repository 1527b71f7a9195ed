"""Maps are [N, C, h, w] for every reader, whatever layout a network uses inside."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor, nn
from torchvision.models import ConvNeXt, SwinTransformer, VisionTransformer
from torchvision.models.convnext import CNBlockConfig

import convviz
import convviz.authoring
from convviz import Model, ParameterError, Unit, layouts
from convviz.authoring import Target
from convviz.occlusion import occluded_scores
from convviz.plugin.dataset_features import pool_positions
from convviz.sweep.forward_pass import ForwardMode, ForwardRunner

SIZE = 32


class Turned(nn.Module):
    """Turns its maps about itself: [N, H, W, C], [N, W, C, H] and back, H = W = C."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, stride=4, padding=1)
        self.last, self.turn = nn.Linear(8, 8), nn.Identity()
        self.back = nn.Conv2d(8, 8, 3, padding=1)
        self.head = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.last(self.conv(x).permute(0, 2, 3, 1)).relu()
        x = self.turn(x.permute(0, 2, 3, 1)) * 2
        return self.head(self.back(x.permute(0, 2, 3, 1)).mean((2, 3)))


class Windows(nn.Module):
    """Cuts maps into windows of 4 x 4, and back; then looks at each row by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.inside, self.whole = (
            nn.Conv2d(3, 6, 4, stride=4),
            nn.Linear(6, 6),
            nn.ReLU(),
        )
        self.head = nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x).view(len(x), 6, 2, 4, 2, 4).permute(0, 2, 4, 3, 5, 1)
        x = self.inside(x.reshape(-1, 4, 4, 6))
        x = x.view(-1, 2, 2, 4, 4, 6).permute(0, 1, 3, 2, 4, 5).reshape(-1, 8, 8, 6)
        return self.head(self.whole(x).mean((1, 2)))


class Mixer(nn.Module):
    """Mixes tokens by a linear layer over the turned sequence."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.mix = nn.Conv2d(3, 8, 8, stride=8), nn.Linear(16, 16)
        self.norm, self.head = nn.LayerNorm(8), nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x).flatten(2).transpose(1, 2)
        x = x + self.mix(x.transpose(1, 2)).transpose(1, 2)
        return self.head(self.norm(x).mean(1))


def swin() -> nn.Module:
    return SwinTransformer([4, 4], 8, [1, 2], [2, 2], [4, 4], num_classes=4)


def convnext() -> nn.Module:
    return ConvNeXt([CNBlockConfig(8, 16, 1), CNBlockConfig(16, None, 1)], num_classes=4)


def vit() -> nn.Module:
    return VisionTransformer(SIZE, 8, 1, 2, 16, 32, num_classes=4)


def timm_vit(class_token: bool, registers: int) -> nn.Module:
    timm = pytest.importorskip("timm")
    pool = "token" if class_token else "avg"
    return timm.models.VisionTransformer(
        *(SIZE, 8, 3, 4, pool, 16, 1, 2),
        class_token=class_token,
        reg_tokens=registers,
        no_embed_class=True,
    )


def last(x: Tensor) -> Tensor:
    return x.permute(0, 3, 1, 2)


def grid(x: Tensor, others: int = 0) -> Tensor:
    n, _, c = x.shape
    return x[:, others:].transpose(1, 2).reshape(n, c, 4, 4)


def as_it_is(x: Tensor) -> Tensor:
    return x


Net = Callable[[], nn.Module]
CASES: list[tuple[Net, str, Callable[[Tensor], Tensor]]] = [
    (swin, "features.0.2", last),
    (swin, "features.1.0.norm1", last),
    (swin, "features.1.0.attn", last),
    (swin, "features.2.norm", last),
    (swin, "features.3.1", last),
    (swin, "norm", last),
    (swin, "permute", as_it_is),
    (swin, "flatten", as_it_is),
    (convnext, "features.0", as_it_is),
    (convnext, "features.1.0.block.2", last),
    (convnext, "features.1.0.block.4", last),
    (convnext, "features.3.0", as_it_is),
    (vit, "conv_proj", as_it_is),
    (vit, "encoder.layers.encoder_layer_0.ln_1", partial(grid, others=1)),
    (vit, "encoder.layers.encoder_layer_0.self_attention", partial(grid, others=1)),
    (vit, "encoder.layers.encoder_layer_0", partial(grid, others=1)),
    (partial(timm_vit, False, 0), "blocks.0", grid),
    (partial(timm_vit, True, 2), "blocks.0.attn.proj", partial(grid, others=3)),
    (partial(timm_vit, True, 2), "blocks.0", partial(grid, others=3)),
    (Turned, "conv", as_it_is),
    (Turned, "last", last),
    (Turned, "turn", lambda x: x.permute(0, 2, 3, 1)),
    (Turned, "back", as_it_is),
    (Windows, "whole", last),
    (Mixer, "norm", grid),
]


def network(make: Net) -> nn.Module:
    torch.manual_seed(0)
    net = make().double().eval()
    with torch.no_grad():
        for p in net.parameters():  # also those that begin as zeros
            p.add_(torch.randn_like(p) * 0.1)
    return net


def photos(count: int = 3, size: int = SIZE) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(count, 3, size, size, dtype=torch.float64, generator=generator)


def run_with_hooks(net: nn.Module, layer: str, images: Tensor) -> Tensor:
    """Return what a module gives, as the network has it."""
    saved = []

    def keep(_module: nn.Module, _args: object, out: object) -> None:
        saved.append(out[0] if isinstance(out, tuple) else out)

    handle = net.get_submodule(layer).register_forward_hook(keep)
    with torch.no_grad():
        net(images)
    handle.remove()
    return saved[0].clone()


def names(case: object) -> str:
    return case if isinstance(case, str) else getattr(case, "__name__", "")


@pytest.mark.parametrize(("make", "layer", "to_maps"), CASES, ids=names)
def test_every_reader_gets_channels_first(make, layer, to_maps):
    net, images = network(make), photos()
    want = to_maps(run_with_hooks(net, layer, images))
    model = Model(net)
    actual = model.forward(images, [layer]).activations[layer]
    torch.testing.assert_close(actual, want, rtol=0, atol=1e-12)
    (call,) = (c for c in model.calls(images.shape[1:]) if c.name == layer)
    assert call.layout.shape(call.shape) == want.shape[1:]
    position = None if want.ndim == 2 else (1, 2)
    unit = Unit(layer, 5, position)
    values = want[:, 5] if position is None else want[:, 5, 1, 2]
    target = (Target(None, unit, "", 0.0),) * len(images)
    torch.testing.assert_close(model.scores(images, target), values, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("make", "layer"), [(swin, "norm"), (vit, "encoder"), (Turned, "turn")])
def test_gradients_of_units_are_those_of_finite_differences(make, layer):
    net, images = network(make), photos(1)
    model, step = Model(net), 1e-6
    target = (Target(None, Unit(layer, 3, (1, 0)), "", 0.0),)
    direction = photos(2)[1:]
    slope = (model.gradient(images, target) * direction).sum()
    ahead, behind = (model.scores(images + s * direction, target) for s in (step, -step))
    torch.testing.assert_close(slope, ((ahead - behind) / (2 * step))[0], rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("make", [swin, convnext, vit, Turned])
def test_a_sweep_reads_the_graph_as_it_reads_the_network(make):
    net, images = network(make), photos()
    model = Model(net)
    layers = (*model.calls((3, SIZE, SIZE)).layouts,)
    decided = tuple(n for n in layers if model.calls((3, SIZE, SIZE)).layouts[n].kind == "maps")
    chosen = tuple(dict.fromkeys((*decided[::5], *model.default_layers("patches"))))
    graph = ForwardRunner(model, chosen, ForwardMode(True, (3, SIZE, SIZE), "float64"))(images)
    reference = model.forward(images, chosen)
    for layer in chosen:
        torch.testing.assert_close(graph.activations[layer], reference.activations[layer])


@pytest.mark.parametrize(("make", "layer"), [(Turned, "turn"), (Turned, "last"), (vit, "encoder")])
def test_occlusion_reads_units_in_both_engines(make, layer, monkeypatch):
    monkeypatch.setattr(occluded_scores, "MIN_PIXELS_FOR_EXPORT", 0)
    net, images = network(make), photos(2)
    model = Model(net)
    boxes = torch.tensor([[0, 0, 8, 8], [8, 4, 20, 16], [0, 20, 32, 32]])

    def read(forward: convviz.authoring.Forward, owner: Tensor) -> Tensor:
        return forward.activations[layer][:, 3, 0, 1]

    actual, want = (
        convviz.authoring.occluded(
            model, images, boxes, torch.zeros(1), read, [layer], engine=engine
        )
        for engine in ("auto", "dense")
    )
    torch.testing.assert_close(actual.scores, want.scores, rtol=0, atol=1e-10)
    if make is Turned:
        assert actual.plan is not None
    copies = images[:1].clone()
    copies[..., 4:16, 8:20] = 0
    raw = run_with_hooks(net, layer, copies)[0]
    values = {"turn": lambda: raw[1, 3, 0], "last": lambda: raw[0, 1, 3]}
    value = values.get(layer, lambda: raw[1 + 1, 3])()  # the class token comes first
    torch.testing.assert_close(want.scores[0, 1], value)


def test_features_are_as_long_as_there_are_channels():
    net, images = network(swin), photos()
    vectors = pool_positions(Model(net).forward(images, ["norm"]).activations["norm"], "avg")
    assert vectors.shape == (3, 16)
    torch.testing.assert_close(vectors, run_with_hooks(net, "norm", images).mean((1, 2)))


def test_the_default_features_of_a_transformer_are_its_class_token():
    net, images = network(vit), photos()
    model = Model(net)
    model.forward(images)
    (layer,) = model.default_layers("features")
    actual = model.forward(images, [layer]).activations[layer]
    torch.testing.assert_close(actual, run_with_hooks(net, "encoder", images)[:, 0])


@pytest.mark.parametrize("layer", ["last", "turn", "back"])
def test_boxes_belong_to_the_positions_of_the_map(layer):
    model, image = Model(network(Turned)), photos(1)
    field = model.receptive_field(layer, (SIZE, SIZE))
    assert not field.whole
    for y, x in [(0, 3), (5, 2), (7, 7)]:
        x0, y0, x1, y1 = field.support(y, x)
        noise = photos(2)[1:]
        noise[..., y0:y1, x0:x1] = image[..., y0:y1, x0:x1]
        before, after = (model.forward(i, [layer]).activations[layer] for i in (image, noise))
        assert torch.equal(before[0, :, y, x], after[0, :, y, x])
        assert not torch.equal(before[0, :, x, y], after[0, :, x, y]) or x == y


@pytest.mark.parametrize(
    ("make", "layer"),
    [
        (swin, "features.1.0.attn/softmax"),
        (swin, "features.1.0.attn/linear:1"),
        (Windows, "inside"),
        (Mixer, "mix"),
        (partial(timm_vit, False, 0), "blocks.0.attn.q_norm"),
    ],
    ids=names,
)
def test_what_cannot_be_told_is_refused(make, layer):
    model = Model(network(make))
    assert layer in model.layer_names((3, SIZE, SIZE))
    with pytest.raises(ParameterError, match=f"layer '{layer}'"):
        model.forward(photos(), [layer])
    with pytest.raises(convviz.ConvvizError, match=layer):
        model.gradient(photos(1), (Target(None, Unit(layer, 0, (0, 0)), "", 0.0),))


def test_another_size_of_image_is_read_as_well():
    net = network(swin)
    model = Model(net)
    for size in (32, 64, 48):
        images = photos(2, size)
        actual = model.forward(images, ["features.1.0", "norm"]).activations
        torch.testing.assert_close(actual["norm"], last(run_with_hooks(net, "norm", images)))
        assert actual["features.1.0"].shape == (2, 8, size // 4, size // 4)


def test_the_network_runs_once_to_find_out_and_twice_to_measure_its_behavior():
    net = network(swin)
    passes = []
    net.register_forward_pre_hook(lambda module, args: passes.append(len(args[0])))
    model = Model(net)
    for _ in range(3):
        model.forward(photos(), ["norm", "features.1.0"])
    model.default_layers("patches")
    assert sorted(passes) == [1, 2, 3, 3, 3, 3]  # one image alone and between others
    model.forward(photos(1, 64), ["norm"])
    assert len(passes) == 7


def test_a_network_that_takes_one_image_at_a_time_is_read():
    class Single(Turned):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x.view(1, 3, SIZE, SIZE))

    net, image = network(Single), photos(1)
    actual = Model(net).forward(image, ["turn"]).activations["turn"]
    torch.testing.assert_close(actual, run_with_hooks(net, "turn", image).permute(0, 2, 3, 1))


def test_a_contradiction_is_no_layout():
    class Sum(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return (x + x.transpose(2, 3)).sum((2, 3))

    model = Model(Sum())
    with pytest.raises(ParameterError, match="'/add'"):
        model.forward(torch.rand(2, 3, 8, 8), ["/add"])


def test_tokens_that_go_down_the_columns():
    tokens = torch.arange(2 * 7 * 3).view(2, 7, 3)
    layout = layouts.AxisLayout("tokens", (0, 2, 1), 3, 3, (2, 3), 1, by_columns=True)
    maps = layout(tokens)
    assert maps.shape == (2, 3, 2, 3)
    assert torch.equal(maps[1, 2, 1, 0], tokens[1, 1 + 1, 2])
    assert torch.equal(maps[1, 2, 0, 2], tokens[1, 1 + 4, 2])
