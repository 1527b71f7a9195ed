"""Weights from the cache of torch.hub, downloaded if missing."""

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


def cache_path(url: str) -> Path:
    """Return the path of the file of a URL in the cache of torch.hub."""
    import torch

    return Path(torch.hub.get_dir()) / "checkpoints" / Path(urlparse(url).path).name


def fetch(url: str, model: str) -> Path:
    """Return the cached file of a URL, downloading it if it is missing.

    Raises:
        ModelError: the download failed; the message has the expected path.
    """
    path = cache_path(url)
    if path.is_file():
        return path
    try:
        _download(url, path)
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise ModelError(
            f"the weights of {model} are not at {path}, and downloading {url} failed "
            f"({error}); put the file there, choose other weights ('{model}?weights=NAME'), or "
            f"random ones: '{model}?weights=none'"
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
