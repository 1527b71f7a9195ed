"""Detection of the file format of checkpoints by content; other formats are refused by name."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Literal

from convviz import ModelError

Kind = Literal["safetensors", "torch"]

SUFFIXES = (".safetensors", ".pt", ".pth", ".bin", ".ckpt")

_STATE_DICT = "save the state dict of the PyTorch network with safetensors.torch.save_file"

_MAGIC = (
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file, as Keras writes them"),
    (b"GGUF", "a GGUF file of a language model"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"\x1f\x8b", "a file compressed by gzip: unpack it"),
)
_SUFFIXES = {
    ".onnx": "an ONNX model",
    ".h5": "a Keras model",
    ".hdf5": "a Keras model",
    ".keras": "a Keras model",
    ".pb": "a TensorFlow model",
    ".tflite": "a TensorFlow Lite model",
    ".msgpack": "a file of Flax",
    ".caffemodel": "a Caffe model",
    ".mlmodel": "a Core ML model",
    ".mlpackage": "a Core ML model",
    ".engine": "a TensorRT engine",
    ".plan": "a TensorRT engine",
}
_ZIPPED = (
    (
        "constants.pkl",
        "a TorchScript archive, whose layers are hidden: read it with torch.jit.load",
    ),
    ("serialized_exported_program.json", "an exported program, whose modules are gone"),
    ("archive_format", "an exported program, whose modules are gone"),
    ("model.weights.h5", "a Keras model"),
    (".npy", "an archive of NumPy arrays"),
)
"""Suffix of a name inside a zip file -> description of the zip file."""


def kind_of(path: Path) -> Kind:
    """Return the format of a checkpoint, detected by its first bytes.

    Raises:
        ModelError: there is no such file, or it has no weights of PyTorch.
    """
    if not path.exists():
        raise ModelError(f"there is no checkpoint {str(path)!r}")
    if path.is_dir():
        raise ModelError(_about_folder(path))
    if not path.is_file():
        raise ModelError(f"{str(path)!r} is not a regular file")
    with path.open("rb") as file:
        head = file.read(512)
    _refuse(path, _foreign(path, head))
    if path.suffix == ".safetensors" or head[8:9] == b"{":
        return "safetensors"
    return "torch"


def _about_folder(path: Path) -> str:
    inside = sorted(p.name for p in path.iterdir() if p.suffix in SUFFIXES)
    if inside:
        return f"{str(path)!r} is a folder; name a file in it: {', '.join(inside[:6])}"
    kind = "a TensorFlow model" if (path / "saved_model.pb").exists() else "a folder"
    return f"{str(path)!r} is {kind}, not a file with the weights of a PyTorch network"


def _foreign(path: Path, head: bytes) -> str:
    """Return a description of a file without weights of PyTorch, "" if it may have some."""
    if path.suffix.lower() in _SUFFIXES:
        return _SUFFIXES[path.suffix.lower()]
    if head[4:8] == b"TFL3":
        return "a TensorFlow Lite model"
    if head[257:262] == b"ustar":
        return "a tar archive: unpack it"
    if head[:1] == b"\x08" and (b"onnx" in head[:64].lower() or b"pytorch" in head[:64]):
        return "an ONNX model"
    if head[:4] == b"PK\x03\x04":
        return _kind_of_zip(path)
    return next((name for magic, name in _MAGIC if head.startswith(magic)), "")


def _kind_of_zip(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return ""  # the reader will report it
    for end, name in _ZIPPED:
        if any(n.endswith(end) for n in names):
            return name
    return "" if any(n.endswith("data.pkl") for n in names) else "a zip file without weights in it"


def _refuse(path: Path, what: str) -> None:
    if what:
        raise ModelError(
            f"{str(path)!r} is {what}; convviz needs the weights of a PyTorch network: "
            f"{_STATE_DICT}"
        )
