"""grabcut: which source of seeds finds the object, on photos with boxes drawn by hand.

Cuts out the object of each photo that `photo_boxes.json` has a box for, with several sources and
smoothings, and compares with the box: how much of the seeds and of the mask lies inside, and the
intersection over union of the boxes. The seconds are those of the source and of one cut. The scores
are those of the cut alone and of the rest alone, by which grabcut finds doubtful cuts.

    python benchmarks/grabcut.py PHOTOS --out benchmarks/results/FILE.json
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _common import Record, machine, table, timed, today, versions, write

import convviz
import convviz.authoring

SOURCES: dict[str, tuple[str, dict[str, Any]]] = {
    **{f"saliency, samples={n}": ("saliency", {"samples": n}) for n in (0, 4, 8, 16, 32)},
    "saliency, samples=16, noise=0.3": ("saliency", {"samples": 16, "noise": 0.3}),
    "guided_backprop": ("guided_backprop", {}),
    "occlusion": ("occlusion", {}),
}
SMOOTHINGS = (80, 20)
"""Other sigmas than the default, a fortieth of the shorter side, as shares of that."""


class Known(convviz.authoring.Explainer):
    """Gives a map that was computed before."""

    heat: torch.Tensor

    def explain(self, model: Any, batch: Any, target: Any, forward: Any) -> convviz.Heatmap:
        """Return the map."""
        return convviz.Heatmap(self.heat)


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path, help="folder with the photos")
    parser.add_argument("--models", default="demo,torchvision:mobilenet_v2")
    parser.add_argument("--sources", default=";".join(SOURCES), help="separated by ;")
    parser.add_argument("--every", type=int, default=1, help="take every n-th photo")
    parser.add_argument("--count", type=int, help="photos to take; all where not given")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True, help="JSON file of the records")
    return parser.parse_args(given)


def main(given: list[str] | None = None) -> None:
    args = arguments(given)
    torch.set_num_threads(args.threads)
    boxes = json.loads((Path(__file__).parent / "photo_boxes.json").read_text())
    names = list(boxes)[:: args.every][: args.count]
    head = {"kind": "grabcut", "date": today(), "machine": machine(), "versions": versions()}
    rows: list[Record] = []
    for source in args.models.split(","):
        model = convviz.load_model(source)
        for name in names:
            for row in of_photo(model, args.photos / name, boxes[name], args.sources):
                rows.append({"model": source, "photo": name, **row})
            write(args.out, {**head, "rows": rows})
    print(text(rows))


def of_photo(model: Any, photo: Path, truth: Record, sources: str) -> list[Record]:
    """Measure all sources and smoothings on one photo; the cut is that of a fortieth."""
    rows = []
    for what in sources.split(";"):
        name, params = SOURCES[what]
        seconds, result = timed(
            lambda n=name, p=params: convviz.explain(model, photo, n, target=truth["class"], **p)
        )
        heat = result.values.abs().amax(1) if name == "guided_backprop" else result.values
        source = Known(heat=heat)
        cutting, cut = timed(
            lambda s=source: convviz.explain(
                model, photo, "grabcut", target=truth["class"], source=s
            )
        )
        row = {"source": what, "source seconds": seconds, "cut seconds": cutting} | compare(
            cut, truth["box"]
        )
        rows.append(row | blurred_seeds(cut.items[0], heat[0].double().numpy(), truth["box"]))
    return rows


def blurred_seeds(item: Any, heat: np.ndarray, box: list[float]) -> Record:
    """Return the share of the seeds inside the box for other smoothings."""
    import cv2

    truth, shares = inside(box, item, heat.shape), {}
    for share in SMOOTHINGS:
        smooth = cv2.GaussianBlur(heat, (0, 0), min(heat.shape) / share)
        seeds = smooth > np.quantile(smooth, 0.95)
        shares[f"seeds inside, sigma 1/{share}"] = float((seeds & truth).sum() / seeds.sum())
    return shares


def compare(cut: Any, box: list[float]) -> Record:
    """Compare a mask and its seeds with a box, given in shares of the photo."""
    item = cut.items[0]
    mask, seeds = cut.values[0].numpy(), cut["seeds"][0].numpy() == 1
    truth = inside(box, item, mask.shape)
    ys, xs = np.nonzero(truth)
    framed, around = np.zeros_like(truth), np.zeros_like(truth)
    framed[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1] = True
    x0, y0, x1, y1 = cut["boxes"][0].tolist()
    around[y0:y1, x0:x1] = True
    return {
        "seeds inside": float((seeds & truth).sum() / max(seeds.sum(), 1)),
        "mask inside": float((mask & truth).sum() / max(mask.sum(), 1)),
        "box IoU": float((around & framed).sum() / (around | framed).sum()),
        "gathered": float(cut["gathered"][0]),
        "cut score": float(cut["cut_score"][0]),
        "rest score": float(cut["rest_score"][0]),
    }


def inside(box: list[float], item: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Return the pixels of the model's input that lie in a box of the photo."""
    height, width = item.size
    a, b, c, d, e, f = item.affine
    y, x = np.mgrid[: shape[0], : shape[1]] + 0.5
    across, down = (a * x + b * y + c) / width, (d * x + e * y + f) / height
    x0, y0, x1, y1 = box
    return np.asarray((across >= x0) & (across < x1) & (down >= y0) & (down < y1))


def text(rows: list[Record]) -> str:
    """Lay out the means over the photos; seconds are medians."""
    columns = [c for c in rows[0] if c not in ("model", "source", "photo")]
    keys = dict.fromkeys((row["model"], row["source"]) for row in rows)
    lines = []
    for key in keys:
        same = [row for row in rows if (row["model"], row["source"]) == key]
        means = (_centre(c)(r[c] for r in same) for c in columns)
        lines.append([*key, *(f"{mean:.3f}" for mean in means)])
    return table(["model", "source", *columns], lines)


def _centre(column: str) -> Callable[[Iterable[float]], float]:
    return statistics.median if column.endswith("seconds") else statistics.fmean


if __name__ == "__main__":
    main()
