"""Operators under opcheck, fake tensors and torch.compile."""

from __future__ import annotations

import pytest
import torch
from ops.special_values import corners, noise
from torch import Tensor
from torch.library import opcheck

from convviz.ops.gather_windows import gather_windows
from convviz.ops.guided_relu import RULES, guided_relu, guided_relu_, guided_relu_backward
from convviz.ops.occlude import occlude

DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16]


def calls(device: str, dtype: torch.dtype) -> dict[str, tuple[object, tuple[object, ...]]]:
    """One call of every operator in every form."""
    x = noise(2, 3, 5, 7, dtype=dtype, device=device).nan_to_num(1.0, 2.0, -2.0)
    nhwc = x.contiguous(memory_format=torch.channels_last)
    bits, at = guided_relu(x)[1], corners(0, -2, 7, device=device)
    odd = x.transpose(2, 3)
    image, fills = x[0], {"colour": x[0, :, :1, :1], "image": x[1], "patches": x[:1, :, :3, :4]}
    table = torch.tensor([[0, 1, 1, 1, 0, 0], [-1, 0, 0, 0, -2, 3]])
    actual = {
        "relu": (guided_relu, (x, "plain")),
        "relu, channels_last": (guided_relu, (nhwc, "guided")),
        "relu, transposed": (guided_relu, (odd, "deconv")),
        "relu in place": (guided_relu_, (x.clone(), "guided")),
        "relu in place, channels_last": (guided_relu_, (nhwc.clone(), "plain")),
        "relu, empty": (guided_relu, (x[:0], "guided")),
        "backward": (guided_relu_backward, (x, bits, "deconv", False)),
        "backward, channels_last": (guided_relu_backward, (x, bits, "guided", True)),
        "gather": (gather_windows, (x[:1], [x, nhwc[:, :, 1:]], table, 3, 3, 0.0)),
        "gather, none": (gather_windows, (nhwc[:1], [], table[1:], 2, 9, -1.0)),
    }
    for kind, fill in fills.items():
        count = 1 if kind == "patches" else 3
        actual[f"occlude, {kind}"] = (
            occlude,
            (image, at[:count], at[:count], 3, 4, fill, kind == "image"),
        )
    return actual


FORMS = list(calls("cpu", torch.float32))


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")  # opcheck's own
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("form", FORMS)
def test_opcheck(device, dtype, form):
    operator, arguments = calls(device, dtype)[form]
    assert set(opcheck(operator, arguments).values()) == {"SUCCESS"}


@pytest.mark.parametrize("form", FORMS)
def test_fake_kernels_give_the_shape_and_strides_of_the_real_ones(device, form):
    operator, arguments = calls(device, torch.float64)[form]
    real = operator(*arguments)
    with torch._subclasses.FakeTensorMode(allow_non_fake_inputs=True) as mode:

        def fake(value):
            return mode.from_tensor(value) if isinstance(value, Tensor) else value

        inputs = [[fake(v) for v in a] if isinstance(a, list) else fake(a) for a in arguments]
        created = operator(*inputs)
    pairs = zip(real, created, strict=True) if isinstance(real, tuple) else [(real, created)]
    for a, b in pairs:
        assert (a.shape, a.dtype, a.device) == (b.shape, b.dtype, b.device)
        assert a.stride() == b.stride()


@pytest.mark.parametrize("form", FORMS)
def test_compiled_calls_break_no_graph_and_change_no_number(device, form):
    torch._dynamo.reset()
    operator, arguments = calls(device, torch.float32)[form]
    compiled = torch.compile(lambda *a: operator(*a), fullgraph=True, backend="aot_eager")
    got, want = compiled(*arguments), operator(*arguments)
    pairs = zip(got, want, strict=True) if isinstance(want, tuple) else [(got, want)]
    assert all(torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("rule", RULES)
def test_a_compiled_network_keeps_the_rule_in_its_gradient(device, rule):
    torch.manual_seed(0)
    weights = [torch.randn(4, n, 3, 3, device=device) for n in (3, 4)]

    def net(x: Tensor) -> Tensor:
        for weight in weights:
            x = guided_relu(torch.nn.functional.conv2d(x, weight), rule)[0]
        return x.sum()

    x = torch.randn(2, 3, 8, 8, device=device, requires_grad=True)
    (want,) = torch.autograd.grad(net(x), x)
    compiled = torch.compile(net, fullgraph=True, backend="aot_eager")
    (got,) = torch.autograd.grad(compiled(x), x)
    torch.testing.assert_close(got, want)
    assert int((want != 0).sum()) > 0
