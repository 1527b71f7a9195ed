"""ReLU that keeps one bit per element for its backward pass, with three gradient rules."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.library import custom_op

from .checks import check, check_floating, dtype_name, is_channels_last, to_layout

RULES = ("plain", "guided", "deconv")

_BITS = torch.tensor([1, 2, 4, 8, 16, 32, 64, 128], dtype=torch.uint8)


def _flat_in_memory_order(x: Tensor, channels_last: bool) -> Tensor:
    """Return the elements of x, flat, in the order that they have in memory in a layout."""
    return (x.permute(0, 2, 3, 1) if channels_last else x).reshape(-1)


def _check_rule(operator: str, rule: str) -> None:
    check(rule in RULES, operator, f"rule must be one of {', '.join(RULES)}, got {rule!r}")


@custom_op("convviz::guided_relu", mutates_args=())
def guided_relu(x: Tensor, rule: str = "guided") -> tuple[Tensor, Tensor]:
    """Return relu(x) and, for the backward pass, one bit per element instead of the activation.

    Args:
        x: any shape, floating point.
        rule: gradient of the backward pass: "plain", "guided" (Springenberg et al. 2014) or
            "deconv" (Zeiler & Fergus 2013).

    Returns:
        y, like x: channels_last if x is densely so, else contiguous; and bits, uint8
        `[ceil(numel / 8)]`: whether x is above 0, in y's order of memory, lowest bit first.
        The bit of 0 is off. That of NaN is on, so that NaN passes as in torch's own ReLU.
    """
    _check_rule("guided_relu", rule)
    check_floating("guided_relu", "x", x)
    channels_last = is_channels_last(x)
    x = to_layout(x, channels_last)
    gate = _flat_in_memory_order(~(x <= 0), channels_last).to(torch.uint8)
    padded = torch.nn.functional.pad(gate, (0, -gate.numel() % 8)).view(-1, 8)
    bits = (padded * _BITS.to(x.device)).sum(1, dtype=torch.uint8)
    return torch.where(x <= 0, 0, x), bits


@guided_relu.register_fake
def _(x: Tensor, rule: str = "guided") -> tuple[Tensor, Tensor]:
    y = torch.empty_like(to_layout(x, is_channels_last(x)))
    return y, x.new_empty((x.numel() + 7) // 8, dtype=torch.uint8)


@custom_op("convviz::guided_relu_", mutates_args=("x",))
def guided_relu_(x: Tensor, rule: str = "guided") -> Tensor:
    """Apply ReLU in place, and return the bits of `guided_relu`. The operator has no autograd.

    Args:
        x: any shape, floating point; no two elements may share memory.
        rule: as in `guided_relu`; only its name is checked.

    Returns:
        bits, in the order of `guided_relu`'s y.
    """
    _check_rule("guided_relu_", rule)
    check_floating("guided_relu_", "x", x)
    y, bits = guided_relu._init_fn(x, rule)
    x.copy_(y)
    return bits  # type: ignore[no-any-return]


@guided_relu_.register_fake
def _(x: Tensor, rule: str = "guided") -> Tensor:
    return x.new_empty((x.numel() + 7) // 8, dtype=torch.uint8)


@custom_op("convviz::guided_relu_backward", mutates_args=())
def guided_relu_backward(grad: Tensor, bits: Tensor, rule: str, channels_last: bool) -> Tensor:
    """Return the gradient of a ReLU's input by one of three rules.

    "plain" passes the gradient where the unit was on, "guided" where the unit was on and the
    gradient is positive, "deconv" where the gradient is positive.

    Args:
        grad: gradient with respect to y.
        bits: of `guided_relu`.
        rule: "plain", "guided" or "deconv".
        channels_last: whether y, and therefore the order of bits, is channels_last.

    Returns:
        The gradient with respect to x, in y's layout.
    """
    _check_rule("guided_relu_backward", rule)
    check_floating("guided_relu_backward", "grad", grad)
    size = (grad.numel() + 7) // 8
    check(
        bits.dtype == torch.uint8 and bits.numel() == size,
        "guided_relu_backward",
        f"bits must be uint8 [{size}] for a gradient of {grad.numel()} elements, "
        f"got {dtype_name(bits)} {list(bits.shape)}",
    )
    check(
        not channels_last or grad.dim() == 4,
        "guided_relu_backward",
        f"channels_last needs a gradient [N, C, H, W], got {list(grad.shape)}",
    )
    out = to_layout(grad, channels_last).clone()
    if rule != "plain":
        out = torch.where(out <= 0, 0, out)
    if rule == "deconv":
        return out
    gate = (bits.unsqueeze(1) & _BITS.to(bits.device) != 0).view(-1)[: grad.numel()]
    if channels_last:
        n, c, h, w = grad.shape
        gate = gate.view(n, h, w, c).permute(0, 3, 1, 2)
    return torch.where(gate.reshape(grad.shape), out, 0)


@guided_relu_backward.register_fake
def _(grad: Tensor, bits: Tensor, rule: str, channels_last: bool) -> Tensor:
    return torch.empty_like(to_layout(grad, channels_last))


def _setup(ctx: Any, inputs: tuple[Tensor, str], output: tuple[Tensor, Tensor]) -> None:
    y, bits = output
    ctx.save_for_backward(bits)
    ctx.mark_non_differentiable(bits)
    ctx.rule = inputs[1]
    ctx.channels_last = is_channels_last(y)


def _backward(ctx: Any, grad: Tensor, _bits: Tensor | None) -> tuple[Tensor, None]:
    (bits,) = ctx.saved_tensors
    return guided_relu_backward(grad, bits, ctx.rule, ctx.channels_last), None


guided_relu.register_autograd(_backward, setup_context=_setup)
