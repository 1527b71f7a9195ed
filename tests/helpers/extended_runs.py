"""Sweeps of small images with the bundled model, and comparison of extended and joined runs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch

import convviz
from convviz.data.dataset import ArrayDataset
from convviz.storage.checksums import add_seal

from .folders import content, same

PHOTOS = np.random.default_rng(0).integers(0, 256, (400, 8, 8, 3), dtype=np.uint8)
CLASSES = ("bee", "cat", "dog")

Content = dict[str, bytes]


def data(items, classes=CLASSES, names=CLASSES) -> ArrayDataset:
    """Return some of the photos as a data set; `names` are the classes of items in turn."""
    labels = tuple(classes.index(names[i % len(names)]) for i in items)
    ids = tuple(f"{i:03d}" for i in items)
    return ArrayDataset("digits", PHOTOS[list(items)], ids, labels, tuple(classes))


STATISTICS = convviz.explainer("statistics", layers=("stage1.conv",))
PATCHES = convviz.explainer("patches", layers=("stage1.conv", "stage2.conv"), k=2, draw=2)
NEIGHBORS = convviz.explainer("neighbors", k=2)
EMBEDDING = convviz.explainer("embedding", method="pca")


def sweep(model, out: Path, what, items=range(10), **settings) -> convviz.Run:
    dataset = settings.pop("dataset", None) or data(items)
    options = {"batch_size": 2, "shard_size": 4, "predictions": False} | settings
    return convviz.analyze(model, dataset, what, out, **options)


def without_history(files: Content) -> tuple[Content, list]:
    """Return the files of a run with the plan of a run at once, and the history of its plan."""
    record = json.loads(files["run.json"])
    history = record.pop("history")
    text = json.dumps(add_seal(record), indent=2, ensure_ascii=False) + "\n"
    return {**files, "run.json": text.encode()}, history


def same_but_for_history(out: Path, at_once: Path) -> list:
    files, history = without_history(content(out))
    same(files, content(at_once))
    return history


def other_weights() -> convviz.Model:
    other = convviz.load_model("demo-digits")
    with torch.no_grad():
        next(other.module.parameters()).add_(1)
    return other
