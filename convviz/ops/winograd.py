"""3 x 3 convolutions with a quarter of the multiplications, on windows of partly changed maps.

Winograd's minimal filtering F(4x4, 3x3) (Winograd 1980; Lavin & Gray, CVPR 2016) makes 4 x 4
outputs of 36 products where a direct convolution needs 144. The points it interpolates at are
0, ±1/√2, ±√2 and infinity, with which float32 rounds about as in a direct convolution.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.library import custom_op

from . import operators

_POINTS = (2**-0.5, 2**0.5)
_TILE = 4
_FIXED, _PER_FILTER, _PER_CHANNEL, _DIRECT = 36, 800, 500, 8
"""Cost of a tile, in multiply-adds per channel and filter, against a pixel done directly: the
products, then the input's and the output's transform, which every filter and channel share.
Measured with AVX2; the direct convolution is given a tenth off."""


def _matrices(like: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return Bᵀ `[6, 6]`, G `[6, 3]` and Aᵀ `[4, 6]` of Cook and Toom for the points."""
    inputs = [[1.0, 0, -2.5, 0, 1, 0]]
    weights = [[1.0, 0, 0]]
    outputs = [[1.0, 0, 0, 0]]
    for own, other in (_POINTS, _POINTS[::-1]):
        scale = 1 / (2 * own**2 * (own**2 - other**2))
        for point in (own, -own):
            inputs.append([0, -point * other**2, -(other**2), point, 1, 0])
            weights.append([scale, point * scale, point**2 * scale])
            outputs.append([1, point, point**2, point**3])
    inputs.append([0, 1, 0, -2.5, 0, 1])
    weights.append([0, 0, 1])
    outputs.append([0, 0, 0, 1])
    return like.new_tensor(inputs), like.new_tensor(weights), like.new_tensor(outputs).T


def prepare_weights(weight: Tensor) -> Tensor:
    """Transform the weights of a 3 x 3 convolution for `conv3x3_windows`.

    Args:
        weight: `[K, C, 3, 3]`, float32 or float64; K a multiple of 16 (of 8 in float64).

    Returns:
        `[36, K / 16, C, 16]` (8 for 16 in float64), in weight's dtype.
    """
    filters, channels = weight.shape[:2]
    panel = _panel(weight)
    _, transform, _ = _matrices(weight.new_empty(0, dtype=torch.float64))
    both_ways = torch.kron(transform, transform).T.contiguous()  # [9, 36]
    prepared = weight.new_empty(36, filters // panel, channels, panel)
    # A panel at a time, in float64: what lies between stays in the caches.
    for index, some in enumerate(weight.reshape(-1, panel * channels, 9)):
        points = (some.double() @ both_ways).view(panel, channels, 36)
        prepared[:, index] = points.permute(2, 1, 0)
    return prepared


def _panel(x: Tensor) -> int:
    """Return how many filters lie side by side in prepared weights."""
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
    """Give windows of the output of a 3 x 3 convolution of stride 1 over a partly changed map.

    Args:
        clean: the map of the unchanged image, `[1, C, H, W]`, float32 or float64; C a multiple of
            8 (of 4 in float64).
        changed: windows of it that have changed, each `[n, C, h, w]`.
        table: int64 `[P, 6]`, as of `gather_windows`; the wanted window is that of the *input*,
            one pixel more on every side than the output's.
        height, width: of the windows of the output.
        weights: of `prepare_weights`.
        bias: `[K]`.
        relu: rectify the output.

    Returns:
        `[P, K, height, width]`, channels_last. Outside the map the input is 0.
    """
    _check(clean, weights, bias, height, width)
    window = operators.gather_windows._init_fn(clean, changed, table, height + 2, width + 2, 0.0)
    inputs, _, outputs = _matrices(clean)
    down, across = -(-height // _TILE), -(-width // _TILE)
    space = (0, across * _TILE - width, 0, down * _TILE - height)
    padded = torch.nn.functional.pad(window, space)
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
    return operators.empty_windows(clean, table, bias.shape[0], height, width)


def _check(clean: Tensor, weights: Tensor, bias: Tensor, height: int, width: int) -> None:
    """Raise where what `gather_windows` does not check does not fit, as the kernel does."""

    def need(ok: bool, what: str) -> None:
        if not ok:
            raise RuntimeError(f"convviz::conv3x3_windows: {what}")

    need(height > 0 and width > 0, f"the window must be 1 x 1 or more, got {height} x {width}")
    dtype, panel = operators.word(clean), _panel(clean)
    need(
        clean.dtype in (torch.float32, torch.float64),
        f"clean must be float32 or float64, got {dtype}",
    )
    need(
        clean.dim() == 4 and clean.shape[0] == 1,
        f"clean must be [1, C, H, W], got {list(clean.shape)}",
    )
    channels = clean.shape[1]
    fits = weights.dim() == 4 and (weights.shape[0], *weights.shape[2:]) == (36, channels, panel)
    need(
        fits and weights.dtype == clean.dtype,
        f"weights must be {dtype} [36, K / {panel}, {channels}, {panel}], "
        f"got {operators.word(weights)} {list(weights.shape)}",
    )
    need(
        channels % (panel // 2) == 0,
        f"clean's channels must be a multiple of {panel // 2}, got {channels}",
    )
    filters = weights.shape[1] * panel
    need(
        bias.dtype == clean.dtype and tuple(bias.shape) == (filters,),
        f"bias must be {dtype} [{filters}], got {operators.word(bias)} {list(bias.shape)}",
    )


def convolve(
    maps: Tensor, weights: Tensor, bias: Tensor, relu: bool, padding: tuple[int, int]
) -> Tensor:
    """Convolve whole maps.

    Args:
        maps: `[N, C, H, W]`, best channels_last.
        weights: of `prepare_weights`.
        bias: `[K]`.
        relu: rectify the output.
        padding: pixels of zeros above and below, left and right.

    Returns:
        `[N, K, H + 2 padding[0] - 2, W + 2 padding[1] - 2]`, channels_last.
    """
    table = torch.zeros(len(maps), 6, dtype=torch.int64)
    table[:, 1] = torch.arange(len(maps))
    table[:, 4], table[:, 5] = -padding[0], -padding[1]
    size = out_size(maps, padding)
    found: Tensor = conv3x3_windows(maps[:1], [maps], table, *size, weights, bias, relu)
    return found


def out_size(maps: Tensor, padding: tuple[int, int]) -> tuple[int, int]:
    """Return height and width of the maps that `convolve` gives."""
    height, width = maps.shape[2:]
    return height + 2 * padding[0] - 2, width + 2 * padding[1] - 2


def is_fast(device: torch.device) -> bool:
    """Say whether the operator has a kernel on a device that beats a direct convolution."""
    if device.type != "cpu" or operators.paths()["conv3x3_windows"]["cpu"] != "kernel":
        return False
    from .._C import conv3x3_instructions  # type: ignore[import-not-found]

    return bool(conv3x3_instructions())


def takes(weight: Tensor) -> bool:
    """Say whether a convolution with weights `[K, C, 3, 3]` has sizes that the operator takes."""
    filters, channels, *size = weight.shape
    if size != [3, 3] or weight.dtype not in (torch.float32, torch.float64):
        return False
    return filters % _panel(weight) == 0 and channels % (_panel(weight) // 2) == 0


def pays(filters: int, channels: int, height: int, width: int) -> bool:
    """Say whether windows of an output are computed in less time than directly."""
    tiles = -(-height // _TILE) * -(-width // _TILE)
    tile = _FIXED + _PER_FILTER / filters + _PER_CHANNEL / channels
    return tiles * tile < _DIRECT * height * width
