"""Stand-ins for drawn pictures, for tests of the files around them."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from convviz.explanation import content
from convviz.render import PNG, FileType, Picture, Scene
from convviz.results.types import Result


@contextmanager
def checksums_instead_of_pictures(drawn: Collection[str] = ()) -> Iterator[None]:
    """Replace each saved picture by one whose pixels are a checksum of the data to draw.

    Results of the kinds `drawn` are drawn.

    Drawing takes most of the time of a small sweep. Two checksums are equal if and only if the
    data, texts and options are; that equal data give equal pictures is tested in tests/render.
    """
    draw = content.render

    def render(result: Result, scene: Scene, kind: FileType = PNG) -> list[Picture]:
        return (draw if result.kind in drawn else _checksum_picture)(result, scene, kind)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(content, "render", render)
        yield


def _checksum_picture(result: Result, scene: Scene, kind: FileType) -> list[Picture]:
    sha256 = hashlib.sha256()
    for part in _parts([result.kind, result, scene, kind]):
        sha256.update(part)
    pixels = np.frombuffer(sha256.digest(), np.uint8).reshape(4, 8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "png")
    return [Picture(result.kind, buffer.getvalue(), f"A checksum of the {result.kind}.")]


def _parts(value: Any) -> Iterator[bytes]:
    """Yield the bytes of a value and of what it consists of."""
    if isinstance(value, torch.Tensor | np.ndarray):
        tensor = torch.as_tensor(np.array(value) if isinstance(value, np.ndarray) else value)
        yield f"{tensor.dtype}{tuple(tensor.shape)}".encode()
        yield (
            tensor.cpu()
            .clone(memory_format=torch.contiguous_format)
            .reshape(-1)
            .view(torch.uint8)
            .numpy()
            .tobytes()
        )
    elif isinstance(value, bytes):
        yield value
    elif isinstance(value, Mapping):
        yield from _parts([part for key in sorted(value) for part in (key, value[key])])
    elif isinstance(value, list | tuple):
        yield f"{len(value)} of".encode()
        for part in value:
            yield from _parts(part)
    elif is_dataclass(value):
        yield from _parts([getattr(value, field.name) for field in fields(value)])
    else:
        yield repr(value).encode()
