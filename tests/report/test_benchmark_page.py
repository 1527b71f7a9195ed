"""The benchmark page: scores of `bench quality`, and folders that others made."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

import convviz
from convviz.errors import ConvvizError
from convviz.report import benchmark_page
from convviz.report.benchmark_summary import is_benchmark, read_summary
from convviz.report.site import Site


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("digits") / "run"
    return convviz.analyze("demo-digits", "demo-digits:?limit=4", "statistics", folder)


def interval(value, low=None, high=None):
    return {"value": value, "low": low, "high": high, "count": 3, "undefined": 0}


def row(explainer, mean, difference, marks=(), **others):
    values = {"explainer": explainer, "metric": "srg", "is_control": explainer == "random"}
    shown = {"mean": mean, "difference": difference, "measured": 3, "marks": list(marks)}
    return values | shown | {"group": "", "win_rate": None} | others


SUMMARY = {
    "format": 1,
    "metrics": [{"name": "srg", "title": "SRG", "higher_is_better": True, "range": [-1, 1]}],
    "explainers": ["good", "weak", "random"],
    "baseline": "random",
    "images": 3,
    "rows": [
        row("good", interval(0.5, 0.4, 0.6), interval(0.4, 0.3, 0.5), group="a"),
        row("weak", interval(0.2, 0.1, 0.3), interval(0.1, -0.1, 0.3), marks=["circular"]),
        row("random", interval(None), interval(None)),
    ],
    "notes": ["A note."],
}


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "bench"
    (path / "pictures").mkdir(parents=True)
    (path / "summary.json").write_text(json.dumps(SUMMARY))
    from PIL import Image

    Image.fromarray(np.zeros((20, 30, 3), np.uint8)).save(path / "pictures" / "intervals-srg.png")
    (path / "pictures" / "curve-srg.png").write_bytes(b"<script>")
    return path


def page_of(run, folder, out):
    site = Site(run, out, explained=[folder])
    site.links = benchmark_page.links(site)
    benchmark_page.write(site)
    site.pictures.run()  # removes its temporary files
    return (out / "benchmark.html").read_text()


def test_the_table_has_means_intervals_and_footnotes(run, folder, tmp_path):
    text = page_of(run, folder, tmp_path / "report")
    good, weak, random = text.split("<tbody>")[1].split("</tbody>")[0].split("<tr")[1:]
    assert 'data-value="0.5"' in good
    assert "0.400 … 0.600" in good
    assert "is-weak" not in good
    assert "is-weak" in weak
    assert "<sup>1</sup>" in weak
    assert "is-control" in random
    assert "undefined" in random
    assert "<li>circular</li>" in text
    assert text.count("<img") == 1  # the file that is no picture is left out
    assert (tmp_path / "report" / "media" / "benchmark" / "0-00.png").exists()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{}", "format"),
        ("[1]", "the file"),
        ("{", "the file"),
        (json.dumps(SUMMARY | {"format": 7}), "format 7"),
        (json.dumps(SUMMARY | {"rows": [{"explainer": 3}]}), "rows.0"),
        (json.dumps(SUMMARY | {"explainers": ["good"] * 1001}), "explainers.*1000"),
        (json.dumps(SUMMARY | {"metrics": SUMMARY["metrics"] * 101}), "metrics.*100"),
    ],
)
def test_a_damaged_summary_is_reported_on_the_page(run, folder, tmp_path, content, reason):
    (folder / "summary.json").write_text(content)
    with pytest.raises(ConvvizError, match=reason):
        read_summary(folder)
    text = page_of(run, folder, tmp_path / "report")
    assert 'class="problem"' in text


def test_links_out_of_the_folder_are_not_followed(run, folder, tmp_path):
    secret = tmp_path / "secret.png"
    shutil.move(folder / "pictures" / "intervals-srg.png", secret)
    (folder / "pictures" / "intervals-srg.png").symlink_to(secret)
    assert "<img" not in page_of(run, folder, tmp_path / "report")
    (folder / "summary.json").rename(tmp_path / "summary.json")
    (folder / "summary.json").symlink_to(tmp_path / "summary.json")
    assert "link that leaves" in page_of(run, folder, tmp_path / "report")


def test_a_report_without_a_benchmark_has_no_such_page(run, tmp_path):
    site = Site(run, tmp_path / "report", explained=[tmp_path])
    assert not is_benchmark(tmp_path)
    assert benchmark_page.links(site) == []
    benchmark_page.write(site)
    site.pictures.run()
    assert not (tmp_path / "report" / "benchmark.html").exists()
