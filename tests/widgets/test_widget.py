"""Widgets on the side of Python: traits, answers to the script, and static HTML."""

from __future__ import annotations

import base64
import builtins
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import convviz
from convviz import MissingLibraryError, ParameterError

pytest.importorskip("anywidget", reason="widgets require convviz[notebook]")
import traitlets


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> convviz.Run:
    explainers = [convviz.explainer("patches", draw=1), "statistics", "embedding"]
    folder = tmp_path_factory.mktemp("widgets") / "run"
    return convviz.analyze("demo-digits", "demo-digits:?limit=12", explainers, folder)


def ask(widget: Any, name: str, **values: Any) -> Any:
    """Send a question as the script does, and return the answer or the error."""
    sent: list[Any] = []
    widget.send = lambda content, buffers=None: sent.append(content)
    widget._handle_custom_msg({"id": "7", "ask": name, "values": values}, [])
    [answer] = sent
    assert answer["id"] == "7"
    return json.loads(answer["text"]) if "text" in answer else answer["error"]


def pixels_of(uri: str) -> np.ndarray:
    assert uri.startswith("data:image/")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))))


def test_a_selection_comes_back(run: convviz.Run) -> None:
    widget = convviz.widget(str(run.folder))
    seen = []
    widget.observe(lambda change: seen.append(change["new"]), "selection")
    widget.set_state({"selection": [7, 3, 3]})  # as the script does
    assert widget.selection == [3, 7]
    assert seen == [[3, 7]]
    assert [run.items[i].id for i in widget.selection] == ["03", "07"]
    for rows in ([12], [-1]):
        with pytest.raises(traitlets.TraitError, match="rows 0 to 11"):
            widget.selection = rows
    with pytest.raises(traitlets.TraitError, match=r"stage2\.relu"):
        widget.layer = "nowhere"
    widget.layer, widget.unit = "stage2.relu", 4
    assert widget.get_state()["unit"] == 4


def test_answers_of_a_run(run: convviz.Run) -> None:
    widget = convviz.widget(run)
    site = ask(widget, "site")
    assert site["count"] == 12
    assert widget.layer == [layer["name"] for layer in site["layers"] if layer["units"]][-1]
    tiles = run["patches"]["stage2.relu"].result
    layer = ask(widget, "layer", layer="stage2.relu")
    assert layer["count"] == len(tiles.values)
    assert layer["columns"]["max"][5] == pytest.approx(float(tiles.values[5, 0]), rel=1e-4)
    sheet = ask(widget, "tiles", layer="stage2.relu", units=[5, 6, 7])
    assert sheet["missing"] == []
    assert pixels_of(sheet["atlas"]).shape == (64, 8 * 64, 3)
    unit = ask(widget, "unit", layer="stage2.relu", unit=5)
    best = unit["patches"][0]
    assert best["row"] == int(tiles["items"][5, 0])
    photo = convviz.open_dataset("demo-digits:?limit=12").load(best["row"])
    assert np.array_equal(pixels_of(best["image"]["preview"]), photo)
    assert ask(widget, "photo", row=3)["name"] == "03"
    points = ask(widget, "points", layer=list(run["embedding"])[-1])
    assert points["count"] == 12
    for question in (
        {"name": "unit", "layer": "stage2.relu", "unit": 9999},
        {"name": "unit", "layer": "../x", "unit": 0},
        {"name": "tiles", "layer": "stage2.relu", "units": [True]},
        {"name": "tiles", "layer": "stage2.relu", "units": list(range(65)) * 2},
        {"name": "photo", "row": "../../etc/passwd"},
        {"name": "photo", "row": 12},
        {"name": "__init__"},
        {"name": "unit"},
        {"name": "photo", "row": 3, "side": float("nan")},  # an error of any kind is an answer
    ):
        assert isinstance(ask(widget, **question), str)


def test_photos_that_have_moved(run: convviz.Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "empty" / "x.png")
    widget = convviz.widget(run, photos=str(tmp_path / "empty"))
    assert ask(widget, "tiles", layer="stage2.relu", units=[0])["missing"] == [0]
    assert ask(widget, "photo", row=0)["preview"] is None


def test_answers_of_explanations() -> None:
    photo = convviz.open_dataset("demo-digits:?limit=9").load(3)
    explanations = convviz.explain("demo-digits", [photo, photo], ["saliency", "activations"])
    widget = convviz.widget(explanations)
    answer = ask(widget, "image", image=1)
    assert [column["name"] for column in answer["maps"]["columns"]] == ["saliency"]
    [panel] = answer["maps"]["panels"]
    levels = np.frombuffer(base64.b64decode(panel["values"]), np.uint8).reshape(32, 32)
    values = panel["low"] + levels / 254 * (panel["high"] - panel["low"])
    expected = np.clip(explanations[0].values[1].numpy(), panel["low"], panel["high"])
    assert np.abs(values - expected).max() <= (panel["high"] - panel["low"]) / 500
    assert pixels_of(panel["view"]).shape == (32, 32, 3)
    assert answer["pictures"]
    assert len(ask(widget, "names")) == 2
    assert "2" in ask(widget, "image", image=2)
    with pytest.raises(traitlets.TraitError):
        widget.opacity = 1.5
    with pytest.raises(traitlets.TraitError):
        widget.image = 2


def test_static_html_where_widgets_cannot_be_shown(
    run: convviz.Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, _ = convviz.widget(run)._repr_mimebundle_()
    assert data["text/html"] == run._repr_html_()
    assert "application/vnd.jupyter.widget-view+json" in data
    explanation = convviz.explain("demo-digits", None, "filters")
    data, _ = convviz.widget(explanation)._repr_mimebundle_()
    assert "data:image/png;base64" in data["text/html"]
    with pytest.raises(ParameterError, match="neither"):
        convviz.widget([])
    real = builtins.__import__

    def without_anywidget(name: str, *rest: Any, **options: Any) -> Any:
        if name in ("anywidget", "views"):  # the latter may have been imported before
            raise ImportError("no anywidget", name="anywidget")
        return real(name, *rest, **options)

    monkeypatch.setattr(builtins, "__import__", without_anywidget)
    with pytest.raises(MissingLibraryError, match=r"convviz\[notebook\]"):
        convviz.widget(run)
