"""Networks as they come: compiled, checkpointed, exported, lazy, made in other modes."""

from __future__ import annotations

import copy
import warnings
from contextlib import contextmanager

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.checkpoint import checkpoint

import convviz

PHOTOS = (torch.rand(2, 20, 20, 3, generator=torch.Generator().manual_seed(0)) * 255).byte().numpy()
PREPROCESS = convviz.Preprocess(resize=16, crop=16)
EXPLAINERS = {
    "saliency": {},
    "guided_backprop": {},
    "occlusion": {"window": 4, "stride": 4},
    "activations": {"layer": "conv2"},
}


class Net(nn.Module):
    def __init__(self, reentrant=None):
        super().__init__()
        torch.manual_seed(0)
        self.conv1 = nn.Conv2d(3, 6, 3, padding=1)
        self.bn = nn.BatchNorm2d(6)
        self.act = nn.ReLU()
        self.conv2 = nn.Conv2d(6, 8, 3)
        self.block = nn.Sequential(
            nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 1)
        )
        self.head = nn.Linear(8, 4)
        self.reentrant = reentrant

    def forward(self, x):
        x = torch.relu(self.conv2(self.act(self.bn(self.conv1(x)))))
        if self.reentrant is None:
            x = self.block(x)
        else:
            x = checkpoint(self.block, x, use_reentrant=self.reentrant)
        return self.head(x.mean((2, 3)))


def wrap(net):
    return convviz.Model(net, preprocess=PREPROCESS)


def results(net):
    model = wrap(net)
    return {
        name: convviz.explain(model, list(PHOTOS), name, **params).values
        for name, params in EXPLAINERS.items()
    }


@pytest.fixture(scope="module")
def plain():
    """Results of the network as it is; the gradient is checked without convviz."""
    actual = results(Net())
    net = Net().eval()
    x = torch.stack([PREPROCESS(photo) for photo in PHOTOS]).requires_grad_()
    (gradient,) = torch.autograd.grad(net(x).amax(1).sum(), x)
    torch.testing.assert_close(actual["saliency"], gradient.abs().amax(1))
    return actual


def assert_same(actual, plain):
    assert list(actual) == list(plain)
    for name, values in plain.items():
        torch.testing.assert_close(actual[name], values, msg=name)


def compiled_whole(net):
    return torch.compile(net, backend="eager")


def compiled_in_place(net):
    net.compile(backend="eager")
    return net


def compiled_part(net):
    net.block = torch.compile(net.block, backend="eager")
    return net


def compiled_part_in_place(net):
    net.block.compile(backend="eager")
    return net


def compiled_function(net):
    function = torch.compile(torch.relu, backend="eager")

    class Act(nn.Module):
        def forward(self, x):
            return function(x)

    net.act = Act()
    return net


COMPILED = [
    compiled_whole,
    compiled_in_place,
    compiled_part,
    compiled_part_in_place,
    compiled_function,
]


@pytest.mark.parametrize("compiled", COMPILED)
def test_compiled_networks(compiled, plain):
    net = compiled(Net().eval())
    images = torch.rand(2, 3, 16, 16)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # dynamo's own
        scores = net(images)
        assert_same(results(net), plain)
        torch.testing.assert_close(net(images), scores)
    assert torch._dynamo.eval_frame._stance.stance == "default"


def test_parts_of_compiled_networks_are_layers():
    model = wrap(compiled_in_place(Net()))
    assert "block.0" in model.layer_names((3, 16, 16))


def test_data_parallel_parts(plain):
    net = Net()
    net.block = nn.DataParallel(net.block)
    assert_same(results(nn.DataParallel(net)), plain)


def test_checkpointed_blocks(plain):
    assert_same(results(Net(reentrant=False)), plain)


@pytest.mark.parametrize("rule", ["guided", "deconv"])
def test_rules_reach_into_checkpointed_blocks(rule):
    images = torch.rand(2, 3, 16, 16)
    gradients = []
    for reentrant in (None, False):
        model = convviz.Model(Net(reentrant))
        target = model.resolve(0, model.forward(images))
        gradients.append(model.gradient(images, target, rule))
        assert gradients[-1].any()
    torch.testing.assert_close(*gradients)


@pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad")
@pytest.mark.parametrize("name", ["saliency", "guided_backprop"])
def test_reentrant_checkpoints_are_refused_for_gradients(name):
    with pytest.raises(convviz.ModelError, match=r"use_reentrant|CheckpointFunction"):
        convviz.explain(wrap(Net(reentrant=True)), list(PHOTOS), name)


@pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad")
def test_reentrant_checkpoints_run_forwards(plain):
    model = wrap(Net(reentrant=True))
    actual = convviz.explain(model, list(PHOTOS), "occlusion", **EXPLAINERS["occlusion"]).values
    torch.testing.assert_close(actual, plain["occlusion"])


def lazy():
    return nn.Sequential(nn.LazyConv2d(4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())


def inference():
    with torch.inference_mode():
        return Net()


def inference_buffer():
    net = Net()
    with torch.inference_mode():
        net.bn.running_mean = net.bn.running_mean.clone()
    return net


def meta():
    with torch.device("meta"):
        return Net()


def fake():
    with FakeTensorMode():
        return Net()


def exported_program():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.export.export(Net().eval(), (torch.rand(2, 3, 16, 16),))


def exported():
    return exported_program().module()


def exported_part():
    return nn.Sequential(nn.Identity(), exported())


class FSDPNet(Net):
    """As fully_shard names the class of what it shards."""


REFUSED = {
    lazy: "lazy",
    inference: "inference_mode",
    inference_buffer: "bn.running_mean",
    meta: "meta device",
    fake: "no values",
    exported_program: "exported from",
    exported: "exported",
    exported_part: "'1' is an exported",
    FSDPNet: "sharded",
}


@pytest.mark.parametrize("make", REFUSED)
def test_networks_that_cannot_be_explained_are_refused_at_once(make):
    with pytest.raises(convviz.ModelError, match=REFUSED[make]):
        wrap(make())


def test_a_network_that_becomes_unusable_is_refused_before_anything_is_touched():
    net = Net().train()
    model = wrap(net)
    net.head = nn.LazyLinear(3)
    hooks = list(net._forward_hooks)
    with pytest.raises(convviz.ModelError, match=r"head\.weight"):
        convviz.explain(model, list(PHOTOS), "saliency")
    assert net.training
    assert list(net._forward_hooks) == hooks


def test_what_the_refusals_advise_works(plain):
    assert_same(results(copy.deepcopy(inference())), plain)
    net = meta()
    net.to_empty(device="cpu").load_state_dict(Net().state_dict())
    assert_same(results(net), plain)
    network = lazy()
    network(torch.rand(1, 3, 16, 16))
    convviz.explain(wrap(network), list(PHOTOS), "saliency")


@contextmanager
def default_dtype(dtype):
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


@contextmanager
def default_device(device):
    torch.set_default_device(device)
    try:
        yield
    finally:
        torch.set_default_device(None)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_another_default_dtype_changes_nothing(dtype, plain):
    net = Net()
    with default_dtype(dtype):
        assert_same(results(net), plain)


@pytest.mark.parametrize("scope", [default_device, torch.device])
def test_another_default_device_changes_nothing(scope, plain):
    net = Net()
    with scope("meta"):
        assert_same(results(net), plain)
        assert torch.get_default_device() == torch.device("meta")


def test_the_network_still_sees_the_users_default_device():
    class Makes(Net):
        def forward(self, x):
            devices.append(torch.empty(1).device.type)
            return super().forward(x)

    devices, model = [], wrap(Makes())
    with default_device("meta"):
        convviz.explain(model, list(PHOTOS), "saliency")
    assert set(devices) == {"meta"}


def test_inside_inference_mode(plain):
    net = Net()
    with torch.inference_mode():
        assert_same(results(net), plain)


@pytest.mark.filterwarnings("ignore")
def test_quantized_networks_run_forwards_and_say_that_there_are_no_gradients():
    engine = torch.backends.quantized.engine
    torch.backends.quantized.engine = "fbgemm"
    try:
        net = nn.Sequential(
            torch.ao.quantization.QuantStub(),
            nn.Conv2d(3, 6, 3),
            nn.ReLU(),
            torch.ao.quantization.DeQuantStub(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(6, 4),
        ).eval()
        net.qconfig = torch.ao.quantization.get_default_qconfig("fbgemm")
        net[6].qconfig = None
        torch.ao.quantization.prepare(net, inplace=True)
        x = torch.stack([PREPROCESS(photo) for photo in PHOTOS])
        net(x)
        torch.ao.quantization.convert(net, inplace=True)
        model = wrap(net)
        torch.testing.assert_close(model.forward(x).output, net(x).detach())
        with pytest.raises(convviz.ModelError):
            convviz.explain(model, list(PHOTOS), "saliency")
    finally:
        torch.backends.quantized.engine = engine
