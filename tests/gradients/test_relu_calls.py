"""ReLUs in all their spellings under the rules, against a reference in explicit loops."""

from __future__ import annotations

import itertools
import math
import warnings

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.checkpoint import checkpoint

import convviz
from convviz import ConvvizWarning, Model, ModelError
from convviz.authoring import Target

TARGET = (Target(1, None, "class 1", 0.0),)
RULES = ("guided", "deconv")


class Net(nn.Module):
    """Two convolutions and a linear layer; `activation` follows each convolution."""

    def __init__(self, activation, channels=5):
        super().__init__()
        torch.manual_seed(3)
        self.one = nn.Conv2d(2, channels, 2)
        self.two = nn.Conv2d(channels, channels, 2)
        self.head = nn.Linear(channels, 3)
        self.activation = activation

    def forward(self, x):
        x = self.activation(self.one(x))
        x = self.activation(self.two(x))
        return self.head(x.mean((2, 3)))


def network(activation) -> Net:
    return Net(activation).double().eval()


def images(count=2) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(count, 2, 5, 4, dtype=torch.float64, generator=generator)


def convolve(maps, weight, bias):
    """Convolve nested lists by 2 x 2 kernels, without padding."""
    height, width = len(maps[0]) - 1, len(maps[0][0]) - 1
    taps = list(itertools.product(range(len(maps)), range(2), range(2)))
    return [
        [
            [
                bias[o] + sum(weight[o][c][i][j] * maps[c][y + i][x + j] for c, i, j in taps)
                for x in range(width)
            ]
            for y in range(height)
        ]
        for o in range(len(weight))
    ]


def convolve_back(signal, weight, channels):
    """Carry a signal back through `convolve`."""
    height, width = len(signal[0]) + 1, len(signal[0][0]) + 1
    back = [[[0.0] * width for _ in range(height)] for _ in range(channels)]
    spots = itertools.product(range(len(signal)), range(height - 1), range(width - 1))
    for (o, y, x), c, i, j in itertools.product(spots, range(channels), range(2), range(2)):
        back[c][y + i][x + j] += weight[o][c][i][j] * signal[o][y][x]
    return back


def each(function, *maps):
    """Apply a function to the numbers of nested lists."""
    if isinstance(maps[0], list):
        return [each(function, *parts) for parts in zip(*maps, strict=True)]
    return function(*maps)


def through(before, signal, rule):
    """R_l = 1[x > 0] · 1[R > 0] · R; the deconvnet leaves out the first factor."""
    is_open = before > 0 or rule == "deconv"
    return signal if is_open and signal > 0 else 0.0


def by_hand(net: Net, image: torch.Tensor, rule: str, index: int = 1) -> torch.Tensor:
    """Compute the rule's gradient for one image, in Python's own numbers."""
    state = {name: value.tolist() for name, value in net.state_dict().items()}
    first = convolve(image.tolist(), state["one.weight"], state["one.bias"])
    hidden = each(lambda v: max(v, 0.0), first)
    second = convolve(hidden, state["two.weight"], state["two.bias"])
    positions = len(second[0]) * len(second[0][0])
    shares = [w / positions for w in state["head.weight"][index]]
    signal = [
        each(lambda v, s=s: through(v, s, rule), m) for m, s in zip(second, shares, strict=True)
    ]
    signal = convolve_back(signal, state["two.weight"], len(first))
    signal = each(lambda v, r: through(v, r, rule), first, signal)
    return torch.tensor(convolve_back(signal, state["one.weight"], 2), dtype=torch.float64)


def assign(x):
    y = x * 1
    y[y < 0] = 0
    return y


def assign_tensor(x):
    y = x * 1
    y[y <= 0] = torch.zeros((), dtype=x.dtype)
    return y


def index_put(x):
    y = x * 1
    return y.index_put_((y < 0,), torch.zeros((), dtype=x.dtype))


def multiply_in_place(x):
    y = x * 1
    y *= y > 0
    return y


def fill_in_place(x):
    y = x * 1
    y.masked_fill_(y < 0, 0)
    return y


def zeros(x):
    return torch.zeros_like(x)


SPELLINGS = {
    "maximum": lambda x: torch.maximum(x, zeros(x)),
    "maximum, zeros first": lambda x: torch.maximum(zeros(x), x),
    "maximum, a scalar tensor": lambda x: torch.maximum(x, torch.tensor(0.0)),
    "maximum, zeros a channel": lambda x: x.maximum(torch.zeros(x.shape[1], 1, 1)),
    "maximum by keyword": lambda x: torch.maximum(input=x, other=zeros(x)),
    "max": lambda x: torch.max(x, zeros(x)),
    "Tensor.max": lambda x: x.max(x.new_zeros(())),
    "fmax": lambda x: torch.fmax(x, zeros(x)),
    "where >": lambda x: torch.where(x > 0, x, 0),
    "where >=": lambda x: torch.where(x >= 0, x, 0.0),
    "where, zeros": lambda x: torch.where(x > 0, x, zeros(x)),
    "where <": lambda x: torch.where(x < 0, 0, x),
    "where <=, zeros": lambda x: torch.where(x <= 0, zeros(x), x),
    "where 0 <": lambda x: torch.where(0 < x, x, 0),  # noqa: SIM300
    "where, gt": lambda x: torch.where(torch.gt(x, 0), x, 0),
    "where, zeros compared": lambda x: torch.where(zeros(x).lt(x), x, 0),
    "where, detached": lambda x: torch.where(x.detach() > 0, x, 0),
    "where, inverted": lambda x: torch.where(~(x > 0), 0, x),
    "where, signbit": lambda x: torch.where(torch.signbit(x), 0, x),
    "where, a mask stored": lambda x: torch.where((x > 0).clone(), x, 0),
    "Tensor.where": lambda x: x.where(x > 0, torch.tensor(0.0, dtype=x.dtype)),
    "x * mask": lambda x: x * (x > 0),
    "mask * x": lambda x: (x > 0) * x,
    "x * float mask": lambda x: x * (x > 0).float(),
    "x * mask.to": lambda x: x * (x > 0).to(x.dtype),
    "x * mask.type_as": lambda x: x.mul((x >= 0).type_as(x)),
    "x * (1 - mask)": lambda x: x * (1 - (x < 0).double()),
    "x * ~mask": lambda x: x * torch.logical_not(x < 0),
    "x * heaviside": lambda x: x * torch.heaviside(x.detach(), torch.zeros((), dtype=x.dtype)),
    "x * where(mask, 1, 0)": lambda x: x * torch.where(x > 0, 1.0, 0.0),
    "x *= mask": multiply_in_place,
    "masked_fill": lambda x: x.masked_fill(x < 0, 0),
    "masked_fill <=": lambda x: torch.masked_fill(x, x <= 0, 0.0),
    "masked_fill_": fill_in_place,
    "x[x < 0] = 0": assign,
    "x[x <= 0] = tensor": assign_tensor,
    "index_put_": index_put,
    "(x + |x|) / 2": lambda x: (x + x.abs()) / 2,
    "0.5 * (|x| + x)": lambda x: 0.5 * (torch.abs(x) + x),
    "x / 2 + |x| / 2": lambda x: x / 2 + abs(x) / 2,
    "(x - -|x|) / 2": lambda x: 0.5 * x.add(x.abs()),
    "-min(-x, 0)": lambda x: -torch.min(-x, zeros(x)),
    "-minimum(0, -x)": lambda x: -torch.minimum(zeros(x), -x),
    "-fmin": lambda x: -torch.fmin(-x, zeros(x)),
    "-clamp(max=0)": lambda x: -(-x).clamp(max=0),
    "-clamp_max": lambda x: -torch.clamp_max(-x, 0),
    "-where(x > 0, 0, x)": lambda x: -((lambda v: torch.where(v > 0, 0, v))(-x)),
    "-(x - |x|) / 2": lambda x: -((lambda v: (v - v.abs()) / 2)(-x)),
    "(|-x| - -x) / 2": lambda x: (lambda v: (v.abs() - v) / 2)(-x),
    "clamp(0)": lambda x: x.clamp(0),
    "clamp(min=0, max=None)": lambda x: torch.clamp(x, min=0, max=None),
    "clamp, zeros": lambda x: x.clamp(min=zeros(x)),
    "clamp, zeros a channel": lambda x: x.clamp(min=torch.zeros(x.shape[1], 1, 1)),
    "clamp to infinity": lambda x: x.clamp(0, math.inf),
    "clip": lambda x: torch.clip(x, 0),
    "threshold": lambda x: F.threshold(x, 0, 0),
    "relu_": lambda x: torch.relu_(x * 1),
    "hardtanh": lambda x: F.hardtanh(x, 0, math.inf),
    "hardtanh by keyword": lambda x: F.hardtanh(x, min_val=0.0, max_val=math.inf),
    "nn.Hardtanh": nn.Hardtanh(0, math.inf),
    "leaky_relu": lambda x: F.leaky_relu(x, 0),
    "leaky_relu_": lambda x: F.leaky_relu_(x * 1, negative_slope=0.0),
    "prelu": lambda x: F.prelu(x, torch.zeros(1, dtype=x.dtype)),
    "prelu a channel": lambda x: F.prelu(x, torch.zeros(x.shape[1], dtype=x.dtype)),
    "rrelu": lambda x: F.rrelu(x, 0, 0),
    "elu": lambda x: F.elu(x, 0),
    "aten": lambda x: torch.ops.aten.relu(x),
    "aten, overload": lambda x: torch.ops.aten.relu.default(x),
    "aten.where": lambda x: torch.ops.aten.where.self(x > 0, x, zeros(x)),
    "functional_call": lambda x: torch.func.functional_call(nn.ReLU(), {}, (x,)),
}


@pytest.mark.parametrize("efficient", [True, False], ids=["efficient", "ordinary"])
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_spelling_follows_the_rule(spelling, rule, efficient):
    net = network(SPELLINGS[spelling])
    model, arguments = Model(net), images()
    model.cache.memory_efficient = efficient
    gradient = model.gradient(arguments, TARGET * 2, rule)
    for got, image in zip(gradient, arguments, strict=True):
        torch.testing.assert_close(got, by_hand(net, image, rule), atol=1e-13, rtol=0)
    relu = Model(network(nn.ReLU())).gradient(arguments, TARGET * 2, rule)
    torch.testing.assert_close(gradient, relu, atol=1e-13, rtol=0)
    plain = model.gradient(arguments, TARGET * 2)
    assert (gradient - plain).abs().max() > 1e-3


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_the_scores_are_those_of_the_network(spelling):
    """A rule changes gradients and no value, for odd values neither."""
    odd = torch.tensor([-math.inf, -1.0, -0.0, 0.0, 2.0, math.inf, math.nan, 3.0])
    seen = []

    class Bare(nn.Module):
        def forward(self, x):
            seen.append(SPELLINGS[spelling](x * 1).detach().clone())
            return x.sum((2, 3)) + 0 * F.relu(x).sum((2, 3))

    arguments = odd.double().view(1, 1, 2, 4).expand(1, 5, 2, 4)
    Model(Bare()).forward(arguments)
    Model(Bare()).gradient(arguments, TARGET, "guided")
    for other in seen[1:]:
        torch.testing.assert_close(other, seen[0], equal_nan=True, rtol=0, atol=0)


class Gate(nn.Module):
    """Multiplies an activation by three factors, so that R is -1, 1 and NaN."""

    def __init__(self, activation):
        super().__init__()
        self.activation = activation

    def forward(self, x):
        y = self.activation(x * 1)
        return (y * torch.tensor([-1.0, 1.0, math.nan], dtype=x.dtype)).sum((2, 3))


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_the_gate_at_zero_is_closed(spelling):
    arguments = torch.zeros(1, 5, 1, 3, dtype=torch.float64)
    gradient = Model(Gate(SPELLINGS[spelling])).gradient(arguments, TARGET, "guided")
    assert gradient.tolist() == torch.zeros_like(arguments).tolist()


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_nan_passes_the_gate_where_it_passes_the_operator(spelling):
    arguments = torch.full((1, 5, 1, 3), math.nan, dtype=torch.float64)
    activation = SPELLINGS[spelling]
    passes = bool(activation(arguments * 1).isnan().all())
    gradient = Model(Gate(activation)).gradient(arguments, TARGET, "guided")[0, 1, 0]
    assert gradient[:2].tolist() == [0, 1 if passes else 0]
    assert bool(gradient[2].isnan()) == passes


@pytest.mark.parametrize("spelling", ["where >", "x * mask", "maximum", "(x + |x|) / 2"])
def test_all_positive_maps_are_rectified_too(spelling):
    """Where every gate is open, the rule still drops negative gradients."""
    net = network(SPELLINGS[spelling])
    for name in ("one", "two"):
        getattr(net, name).bias.data += 50
    arguments = images()
    gradient = Model(net).gradient(arguments, TARGET * 2, "guided")
    for got, image in zip(gradient, arguments, strict=True):
        torch.testing.assert_close(got, by_hand(net, image, "guided"), atol=1e-12, rtol=0)


@pytest.mark.parametrize("spelling", ["where >", "maximum", "x * mask", "masked_fill"])
def test_the_skip_path_keeps_its_own_gradient(spelling):
    def of(activation):
        return Model(network(lambda x: activation(x) - 2 * x)).gradient(
            images(), TARGET * 2, "guided"
        )

    torch.testing.assert_close(of(SPELLINGS[spelling]), of(F.relu), atol=1e-12, rtol=0)


def test_a_square_of_a_relu_is_a_relu_and_a_square():
    def of(activation):
        return Model(network(activation)).gradient(images(), TARGET * 2, "guided")

    expected = of(lambda x: F.relu(x) ** 2)
    torch.testing.assert_close(of(lambda x: torch.where(x > 0, x, 0) ** 2), expected)


def test_a_mask_of_an_older_value_is_not_that_of_the_tensor():
    def stale(x):
        y = x * 1
        mask = y > 0
        y.add_(1)
        return F.relu(torch.where(mask, y, 0) + x)

    with pytest.warns(ConvvizWarning, match="where"):
        Model(network(stale)).gradient(images(), TARGET * 2, "guided")


UNRECOGNISED = {
    "x - min(x, 0)": lambda x: x - torch.minimum(x, zeros(x)),
    "x + relu(-x)": lambda x: x + F.relu(-x),
    "(x + sqrt(x²)) / 2": lambda x: (x + x.square().sqrt()) / 2,
    "amax of a stack": lambda x: torch.stack([x, zeros(x)]).amax(0),
    "max of a stack": lambda x: torch.stack([x, zeros(x)], 2).max(2).values,
    "where, flattened": lambda x: torch.where(x.flatten() > 0, x.flatten(), 0).view_as(x),
    "x * (sign + 1) / 2": lambda x: x * ((x.sign() + 1) / 2).detach(),
}


@pytest.mark.parametrize("efficient", [True, False], ids=["efficient", "ordinary"])
@pytest.mark.parametrize("spelling", UNRECOGNISED)
def test_what_works_as_a_relu_is_refused(spelling, efficient):
    model = Model(network(UNRECOGNISED[spelling]))
    model.cache.memory_efficient = efficient
    assert model.gradient(images(), TARGET * 2).abs().max() > 0
    with pytest.raises(ModelError, match=r"guided rule: .* acts as a ReLU"):
        model.gradient(images(), TARGET * 2, "guided")


DOUBTFUL = {
    "where leaky": lambda x: torch.where(x > 0, x, 0.1 * x),
    "where elu": lambda x: torch.where(x > 0, x, x.exp() - 1),
    "x * (x > 0.1)": lambda x: x * (x > 0.1),
    "a mask of two": lambda x: x * ((x > 0) & (x.roll(1, 1) > 0)),
    "another's mask": lambda x: (x * x) * (x > 0),
    "assigned": lambda x: assign_leaky(x),
}


def assign_leaky(x):
    y = x * 1
    y[y < 0] = y[y < 0] * 0.1
    return y


@pytest.mark.parametrize("efficient", [True, False], ids=["efficient", "ordinary"])
@pytest.mark.parametrize("activation", DOUBTFUL.values(), ids=list(DOUBTFUL))
def test_what_may_be_a_rectifier_is_noted(activation, efficient):
    model = Model(network(lambda x: F.relu(activation(x))))
    model.cache.memory_efficient = efficient
    with pytest.warns(ConvvizWarning, match=r"guided rule was not applied to \w+"):
        model.gradient(images(), TARGET * 2, "guided")
    notes: list[str] = []
    model.gradient(images(), TARGET * 2, "guided", notes=notes)
    assert len(notes) == 1
    got = convviz.explain(model, images(), "guided_backprop", target=1)
    assert notes[0] in got.result.notes


HARMLESS = {
    "maxout": lambda x: torch.maximum(x, x.roll(1, 1)),
    "fmax of maps": lambda x: torch.fmax(x, x.flip(1)),
    "maximum with a floor": lambda x: torch.maximum(x, torch.full_like(x, -3)),
    "clamp for safety": lambda x: x.clamp(min=1e-6),
    "clamp both ways": lambda x: x.clamp(-1, 1),
    "masked_fill of padding": lambda x: x.masked_fill(padding(x), 0),
    "where of padding": lambda x: torch.where(padding(x), 0, x),
    "product with padding": lambda x: x * padding(x),
    "attention": lambda x: x.masked_fill(padding(x), -math.inf).softmax(-1),
    "safe division": lambda x: x / torch.where(x.abs() > 1e-3, x.detach().abs(), 1.0),
    "residual": lambda x: x + 0.5 * x,
    "absolute": lambda x: x.abs(),
    "excitation": lambda x: x * x.mean((2, 3), keepdim=True).sigmoid(),
    "max over space": lambda x: x - x.amax((2, 3), keepdim=True),
    "normalised": lambda x: F.normalize(x),
    "lp_pool": lambda x: F.lp_pool2d(x, 2, 1),
    "swish by hand": lambda x: x * x.sigmoid(),
}


def padding(x):
    mask = torch.zeros(x.shape, dtype=torch.bool)
    mask[..., 0] = True
    return mask


@pytest.mark.parametrize("activation", HARMLESS.values(), ids=list(HARMLESS))
def test_what_is_no_rectifier_raises_no_alarm(activation):
    """Operators of these kinds beside a ReLU keep their own gradient, without a word."""

    def beside(x):
        return activation(F.relu(x) - 0.2)

    class Reference(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * (x > 0)

        @staticmethod
        def backward(ctx, above):
            (x,) = ctx.saved_tensors
            return above * (above > 0) * (x > 0)

    class Same(Net):
        def forward(self, x):
            for layer in (self.one, self.two):
                x = activation(Reference.apply(layer(x)) - 0.2)
            return self.head(x.mean((2, 3)))

    arguments = images()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gradient = Model(network(beside)).gradient(arguments, TARGET * 2, "guided")
    x = arguments.clone().requires_grad_()
    (expected,) = torch.autograd.grad(Same(None).double()(x)[:, 1].sum(), x)
    torch.testing.assert_close(gradient, expected, atol=1e-12, rtol=1e-12)


class Inside(torch.autograd.Function):
    """Rectifies what it computed itself; the gradient is its own."""

    spelling = staticmethod(F.relu)

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return Inside.spelling(x * 1)

    @staticmethod
    def backward(ctx, above):
        return above * (ctx.saved_tensors[0] > 0)


class Newer(torch.autograd.Function):
    @staticmethod
    def forward(x):
        return F.relu(2 * x)

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(inputs[0])

    @staticmethod
    def backward(ctx, above):
        return 2 * above * (ctx.saved_tensors[0] > 0)


@torch.library.custom_op("convviz_tests::rectified", mutates_args=())
def custom_operator(x: torch.Tensor) -> torch.Tensor:
    return x.clamp(min=0)


custom_operator.register_autograd(
    lambda ctx, above: above * ctx.gate,
    setup_context=lambda ctx, inputs, output: setattr(ctx, "gate", output > 0),
)

HIDDEN = {
    "autograd function": lambda x: Inside.apply(x),
    "its newer form": lambda x: Newer.apply(x),
    "custom operator": lambda x: custom_operator(x),
    "vmap": lambda x: torch.vmap(F.relu)(x),
    "vmap, maximum": lambda x: torch.vmap(lambda v: torch.maximum(v, zeros(v)))(x),
    "functionalize": lambda x: torch.func.functionalize(torch.relu)(x),
    "checkpoint, reentrant": lambda x: checkpoint(lambda v: F.relu(v * 1), x, use_reentrant=True),
}

CHECKPOINTED = {
    "relu": lambda x: checkpoint(lambda v: F.relu(v * 1), x, use_reentrant=False),
    "masked": lambda x: checkpoint(lambda v: v.masked_fill(v < 0, 0), x, use_reentrant=False),
}


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("activation", CHECKPOINTED.values(), ids=list(CHECKPOINTED))
def test_the_rule_reaches_into_checkpoints(activation, rule):
    got, want = (
        Model(network(f)).gradient(images(), TARGET * 2, rule) for f in (activation, F.relu)
    )
    torch.testing.assert_close(got, want, rtol=0, atol=1e-12)
    assert want.any()


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("activation", HIDDEN.values(), ids=list(HIDDEN))
def test_what_the_rule_cannot_reach_is_refused(activation, rule):
    with pytest.raises(ModelError, match=rf"{rule} rule|checkpoint"):
        Model(network(activation)).gradient(images(), TARGET * 2, rule)


@pytest.mark.parametrize("spelling", ["where >", "x * mask", "maximum", "(x + |x|) / 2"])
def test_a_written_relu_inside_an_autograd_function_is_refused(spelling, monkeypatch):
    monkeypatch.setattr(Inside, "spelling", staticmethod(SPELLINGS[spelling]))
    with pytest.raises(ModelError, match="inside the autograd function InsideBackward"):
        Model(network(Inside.apply)).gradient(images(), TARGET * 2, "guided")


def test_a_relu_without_gradient_beside_a_custom_function_is_no_error():
    class Doubled(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return 2 * x

        @staticmethod
        def backward(ctx, above):
            return 2 * above

    def activation(x):
        with torch.no_grad():
            F.relu(x)
        return F.relu(Doubled.apply(x))

    same = Model(network(lambda x: F.relu(2 * x))).gradient(images(), TARGET * 2, "guided")
    got = Model(network(activation)).gradient(images(), TARGET * 2, "guided")
    torch.testing.assert_close(got, same, atol=1e-12, rtol=0)


class Scripted(nn.Module):
    def forward(self, x):
        return torch.where(x > 0, x, torch.zeros_like(x))


TRACED = {
    "relu": F.relu,
    "where": lambda x: torch.where(x > 0, x, zeros(x)),
    "maximum": lambda x: torch.maximum(x, zeros(x)),
    "(x + |x|) / 2": lambda x: (x + x.abs()) / 2,
    "masked_fill": lambda x: x.masked_fill(x < 0, 0),
    "x * mask": lambda x: x * (x > 0).to(x.dtype),
    "clamp": lambda x: x.clamp(min=0),
    "minimum": lambda x: -torch.minimum(-x, zeros(x)),
}

NOTED = ("where", "masked_fill", "x * mask")


@pytest.mark.filterwarnings("ignore:.*torch.jit")
@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
@pytest.mark.parametrize("calls", [0, 3])
@pytest.mark.parametrize("spelling", TRACED)
def test_a_traced_part_is_refused_or_noted(spelling, calls):
    part = torch.jit.trace(TRACED[spelling], torch.randn(2, 5, 4, 3, dtype=torch.float64))
    net = network(lambda x: F.relu(part(x) - 0.1))
    for _ in range(calls):  # from the third call on, other code runs
        net(images().requires_grad_())[0, 1].backward()
    notes: list[str] = []
    if spelling in NOTED:
        Model(net).gradient(images(), TARGET * 2, "guided", notes=notes)
        assert len(notes) == 1
    else:
        with pytest.raises(ModelError, match="not reached"):
            Model(net).gradient(images(), TARGET * 2, "guided", notes=notes)


@pytest.mark.filterwarnings("ignore:.*torch.jit")
def test_a_scripted_part_is_refused():
    net = network(torch.jit.script(Scripted()))
    with pytest.raises(ModelError, match="not reached"):
        Model(net).gradient(images(), TARGET * 2, "guided")


def test_an_activation_that_leads_nowhere_does_not_count():
    def aside(x):
        F.relu(x)
        return x.tanh()

    with pytest.raises(ModelError, match="no activation function was found"):
        Model(network(aside)).gradient(images(), TARGET * 2, "guided")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_other_dtypes(dtype):
    spelling = lambda x: torch.where(x > 0, x, torch.zeros_like(x))  # noqa: E731
    got = Model(network(spelling).to(dtype)).gradient(images(), TARGET * 2, "guided")
    relu = Model(network(nn.ReLU()).to(dtype)).gradient(images(), TARGET * 2, "guided")
    assert got.dtype == dtype
    assert torch.equal(got, relu)
