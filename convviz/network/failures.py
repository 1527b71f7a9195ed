"""Errors raised inside a network, summarised in one sentence: layer, images, remedy."""

from __future__ import annotations

import inspect
import re
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from ..errors import ConvvizError, ModelError, first_line
from ..gradients.memory_efficient import Untrusted
from ..images.preprocess import Preprocess
from ..state.device import is_out_of_memory
from .interface import TracedNetwork

_CHANNELS = re.compile(r"to have (\d+) channels, but got (\d+) channels")
_FEATURES = re.compile(r"cannot be multiplied \(\d+x(\d+) and (\d+)x\d+\)")
_STATISTICS = re.compile(r"running_mean should contain (\d+) elements not (\d+)")
_TOO_SMALL = re.compile(r"can't be greater than actual input size|[Oo]utput size is too small")
_DTYPE = re.compile(r"same dtype|expected scalar type|type .* should be the same|dtypes? .*match")
_SIZES = re.compile(r"size|shape|height|width", re.IGNORECASE)


@contextmanager
def explain_errors(model: TracedNetwork, images: Tensor) -> Iterator[None]:
    """Turn errors of the network in the block into a ModelError with the layer and the reason.

    Out-of-memory errors keep their type and get a note. Errors of convviz, warnings and
    interrupts are raised unchanged.

    Args:
        model: the model whose network runs.
        images: `[N, C, H, W]`, its input.
    """
    try:
        yield
    except (ConvvizError, Untrusted, Warning):
        raise
    except Exception as error:
        if is_out_of_memory(error):
            error.add_note(
                f"{model.name} ran on images {list(images.shape)} on {images.device}; use fewer "
                "images at once, smaller images, or a smaller batch_size"
            )
            raise
        raise _network_error(model, images, error) from error


def _network_error(model: TracedNetwork, images: Tensor, error: Exception) -> ModelError:
    path, part = _innermost(model.module, error)
    where = f" in layer {path!r} ({type(part).__name__})" if path else ""
    dtype = str(images.dtype).removeprefix("torch.")
    message = first_line(error, 260)
    reason = _reason(model, images, part, error, message)
    if not reason:
        hint = _hint(images, message)
        reason = message + (f"; {hint}" if hint else _line_of(error))
    return ModelError(f"{model.name} fails{where} on {dtype} images {list(images.shape)}: {reason}")


def _innermost(module: nn.Module, error: Exception) -> tuple[str, nn.Module]:
    """Return the part of a network, with its path, in which an exception was raised."""
    paths = {id(part): path for path, part in module.named_modules()}
    inner = module
    for frame, _ in traceback.walk_tb(error.__traceback__):
        part = frame.f_locals.get("self")
        if isinstance(part, nn.Module) and id(part) in paths:
            inner = part
    return paths[id(inner)], inner


def _line_of(error: Exception) -> str:
    """Return the file and line of the innermost `forward` that raised, in brackets."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.name == "forward"]
    return f" ({frames[-1].filename}, line {frames[-1].lineno})" if frames else ""


def _reason(
    model: TracedNetwork, images: Tensor, part: nn.Module, error: Exception, message: str
) -> str:
    """Return why a network fails and what the user can do; "" if that is not known."""
    if part is model.module and isinstance(error, TypeError) and _is_of_the_call(error):
        return _about_inputs(part)
    devices, dtypes = _kinds(model.module, "device"), _kinds(model.module, "dtype")
    if len(devices) > 1:
        return f"parts of it are on {' and '.join(devices)}: move it to one device with .to()"
    if _DTYPE.search(message) and len(dtypes) > 1:
        return f"parts of it are in {' and '.join(dtypes)}: convert it to one dtype with .to()"
    return _about_channels(model, images, message) or _about_features(images, message)


def _is_of_the_call(error: TypeError) -> bool:
    """Return whether `forward` rejected its arguments before it ran."""
    frames = traceback.extract_tb(error.__traceback__)
    return "argument" in str(error) and frames[-1].filename == inspect.getfile(nn.Module)


def _about_inputs(part: nn.Module) -> str:
    """Return the error text for a `forward` that does not take the images alone."""
    parameters = inspect.signature(part.forward).parameters.values()
    needed = [p.name for p in parameters if p.default is p.empty and p.kind not in (2, 4)]
    return (
        f"its forward takes ({', '.join(needed)}), and convviz passes only the images: wrap it in "
        "a module whose forward takes the images and adds the other arguments"
    )


def _about_channels(model: TracedNetwork, images: Tensor, message: str) -> str:
    if numbers := _CHANNELS.search(message):
        expected, actual = int(numbers[1]), int(numbers[2])
    elif numbers := _STATISTICS.search(message):
        expected, actual = int(numbers[2]), int(numbers[1])
    else:
        return ""
    if actual != images.shape[1]:
        return ""
    plural = "" if expected == 1 else "s"
    text = f"it takes images of {expected} channel{plural}, and these have {actual}"
    if isinstance(model.preprocess, Preprocess) and expected in (1, 3):
        return (
            f"{text}: set channels={expected}, and mean and std for them, in its Preprocess "
            f"(?channels={expected} in a source)"
        )
    shape = f"[N, {expected}, H, W]"
    if isinstance(model.preprocess, Preprocess):
        return f"{text}: a Preprocess supports 1 or 3; use a function, or tensors {shape}"
    return f"{text}: use tensors {shape}"


def _about_features(images: Tensor, message: str) -> str:
    size = "{} x {} pixels".format(*images.shape[2:])
    if numbers := _FEATURES.search(message):
        return (
            f"images of {size} give {numbers[1]} features, and it takes {numbers[2]}: it was made "
            "for images of another size; set `crop` of its Preprocess"
        )
    return f"images of {size} are too small for it" if _TOO_SMALL.search(message) else ""


def _hint(images: Tensor, message: str) -> str:
    if not _SIZES.search(message):
        return ""
    size = "{} x {} pixels".format(*images.shape[2:])
    return f"it may need another image size than {size}; set `crop` of its Preprocess"


def _kinds(module: nn.Module, attribute: str) -> list[str]:
    """Return the devices or dtypes of a network's floating-point tensors."""
    tensors: list[Any] = [*module.parameters(), *module.buffers()]
    kinds = {str(getattr(t, attribute)) for t in tensors if t.is_floating_point()}
    return sorted(kind.removeprefix("torch.") for kind in kinds)
