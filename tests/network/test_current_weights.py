"""Weights changed, and modules replaced, behind a Model: everything follows."""

import copy
import types
import warnings

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune

import convviz
from convviz import Model
from convviz.authoring import occluded
from convviz.graph.export import Graph
from convviz.network.structure import learn_volatile_attributes, structure_of

SHAPE = (3, 16, 16)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.conv2 = nn.Conv2d(8, 8, 3, padding=1, bias=False)
        self.fc = nn.Linear(8, 4)
        self.doubled = False

    def forward(self, x):
        x = self.norm(self.conv1(x)).relu()
        x = self.conv2(x).relu().mean((2, 3))
        return self.fc(x) * 2 if self.doubled else self.fc(x)


def network(seed=0):
    torch.manual_seed(seed)
    net = Net().double()
    for tensor in net.state_dict().values():
        if tensor.is_floating_point():
            tensor.copy_(torch.rand_like(tensor) + 0.1)
    return net


def legacy(function, *args, **kwargs):
    """Call one of torch's deprecated functions."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return function(*args, **kwargs)


class Standardized(nn.Conv2d):
    """A convolution with weight standardisation (Qiao et al. 2019)."""

    def forward(self, x):
        mean = self.weight.mean((1, 2, 3), keepdim=True)
        std = self.weight.std((1, 2, 3), keepdim=True)
        weight = (self.weight - mean) / (std + 1e-5)
        return nn.functional.conv2d(x, weight, self.bias, self.stride, self.padding)


class Quantized(nn.Conv2d):
    """A convolution with fake quantisation."""

    def forward(self, x):
        weight = torch.fake_quantize_per_tensor_affine(self.weight, 0.25, 0, -128, 127)
        return nn.functional.conv2d(x, weight=weight, bias=self.bias, padding=self.padding)


class Doubled(nn.Module):
    def forward(self, weight):
        return 2 * weight


def replaced(kind):
    def change(conv):
        new = kind(3, 8, 3, padding=1).double()
        new.load_state_dict(conv.state_dict())
        return new

    return change


def in_place(function):
    def change(conv):
        function(conv)
        return conv

    return change


CHANGES = {
    "weight norm by hook": in_place(lambda c: legacy(nn.utils.weight_norm, c)),
    "spectral norm by hook": in_place(lambda c: legacy(nn.utils.spectral_norm, c)),
    "weight norm": in_place(parametrizations.weight_norm),
    "spectral norm": in_place(parametrizations.spectral_norm),
    "orthogonal": in_place(parametrizations.orthogonal),
    "a parametrization": in_place(
        lambda c: nn.utils.parametrize.register_parametrization(c, "weight", Doubled())
    ),
    "pruning": in_place(lambda c: prune.l1_unstructured(c, "weight", 0.5)),
    "weight standardisation": replaced(Standardized),
    "fake quantisation": replaced(Quantized),
}


def impulse_response(conv):
    """Return a conv's kernels `[out, in, 3, 3]` from what it makes of single bright pixels."""
    count = conv.in_channels
    images = torch.zeros(count + 1, count, 5, 5, dtype=torch.float64)
    images[range(count), range(count), 2, 2] = 1
    out = conv(images)
    kernels = (out[:count] - out[count])[:, :, 1:4, 1:4].flip(2, 3)
    return kernels.transpose(0, 1).detach()


@pytest.mark.parametrize("kind", CHANGES)
def test_filters_draws_the_weights_of_the_next_pass(kind):
    net = network()
    net.conv1 = CHANGES[kind](net.conv1)
    net.eval()
    model = Model(net)
    model.forward(torch.rand(1, *SHAPE))
    with torch.no_grad():  # an optimizer's step: what a hook computed before is old
        for p in net.conv1.parameters():
            p += torch.rand_like(p)
    drawn = convviz.explain(model, None, "filters").values
    want = impulse_response(copy.deepcopy(net.conv1))
    torch.testing.assert_close(drawn, want, rtol=0, atol=1e-9)
    folded = convviz.explain(model, None, "filters", fold_bn=True).values
    scale = net.norm.weight / (net.norm.running_var + net.norm.eps).sqrt()
    want = want * scale.detach()[:, None, None, None]
    torch.testing.assert_close(folded, want, rtol=0, atol=1e-9)


def test_weights_of_linear_and_of_called_twice_layers_and_of_none():
    net = network()
    model = Model(net)
    assert torch.equal(model.weight("fc"), net.fc.weight)
    shared = nn.Conv2d(3, 3, 1)
    twice = Model(nn.Sequential(shared, nn.ReLU(), shared, nn.Flatten()))
    assert torch.equal(twice.weight("0:2"), shared.weight)
    weight = model.weight("conv1")
    weight.zero_()
    assert net.conv1.weight.all()
    with pytest.raises(convviz.ModelError, match="norm"):
        model.weight("norm")
    with pytest.raises(convviz.UnknownNameError, match="conv1"):
        model.weight("conv3")


def new_parameter(net):
    net.conv2.weight = nn.Parameter(torch.rand_like(net.conv2.weight))


def new_data(net):
    net.conv2.weight.data = torch.rand_like(net.conv2.weight)


def step(net):
    with torch.no_grad():
        for p in net.parameters():
            p += 0.3 * torch.rand_like(p)


def change_buffers(net):
    net.norm.running_var.mul_(3)
    net.norm.running_mean = net.norm.running_mean + 1


def load(net):
    net.load_state_dict(network(7).state_dict())


def prune_late(net):
    prune.random_unstructured(net.conv2, "weight", 0.5)


def add_norm(net):
    legacy(nn.utils.weight_norm, net.conv2)
    net.conv2.weight_g.data.mul_(3)


def remove_norm(net):
    add_norm(net)
    net(torch.rand(1, *SHAPE, dtype=torch.float64))
    legacy(nn.utils.remove_weight_norm, net.conv2)
    new_parameter(net)


def replace(net):
    torch.manual_seed(5)
    net.fc = nn.Linear(8, 4).double()


def wrap(net):
    net.conv2 = nn.Sequential(net.conv2, nn.ReLU(), nn.AvgPool2d(3, 1, 1))


def hook(net):
    net.conv2.register_forward_hook(lambda module, args, out: out * 3)


def hook_before(net):
    net.conv2.register_forward_pre_hook(lambda module, args: (args[0] * 3,))


def switch(net):
    net.doubled = True


def swap_forward(net):
    def forward(self, x):
        return self.fc(self.conv1(x).mean((2, 3)))

    net.forward = types.MethodType(forward, net)


def remove(net):
    net.norm = nn.Identity()


EDITS = [
    new_parameter,
    new_data,
    step,
    change_buffers,
    load,
    prune_late,
    add_norm,
    remove_norm,
    replace,
    wrap,
    hook,
    hook_before,
    switch,
    swap_forward,
    remove,
]


def windowed(model, images):
    corners = torch.tensor([[y, x] for y in (0, 5, 10) for x in (0, 5, 10)])
    boxes = torch.cat([corners, corners + 4], 1)
    fill = torch.zeros(1, 1, 1, 1, dtype=torch.float64)
    return occluded(model, images, boxes, fill, lambda forward, owner: forward.output)


@pytest.mark.parametrize("edit", EDITS)
def test_windows_graph_and_gradients_follow_a_change(edit, monkeypatch):
    monkeypatch.setattr("convviz.occlusion.occluded_scores.MIN_PIXELS_FOR_EXPORT", 0)
    net = network().eval()
    model = Model(net)
    images = torch.rand(1, *SHAPE, dtype=torch.float64)
    before = windowed(model, images)
    assert before.plan is not None
    assert isinstance(model.graph(SHAPE), Graph)
    edit(net)
    with torch.no_grad():  # a weight that autograd computed cannot be copied
        net(images)
    fresh = copy.deepcopy(net).eval()  # shares no cache with the model
    after = windowed(model, images)
    assert after.plan is not None, after.how
    want = windowed(Model(fresh), images)
    exact = occluded_one_by_one(fresh, images)
    assert not torch.allclose(before.scores, exact, atol=1e-6)
    torch.testing.assert_close(after.scores, exact, rtol=0, atol=1e-9)
    torch.testing.assert_close(want.scores, exact, rtol=0, atol=1e-9)
    target = model.resolve(1, model.forward(images))
    x = images.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(fresh(x)[0, 1], x)
    torch.testing.assert_close(model.gradient(images, target), gradient, rtol=0, atol=1e-9)
    assert model.layer_names(SHAPE) == Model(fresh).layer_names(SHAPE)
    assert model.weights_hash == Model(fresh).weights_hash


def occluded_one_by_one(net, images):
    scores = []
    for y in (0, 5, 10):
        for x in (0, 5, 10):
            copy_ = images.clone()
            copy_[:, :, x : x + 4, y : y + 4] = 0  # boxes are x0, y0, x1, y1
            scores.append(net(copy_).detach())
    return torch.cat(scores)[None]


def test_lists_follow_modules_that_come_and_go():
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.LazyLinear(2))
    net(torch.rand(1, *SHAPE))
    model = Model(net, preprocess=convviz.Preprocess(crop=16))
    assert model.layer_names(SHAPE) == ("0", "1", "2", "3")
    net.insert(1, nn.BatchNorm2d(4))
    assert model.layer_names(SHAPE) == ("0", "1", "2", "3", "4")
    assert [info.kind for info in model.layers()][1] == "BatchNorm2d"
    del net[1]
    net[0] = nn.Conv2d(3, 4, 3, padding=1)
    net[3] = nn.Linear(4 * 256, 5)
    assert model.calls(SHAPE)[0].shape[1:] == (4, 16, 16)
    net.half()
    assert model.dtype == torch.float16


def test_the_fingerprint_stays_where_the_network_does():
    net = network()
    first = structure_of(net)
    net.train()
    net.load_state_dict(network(3).state_dict())
    net(torch.rand(2, *SHAPE, dtype=torch.float64))
    net.eval()
    assert structure_of(net) == first
    assert structure_of(copy.deepcopy(net)) != first


def test_a_module_at_the_address_of_a_former_one_is_another():
    net = nn.Sequential(nn.Conv2d(3, 4, 3))
    seen = set()
    for _ in range(20):
        net[0] = nn.Conv2d(3, 4, 3)
        seen.add(structure_of(net))
    assert len(seen) == 20


def test_what_every_pass_changes_is_left_out():
    class Counting(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = legacy(nn.utils.weight_norm, nn.Conv2d(3, 4, 3))
            self.passes, self.last = 0, None

        def forward(self, x):
            self.passes += 1
            self.last = self.conv(x)
            return self.last.flatten(1)

    net = Counting()
    with learn_volatile_attributes(net):
        net(torch.rand(1, *SHAPE))
    first = structure_of(net)
    net(torch.rand(1, *SHAPE))
    assert structure_of(net) == first
    model = Model(net)
    graph = model.graph(SHAPE)
    model.forward(torch.rand(1, *SHAPE))
    assert model.graph(SHAPE) is graph
    legacy(nn.utils.remove_weight_norm, net.conv)
    assert structure_of(net) != first
    second = structure_of(net)
    net.conv.weight = nn.Parameter(torch.rand(4, 3, 3, 3))
    assert structure_of(net) != second


def test_what_the_first_pass_builds_is_part_of_the_structure():
    net = nn.Sequential(nn.Flatten(), nn.LazyLinear(3))
    with learn_volatile_attributes(net):
        net(torch.rand(1, *SHAPE))
    first = structure_of(net)
    net(torch.rand(1, *SHAPE))
    assert structure_of(net) == first
    net[1].weight = nn.Parameter(torch.rand(3, 768))
    assert structure_of(net) != first


def test_settings_in_containers_are_part_of_the_structure():
    net = network()
    marks = [structure_of(net)]
    for value in ([1, 2], [1, 3], {"a": (1,)}, {"a": (2,)}, types.SimpleNamespace(a=1)):
        net.settings = value
        marks.append(structure_of(net))
    net.settings.a = 2
    marks.append(structure_of(net))
    net.settings = torch.nn.functional.relu
    marks.append(structure_of(net))
    net.settings = torch.nn.functional.gelu
    marks.append(structure_of(net))
    assert len(set(marks)) == len(marks)


def test_another_output_makes_another_graph():
    class Two(nn.Module):
        def forward(self, x):
            return {"a": x.flatten(1), "b": 3 * x.flatten(1)}

    model = Model(Two(), output="a")
    first = model.graph((1, 4, 4))
    model.output = "b"
    assert model.graph((1, 4, 4)) is not first
