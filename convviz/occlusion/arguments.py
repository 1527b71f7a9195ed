"""Checks of the arguments of `occluded`."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from ..errors import ParameterError

Engine = Literal["auto", "dense"]
Precision = Literal["model", "bf16"]


def check_options(
    engine: Engine,
    memory: int | None,
    precision: Precision,
    approximate: float | None,
    batch_size: int | None,
) -> None:
    """Raise ParameterError unless the options of `occluded` have allowed values."""
    if engine not in ("auto", "dense"):
        raise ParameterError(f"engine={engine!r}: allowed are 'auto' and 'dense'")
    if batch_size is not None and batch_size < 1:
        raise ParameterError(f"batch_size must be at least 1, got {batch_size}")
    if memory is not None and memory < 1:
        raise ParameterError(f"memory must be at least 1 byte, got {memory}")
    if precision not in ("model", "bf16"):
        raise ParameterError(f"precision={precision!r}: allowed are 'model' and 'bf16'")
    if approximate is None:
        return
    if not 0 < approximate <= 1:
        raise ParameterError(f"approximate must be above 0 and at most 1, got {approximate}")
    if engine == "dense":
        raise ParameterError(
            f'approximate={approximate} requires engine="auto"; engine="dense" is always exact'
        )


def check_fill(fill: Tensor, images: Tensor) -> Tensor:
    """Return the fill on the images' device and in their dtype; raise unless it fits them."""
    kind = str(images.dtype).removeprefix("torch.")
    if images.ndim != 4 or not images.is_floating_point():
        raise ParameterError(
            f"images must be floating point [N, C, H, W]; got {kind} {list(images.shape)}"
        )
    try:
        fill.expand(images.shape)
    except RuntimeError as error:
        raise ParameterError(
            f"fill {list(fill.shape)} does not fit images {list(images.shape)}; a color is "
            "[C, 1, 1]"
        ) from error
    return fill.to(images)
