"""The report of a quality benchmark: numbers in files and page, pictures, escaped names."""

from __future__ import annotations

import dataclasses
import io
import json
import re

import numpy as np
import pytest
from helpers.synthetic_scores import CONTROLS, EXPLAINERS, METRICS, synthetic_scores
from PIL import Image
from pyarrow import csv, parquet
from rich.console import Console

from convviz.evaluation.pictures import draw_pictures
from convviz.evaluation.report import write_report
from convviz.evaluation.score_table import beats_baseline, interval_text, score_tables, score_text
from convviz.evaluation.scores import MetricInfo, Scores
from convviz.evaluation.statistics import Interval, summarize
from convviz.evaluation.styles import CONTROL, styles_of


@pytest.fixture(scope="module")
def scores():
    return synthetic_scores(images=30)


@pytest.fixture(scope="module")
def summary(scores):
    return summarize(scores)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, scores, summary):
    folder = tmp_path_factory.mktemp("report") / "out"
    photo = np.full((40, 60, 3), 200, np.uint8)
    page = write_report(summary, scores, folder, facts={"Model": "<net>"}, photo=lambda name: photo)
    assert page == folder / "index.html"
    return folder


def test_files_hold_the_scores(folder, scores, summary):
    long = parquet.read_table(folder / "scores.parquet").to_pandas()
    assert len(long) == scores.measured.sum()
    first = long[(long.explainer == "rise") & (long.metric == "sds")].value
    assert first.to_numpy() == pytest.approx(scores.of("rise", "sds"))
    costs = parquet.read_table(folder / "costs.parquet").to_pandas()
    of_rise = costs[costs.explainer == "rise"].seconds.to_numpy()
    assert of_rise == pytest.approx(scores.seconds["rise"])
    table = csv.read_csv(folder / "table.csv").to_pandas()
    assert len(table) == len(summary.rows) == 5 * 13
    row = table[(table.metric == "deletion") & (table.explainer == "grad_cam")].iloc[0]
    expected = summary.row("grad_cam", "deletion")
    assert row["mean"] == pytest.approx(expected.mean.value)
    assert row["difference_low"] == pytest.approx(expected.difference.low)


def test_the_summary_is_strict_json(folder, summary):
    def refuse(word):
        raise AssertionError(word)

    saved = json.loads((folder / "summary.json").read_text(), parse_constant=refuse)
    rows = {(row["explainer"], row["metric"]): row for row in saved["rows"]}
    assert rows["rise", "srg"]["mean"]["value"] == summary.row("rise", "srg").mean.value
    undefined = rows["captum.guided_grad_cam", "gini"]
    assert (undefined["mean"]["value"], undefined["undefined"]) == (None, 30)
    assert saved["metrics"][3]["range"] == [0, None]
    assert len(saved["comparisons"]) == 4 * 36


def test_the_page_holds_everything_and_no_reference(folder, summary):
    page = (folder / "index.html").read_text("utf-8")
    assert "&lt;net&gt;" in page
    assert not re.search(r'(?:src|href)="(?!data:|#)', page)
    assert "<script" not in page
    for metric in METRICS:
        assert f">{metric.title}</h2>" in page
        assert metric.description in page
    for name in (*EXPLAINERS, *CONTROLS):
        assert f'<th scope="row">{name}</th>' in page
    assert interval_text(summary.row("rise", "srg").mean) in page
    assert "¹ randomization failed" in page
    assert "Max-sensitivity was computed for 20 images." in page
    assert page.count("image/jpeg") == 6 * 4  # of the metrics that rank


def test_pictures_are_drawn_for_every_metric_and_curve(folder):
    files = {path.stem: path.read_bytes() for path in (folder / "pictures").iterdir()}
    pictures = {name: Image.open(io.BytesIO(data)) for name, data in files.items()}
    assert set(pictures) == {
        "time", "correlations", "curve-deletion", "curve-srg--superpixels--mean-colour",
        *(f"intervals-{metric.name}" for metric in METRICS),
    }  # fmt: skip
    # The page shows 0.8 pixels per pixel, in 1144 pixels at most.
    assert max(picture.width for picture in pictures.values()) <= 1430


def test_curves_have_the_controls_of_all_images_and_state_the_number_of_images(scores, summary):
    partial = dict(scores.curves)
    for (name, explainer), curve in scores.curves.items():
        if explainer == "random":  # the first control
            y = np.where(np.arange(30)[:, None] < 8, curve.y, np.nan)
            partial[name, explainer] = dataclasses.replace(curve, y=y)
    pictures = draw_pictures(summary, dataclasses.replace(scores, curves=partial))
    assert "mean over 30 images" in pictures["curve-deletion"].caption.lower()
    few = [e for e in scores.explainers if e not in ("center", "sobel")]
    curves = {key: curve for key, curve in partial.items() if key[1] in few}
    pictures = draw_pictures(summary, dataclasses.replace(scores, curves=curves))
    assert "8 to 30 images" in pictures["curve-deletion"].caption


def test_the_terminal_table_fits_a_width_and_has_all_metrics(summary):
    for width in (70, 200):
        console = Console(width=width, record=True, file=io.StringIO())
        console.print(score_tables(summary, width))
        text = console.export_text()
        assert max(map(len, text.splitlines())) <= width
        words = " ".join(text.split())
        assert all(metric.title in words for metric in METRICS)
        assert score_text(summary.row("occlusion", "srg").mean.value) in words
        assert "Gini: 30 undefined scores." in words


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.12345, "0.123"), (-0.0004, "-4.00e-04"), (0.0, "0.000"), (12345.0, "1.23e+04"),
     (float("nan"), "–")],
)  # fmt: skip
def test_scores_have_three_decimals(value, text):
    assert score_text(value) == text


def test_an_explainer_beats_the_baseline_by_the_interval_of_the_difference(summary):
    row = summary.row("rise", "srg")
    up, down, none = (MetricInfo("m", "M", better) for better in (True, False, None))
    for low, high, expected in ((0.1, 0.2, True), (-0.1, 0.2, False)):
        changed = dataclasses.replace(row, difference=Interval(0.1, low, high))
        assert beats_baseline(changed, up) is expected
        mirrored = dataclasses.replace(row, difference=Interval(-0.1, -high, -low))
        assert beats_baseline(mirrored, down) is expected
        assert beats_baseline(changed, none) is None


def test_explainers_keep_their_colours_and_controls_are_grey():
    names = [f"e{i}" for i in range(12)]
    styles = styles_of([*names, "random"], frozenset({"random"}))
    assert styles["random"].colour == CONTROL
    assert len({(s.colour, s.marker, str(s.dash)) for s in styles.values()}) == 13
    assert CONTROL not in {styles[name].colour for name in names}


def test_a_report_of_the_least_that_is_possible(tmp_path):
    """One image, one explainer, no control, no score: nothing to compare, no error."""
    scores = Scores(
        np.full((1, 1, 1), np.nan), ("a",), ("<b>x</b>",), (MetricInfo("m/1", "M", True),)
    )
    page = write_report(summarize(scores), scores, tmp_path).read_text("utf-8")
    assert "undefined" in page
    assert "<b>x</b>" not in page
    assert [p.name for p in (tmp_path / "pictures").iterdir()] == ["intervals-m-1.png"]
