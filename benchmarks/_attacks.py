"""Hostile run folders, made from a good one by somebody who knows the format."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import shutil
import socket
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

PROBE = "convviz_attack_probe"
"""A module whose import, and whose function, leave a mark: the code that must never run."""

SOURCES = (
    f"python:{PROBE}:run",
    f"convviz:python:{PROBE}:run",
    f"CONVVIZ:python:{PROBE}:run",
    f"Python:{PROBE}:run",
    f" python:{PROBE}:run",
    f"python :{PROBE}:run",
    f"python:{PROBE}:run?device=cpu",
    f"pytho\u200bn:{PROBE}:run",
    f"ｐｙｔｈｏｎ:{PROBE}:run",
    f"python：{PROBE}：run",
    f"weights.safetensors?arch=python:{PROBE}:run",
    f"file:WEIGHTS?arch=python:{PROBE}:run",
    f"WEIGHTS?arch=python:{PROBE}:run",
    f"WEIGHTS?arch=convviz:python:{PROBE}:run",
    f"WEIGHTS?arch=python%3A{PROBE}%3Arun",
    f"WEIGHTS?arch=resnet18&arch=python:{PROBE}:run",
    f"convviz:file:WEIGHTS?arch=python:{PROBE}:run",
    f"torchvision:python:{PROBE}:run",
    f"timm:python:{PROBE}:run",
    "demo-digits?labels=/dev/zero",
    "demo-digits?resize=100000000",
    "file:/dev/zero?arch=resnet18",
    "file:FIFO?arch=resnet18",
    "//host/share/weights.safetensors?arch=resnet18",
    "https://example.invalid/weights.safetensors?arch=resnet18",
    "s3://bucket/weights.safetensors?arch=resnet18",
    "../../../../../../etc/passwd",
    "x" * 100_000,
    "\0",
)
VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 1 << 40, 1 << 70, 10**300, 1e308, 0.5, "", "x" * 5000,
    "\x1b]0;title\x07\x1b[2J", "\u202egnp.exe", "[link=file:///etc/passwd]x[/link]", "$\\frac{$",
    "../../../../etc/passwd", "/etc/passwd", "a\0b", "\ud800", "<script>alert(1)</script>",
    [], {}, [[]], [None] * 1000, [1 << 62] * 4, {"$array": "values"}, {"$array": "missing"},
    {"$float": "nope"}, {"$float": "nan"}, {"$bytes": "!"}, {"$items": [[[], 1]]}, {"$items": 3},
    {"table": "/etc/passwd", "count": 3}, {"name": "grabcut"},
    {"bytes": 1 << 50, "sha256": "0" * 64},
)  # fmt: skip


class Scene:
    """The surroundings of hostile folders: what they reach for, and whether it was touched."""

    def __init__(self, root: Path) -> None:
        self.root, self.mark = root, root / "probe-ran"
        self.victim = root / "victim"
        self.victim.mkdir()
        (self.victim / "index.html").write_text("precious")
        (self.victim / "explanation.json").write_text("precious")
        os.mkfifo(root / "fifo.safetensors")
        site = root / "site"
        site.mkdir()
        body = f"open({str(self.mark)!r}, 'w').close()\n"
        (site / f"{PROBE}.py").write_text(f"{body}\ndef run():\n    {body}")
        sys.path.insert(0, str(site))
        self.site = str(site)
        self._before = self._state()

    def harm(self) -> list[str]:
        """Say what was touched outside of the folder."""
        found = []
        if self.mark.exists() or PROBE in sys.modules:
            found.append("code of the folder's choice ran")
            self.mark.unlink(missing_ok=True)
            sys.modules.pop(PROBE, None)
        if self._state() != self._before:
            found.append("files outside of the folder were changed")
        return found

    def remove(self, folder: Path) -> None:
        """Remove a hostile folder."""
        shutil.rmtree(folder)

    def _state(self) -> dict[str, bytes]:
        return {p.name: p.read_bytes() for p in self.victim.iterdir()}


def make(scene: Scene, folder: Path, number: int, chance: random.Random) -> str:
    """Turn a good run folder into a hostile one; returns what was done to it."""
    kinds: tuple[Callable[[Scene, Path, random.Random], str], ...] = (
        change_entry, change_entry, change_entry, replace_file, replace_file, rewrite_file,
        rewrite_file, rewrite_json, plant, name_source,
    )  # fmt: skip
    return kinds[number % len(kinds)](scene, folder, chance)


def reseal(path: Path, document: Any) -> None:
    """Write a JSON document with the checksum that convviz will expect."""
    document.pop("sha256", None)
    with contextlib.suppress(ValueError):
        text = json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)
        document["sha256"] = hashlib.sha256(text.encode()).hexdigest()
    path.write_text(json.dumps(document))


def documents(folder: Path) -> list[Path]:
    """Return the JSON files of a run."""
    return [folder / "run.json", *sorted(folder.glob("results/*/*/explanation.json"))]


def change_entry(scene: Scene, folder: Path, chance: random.Random) -> str:
    """Put a value that does not belong there somewhere into a JSON document."""
    path = chance.choice(documents(folder))
    document = json.loads(path.read_text())
    places: list[tuple[Any, Any]] = []
    _collect(document, places)
    holder, key = chance.choice(places)
    value = chance.choice(VALUES)
    if chance.random() < 0.15 and isinstance(holder, dict):
        del holder[key]
    else:
        holder[key] = value
    reseal(path, document)
    return f"{path.parent.parent.name}/{path.name}: {key!s:.40} = {value!r:.40}"


def _collect(value: Any, places: list[tuple[Any, Any]]) -> None:
    keys = value if isinstance(value, dict) else range(len(value))
    for key in list(keys)[:20]:
        places.append((value, key))
        if isinstance(value[key], dict | list):
            _collect(value[key], places)


def _loaded_files(folder: Path) -> list[Path]:
    suffixes = (".json", ".safetensors", ".parquet", ".npy", ".faiss", ".png")
    return sorted(p for p in folder.rglob("*") if p.suffix in suffixes)


def replace_file(scene: Scene, folder: Path, chance: random.Random) -> str:
    """Put something that is no regular file, or a huge one, in the place of a file."""
    path = chance.choice(_loaded_files(folder))
    path.unlink()
    kind = chance.choice(
        ("fifo", "socket", "folder", "passwd", "zero", "loop", "victim", "sparse", "device", "gone")
    )
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as server, contextlib.suppress(OSError):
            server.bind(str(path))
    elif kind == "folder":
        path.mkdir()
    elif kind == "sparse":
        with open(path, "wb") as file:
            file.truncate(1 << 41)
    elif kind == "device":
        try:
            os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 5))
        except OSError:  # only the administrator may
            path.symlink_to("/dev/zero")
    elif kind != "gone":
        targets = {"passwd": "/etc/passwd", "zero": "/dev/zero", "loop": path.name}
        path.symlink_to(targets.get(kind, scene.victim / "explanation.json"))
    return f"{path.relative_to(folder)} is {kind}"


def rewrite_file(scene: Scene, folder: Path, chance: random.Random) -> str:
    """Change the content of a file, and its checksum with it."""
    suffixes = (".safetensors", ".parquet", ".npy", ".faiss")
    path = chance.choice([p for p in _loaded_files(folder) if p.suffix in suffixes])
    data = bytearray(path.read_bytes())
    way = chance.choice(("cut", "empty", "noise", "flips", "longer", "header"))
    if way == "cut":
        data = data[: chance.randrange(len(data))]
    elif way == "empty":
        data = bytearray()
    elif way == "noise":
        data = bytearray(chance.randbytes(len(data)))
    elif way == "flips":
        for _ in range(chance.choice((1, 4, 30))):
            data[chance.randrange(len(data))] = chance.randrange(256)
    elif way == "longer":
        data += chance.randbytes(100)
    else:
        head = json.dumps(_hostile_header(chance)).encode()
        data = bytearray(len(head).to_bytes(8, "little") + head + bytes(64))
    path.unlink()
    path.write_bytes(data)
    known = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    inside = path.parent / "explanation.json"
    holder = inside if inside.exists() else folder / "run.json"
    document = json.loads(holder.read_text())
    document["checksums"][path.name] = known
    reseal(holder, document)
    return f"{path.relative_to(folder)} {way}"


def _hostile_header(chance: random.Random) -> dict[str, Any]:
    shapes = ([1 << 40, 1 << 40], [-1, 8], [0, 1 << 60], ["4"], [4.0], [True, 4], [16])
    offsets = ([0, 64], [0, 1 << 60], [64, 0], [-8, 56], [0], "ab")
    entry = {
        "dtype": chance.choice(("F32", "F99", 3)),
        "shape": chance.choice(shapes),
        "data_offsets": chance.choice(offsets),
    }
    return {"values": entry}


def rewrite_json(scene: Scene, folder: Path, chance: random.Random) -> str:
    """Write something else than a document into a JSON file."""
    path = chance.choice(documents(folder))
    texts = {
        "deep": "[" * 200_000,
        "deep object": '{"a":' * 50_000,
        "deep but whole": '{"schema":2,"a":' + "[" * 500 + "]" * 500 + "}",
        "nan": '{"schema": 2, "a": NaN}',
        "huge number": '{"schema": 2, "a": ' + "9" * 100_000 + "}",
        "beyond float": '{"schema": 2, "a": 1e999}',
        "twice": '{"schema": 2, "schema": 2}',
        "list": "[2]",
        "empty": "",
        "text": '"schema"',
        "bad utf-8": '{"schema": 2, "a": "\udcff"}',
        "many": "[" + "[]," * 200_000 + "0]",
        "boolean schema": '{"schema": true}',
    }
    kind = chance.choice(sorted(texts))
    path.write_bytes(texts[kind].encode("utf-8", "surrogateescape"))
    return f"{path.parent.parent.name}/{path.name} is {kind}"


def plant(scene: Scene, folder: Path, chance: random.Random) -> str:
    """Put links, FIFOs and odd names where convviz writes or looks."""
    leaf = chance.choice(documents(folder)[1:]).parent
    kind = chance.choice(
        ("saved", "sweep", "done", "done record", "results", "leaf", "page", "page fifo",
         "new page", "lock", "lock fifo", "names", "remove")
    )  # fmt: skip
    links = {
        "saved": leaf / ".convviz-saved",
        "sweep": folder / ".convviz-sweep",
        "page": folder / "index.html",
        "new page": folder / ".index.html.new",
        "lock": folder / ".convviz-lock",
    }
    if kind in links:
        links[kind].unlink(missing_ok=True)
        is_file = kind in ("page", "new page", "lock")
        links[kind].symlink_to(scene.victim / "index.html" if is_file else scene.victim)
    elif kind in ("results", "leaf"):
        place = folder / "results" if kind == "results" else leaf
        shutil.rmtree(place)
        place.symlink_to(scene.victim)
    elif kind in ("done", "done record", "lock fifo"):
        (folder / ".convviz-sweep").mkdir()
        done = folder / ".convviz-sweep" / "done"
        if kind == "done":
            done.symlink_to(scene.victim)
        else:
            done.mkdir()
            (done / "run.json").write_text("{}")
        if kind == "lock fifo":
            os.mkfifo(folder / ".convviz-lock")
    elif kind == "page fifo":
        (folder / "index.html").unlink()
        os.mkfifo(folder / "index.html")
    elif kind == "names":
        odd = chance.choice(("%1B%5B2J", "..%2f..", "a\x1b[2Jb", "%00", "%E2%80%AE", "x" * 200))
        shutil.copytree(leaf, leaf.parent / odd)
    else:
        (leaf / ".convviz-saved").mkdir()
        names = chance.choice(('["../../run.json"]', "[3]", "{", "[[]]", '"ab"'))
        (leaf / ".convviz-saved" / ".remove").write_text(names)
    return f"planted {kind}"


def name_source(scene: Scene, folder: Path, chance: random.Random) -> str:
    """Name a model source that runs code, or reads what it should not."""
    source = chance.choice(SOURCES).replace("FIFO", str(scene.root / "fifo.safetensors"))
    if "WEIGHTS" in source:
        weights = folder / "weights.safetensors"
        shutil.copyfile(next(folder.glob("results/*/*/arrays.safetensors")), weights)
        source = source.replace("WEIGHTS", str(weights))
    document = json.loads((folder / "run.json").read_text())
    document["model"]["source"] = source
    document["dataset"]["name"] = source
    reseal(folder / "run.json", document)
    return f"source {source!r:.60}"
