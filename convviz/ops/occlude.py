"""Copies of an image with one window replaced in each."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.library import custom_op

from .checks import check, check_floating, dtype_name, to_layout


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
    """Return copies of one image, each with one window replaced.

    Args:
        image: `[C, H, W]`, floating point.
        y, x: int64 `[P]`, the window's top left corner in each copy. The window may overhang the
            image; only the part inside is replaced.
        height, width: of the window, in pixels.
        fill: in the image's dtype: `[C, 1, 1]` one color, `[C, H, W]` a value for each pixel of
            the image, `[P, C, 1, 1]` a color for each copy, or `[P, C, height, width]` the
            content of the window in each copy.
        channels_last: the layout of the batch.

    Returns:
        `[P, C, H, W]`.
    """
    _check_occlude(image, y, x, height, width, fill)
    h, w = image.shape[1:]
    batch = image.expand(len(y), -1, -1, -1).clone(memory_format=torch.contiguous_format)
    for i, (corner_y, corner_x) in enumerate(zip(y.tolist(), x.tolist(), strict=True)):
        y0, y1 = max(corner_y, 0), min(corner_y + height, h)
        x0, x1 = max(corner_x, 0), min(corner_x + width, w)
        if y0 >= y1 or x0 >= x1:
            continue
        patch = fill if fill.dim() == 3 else fill[i]
        if fill.dim() == 3 and patch.shape[1:] == (h, w):
            patch = patch[:, y0:y1, x0:x1]
        elif fill.dim() == 4 and patch.shape[1:] != (1, 1):
            patch = patch[:, y0 - corner_y : y1 - corner_y, x0 - corner_x : x1 - corner_x]
        batch[i, :, y0:y1, x0:x1] = patch
    return to_layout(batch, channels_last)


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
    """Raise if an argument of `occlude` is invalid; the kernels make the same checks."""

    def require(condition: bool, message: str) -> None:
        check(condition, "occlude", message)

    check_floating("occlude", "image", image)
    require(image.dim() == 3, f"image must be [C, H, W], got {list(image.shape)}")
    for name, corner in (("y", y), ("x", x)):
        require(
            corner.dtype == torch.int64 and corner.dim() == 1 and len(corner) == len(y),
            f"{name} must be int64 [{len(y)}], got {dtype_name(corner)} {list(corner.shape)}",
        )
    require(height > 0 and width > 0, f"the window must be 1 x 1 or more, got {height} x {width}")
    c, h, w = image.shape
    require(
        fill.dtype == image.dtype,
        f"fill must be {dtype_name(image)} as the image, got {dtype_name(fill)}",
    )
    allowed = ((c, 1, 1), (c, h, w), (len(y), c, 1, 1), (len(y), c, height, width))
    require(
        tuple(fill.shape) in allowed,
        f"fill must be {', '.join(str(list(s)) for s in allowed[:3])} or {list(allowed[3])}, "
        f"got {list(fill.shape)}",
    )
