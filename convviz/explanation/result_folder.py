"""Result folders: one saved Explanation as JSON, arrays and pictures.

explanation.json     subject, parameters, provenance, and the checksums of the files
arrays.safetensors   "values", the further arrays by name, "@pixels", "@parameters.*"
items.parquet        the items, if they are those of a run
<picture>.png        the pictures (or .svg, .pdf); further files of the result are beside them

Anybody may have written a result folder: everything is checked before it is used.
"""

from __future__ import annotations

import json
import os
import re
import stat
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_type_hints

import numpy as np
from torch import Tensor

from ..data.item_table import ItemTable
from ..errors import ConvvizError
from ..images.batch import Item
from ..results.json_codec import Arrays, decode, encode
from ..results.types import RESULT_TYPES, Result
from ..scores.targets import FunctionColumn, Target, Unit
from ..storage.array_file import read_npy, read_tensors
from ..storage.atomic_folder import current_name, plain, replacing
from ..storage.checksums import (
    CHECKSUMS,
    Checksum,
    add_seal,
    check_size,
    checksum,
    parse_document,
    read_verified,
)
from ..storage.untrusted_files import JSON_LIMIT, MissingFileError, read_bounded
from .document import check_document

if TYPE_CHECKING:
    from ..render import Picture
    from .content import ExplanationContent

SCHEMA = 4
JSON_NAME = "explanation.json"
ARRAYS_NAME = "arrays.safetensors"
ITEMS_NAME = "items.parquet"
RESERVED = (JSON_NAME, ARRAYS_NAME, ITEMS_NAME)
PIXELS = "@pixels"
_IDS = "$ids"
"""Placeholder for the ids of all items of a run, which are in its table."""


def write(
    explanation: ExplanationContent,
    folder: Path,
    draw: Callable[[], Sequence[Picture]] | None = None,
) -> None:
    """Save an explanation; an interrupted save leaves that of an earlier one unchanged.

    Args:
        explanation: the explanation.
        folder: the folder.
        draw: returns the pictures to save; by default those of `explanation.pictures()`.
    """
    result = explanation.result
    arrays: Arrays = {"values": result.values}
    for name, array in result.arrays.items():
        if name == "values" or name.startswith("@"):
            raise ConvvizError(f"an array of a result may not be called {name!r}")
        arrays[name] = array
    if explanation.pixels is not None:
        arrays[PIXELS] = explanation.pixels
    document = to_json(explanation, arrays, with_table=True)
    pictures = _draw(draw or explanation.pictures, explanation.name, document)
    for name in (*document["pictures"], *document["files"]):
        if plain(name) in RESERVED:
            raise ConvvizError(f"a file of a result may not be called {name!r}")
    with replacing(folder, _former(folder)) as new:
        _write_arrays(new / ARRAYS_NAME, arrays)
        for name, content in result.files.items():
            _write_file(new / name, content)
        if isinstance(explanation.items, ItemTable):
            explanation.items.save(new / ITEMS_NAME)
        names = sorted(path.name for path in new.iterdir())
        document[CHECKSUMS] = {name: checksum(new / name) for name in names}
        _write_document(new, document, pictures)


def add_pictures(folder: Path, pictures: Sequence[Picture]) -> None:
    """Replace the pictures of a saved explanation; an interrupted call leaves it unchanged.

    The folder then holds the bytes of one save with these pictures.
    """
    document = read_json(folder)
    former = list(document["pictures"])
    document.pop("undrawn", None)
    document["pictures"] = {picture.file_name: picture.caption for picture in pictures}
    with replacing(folder, former) as new:
        _write_document(new, document, pictures)


def _write_document(folder: Path, document: Mapping[str, Any], pictures: Sequence[Picture]) -> None:
    """Write pictures and `explanation.json` into a folder."""
    for picture in pictures:
        (folder / picture.file_name).write_bytes(picture.data)
    text = _lay_out(add_seal(document))
    check_size(text, str(folder / JSON_NAME))
    # A lone surrogate (of a file name that is not UTF-8) becomes its JSON escape.
    (folder / JSON_NAME).write_text(text + "\n", encoding="utf-8", errors="backslashreplace")


def to_json(
    explanation: ExplanationContent, arrays: Arrays, with_table: bool = False
) -> dict[str, Any]:
    """Return the content of `explanation.json`; arrays among the parameters are added to `arrays`.

    With `with_table`, the items of a run are referred to as those in the table of the folder.
    """
    result, items = explanation.result, explanation.items
    record = dict(explanation.record)
    record["parameters"] = encode(record["parameters"], arrays, "@parameters")
    scalars = _scalars(result)
    in_table = with_table and isinstance(items, ItemTable)
    if in_table and isinstance(items, ItemTable):
        ids = items.ids
        scalars = {k: {_IDS: True} if v and v == ids else v for k, v in scalars.items()}
    document = {
        "schema": SCHEMA,
        "explainer": record,
        "layer": explanation.layer,
        "model": encode(explanation.model, arrays, "@model"),
        "target": encode(explanation.target, arrays, "@target"),
        "items": {"table": ITEMS_NAME, "count": len(items)}
        if in_table
        else encode(tuple(items), arrays, "@items"),
        "result": {"kind": result.kind, **encode(scalars, arrays, "@result")},
        "versions": encode(explanation.versions, arrays, "@versions"),
        "files": sorted(result.files),
        "pictures": {},
    }
    return {**document, "arrays": {name: _array_record(array) for name, array in arrays.items()}}


def _array_record(array: Tensor) -> dict[str, Any]:
    return {"dtype": str(array.dtype).removeprefix("torch."), "shape": list(array.shape)}


def read(folder: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Read the JSON and the arrays of a result folder.

    Raises:
        ConvvizError: it is not a result folder, is damaged, or has another schema; the message
            names the file.
    """
    document = read_json(folder)
    content = read_verified(*_place(folder, ARRAYS_NAME), _checksum(document, folder, ARRAYS_NAME))
    arrays = read_tensors(content, str(folder / ARRAYS_NAME))
    if {name: _array_record(array) for name, array in arrays.items()} != document["arrays"]:
        raise ConvvizError(f"{folder / ARRAYS_NAME} holds other arrays than {JSON_NAME} says")
    return document, arrays


def read_json(folder: Path) -> dict[str, Any]:
    """Read and check `explanation.json` of a result folder."""
    path = folder / JSON_NAME
    try:
        content = read_bounded(*_place(folder, JSON_NAME), JSON_LIMIT)
    except MissingFileError as error:
        raise ConvvizError(
            f"{folder} holds no {JSON_NAME}: nothing was saved there "
            "(convviz.open_run opens the folder of a run)"
        ) from error
    document = parse_document(content, str(path), SCHEMA)
    check_document(document, str(path))
    return document


def _place(folder: Path, name: str) -> tuple[Path, str]:
    """Return folder and name of the current version of a file."""
    return folder, current_name(folder, name)


def _checksum(document: Mapping[str, Any], folder: Path, name: str) -> Checksum:
    known: Mapping[str, Checksum] = document[CHECKSUMS]
    if name not in known:
        raise ConvvizError(f"{folder / JSON_NAME} is damaged: it has no checksum of {name}")
    return known[name]


class SavedFiles(Mapping[str, bytes | np.ndarray]):
    """The files of a saved result; each is read at first access and compared with its checksum.

    Arrays are memory-mapped, other files are read into memory.
    """

    def __init__(self, folder: Path, document: Mapping[str, Any]) -> None:
        self._folder = folder
        self._checksums = {n: _checksum(document, folder, n) for n in document["files"]}
        self._contents: dict[str, bytes | np.ndarray] = {}

    def __getitem__(self, name: str) -> bytes | np.ndarray:
        expected = self._checksums[name]
        if name not in self._contents:
            is_array = name.endswith(".npy")
            content = read_verified(*_place(self._folder, name), expected, mapped=is_array)
            path = str(self._folder / name)
            self._contents[name] = read_npy(content, path) if is_array else bytes(content)
        return self._contents[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._checksums)

    def __len__(self) -> int:
        return len(self._checksums)

    def __repr__(self) -> str:
        return f"<files of {str(self._folder)!r}: {', '.join(map(repr, self))}>"


def result_from(document: Mapping[str, Any], arrays: Mapping[str, Tensor], folder: Path) -> Result:
    """Rebuild the Result; that of a subclass is rebuilt as its public base type."""
    from pydantic import InstanceOf, TypeAdapter

    saved = dict(document["result"])
    for name, value in saved.items():
        if value == {"$items": [[_IDS, True]]}:
            saved[name] = list(_table(document, folder).ids)
    cls = RESULT_TYPES[saved.pop("kind")]
    # pydantic would turn a Note into a plain str.
    hints = {**get_type_hints(cls), "notes": tuple[InstanceOf[str], ...]}
    known = {f.name for f in fields(cls)}
    scalars = {
        name: TypeAdapter(hints[name]).validate_python(decode(value, arrays))
        for name, value in saved.items()
        if name in known
    }
    return cls(
        values=arrays["values"],
        arrays={k: arrays[k] for k in document["arrays"] if k != "values" and k[0] != "@"},
        files=SavedFiles(folder, document),
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


def target_from(saved: Mapping[str, Any]) -> Target:
    """Rebuild a resolved target."""
    unit, contrast, function = saved["unit"], saved["contrast"], saved["function"]
    return Target(
        index=saved["index"],
        unit=None if unit is None else Unit(**unit),
        label=saved["label"],
        score=saved["score"],
        contrast=None if contrast is None else (target_from(contrast[0]), target_from(contrast[1])),
        function=None if function is None else FunctionColumn(**function),
    )


def items_from(
    document: Mapping[str, Any], arrays: Mapping[str, Tensor], folder: Path
) -> Sequence[Item]:
    """Rebuild the items; those of a run are read from their table at first access."""
    saved = document["items"]
    if isinstance(saved, dict):
        return _table(document, folder)
    return tuple(Item(**item) for item in decode(saved, arrays))


def _table(document: Mapping[str, Any], folder: Path) -> ItemTable:
    """Return the table of items in a result folder, which is read at first access."""
    saved = document["items"]
    if not isinstance(saved, dict) or saved["table"] != ITEMS_NAME:
        raise ConvvizError(f"{folder / JSON_NAME} is damaged: its items are in no {ITEMS_NAME}")
    path = Path(*_place(folder, ITEMS_NAME))
    return ItemTable(path, _checksum(document, folder, ITEMS_NAME), saved["count"])


def pack(arrays: Mapping[str, Tensor]) -> bytes:
    """Return arrays as safetensors bytes, the same bytes for the same arrays."""
    from safetensors.torch import save

    return save(_separate(arrays))


def _write_arrays(path: Path, arrays: Mapping[str, Tensor]) -> None:
    """Write the bytes of `pack` without a copy of the arrays, which may be larger than memory."""
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    path.touch()
    mode = stat.S_IMODE(path.stat().st_mode)  # by the umask; safetensors writes with 0600
    try:
        save_file(_separate(arrays), path)
    except SafetensorError as error:
        code = re.search(r"os error (\d+)", str(error))
        if code is None:
            raise
        raise OSError(int(code[1]), os.strerror(int(code[1])), str(path)) from error
    path.chmod(mode)


def _separate(arrays: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return arrays ordered by name, without shared storage, as safetensors requires."""
    seen: set[int] = set()
    separate: dict[str, Tensor] = {}
    for name in sorted(arrays):
        tensor = arrays[name].detach().cpu().contiguous()
        storage = tensor.untyped_storage()
        if storage.data_ptr() in seen or storage.nbytes() != tensor.nbytes:
            tensor = tensor.clone()
        seen.add(tensor.untyped_storage().data_ptr())
        separate[name] = tensor
    return separate


def _lay_out(value: Any, margin: str = "") -> str:
    """Return JSON with one line per entry of a mapping and per mapping of a list."""
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
        raise ConvvizError(f"a {type(result).__name__} is not a result; its kind is one of {kinds}")
    names = [f.name for f in fields(base) if f.name not in ("values", "arrays", "files")]
    return {name: getattr(result, name) for name in names}


def _draw(
    draw: Callable[[], Sequence[Picture]], name: str, document: dict[str, Any]
) -> Sequence[Picture]:
    """Draw the pictures and list them in the document.

    An error is recorded in the document, because the numbers may have taken hours.
    """
    try:
        pictures = draw()
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        document["undrawn"] = reason
        warnings.warn(f"saved without pictures; drawing failed with {reason}", stacklevel=4)
        return ()
    for picture in pictures:
        document["pictures"][picture.file_name] = picture.caption
    if len(document["pictures"]) != len(pictures):
        raise ConvvizError(f"two pictures of {name} have the same name")
    return pictures


def _former(folder: Path) -> list[str]:
    """Return the names of pictures and files that an earlier save wrote into the folder."""
    try:
        document = read_json(folder)
    except ConvvizError:
        return []  # no earlier save, or a file that convviz did not write
    table = [ITEMS_NAME] if isinstance(document["items"], dict) else []
    return [*document["pictures"], *document["files"], *table]
