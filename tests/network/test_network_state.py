"""After any call, and after any exception in it, everything is bit for bit as before."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torchvision.models import DenseNet

import convviz
import convviz.authoring

pytestmark = pytest.mark.usefixtures("quick_pictures")

SIZE = 24
CLASSES = 4

EXPLAINERS = {
    "filters": {},
    "activations": {},
    "occlusion": {"window": 12, "stride": 12, "fill": "noise"},
    "saliency": {"samples": 2},
    "guided_backprop": {},
    "grabcut": {"iterations": 1},
    "grad_cam": {},
    "guided_grad_cam": {},
    "input_x_gradient": {},
    "integrated_gradients": {"steps": 2},
    "patches": {"k": 2, "units": 2},
    "neighbors": {"k": 2},
    "embedding": {"method": "pca"},
    "statistics": {},
}
OF_A_DATASET = ("patches", "neighbors", "embedding", "statistics")


class Plain(nn.Sequential):
    """A chain with in-place ReLU, batch norm and dropout."""

    def __init__(self):
        super().__init__(
            nn.Conv2d(3, 4, 3),
            nn.BatchNorm2d(4),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
            nn.Conv2d(4, 6, 3),
            nn.Dropout(0.5),
            nn.ReLU(inplace=True),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(6, CLASSES),
        )


class Functional(nn.Module):
    """Functional activations, a reused module, a dict of outputs, and its own random numbers."""

    def __init__(self):
        super().__init__()
        self.one = nn.Conv2d(3, 4, 3, stride=2)
        self.two = nn.Conv2d(4, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.head = nn.Linear(4, CLASSES)

    def forward(self, x):
        random.random()
        np.random.rand()
        noise = 1e-3 * torch.rand(1, dtype=x.dtype)
        x = F.relu(self.norm(self.one(x)), inplace=True)
        x = x + self.norm(self.two(x)).clamp(min=0) + noise
        return {"logits": self.head(x.mean((2, 3)))}


def dense():
    return DenseNet(4, (2, 2), num_init_features=8, num_classes=CLASSES)


ARCHITECTURES = {"plain": Plain, "functional": Functional, "dense": dense}


class FaultError(Exception):
    """What a broken module raises."""


class Trigger:
    """A user's forward hook that fails at one of its calls."""

    def __init__(self, error, at):
        self.error, self.at, self.calls = error, at, 0

    def __call__(self, module, args, out):
        self.calls += 1
        torch.rand(1)
        if self.error is not None and self.calls >= self.at:
            raise self.error
        return out


def build(name, trigger):
    """Return a model in a state of its own in every respect that is to be kept."""
    torch.manual_seed(0)
    net = ARCHITECTURES[name]().double()
    net.train()
    convs = [m for m in net.modules() if isinstance(m, nn.Conv2d)]
    norms = [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
    norms[0].eval()
    norms[0].running_mean.normal_()
    convs[0].weight.requires_grad_(False)
    convs[-1].weight.grad = torch.randn_like(convs[-1].weight)
    convs[-1].register_forward_pre_hook(lambda m, args: None)
    head = [m for m in net.modules() if isinstance(m, nn.Linear)][-1]
    head.register_full_backward_hook(lambda m, inputs, made: None)
    convs[-1].register_forward_hook(trigger)
    preprocess = convviz.Preprocess(resize=SIZE, crop=SIZE)
    return convviz.Model(
        net, preprocess=preprocess, output="logits" if name == "functional" else None
    )


def hooks_of(module):
    names = [n for n in vars(module) if n.endswith("_hooks") or "_hooks_" in n]
    return {
        n: [(key, id(hook)) for key, hook in getattr(module, n).items()]
        for n in names
        if getattr(module, n) is not None
    }


def bits(tensor):
    return None if tensor is None else tensor.detach().contiguous().numpy().tobytes()


def snapshot(net):
    """Take down everything that must not change."""
    return {
        "modules": {n: (id(m), m.training, hooks_of(m)) for n, m in net.named_modules()},
        "parameters": {
            n: (id(p), p.requires_grad, bits(p), id(p.grad), bits(p.grad))
            for n, p in net.named_parameters()
        },
        "buffers": {n: (id(b), bits(b)) for n, b in net.named_buffers()},
        "torch": bits(torch.get_rng_state()),
        "numpy": str(np.random.get_state()),
        "python": random.getstate(),
        "grad": (torch.is_grad_enabled(), torch.is_inference_mode_enabled()),
        "threads": torch.get_num_threads(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "default": torch.get_default_dtype(),
    }


def photos(count):
    generator = np.random.default_rng(0)
    return generator.integers(0, 256, (count, SIZE, SIZE, 3), dtype=np.uint8)


def call(model, name, inputs, target, folder):
    """Run one explainer, on two photos or on a small data set."""
    if name in OF_A_DATASET:
        labels = [i % CLASSES for i in range(len(inputs))]
        data = convviz.array_dataset(inputs, labels)
        return convviz.analyze(model, data, name, folder / "run", batch_size=8, **EXPLAINERS[name])
    images = None if name == "filters" else list(inputs)
    return convviz.explain(model, images, name, target=target, **EXPLAINERS[name])


FAULTS = {
    "none": (None, 1, None),
    "raises at once": (FaultError("broken"), 1, None),
    "raises later": (FaultError("broken"), 3, None),
    "interrupted at once": (KeyboardInterrupt(), 1, None),
    "interrupted later": (KeyboardInterrupt(), 2, None),
    "bad target": (None, 1, CLASSES),
}


CASES = [
    (name, architecture, fault)
    for name in EXPLAINERS
    for architecture in ARCHITECTURES
    for fault in FAULTS
    if fault != "bad target" or name not in ("filters", *OF_A_DATASET)
]


@pytest.mark.filterwarnings("ignore:Functional is random in evaluation mode")
@pytest.mark.parametrize(("name", "architecture", "fault"), CASES)
def test_nothing_changes(name, architecture, fault, tmp_path):
    error, at, target = FAULTS[fault]
    trigger = Trigger(error, at)
    model = build(architecture, trigger)
    inputs = photos(16 if name in OF_A_DATASET else 2)
    retained, before = inputs.copy(), snapshot(model.module)
    try:
        call(model, name, inputs, target, tmp_path)
        raised = None
    except (convviz.ConvvizError, FaultError, KeyboardInterrupt) as caught:
        raised = caught
    assert snapshot(model.module) == before
    assert np.array_equal(inputs, retained)
    if error is not None and trigger.calls >= at:
        assert raised is not None, "the fault was swallowed"
        assert isinstance(raised, KeyboardInterrupt) == isinstance(error, KeyboardInterrupt)
    elif fault == "bad target":
        assert isinstance(raised, convviz.TargetError)
    else:
        assert raised is None


@pytest.mark.parametrize("grad", [True, False])
def test_what_an_explainer_does_to_the_model_is_undone(grad):
    """Even what a careless explainer does inside its call."""

    class Careless(convviz.authoring.Explainer):
        def explain(self, model, batch, target, forward):
            net = model.module
            net.train()
            for p in net.parameters():
                p.requires_grad_(True)
            torch.set_grad_enabled(True)
            net(batch.images.to(model.dtype).clone())[:, 0].sum().backward()
            net[0].register_forward_hook(lambda m, args, out: out)
            net[1].running_var = torch.ones(4, dtype=torch.float64)
            next(iter(net[-1]._forward_hooks), None)
            random.seed(1)
            np.random.seed(1)
            torch.manual_seed(1)
            raise FaultError("careless")

    model = build("plain", Trigger(None, 1))
    before = snapshot(model.module)
    with torch.set_grad_enabled(grad):
        outside = torch.is_grad_enabled()
        with pytest.raises(convviz.ConvvizError):
            convviz.explain(model, list(photos(1)), Careless())
        assert torch.is_grad_enabled() == outside
    assert snapshot(model.module) == before


def test_tensors_given_are_not_written():
    class InPlace(nn.Module):
        def forward(self, x):
            return x.mul_(2).relu_().sum((2, 3))

    model = convviz.Model(InPlace())
    images = torch.randn(2, 3, 6, 6)
    retained = images.clone()
    for name in ("saliency", "guided_backprop"):
        convviz.explain(model, images, name)
    assert torch.equal(images, retained)
    assert not images.requires_grad


def test_a_model_in_train_mode_is_explained_in_eval_mode():
    seen = []
    model = build("plain", lambda m, args, out: seen.append(m.training))
    convviz.explain(model, list(photos(1)), "saliency")
    assert seen
    assert not any(seen)
    assert model.module.training


def test_sessions_may_be_nested():
    model = build("plain", Trigger(None, 1))
    before = snapshot(model.module)
    with model.session():
        with model.session():
            assert not model.module.training
        assert not model.module.training
        with pytest.raises(FaultError), model.session():
            raise FaultError
        assert not model.module[1].training
    assert snapshot(model.module) == before


def test_buffers_that_a_forward_pass_makes_are_taken_away_again():
    class Lazy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 2, 3)
            self.register_buffer("grid", None)

        def forward(self, x):
            self.grid = torch.ones(1)
            self.register_buffer("seen", x.detach().mean())
            return self.conv(x).mean((2, 3))

    module = Lazy()
    convviz.explain(convviz.Model(module), torch.rand(1, 3, 8, 8), "saliency")
    assert dict(module._buffers) == {"grid": None}
