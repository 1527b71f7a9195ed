"""Names that are scripts: in files, classes, layers, models and data sets of a run."""

from __future__ import annotations

import json
from collections import OrderedDict

import numpy as np
import pytest
import torch
from helpers.pictures import checksums_instead_of_pictures
from helpers.script_payloads import PAYLOADS

import convviz


class Hostile:
    """A data set whose names are scripts."""

    name = PAYLOADS[0]
    ids = tuple(PAYLOADS)
    labels = tuple(range(len(PAYLOADS)))
    classes = tuple(f"class {payload}" for payload in PAYLOADS)
    notes = tuple(PAYLOADS[:4])

    def load(self, index):
        if index == 3:
            raise convviz.ImageError(PAYLOADS[2])
        return np.full((16, 16, 3), index, np.uint8)


@pytest.fixture(scope="module")
def hostile_report(tmp_path_factory):
    torch.manual_seed(0)
    layers = OrderedDict()
    for number, payload in enumerate(PAYLOADS[:3]):
        layers[payload] = torch.nn.Conv2d(3 if not number else 6, 6, 3, padding=1)
    layers["relu"] = torch.nn.ReLU()
    layers["pool"] = torch.nn.AdaptiveAvgPool2d(1)
    layers["flat"] = torch.nn.Flatten()
    layers["head"] = torch.nn.Linear(6, len(PAYLOADS))
    model = convviz.Model(
        torch.nn.Sequential(layers).eval(),
        name=PAYLOADS[1],
        preprocess=convviz.Preprocess(resize=16, crop=16, mean=(0, 0, 0), std=(1, 1, 1)),
        labels=[f"label {payload}" for payload in PAYLOADS],
    )
    names = PAYLOADS[:3]
    explainers = [
        convviz.explainer("patches", layers=names, draw=1),
        convviz.explainer("statistics", layers=names),
        convviz.explainer("neighbors", layers=["head"]),
        convviz.explainer("embedding", layers=["head"]),
    ]
    folder = tmp_path_factory.mktemp("hostile")
    with checksums_instead_of_pictures():
        run = convviz.analyze(model, Hostile(), explainers, folder / "run")
    write_hostile_benchmark(folder / "bench")
    report = convviz.write_run_report(
        run, folder / "report", photos=Hostile(), other=run, explained=[folder / "bench"]
    )
    return report.parent


def write_hostile_benchmark(folder):
    """Write the summary of a benchmark in which every text is a script."""
    metric = {
        "name": PAYLOADS[0],
        "title": PAYLOADS[2],
        "higher_is_better": True,
        "description": PAYLOADS[3],
    }
    rows = [
        {"explainer": name, "metric": PAYLOADS[0], "is_control": False, "measured": 1}
        | {"mean": {"value": 1.0}, "group": PAYLOADS[5], "marks": [PAYLOADS[4], name]}
        for name in PAYLOADS
    ]
    summary = {
        "format": 1,
        "metrics": [metric],
        "explainers": PAYLOADS,
        "baseline": PAYLOADS[1],
        "images": 1,
        "rows": rows,
        "notes": PAYLOADS,
    }
    folder.mkdir()
    (folder / "summary.json").write_text(json.dumps(summary))


def test_names_that_are_scripts_are_shown_and_do_not_run(watch, hostile_report, capsys):
    watched = watch(hostile_report.as_uri() + "/")
    pages = sorted(path.relative_to(hostile_report) for path in hostile_report.rglob("*.html"))
    assert {"benchmark.html", "index.html", "layer"} <= {path.parts[0] for path in pages}
    states = [f"#unit=1&class={payload}" for payload in PAYLOADS[:3]]
    visits = [(path, state) for path in pages for state in ("", "#id=1&q=<svg onload=1>", *states)]
    for path, state in visits:
        page = watched.open(f"{path.as_posix()}{state}")
        assert page.evaluate("window.hacked") is None, (path, state)
        planted = page.locator("script:not([src]), style, base, iframe, img[src=x], [onerror]")
        assert planted.count() == 0, (path, state)
    overview = watched.open("index.html").inner_text("body")
    assert PAYLOADS[0] in overview
    assert PAYLOADS[1] in overview
    with capsys.disabled():
        print(f"\n{len(PAYLOADS)} names that are scripts, {len(visits)} views: none ran")
