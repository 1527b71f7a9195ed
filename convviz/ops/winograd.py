"""3 x 3 convolutions with a quarter of the multiplications, on windows of partly changed maps.

Winograd's minimal filtering F(4x4, 3x3) (Winograd 1980; Lavin & Gray, CVPR 2016) computes 4 x 4
outputs with 36 products where a direct convolution needs 144. In one dimension, F(4, 3) works as
follows. Four outputs of a filter g of 3 taps over 6 inputs d are coefficients of a product of
polynomials of degree 5, which is determined by its values at 6 points. So

    y = Aᵀ [(G g) * (Bᵀ d)]

where G evaluates the filter at the points, Bᵀ transforms the inputs, `*` is elementwise (one
product per point), and Aᵀ interpolates the outputs. In two dimensions the transforms are applied
to rows and columns: Y = Aᵀ [(G g Gᵀ) * (Bᵀ d B)] A. The elementwise products are summed over the
channels, which makes 36 matrix products `[tiles, C] x [C, K]`.

The points are 0, ±1/√2, ±√2 and infinity. With them float32 rounds about as in a direct
convolution, which it does not with the usual 0, ±1, ±2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.library import custom_op

from .checks import check, dtype_name
from .gather_windows import empty_windows, gather_windows
from .kernels import paths

_POINTS = (2**-0.5, 2**0.5)
_TILE = 4
_TILE_COST, _INPUT_TRANSFORM_COST, _OUTPUT_TRANSFORM_COST, _DIRECT_PIXEL_COST = 36, 800, 500, 8
"""Costs in multiply-adds per channel and filter: the products of a tile; its input transform,
which is divided by the number of filters that share it; its output transform, divided by the
number of channels; and a pixel by a direct convolution (9, less a tenth in its favor). Measured
with AVX2."""


def _matrices(like: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return Bᵀ `[6, 6]`, G `[6, 3]` and Aᵀ `[4, 6]` for the points (Toom-Cook construction)."""
    inputs = [[1.0, 0, -2.5, 0, 1, 0]]
    weights = [[1.0, 0, 0]]
    outputs = [[1.0, 0, 0, 0]]
    # One row for each point: 0, then ±a and ±b, then infinity.
    for root, other in (_POINTS, _POINTS[::-1]):
        scale = 1 / (2 * root**2 * (root**2 - other**2))
        for point in (root, -root):
            inputs.append([0, -point * other**2, -(other**2), point, 1, 0])
            weights.append([scale, point * scale, point**2 * scale])
            outputs.append([1, point, point**2, point**3])
    inputs.append([0, 1, 0, -2.5, 0, 1])
    weights.append([0, 0, 1])
    outputs.append([0, 0, 0, 1])
    return like.new_tensor(inputs), like.new_tensor(weights), like.new_tensor(outputs).T


def prepare_weights(weight: Tensor) -> Tensor:
    """Return the weights of a 3 x 3 convolution, transformed for `conv3x3_windows`.

    Args:
        weight: `[K, C, 3, 3]`, float32 or float64; K a multiple of 16 (of 8 in float64).

    Returns:
        `[36, K / 16, C, 16]` (8 instead of 16 in float64), in weight's dtype: for each of the 36
        points, panels of 16 filters that are side by side in memory.
    """
    filters, channels = weight.shape[:2]
    panel = _panel(weight)
    _, transform, _ = _matrices(weight.new_empty(0, dtype=torch.float64))
    # G g Gᵀ as one product: the Kronecker product of G with itself maps 9 taps to 36 points.
    kronecker = torch.kron(transform, transform)  # [36, 9]
    prepared = weight.new_empty(36, filters // panel, channels, panel)
    # One panel at a time, in float64: the intermediate result stays in the caches.
    for index, filters_of_panel in enumerate(weight.reshape(-1, panel, channels, 9)):
        taps = filters_of_panel.permute(2, 1, 0).double().reshape(9, -1)
        prepared[:, index] = (kronecker @ taps).view(36, channels, panel)
    return prepared


def _panel(x: Tensor) -> int:
    """Return the number of filters in a panel of prepared weights: 64 bytes, one cache line."""
    return 64 // x.element_size()


@custom_op("convviz::conv3x3_windows", mutates_args=())
def conv3x3_windows(
    clean: Tensor,
    changed: list[Tensor],
    table: Tensor,
    height: int,
    width: int,
    weights: Tensor,
    bias: Tensor,
    relu: bool,
) -> Tensor:
    """Return windows of the output of a 3 x 3 convolution of stride 1 over partly changed maps.

    Args:
        clean: the map of the unchanged image, `[1, C, H, W]`, float32 or float64; C a multiple of
            8 (of 4 in float64).
        changed: changed windows, as in `gather_windows`.
        table: int64 `[P, 6]`, as in `gather_windows`. The window that is read is that of the
            *input*, which has one pixel more than the output's on every side.
        height, width: size of the output windows.
        weights: from `prepare_weights`.
        bias: `[K]`.
        relu: apply a ReLU to the output.

    Returns:
        `[P, K, height, width]`, channels_last. The input is 0 outside of the map.
    """
    _check(clean, weights, bias, height, width)
    window = gather_windows._init_fn(clean, changed, table, height + 2, width + 2, 0.0)
    inputs, _, outputs = _matrices(clean)
    down, across = -(-height // _TILE), -(-width // _TILE)
    space = (0, across * _TILE - width, 0, down * _TILE - height)
    padded = torch.nn.functional.pad(window, space)
    # Tiles of 6 x 6 inputs overlap by 2, and each gives 4 x 4 outputs. In the products, i and j are
    # the points, y and x the tiles.
    tiles = padded.unfold(2, 6, _TILE).unfold(3, 6, _TILE)  # [P, C, down, across, 6, 6]
    points = torch.einsum("ia,pcyxab,jb->ijpyxc", inputs, tiles, inputs)
    by_filter = weights.transpose(1, 2).reshape(6, 6, clean.shape[1], -1)
    products = torch.einsum("ijpyxc,ijck->ijpyxk", points, by_filter)
    out = torch.einsum("ai,ijpyxk,bj->pkyaxb", outputs, products, outputs)
    out = out.reshape(len(table), -1, down * _TILE, across * _TILE)[:, :, :height, :width]
    out = out + bias[:, None, None]
    return (out.relu() if relu else out).contiguous(memory_format=torch.channels_last)


@conv3x3_windows.register_fake
def _(
    clean: Tensor,
    changed: list[Tensor],
    table: Tensor,
    height: int,
    width: int,
    weights: Tensor,
    bias: Tensor,
    relu: bool,
) -> Tensor:
    return empty_windows(clean, table, bias.shape[0], height, width)


def _check(clean: Tensor, weights: Tensor, bias: Tensor, height: int, width: int) -> None:
    """Raise if an argument that `gather_windows` does not check is invalid, as the kernel does."""

    def require(condition: bool, message: str) -> None:
        check(condition, "conv3x3_windows", message)

    require(height > 0 and width > 0, f"the window must be 1 x 1 or more, got {height} x {width}")
    dtype, panel = dtype_name(clean), _panel(clean)
    require(
        clean.dtype in (torch.float32, torch.float64),
        f"clean must be float32 or float64, got {dtype}",
    )
    require(
        clean.dim() == 4 and clean.shape[0] == 1,
        f"clean must be [1, C, H, W], got {list(clean.shape)}",
    )
    channels = clean.shape[1]
    fits = weights.dim() == 4 and (weights.shape[0], *weights.shape[2:]) == (36, channels, panel)
    require(
        fits and weights.dtype == clean.dtype,
        f"weights must be {dtype} [36, K / {panel}, {channels}, {panel}], "
        f"got {dtype_name(weights)} {list(weights.shape)}",
    )
    require(
        channels % (panel // 2) == 0,
        f"clean's channels must be a multiple of {panel // 2}, got {channels}",
    )
    filters = weights.shape[1] * panel
    require(
        bias.dtype == clean.dtype and tuple(bias.shape) == (filters,),
        f"bias must be {dtype} [{filters}], got {dtype_name(bias)} {list(bias.shape)}",
    )


def convolve(
    maps: Tensor, weights: Tensor, bias: Tensor, relu: bool, padding: tuple[int, int]
) -> Tensor:
    """Return a 3 x 3 convolution of whole maps.

    Args:
        maps: `[N, C, H, W]`, preferably channels_last.
        weights: from `prepare_weights`.
        bias: `[K]`.
        relu: apply a ReLU to the output.
        padding: rows of zeros above and below, and columns at both sides.

    Returns:
        `[N, K, H + 2 padding[0] - 2, W + 2 padding[1] - 2]`, channels_last.
    """
    # Each map is a changed window at (0, 0) that covers the whole clean map.
    table = torch.zeros(len(maps), 6, dtype=torch.int64)
    table[:, 1] = torch.arange(len(maps))
    table[:, 4], table[:, 5] = -padding[0], -padding[1]
    size = out_size(maps, padding)
    result: Tensor = conv3x3_windows(maps[:1], [maps], table, *size, weights, bias, relu)
    return result


def out_size(maps: Tensor, padding: tuple[int, int]) -> tuple[int, int]:
    """Return height and width of the maps that `convolve` returns."""
    height, width = maps.shape[2:]
    return height + 2 * padding[0] - 2, width + 2 * padding[1] - 2


def is_fast(device: torch.device) -> bool:
    """Return whether the operator has a kernel on a device that beats a direct convolution."""
    if device.type != "cpu" or paths()["conv3x3_windows"]["cpu"] != "kernel":
        return False
    from .._C import conv3x3_instructions  # type: ignore[import-not-found]

    return bool(conv3x3_instructions())


def supports(weight: Tensor) -> bool:
    """Return whether the operator supports weights `[K, C, 3, 3]` of this shape and dtype."""
    filters, channels, *size = weight.shape
    if size != [3, 3] or weight.dtype not in (torch.float32, torch.float64):
        return False
    return filters % _panel(weight) == 0 and channels % (_panel(weight) // 2) == 0


def pays(filters: int, channels: int, height: int, width: int) -> bool:
    """Return whether output windows take less time than by a direct convolution."""
    tiles = -(-height // _TILE) * -(-width // _TILE)
    tile_cost = _TILE_COST + _INPUT_TRANSFORM_COST / filters + _OUTPUT_TRANSFORM_COST / channels
    return tiles * tile_cost < _DIRECT_PIXEL_COST * height * width


@dataclass(eq=False)
class Conv3x3:
    """A 3 x 3 convolution of stride 1.

    Attributes:
        weights: from `prepare_weights`.
        bias: `[K]`.
        relu: whether a ReLU follows.
        channels: C, of the input.
        pad_y, pad_x: rows of zeros above and below, and columns at both sides.
    """

    weights: Tensor
    bias: Tensor
    relu: bool
    channels: int
    pad_y: int
    pad_x: int

    def pays(self, height: int, width: int) -> bool:
        """Return whether output windows of this size are faster than by a direct convolution."""
        return pays(len(self.bias), self.channels, height, width)

    def pays_on(self, maps: Tensor) -> bool:
        """Return whether whole maps `[N, C, H, W]` are faster than by a direct convolution."""
        size = out_size(maps, (self.pad_y, self.pad_x))
        return maps.dtype == self.weights.dtype and self.pays(*size)

    def windows(
        self, clean: Tensor, changed: Sequence[Tensor], table: Tensor, height: int, width: int
    ) -> Tensor:
        """Return windows of the output; arguments as in `gather_windows`."""
        result: Tensor = conv3x3_windows(
            clean, list(changed), table, height, width, self.weights, self.bias, self.relu
        )
        return result

    def whole(self, maps: Tensor) -> Tensor:
        """Return whole maps of the output."""
        return convolve(maps, self.weights, self.bias, self.relu, (self.pad_y, self.pad_x))
