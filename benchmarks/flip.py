"""flip: the smallest rectangle that changes the class, against full forward passes by hand.

Both find the same rectangles: the hand-written loop covers the rectangles area by area, in batches
of the size that is fastest for it, and stops behind the same area. The network is in channels_last
format for the loop if that is faster. A network with random weights rarely changes its class, so
that all 784 rectangles are covered.

    python benchmarks/flip.py PHOTOS --out benchmarks/results/flip.json
"""

from __future__ import annotations

import argparse
import copy
from pathlib import Path
from typing import Any

import torch
from _common import Record, interleaved, machine, medians, table, timed, today, versions, write

import convviz
from convviz.authoring import make_batch
from convviz_plugins.explainers.flip.rectangles import rectangles_by_area, to_pixels

MODELS = "demo,torchvision:resnet18?weights=none"
BATCHES = (16, 32, 64)


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path, help="folder with the photos")
    parser.add_argument("--models", default=MODELS)
    parser.add_argument("--count", type=int, default=3, help="photos, evenly spaced")
    parser.add_argument("--max-area", type=float, default=1.0)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, required=True, help="JSON file of the records")
    return parser.parse_args(given)


def main(given: list[str] | None = None) -> None:
    args = arguments(given)
    torch.set_num_threads(args.threads)
    head = {"kind": "flip", "date": today(), "machine": machine(), "versions": versions()}
    files = sorted(p for p in args.photos.rglob("*") if p.suffix.lower() in (".jpeg", ".jpg"))
    if not files:
        raise SystemExit(f"{args.photos} has no JPEG files")
    chosen = [files[i * len(files) // args.count] for i in range(args.count)]
    rows: list[Record] = []
    for source in args.models.split(","):
        model = convviz.load_model(source)
        loop = Loop(model, make_batch([chosen[0]], model).images)
        convviz.explain(model, chosen[0], "flip", max_area=0.05)  # exports the network once
        for photo in chosen:
            row = of_photo(model, loop, photo, args)
            rows.append({"model": source, "photo": photo.name, **row})
            write(args.out, {**head, "rows": rows})
    print(text(rows))


class Loop:
    """Full forward passes by hand, in the layout and batch size that are fastest for them.

    Args:
        model: the model.
        images: one image, on which they are chosen.
    """

    def __init__(self, model: convviz.Model, images: torch.Tensor) -> None:
        net = copy.deepcopy(model.module).eval()
        ways = {
            (size, memory): (copy.deepcopy(net).to(memory_format=memory), size, memory)
            for memory in (torch.contiguous_format, torch.channels_last)
            for size in BATCHES
        }
        seconds = {
            way: timed(lambda parts=parts: self._pass(*parts, images))[0] / way[0]
            for way, parts in ways.items()
        }
        self.net, self.size, self.memory = ways[min(seconds, key=seconds.__getitem__)]

    def _pass(self, net: Any, size: int, memory: Any, images: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode():
            return net(images.expand(size, -1, -1, -1).contiguous(memory_format=memory))

    def search(self, image: torch.Tensor, max_area: float) -> tuple[int, set[tuple[int, ...]]]:
        """Return the smallest area that changes the class, 0 without any, and its rectangles."""
        with torch.inference_mode():
            old = int(self.net(image).argmax())
            for area, rectangles in rectangles_by_area(7).items():
                if area > max_area * 49:
                    break
                boxes = to_pixels(rectangles, 7, (image.shape[2], image.shape[3]))
                parts = [self._top(image, part) for part in boxes.split(self.size)]
                flips = boxes[torch.cat(parts) != old]
                if len(flips):
                    return area, set(map(tuple, flips.tolist()))
        return 0, set()

    def _top(self, image: torch.Tensor, boxes: torch.Tensor) -> torch.Tensor:
        copies = image.repeat(len(boxes), 1, 1, 1).contiguous(memory_format=self.memory)
        for covered, (x0, y0, x1, y1) in zip(copies, boxes.tolist(), strict=True):
            covered[:, y0:y1, x0:x1] = 0
        return self.net(copies).argmax(1)


def of_photo(model: Any, loop: Loop, photo: Path, args: argparse.Namespace) -> Record:
    """Time both ways on one photo, and compare what they find."""
    image = make_batch([photo], model).images
    results: Record = {}

    def public() -> None:
        results["public"] = convviz.explain(model, photo, "flip", max_area=args.max_area)

    def by_hand() -> None:
        results["by hand"] = loop.search(image, args.max_area)

    seconds = interleaved({"convviz": public, "by hand": by_hand}, args.repeats)
    result, (area, flips) = results["public"], results["by hand"]
    same = int(result["area"][0]) == area and set(map(tuple, result["boxes"].tolist())) == flips
    middle = medians(seconds)
    return {
        "area": int(result["area"][0]),
        "rectangles": result.result.measures["rectangles covered"],
        "seconds": seconds,
        "batch": loop.size,
        "layout": str(loop.memory),
        "same": same,
        "ratio": middle["by hand"] / middle["convviz"],
    }


def text(rows: list[Record]) -> str:
    head = ["model", "photo", "area", "rectangles", "convviz s", "full passes s", "ratio", "same"]
    lines = []
    for row in rows:
        middle = medians(row["seconds"])
        lines.append(
            [
                *(row["model"], row["photo"], f"{row['area'] / 49:.0%}", str(row["rectangles"])),
                *(f"{middle['convviz']:.1f}", f"{middle['by hand']:.1f}"),
                *(f"{row['ratio']:.2f}x", "yes" if row["same"] else "no"),
            ]
        )
    return table(head, lines)


if __name__ == "__main__":
    main()
