"""benchmark scores explainers by name, resumes, and records what was not computed."""

from __future__ import annotations

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from pydantic import Field

import convviz
from convviz.authoring import Explainer, Metric, MetricCost
from convviz.cli.main import run
from convviz.errors import ConvvizError, ParameterError
from convviz.evaluation import estimate, scoring
from convviz.evaluation.quality_record import QualityRecord
from convviz.testing import tiny_model, tiny_photos

EXPLAINERS = {
    "saliency": "saliency",
    "occlusion": convviz.explainer("occlusion", window=8, stride=4),
}
METRICS = {"sds": "sds", "gini": "gini", "deletion": convviz.metric("deletion", steps=4)}


class Counts(Metric):
    """The number of maps of a repeated explanation."""

    needs = frozenset({"repeats"})

    def cost(self):
        return MetricCost(explanations=2)

    def score(self, image):
        again = image.explain(image.image.expand(2, -1, -1, -1))
        return [
            float(np.allclose(a[1].values, m.values, rtol=1e-3, atol=1e-5))
            for m, a in zip(image.maps, again, strict=True)
        ]


@pytest.fixture(autouse=True)
def no_report(request, monkeypatch):
    """Draw no report, which takes seconds, except where a test asks for it."""
    if "with_report" not in request.fixturenames:
        monkeypatch.setattr(QualityRecord, "save", lambda record, folder: None)


@pytest.fixture
def with_report():
    """Draw the report."""


def bench(out=None, photos=3, explainers=EXPLAINERS, metrics=METRICS, **settings):
    dataset = convviz.array_dataset(tiny_photos(photos))
    return convviz.benchmark(tiny_model(), dataset, explainers, metrics, out, **settings)


def test_explainers_and_controls_are_scored(tmp_path, with_report):
    record = bench(tmp_path)
    scores = record.scores
    assert scores.explainers[:4] == (
        "saliency", "occlusion", "blurred(saliency)", "blurred(occlusion)",
    )  # fmt: skip
    assert scores.controls == frozenset(scores.explainers[2:])
    assert scores.metric_names == ("sds", "sds.blur", "gini", "deletion")
    assert np.isfinite(scores.values).all()
    assert scores.marks_of("occlusion", "sds") == ("circular",)
    assert scores.of("occlusion", "sds").min() > scores.of("random", "sds").max()
    assert (scores.of("blurred(saliency)", "gini") < scores.of("saliency", "gini")).all()
    assert scores.curves["deletion: probability", "sobel"].y.shape == (3, 5)
    table = pq.read_table(tmp_path / "scores.parquet").to_pylist()
    assert len(table) == scores.values.size
    assert record.page == tmp_path / "index.html"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"engine": "rai"}, "ray"),
        ({"address": "auto"}, "requires engine='ray', not 'local'"),
        ({"threads": 0}, "threads must be a whole number >= 1, not 0"),
    ],
)
def test_wrong_engines_are_refused(settings, message):
    with pytest.raises(ConvvizError, match=message):
        bench(**settings)


@pytest.mark.parametrize(
    ("seconds_per_image", "best", "tried"),
    [
        ({2: 3.0, 4: 1.0, 8: 2.0, 16: 2.0, 32: 0.5}, 4, [2, 4, 8, 16]),
        ({2: 5.0, 4: 4.0, 8: 3.0, 16: 2.0, 32: 1.0}, 32, [2, 4, 8, 16, 32]),
        ({2: 1.0, 4: 2.0, 8: 2.0, 16: 0.1, 32: 0.1}, 2, [2, 4, 8]),
    ],
)
def test_the_search_for_the_batch_size_ends_early(monkeypatch, seconds_per_image, best, tried):
    sizes = []

    def timed(call, device):
        call()
        return seconds_per_image[sizes[-1]] * sizes[-1], None

    monkeypatch.setattr(estimate, "timed", timed)
    found = estimate.fastest_batch(
        lambda images: sizes.append(len(images)), torch.zeros(1, 3, 2, 2)
    )
    assert found == best
    assert list(dict.fromkeys(sizes)) == tried


def test_the_threads_of_the_process_are_restored():
    before = torch.get_num_threads()
    counts = []

    class Threads(Metric):
        """The number of threads."""

        def score(self, image):
            counts.append(torch.get_num_threads())
            return [0.0] * len(image.maps)

    bench(photos=1, metrics={"threads": Threads()}, threads=before + 1)
    assert set(counts) == {before + 1}
    assert torch.get_num_threads() == before


def test_scores_are_those_of_the_metric_on_the_map(tmp_path):
    """The Gini index of the map that `explain` returns."""
    record = bench(controls=False, metrics="gini")
    photos = tiny_photos(3)
    values = convviz.explain(tiny_model(), list(photos), "saliency").values.numpy()
    for actual, value in zip(record.scores.of("saliency", "gini"), values, strict=True):
        sizes = np.sort(np.abs(value).ravel())
        n = sizes.size
        expected = ((2 * np.arange(1, n + 1) - n - 1) * sizes).sum() / (n * sizes.sum())
        np.testing.assert_allclose(actual, expected)


def test_an_interrupted_benchmark_resumes_with_the_same_scores(tmp_path, monkeypatch, with_report):
    few = {"explainers": ["saliency"], "metrics": ["gini", "sds"]}
    whole = bench(**few)
    original, calls = scoring.Scorer.score, []

    def interrupt(self, *args):
        calls.append(args)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return original(self, *args)

    monkeypatch.setattr(scoring.Scorer, "score", interrupt)
    with pytest.raises(KeyboardInterrupt):
        bench(tmp_path / "parts", **few)
    assert len(list((tmp_path / "parts" / "shards").iterdir())) == 1
    assert "1 of 3 images" in (tmp_path / "parts" / "index.html").read_text()
    resumed = bench(tmp_path / "parts", **few)
    assert len(calls) == 4
    np.testing.assert_array_equal(resumed.scores.values, whole.scores.values)
    bench(tmp_path / "parts", **few)
    assert len(calls) == 4


def test_another_benchmark_in_the_folder_is_refused(tmp_path):
    bench(tmp_path, photos=1, metrics="gini")
    with pytest.raises(ParameterError, match=r"another benchmark.*seed \(was 0, is 1\)"):
        bench(tmp_path, photos=1, metrics="gini", seed=1)
    with pytest.raises(ParameterError, match="explainers"):
        bench(tmp_path, photos=1, metrics="gini", explainers=["saliency"])


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"id": 1}', '{"id": "0", "target": "a", "values": {"gini": 3}}']
)
def test_a_damaged_shard_is_an_error_that_names_it(tmp_path, content):
    bench(tmp_path, photos=1, metrics="gini")
    (shard,) = (tmp_path / "shards").iterdir()
    shard.write_text(content)
    with pytest.raises(ConvvizError, match=shard.name):
        bench(tmp_path, photos=1, metrics="gini")


def test_images_are_spread_and_repeats_run_on_some():
    record = bench(photos=9, images=5, repeat_images=2, metrics={"again": Counts(), "gini": "gini"})
    scores = record.scores
    assert scores.images == ("0", "2", "4", "6", "8")
    assert scores.measured[:, :, 0].all(axis=1).tolist() == [True, False, False, False, True]
    assert (scores.values[[0, 4], :, 0] == 1).all()
    blurred = [name.startswith("blurred(") for name in scores.explainers]
    assert scores.measured[:, ~np.array(blurred), 1].all()
    assert scores.measured[:, np.array(blurred), 1].all(axis=1).tolist() == [1, 0, 0, 0, 1]
    assert "again: on 2 of 5 images" in scores.notes[0]


class Others(Counts):
    """The number of images that it may use."""

    def score(self, image):
        return [float(len(list(image.others())))] * len(image.maps)


def test_images_without_a_metric_are_not_explained():
    record = bench(photos=9, images=5, repeat_images=2, metrics={"others": Others()})
    assert record.scores.images == ("0", "8")
    assert (record.scores.values == 5).all()
    assert "others: on 2 of 5 images" in record.scores.notes[0]


def test_pairs_above_the_budget_are_marked():
    scores = bench(photos=1, budget=2).scores
    assert scores.marks_of("saliency", "deletion") == ("over the budget",)
    assert not scores.measured[:, :, 3].any()
    assert scores.measured[:, :, :3].all()


class Fails(Explainer):
    """Fails on dark photos."""

    seed: int = Field(0, description="Not used.")

    def explain(self, model, batch, target, forward):
        if float(batch.images.mean()) < 0:
            raise convviz.ParameterError("too dark")
        return convviz.Heatmap(batch.images.abs().sum(1).cpu())


def test_a_failing_explainer_is_undefined_on_these_images():
    dark, bright = (np.full((1, 32, 32, 3), value, np.uint8) for value in (9, 240))
    bright[0, 5:9] = 100
    images = np.concatenate([dark, bright])
    scores = convviz.benchmark(tiny_model(), images, {"odd": Fails()}, "gini").scores
    assert np.isnan(scores.of("odd", "gini")).tolist() == [True, False]
    assert scores.undefined[0, 0, 0]
    assert any("odd failed on 1 of 2 images: too dark" in note for note in scores.notes)


def test_masks_of_photos_are_cropped_like_photos():
    photos = tiny_photos(2, 36, 72)
    mask = np.zeros((36, 72), bool)
    mask[:, 36:] = True
    bright_right = {"right": _Right()}
    scores = convviz.benchmark(
        tiny_model(), photos, bright_right, "localization", masks=lambda name: mask, controls=False
    ).scores
    np.testing.assert_allclose(scores.of("right", "localization.energy"), 1)
    np.testing.assert_allclose(scores.of("right", "localization.iou"), 1)
    with pytest.raises(ParameterError, match="shape"):
        convviz.benchmark(tiny_model(), photos, bright_right, "localization", masks={"0": mask[:9]})


class _Right(Explainer):
    """The right half of the image."""

    def explain(self, model, batch, target, forward):
        values = batch.images.abs().sum(1).cpu() + 1
        values[:, :, : values.shape[2] // 2] = 0
        return convviz.Heatmap(values)


@pytest.mark.parametrize(
    ("arguments", "fact"),
    [
        ({"explainers": ["filters"]}, "filters"),
        ({"explainers": ["neighbors"]}, "neighbors"),
        ({"explainers": ["saliency", "saliency"]}, "saliency"),
        ({"explainers": {"random": "saliency"}}, "random"),
        ({"metrics": ["gini", "gini"]}, "gini"),
        ({"metrics": "localization"}, "masks"),
        ({"metrics": []}, "no metric"),
        ({"images": 0}, "images"),
        ({"repeat_images": 0}, "repeat_images"),
        ({"target": [0, 1]}, "target"),
    ],
)
def test_bad_arguments_are_named(arguments, fact):
    explainers = arguments.pop("explainers", ["saliency"])
    metrics = arguments.pop("metrics", "gini")
    with pytest.raises(ParameterError, match=fact):
        convviz.benchmark(tiny_model(), tiny_photos(1), explainers, metrics, **arguments)


def test_command_line(tmp_path, capsys):
    arguments = ["bench", "quality", "demo-digits:?limit=4", "-m", "demo-digits"]
    arguments += ["-e", "saliency", "--metric", "srg", "--metric", "gini", "-o", str(tmp_path)]
    assert run([*arguments, "-p", "srg.segments=4", "-p", "saliency.channels=signed"]) == 0
    output = capsys.readouterr()
    assert "saliency" in output.out
    assert "forward passes" in output.err
    plan = json.loads((tmp_path / "plan.json").read_text())
    assert plan["metrics"]["srg"]["parameters"]["segments"] == 4
    assert plan["explainers"]["saliency"]["parameters"]["channels"] == "signed"
    assert run([*arguments, "-p", "srg.segments=5"]) == 2
    assert run(["metrics", "srg"]) == 0
    assert "srg.linear" in capsys.readouterr().out
