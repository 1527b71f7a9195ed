"""Data of the pages in chunks, which are scripts: pages on disk cannot fetch files."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

from ..errors import ConvvizError

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*(/[a-z0-9][a-z0-9_-]*)*")
_ESCAPES = {ord(c): f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"}
"""Characters that could end a script or a line of it; JSON has them only inside strings."""


def write_chunk(folder: Path, name: str, value: Any) -> None:
    """Write `data/<name>.js`, which passes a value to `convvizChunk` in the browser.

    Args:
        folder: the folder of the report.
        name: parts of lower-case letters, digits, "-" and "_", separated by "/".
        value: made of dicts, lists, strings, numbers, booleans and None. NaN and infinite numbers
            become null.

    Raises:
        ConvvizError: the name has other characters.
    """
    path = folder / "data" / f"{_valid_name(name)}.js"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(chunk_text(name, value).encode())


def chunk_text(name: str, value: Any) -> str:
    """Return the script of a chunk; see `write_chunk`."""
    return f"convvizChunk({script_json(_valid_name(name))},{script_json(value)});\n"


def script_json(value: Any) -> str:
    """Return a value as JSON that is safe inside a script and inside HTML."""
    options: dict[str, Any] = {"ensure_ascii": False, "separators": (",", ":")}
    try:
        text = json.dumps(value, allow_nan=False, **options)
    except ValueError:
        text = json.dumps(_without_nan(value), **options)
    # A file name that is not UTF-8 has lone surrogates.
    text = re.sub("[\ud800-\udfff]", lambda match: f"\\u{ord(match[0]):04x}", text)
    return text.translate(_ESCAPES)


def _valid_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ConvvizError(f"{name!r} is not a name of a chunk: letters a-z, digits, '-' and '/'")
    return name


def _without_nan(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _without_nan(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(entry) for entry in value]
    return value
