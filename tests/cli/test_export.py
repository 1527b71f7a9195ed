"""`convviz export` and tables of runs."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest
import torch
from PIL import Image
from pyarrow import parquet

import convviz
from convviz.cli.main import run as convviz_cli
from convviz.errors import UnknownNameError
from convviz.storage.table_formats import arrow_table, write_table

EVIL = ["=1+1", "+1", "-1", "@x", "plain", "a\x1b[31mred", "two\nlines", None]


@pytest.fixture
def export(run_folder, capfdbinary):
    """Call `convviz export RUN`, and return its exit code, its output and its errors."""

    def call(*arguments):
        code = convviz_cli(["export", str(run_folder), *arguments])
        out, err = capfdbinary.readouterr()
        return code, out, err.decode()

    return call


def test_csv_is_printed_with_a_column_for_the_layer(export, run_folder):
    code, out, _ = export("-e", "statistics")
    assert code == 0
    rows = list(csv.DictReader(io.StringIO(out.decode())))
    table = convviz.open_run(run_folder)["statistics"]["1"]
    assert [row["layer"] for row in rows] == ["1"] * 5
    means = [float(row["mean"]) for row in rows]
    assert means == pytest.approx(table["mean"].tolist())


def test_json_and_parquet_hold_the_same_rows(export, run_folder, tmp_path):
    _, out, _ = export("-e", "patches", "-l", "1", "--format", "json")
    _, binary, _ = export("-e", "patches", "--format", "parquet")
    assert export("-e", "patches", "-o", str(tmp_path / "p.parquet"))[0] == 0
    rows = json.loads(out)
    assert parquet.read_table(tmp_path / "p.parquet").to_pylist() == rows
    assert parquet.read_table(io.BytesIO(binary)).to_pylist() == rows
    patches = convviz.open_run(run_folder)["patches"]["1"]
    assert [row["value"] for row in rows] == patches.values.flatten().tolist()
    assert rows[0]["class"] in {"c0", "c1"}


def test_mistakes_name_what_there_is(export):
    for arguments, named in (
        (("-e", "patch"), "patches"),
        (("-e", "patches", "-l", "9"), "layer"),
        (("-e", "patches", "--format", "xls"), "csv, json, parquet"),
    ):
        code, out, err = export(*arguments)
        assert (code, out) == (2, b"")
        assert named in err


def test_csv_holds_no_formulas_and_no_terminal_escapes():
    buffer = io.BytesIO()
    columns = {"=cmd": EVIL, "number": np.array([-1.5, np.nan, 3, 4, 5, 6, 7, 8])}
    write_table(arrow_table(columns), buffer, "csv")
    header, *rows = csv.reader(io.StringIO(buffer.getvalue().decode()))
    assert header == ["'=cmd", "number"]
    assert [row[0] for row in rows] == [
        "'=1+1", "'+1", "'-1", "'@x", "plain", "a\\x1b[31mred", "two\\nlines", "",
    ]  # fmt: skip
    assert [row[1] for row in rows][:3] == ["-1.5", "", "3"]


def test_json_keeps_texts_exactly_and_has_no_terminal_escapes():
    buffer = io.BytesIO()
    write_table(arrow_table({"id": EVIL, "x": [float("inf")] * len(EVIL)}), buffer, "json")
    assert b"\x1b" not in buffer.getvalue()
    assert [row["id"] for row in json.loads(buffer.getvalue())] == EVIL
    assert json.loads(buffer.getvalue())[0]["x"] is None


def test_data_frames_of_a_run(run_folder):
    pytest.importorskip("pandas")
    run = convviz.open_run(run_folder)
    frame = run.to_pandas("patches", "1")
    assert list(frame.columns[:4]) == ["layer", "unit", "rank", "value"]
    assert len(frame) == 5 * 4
    items = run.items.to_pandas()
    assert items["class"].tolist() == [f"c{label}" for label in items["label"]]
    assert items["id"].tolist() == list(run.items.ids)
    assert frame["id"].tolist() == [run.items[i].id for i in frame["item"]]


def test_the_map_of_a_run_for_viewers_of_embeddings(run_folder, tmp_path):
    run = convviz.open_run(run_folder)
    rows = parquet.read_table(run.export_map(tmp_path / "map.parquet")).to_pylist()
    points, matches = run["embedding"].only, run["neighbors"].only
    assert [(row["x"], row["y"]) for row in rows] == [tuple(p) for p in points.values.tolist()]
    assert [row["label"] for row in rows] == [f"c{item.label}" for item in run.items]
    assert [row["id"] for row in rows] == list(run.items.ids)
    assert [row["neighbors"]["ids"] for row in rows] == matches["indices"].tolist()
    assert np.allclose([row["neighbors"]["distances"] for row in rows], matches.values)
    with Image.open(io.BytesIO(rows[3]["image"]["bytes"])) as image:
        assert (np.asarray(image) == points["thumbnails"][3].numpy()).all()
    with pytest.raises(UnknownNameError):
        run.export_map(tmp_path / "map.parquet", layer="nothing")


def test_neighbours_of_a_map_are_rows_of_its_file(run_folder, tmp_path):
    from convviz.sweep.map_export import write_map

    run = convviz.open_run(run_folder)
    points, matches = run["embedding"].only, run["neighbors"].only
    points.values[2] = torch.nan  # an image without a place
    write_map(tmp_path / "map.parquet", points, matches, run.classes)
    rows = parquet.read_table(tmp_path / "map.parquet").to_pylist()
    ids = [name for i, name in enumerate(run.items.ids) if i != 2]
    assert [row["id"] for row in rows] == ids
    for row in rows:
        item = run.items.ids.index(row["id"])
        expected = [run.items.ids[i] for i in matches["indices"][item].tolist() if i != 2]
        assert [ids[i] for i in row["neighbors"]["ids"]] == expected


def test_html_of_a_run(run_folder):
    html = convviz.open_run(run_folder)._repr_html_()
    assert all(name in html for name in ("patches", "neighbors", "embedding", "statistics"))


@pytest.mark.parametrize("format", ["svg", "pdf"])
def test_show_draws_in_another_format(format, run_folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("convviz.explanation.display.has_screen", lambda: False)
    monkeypatch.chdir(tmp_path)
    options = ["-e", "embedding", "--format", format, "--no-title", "-o", "here"]
    assert convviz_cli(["show", str(run_folder), *options]) == 0
    (layer,) = convviz.open_run(run_folder)["embedding"]
    names = [f"{name}.{format}" for name in ("scatter", "grid")]
    assert [line.rsplit("/", 1)[1] for line in capsys.readouterr().out.split()] == names
    assert layer
