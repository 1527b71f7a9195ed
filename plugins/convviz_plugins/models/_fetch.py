"""Weights from the cache that torch.hub shares, or from the network."""

from __future__ import annotations

import hashlib
import http.client
import os
import re
import urllib.request
from pathlib import Path
from urllib.parse import urlparse

from convviz import ModelError
from convviz.authoring import track

_CHUNK = 1 << 20
_TIMEOUT = 30.0


def cached(url: str) -> Path:
    """Return where torch.hub keeps (or would keep) the file of a URL."""
    import torch

    return Path(torch.hub.get_dir()) / "checkpoints" / Path(urlparse(url).path).name


def fetch(url: str, model: str) -> Path:
    """Return the cached file of a URL, downloading it first where it is missing.

    Raises ModelError, naming the file expected, where that fails.
    """
    path = cached(url)
    if path.is_file():
        return path
    try:
        _download(url, path)
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise ModelError(
            f"the weights of {model} are not at {path}, and downloading {url} failed "
            f"({error}); put the file there, name others ('{model}?weights=NAME'), or take random "
            f"ones: '{model}?weights=none'"
        ) from error
    return path


def _download(url: str, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    digest = hashlib.sha256()
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT) as answer, part.open("wb") as file:
            total = -(-int(answer.headers.get("Content-Length") or 0) // _CHUNK) or None
            chunks = iter(lambda: answer.read(_CHUNK), b"")
            for chunk in track(chunks, f"Downloading {path.name}", total):
                digest.update(chunk)
                file.write(chunk)
        # The name ends with the first digits of the hash: resnet18-f37072fd.pth.
        expected = re.search(r"-([0-9a-f]{8,})\.", path.name)
        if expected and not digest.hexdigest().startswith(expected[1]):
            raise ValueError(f"its SHA-256 is {digest.hexdigest()}, not {expected[1]}…")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
