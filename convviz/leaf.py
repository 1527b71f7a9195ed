"""The leaf folder: one saved Explanation, as JSON, arrays and pictures.

explanation.json     what was explained, how, and by which versions
arrays.safetensors   "values", the further arrays by name, "@pixels", "@parameters.*"
<picture>.png        the pictures, and the result's own files beside them
"""

from __future__ import annotations

import json
import os
import re
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_type_hints

import numpy as np
from torch import Tensor

from .atomic import current, plain, replacing
from .codec import Arrays, decode, encode
from .errors import ConvvizError
from .images import Item
from .itemtable import ItemTable
from .results import RESULT_TYPES, Result
from .targets import Target, Unit

if TYPE_CHECKING:
    from .explanation import Explanation
    from .render import Picture

SCHEMA = 1
JSON_NAME = "explanation.json"
ARRAYS_NAME = "arrays.safetensors"
PIXELS = "@pixels"
_IDS = "$ids"
"""Stands for the ids of all items of a run, which its table holds."""


def write(explanation: Explanation, folder: Path) -> None:
    """Save an explanation; an interrupted save leaves a former one of this folder as it was."""
    result = explanation.result
    arrays: Arrays = {"values": result.values}
    for name, array in result.arrays.items():
        if name == "values" or name.startswith("@"):
            raise ConvvizError(f"an array of a result may not be called {name!r}")
        arrays[name] = array
    if explanation.pixels is not None:
        arrays[PIXELS] = explanation.pixels
    document = to_json(explanation, arrays, folder)
    pictures = _draw(explanation, document)
    for name in (*document["pictures"], *document["files"]):
        if plain(name) in (JSON_NAME, ARRAYS_NAME):
            raise ConvvizError(f"a result may not bring a file called {name!r}")
    text = _lay_out(document)
    with replacing(folder, _former(folder)) as new:
        _write_arrays(new / ARRAYS_NAME, arrays)
        for name, content in result.files.items():
            _write_file(new / name, content)
        for picture in pictures:
            (new / f"{picture.name}.png").write_bytes(picture.png)
        # A lone surrogate (of a file name that is not UTF-8) becomes its JSON escape.
        (new / JSON_NAME).write_text(text + "\n", encoding="utf-8", errors="backslashreplace")


def to_json(explanation: Explanation, arrays: Arrays, folder: Path | None = None) -> dict[str, Any]:
    """Return the content of `explanation.json`; arrays among the parameters go to `arrays`.

    With the folder it is for, items that are in the table of a run are referred to.
    """
    result = explanation.result
    record = dict(explanation.record)
    record["parameters"] = encode(record["parameters"], arrays, "@parameters")
    scalars = _scalars(result)
    if folder is not None and isinstance(explanation.items, ItemTable):
        ids = explanation.items.ids
        scalars = {k: {_IDS: True} if v and v == ids else v for k, v in scalars.items()}
    document = {
        "schema": SCHEMA,
        "explainer": record,
        "layer": explanation.layer,
        "model": encode(explanation.model, arrays, "@model"),
        "target": encode(explanation.target, arrays, "@target"),
        "items": _items(explanation.items, arrays, folder),
        "result": {"kind": result.kind, **encode(scalars, arrays, "@result")},
        "versions": encode(explanation.versions, arrays, "@versions"),
        "files": sorted(result.files),
        "pictures": {},
    }
    shapes = {
        name: {"dtype": str(a.dtype).removeprefix("torch."), "shape": list(a.shape)}
        for name, a in arrays.items()
    }
    return {**document, "arrays": shapes}


def read(folder: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Read the JSON and the arrays of a leaf folder.

    Raises:
        ConvvizError: naming the folder, where it is no leaf folder, is damaged, or was
            written by a newer convviz.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    document = read_json(folder)
    path = current(folder, ARRAYS_NAME)
    try:
        return document, load(path.read_bytes())  # `load_file` wants a path in UTF-8
    except (OSError, SafetensorError) as error:
        raise ConvvizError(f"{path} cannot be read: {error}") from error


def read_json(folder: Path) -> dict[str, Any]:
    """Read `explanation.json` of a leaf folder, checked for its schema."""
    path = current(folder, JSON_NAME)
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConvvizError(f"{folder} holds no {JSON_NAME}: nothing was saved there") from error
    except (OSError, ValueError) as error:
        raise ConvvizError(f"{path} cannot be read: {error}") from error
    schema = document.get("schema") if isinstance(document, dict) else None
    if not isinstance(schema, int):
        raise ConvvizError(f"{path} is not an explanation saved by convviz")
    if schema > SCHEMA:
        raise ConvvizError(
            f"{path} has schema {schema}, this convviz reads up to {SCHEMA}: it needs a newer one"
        )
    return dict(document)


def result_from(document: Mapping[str, Any], arrays: Mapping[str, Tensor], folder: Path) -> Result:
    """Rebuild the Result; one of a subclass comes back as the type of the closed set."""
    from pydantic import TypeAdapter

    saved = dict(document["result"])
    for name, value in saved.items():
        if value == {"$items": [[_IDS, True]]}:
            saved[name] = [item.id for item in items_from(document, arrays, folder)]
    cls = RESULT_TYPES[saved.pop("kind")]
    hints = get_type_hints(cls)
    known = {f.name for f in fields(cls)}
    scalars = {
        name: TypeAdapter(hints[name]).validate_python(decode(value, arrays))
        for name, value in saved.items()
        if name in known
    }
    return cls(
        values=arrays["values"],
        arrays={k: arrays[k] for k in document["arrays"] if k != "values" and k[0] != "@"},
        files={name: _read_file(current(folder, plain(name))) for name in document["files"]},
        **scalars,
    )


def _write_file(path: Path, content: bytes | np.ndarray) -> None:
    if isinstance(content, bytes):
        path.write_bytes(content)
        return
    if path.suffix != ".npy":
        raise ConvvizError(
            f"a file of a result that is an array is called *.npy, not {path.name!r}"
        )
    np.save(path, content, allow_pickle=False)


def _read_file(path: Path) -> bytes | np.ndarray:
    """Read a file; an array is mapped, not read."""
    if path.suffix == ".npy":
        array: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
        return array
    return path.read_bytes()


def target_from(saved: Mapping[str, Any]) -> Target:
    """Rebuild a resolved target."""
    unit = saved["unit"]
    return Target(**{**saved, "unit": None if unit is None else Unit(**unit)})


def items_from(
    document: Mapping[str, Any], arrays: Mapping[str, Tensor], folder: Path
) -> Sequence[Item]:
    """Rebuild the items; those in the table of a run are read when they are looked at."""
    saved = document["items"]
    if isinstance(saved, dict):
        return ItemTable(_table_of(folder, saved["table"]))
    return tuple(Item(**item) for item in decode(saved, arrays))


def _table_of(folder: Path, address: str) -> Path:
    """Return the table a leaf refers to; raises ConvvizError for what is no table of its run."""
    *up, name = address.split("/")
    if not up or any(part != ".." for part in up):
        raise ConvvizError(f"{folder}: {address!r} is not the table of the run around it")
    return Path(os.path.normpath(folder.resolve().joinpath(*up, plain(name))))


def _items(items: Sequence[Item], arrays: Arrays, folder: Path | None) -> Any:
    if folder is None or not isinstance(items, ItemTable):
        return encode(tuple(items), arrays, "@items")
    address = Path(os.path.relpath(items.path.resolve(), folder.resolve())).as_posix()
    with suppress(ConvvizError):
        _table_of(folder, address)
        return {"table": address, "count": len(items)}
    return encode(tuple(items), arrays, "@items")  # saved outside of its run


def pack(arrays: Mapping[str, Tensor]) -> bytes:
    """Write arrays as safetensors bytes, the same bytes for the same arrays."""
    from safetensors.torch import save

    return save(_apart(arrays))


def _write_arrays(path: Path, arrays: Mapping[str, Tensor]) -> None:
    """Write what `pack` returns, from where the arrays lie: they may be larger than memory."""
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    try:
        save_file(_apart(arrays), path)
    except SafetensorError as error:
        code = re.search(r"os error (\d+)", str(error))
        if code is None:
            raise
        raise OSError(int(code[1]), os.strerror(int(code[1])), str(path)) from error


def _apart(arrays: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return arrays by name, each with a storage of its own, which safetensors wants."""
    seen: set[int] = set()
    own: dict[str, Tensor] = {}
    for name in sorted(arrays):
        tensor = arrays[name].detach().cpu().contiguous()
        storage = tensor.untyped_storage()
        if storage.data_ptr() in seen or storage.nbytes() != tensor.nbytes:
            tensor = tensor.clone()
        seen.add(tensor.untyped_storage().data_ptr())
        own[name] = tensor
    return own


def _lay_out(value: Any, margin: str = "") -> str:
    """Write JSON with one line for every entry of a mapping and every mapping of a list."""
    inner = margin + "  "
    if isinstance(value, dict) and value:
        lines = [f"{inner}{json.dumps(k)}: {_lay_out(v, inner)}" for k, v in value.items()]
        return "{\n" + ",\n".join(lines) + f"\n{margin}}}"
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    if isinstance(value, list) and len(text) > 100 and all(isinstance(v, dict) for v in value):
        lines = [inner + json.dumps(v, ensure_ascii=False, allow_nan=False) for v in value]
        return "[\n" + ",\n".join(lines) + f"\n{margin}]"
    return text


def _scalars(result: Result) -> dict[str, Any]:
    """Return the fields of a result that are not arrays or files."""
    base = RESULT_TYPES.get(result.kind)
    if base is None or not isinstance(result, base):
        kinds = ", ".join(RESULT_TYPES)
        raise ConvvizError(f"a {type(result).__name__} is no result; its kind is one of {kinds}")
    names = [f.name for f in fields(base) if f.name not in ("values", "arrays", "files")]
    return {name: getattr(result, name) for name in names}


def _draw(explanation: Explanation, document: dict[str, Any]) -> Sequence[Picture]:
    """Draw the pictures and list them in the document.

    A picture that cannot be drawn must not cost the numbers, which may have taken hours.
    """
    try:
        pictures = explanation.pictures()
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        document["undrawn"] = reason
        warnings.warn(f"saved without pictures, which failed with {reason}", stacklevel=4)
        return ()
    for picture in pictures:
        document["pictures"][f"{picture.name}.png"] = picture.caption
    if len(document["pictures"]) != len(pictures):
        raise ConvvizError(f"two pictures of {explanation.name} have the same name")
    return pictures


def _former(folder: Path) -> list[str]:
    """Return the pictures and files that an earlier save into this folder wrote."""
    try:
        document = read_json(folder)
        names = [*document["pictures"], *document["files"]]
        return [plain(name) for name in names]
    except (ConvvizError, KeyError, TypeError):
        return []  # none, or not ours to clean up
