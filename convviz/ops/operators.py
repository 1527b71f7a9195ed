"""The custom operators: schema, reference, fake and autograd of each.

The Python body of an operator is its reference and runs wherever no kernel does. Importing this
module loads the compiled kernels (`convviz._C` for the CPU, `convviz._cuda` for CUDA), which
override the reference on their device; `paths()` says what runs where and why.
"""

from __future__ import annotations

import importlib
from typing import Any

import torch
from torch import Tensor
from torch.library import custom_op

RULES = ("plain", "guided", "deconv")
_NAMES = (
    "guided_relu",
    "guided_relu_",
    "guided_relu_backward",
    "occlude",
    "gather_windows",
    "conv3x3_windows",
    "channel_peaks",
    "channel_means",
    "channel_moments",
)
_REDUCTIONS = "torch's own reductions are used there"
REFERENCE_ONLY = {
    ("conv3x3_windows", "cuda"): "cuDNN's own convolutions are used there",
    ("channel_peaks", "cuda"): _REDUCTIONS,
    ("channel_means", "cuda"): _REDUCTIONS,
    ("channel_moments", "cuda"): _REDUCTIONS,
}
"""(operator, device) -> why no kernel was written for it."""

_BITS = torch.tensor([1, 2, 4, 8, 16, 32, 64, 128], dtype=torch.uint8)


def is_channels_last(x: Tensor) -> bool:
    """Return whether a tensor is dense in memory as `[N, H, W, C]`, not as `[N, C, H, W]`."""
    return (
        x.dim() == 4
        and x.is_contiguous(memory_format=torch.channels_last)
        and not x.is_contiguous()
    )


def _laid_out(x: Tensor, channels_last: bool) -> Tensor:
    """Return x densely in the layout asked for, copied only where it is not."""
    return x.contiguous(
        memory_format=torch.channels_last if channels_last else torch.contiguous_format
    )


def _in_memory_order(x: Tensor, channels_last: bool) -> Tensor:
    """Return the elements of x, flat, in the order of memory of that layout."""
    return (x.permute(0, 2, 3, 1) if channels_last else x).reshape(-1)


def _check_rule(operator: str, rule: str) -> None:
    if rule not in RULES:
        raise RuntimeError(
            f"convviz::{operator}: rule must be one of {', '.join(RULES)}, got {rule!r}"
        )


def check_floating(operator: str, name: str, x: Tensor) -> None:
    """Raise where a tensor is not floating point."""
    if not x.is_floating_point():
        raise RuntimeError(
            f"convviz::{operator}: {name} must be float16, bfloat16, float32 or float64, "
            f"got {word(x)}"
        )


def word(x: Tensor) -> str:
    """Return a tensor's dtype as torch's users write it."""
    return str(x.dtype).removeprefix("torch.")


@custom_op("convviz::guided_relu", mutates_args=())
def guided_relu(x: Tensor, rule: str = "guided") -> tuple[Tensor, Tensor]:
    """Rectify, and keep one bit an element instead of the activation.

    Args:
        x: any shape, floating point.
        rule: what the backward pass does: "plain", "guided" (Springenberg et al. 2014) or
            "deconv" (Zeiler & Fergus 2013).

    Returns:
        y, like x: channels_last where x is densely so, else contiguous; and bits, uint8
        `[ceil(numel / 8)]`: whether x was above 0, in y's order of memory, lowest bit first.
        At 0 the gate is closed; NaN passes, as in torch's own ReLU.
    """
    _check_rule("guided_relu", rule)
    check_floating("guided_relu", "x", x)
    channels_last = is_channels_last(x)
    x = _laid_out(x, channels_last)
    gate = _in_memory_order(~(x <= 0), channels_last).to(torch.uint8)
    padded = torch.nn.functional.pad(gate, (0, -gate.numel() % 8)).view(-1, 8)
    bits = (padded * _BITS.to(x.device)).sum(1, dtype=torch.uint8)
    return torch.where(x <= 0, 0, x), bits


@guided_relu.register_fake
def _(x: Tensor, rule: str = "guided") -> tuple[Tensor, Tensor]:
    y = torch.empty_like(_laid_out(x, is_channels_last(x)))
    return y, x.new_empty((x.numel() + 7) // 8, dtype=torch.uint8)


@custom_op("convviz::guided_relu_", mutates_args=("x",))
def guided_relu_(x: Tensor, rule: str = "guided") -> Tensor:
    """Rectify in place; return the bits that `guided_relu` returns. It has no gradient of its own.

    Args:
        x: any shape, floating point; no two of its elements at one place in memory.
        rule: as of `guided_relu`; the name is checked, and that is all.

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
    """Carry a gradient back through a rectifier by one of three rules.

    "plain" passes it where the unit was on, "guided" where the unit was on and the gradient is
    positive, "deconv" where the gradient is positive.

    Args:
        grad: gradient with respect to y.
        bits: of `guided_relu`.
        rule: "plain", "guided" or "deconv".
        channels_last: whether y, and so the order of bits, is channels_last.

    Returns:
        The gradient with respect to x, in y's layout.
    """
    _check_rule("guided_relu_backward", rule)
    check_floating("guided_relu_backward", "grad", grad)
    if bits.dtype != torch.uint8 or bits.numel() != (grad.numel() + 7) // 8:
        raise RuntimeError(
            f"convviz::guided_relu_backward: bits must be uint8 [{(grad.numel() + 7) // 8}] for a "
            f"gradient of {grad.numel()} elements, got {word(bits)} {list(bits.shape)}"
        )
    if channels_last and grad.dim() != 4:
        raise RuntimeError(
            "convviz::guided_relu_backward: channels_last needs a gradient [N, C, H, W], "
            f"got {list(grad.shape)}"
        )
    out = _laid_out(grad, channels_last).clone()
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
    return torch.empty_like(_laid_out(grad, channels_last))


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


@custom_op("convviz::occlude", mutates_args=())
def occlude(
    image: Tensor,
    y: Tensor,
    x: Tensor,
    height: int,
    width: int,
    fill: Tensor,
    channels_last: bool = False,
) -> Tensor:
    """Write a batch of copies of one image, each with one window replaced.

    Args:
        image: `[C, H, W]`, floating point.
        y, x: int64 `[P]`, the window's top left corner in each copy; it may lie outside the
            image, and what of the window overhangs is cut off.
        height, width: of the window, in pixels.
        fill: the image's dtype. `[C, 1, 1]` one colour, `[C, H, W]` the values at the image's
            own pixels, `[P, C, 1, 1]` a colour a copy, or `[P, C, height, width]` the window's
            content in each copy.
        channels_last: the layout of the batch.

    Returns:
        `[P, C, H, W]`.
    """
    _check_occlude(image, y, x, height, width, fill)
    h, w = image.shape[1:]
    batch = image.expand(len(y), -1, -1, -1).clone(memory_format=torch.contiguous_format)
    for i, (top, left) in enumerate(zip(y.tolist(), x.tolist(), strict=True)):
        y0, y1 = max(top, 0), min(top + height, h)
        x0, x1 = max(left, 0), min(left + width, w)
        if y0 >= y1 or x0 >= x1:
            continue
        patch = fill if fill.dim() == 3 else fill[i]
        if fill.dim() == 3 and patch.shape[1:] == (h, w):
            patch = patch[:, y0:y1, x0:x1]
        elif fill.dim() == 4 and patch.shape[1:] != (1, 1):
            patch = patch[:, y0 - top : y1 - top, x0 - left : x1 - left]
        batch[i, :, y0:y1, x0:x1] = patch
    return _laid_out(batch, channels_last)


@occlude.register_fake
def _(
    image: Tensor,
    y: Tensor,
    x: Tensor,
    height: int,
    width: int,
    fill: Tensor,
    channels_last: bool = False,
) -> Tensor:
    layout = torch.channels_last if channels_last else torch.contiguous_format
    shape = (y.shape[0], *image.shape)
    return torch.empty(shape, dtype=image.dtype, device=image.device, memory_format=layout)


def _check_occlude(
    image: Tensor, y: Tensor, x: Tensor, height: int, width: int, fill: Tensor
) -> None:
    """Raise where an argument of `occlude` does not fit; the kernels make the same checks."""

    def need(ok: bool, what: str) -> None:
        if not ok:
            raise RuntimeError(f"convviz::occlude: {what}")

    check_floating("occlude", "image", image)
    need(image.dim() == 3, f"image must be [C, H, W], got {list(image.shape)}")
    for name, corner in (("y", y), ("x", x)):
        need(
            corner.dtype == torch.int64 and corner.dim() == 1 and len(corner) == len(y),
            f"{name} must be int64 [{len(y)}], got {word(corner)} {list(corner.shape)}",
        )
    need(height > 0 and width > 0, f"the window must be 1 x 1 or more, got {height} x {width}")
    c, h, w = image.shape
    need(fill.dtype == image.dtype, f"fill must be {word(image)} as the image, got {word(fill)}")
    allowed = ((c, 1, 1), (c, h, w), (len(y), c, 1, 1), (len(y), c, height, width))
    need(
        tuple(fill.shape) in allowed,
        f"fill must be {', '.join(str(list(s)) for s in allowed[:3])} or {list(allowed[3])}, "
        f"got {list(fill.shape)}",
    )


@custom_op("convviz::gather_windows", mutates_args=())
def gather_windows(
    clean: Tensor,
    changed: list[Tensor],
    table: Tensor,
    height: int,
    width: int,
    padding: float,
) -> Tensor:
    """Return, for each position, the window that the next operator reads of a changed map.

    Args:
        clean: the map of the unchanged image, `[1, C, H, W]`.
        changed: windows of it that have changed, each `[n, C, h, w]`.
        table: int64 `[P, 6]`, on the CPU, one row a position: which tensor of `changed` holds
            its changed part (-1: none), which window of that tensor, y and x of that window in
            the map, y and x of the wanted window, which may overhang the map.
        height, width: of the wanted windows.
        padding: the value outside the map.

    Returns:
        `[P, C, height, width]`, channels_last.
    """
    _check_gather(clean, changed, table, height, width)
    channels, h, w = clean.shape[1:]
    out = clean.new_full((len(table), channels, height, width), padding)
    for i, (source, index, source_y, source_x, y, x) in enumerate(table.tolist()):
        _lay(out[i], clean[0], y, x, 0, 0)
        if source >= 0:
            part = changed[source][index]
            inside = part[:, max(-source_y, 0) : h - source_y, max(-source_x, 0) : w - source_x]
            _lay(out[i], inside, y, x, max(source_y, 0), max(source_x, 0))
    return out.contiguous(memory_format=torch.channels_last)


@gather_windows.register_fake
def _(
    clean: Tensor,
    changed: list[Tensor],
    table: Tensor,
    height: int,
    width: int,
    padding: float,
) -> Tensor:
    return empty_windows(clean, table, clean.shape[1], height, width)


def empty_windows(clean: Tensor, table: Tensor, channels: int, height: int, width: int) -> Tensor:
    """Return room for one window a row of the table, `[P, channels, height, width]`."""
    shape = (table.shape[0], channels, height, width)
    return torch.empty(
        shape, dtype=clean.dtype, device=clean.device, memory_format=torch.channels_last
    )


def _lay(window: Tensor, part: Tensor, y: int, x: int, part_y: int, part_x: int) -> None:
    """Write the part of a map that lies in a window; both are given by their corner in the map."""
    y0, y1 = max(y, part_y), min(y + window.shape[1], part_y + part.shape[1])
    x0, x1 = max(x, part_x), min(x + window.shape[2], part_x + part.shape[2])
    if y0 < y1 and x0 < x1:
        window[:, y0 - y : y1 - y, x0 - x : x1 - x] = part[
            :, y0 - part_y : y1 - part_y, x0 - part_x : x1 - part_x
        ]


def _check_gather(
    clean: Tensor, changed: list[Tensor], table: Tensor, height: int, width: int
) -> None:
    """Raise where an argument of `gather_windows` does not fit, as the kernels do."""
    op = "convviz::gather_windows"
    check_floating("gather_windows", "clean", clean)
    if clean.dim() != 4 or clean.shape[0] != 1:
        raise RuntimeError(f"{op}: clean must be [1, C, H, W], got {list(clean.shape)}")
    if height < 1 or width < 1:
        raise RuntimeError(f"{op}: the window must be 1 x 1 or more, got {height} x {width}")
    if table.dtype != torch.int64 or table.dim() != 2 or table.shape[1] != 6:
        raise RuntimeError(
            f"{op}: table must be int64 [P, 6], got {word(table)} {list(table.shape)}"
        )
    for part in changed:
        if part.dim() != 4 or part.shape[1] != clean.shape[1] or part.dtype != clean.dtype:
            raise RuntimeError(
                f"{op}: changed must hold tensors [n, {clean.shape[1]}, h, w] of clean's dtype, "
                f"{word(clean)}, got {word(part)} {list(part.shape)}"
            )
    for i, (source, index, *_rest) in enumerate(table.tolist()):
        known = -1 <= source < len(changed)
        if not known or (source >= 0 and not 0 <= index < len(changed[source])):
            raise RuntimeError(
                f"{op}: row {i} of table names window {index} of source {source}, and there are "
                f"{len(changed)} sources"
            )


def _load_kernels() -> dict[str, str]:
    """Load the compiled kernels; return device -> why there are none ("" where there are)."""
    missing = {}
    for device, module in (("cpu", "convviz._C"), ("cuda", "convviz._cuda")):
        if device == "cuda" and not torch.cuda.is_available():
            missing[device] = "no CUDA device"
            continue
        try:
            importlib.import_module(module)
            missing[device] = ""
        except ImportError as error:
            missing[device] = f"not built ({error})"
    return missing


_missing = _load_kernels()


def paths() -> dict[str, dict[str, str]]:
    """Return the path of each operator on each device: operator -> device -> description."""
    return {
        name: {device: _path(name, device, why) for device, why in _missing.items()}
        for name in _NAMES
    }


def _path(name: str, device: str, missing: str) -> str:
    if not missing and (name, device) in REFERENCE_ONLY:
        missing = REFERENCE_ONLY[name, device]
    return f"Python reference: {missing}" if missing else "kernel"
