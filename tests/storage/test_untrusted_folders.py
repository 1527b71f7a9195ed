"""Run folders and results that anybody may have written: damaged, hostile, copied, public."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import stat
import sys
from pathlib import Path

import fsspec
import numpy as np
import pyarrow as pa
import pytest
import torch
from helpers.pictures import checksums_instead_of_pictures
from pyarrow import parquet
from safetensors.torch import save

import convviz
from convviz import ConvvizError, ParameterError
from convviz.authoring import hookimpl
from convviz.cli.tables import table
from convviz.data.item_table import ItemTable
from convviz.gallery import write_report
from convviz.plugin.sources import load_recorded_model, open_recorded_dataset
from convviz.storage.array_file import read_npy, read_tensors
from convviz.storage.checksums import checksum
from convviz.storage.untrusted_files import MissingFileError, open_regular, read_bounded

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
ESCAPE = "\x1b]0;owned\x07\x1b[2J\u202e"


@pytest.fixture(scope="module")
def corruption():
    """The script that damages and attacks run folders, as a module."""
    sys.path.insert(0, str(BENCHMARKS))
    spec = importlib.util.spec_from_file_location("corruption", BENCHMARKS / "corruption.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    sys.path.remove(str(BENCHMARKS))


@pytest.fixture(scope="module")
def made(corruption, tmp_path_factory):
    """A small finished run, and the model it was made with."""
    return corruption.make_run(tmp_path_factory.mktemp("good"))


@pytest.fixture
def run(made, tmp_path):
    """A copy of the run that a test may spoil."""
    return Path(shutil.copytree(made[0], tmp_path / "run"))


# Damage


def test_no_changed_byte_is_taken_for_the_result(corruption, run):
    outcomes = corruption.corrupt(run, 40, seed=1)
    print("\n", dict(outcomes))
    assert outcomes["detected"] + outcomes["harmless"] == 40
    assert outcomes["detected"] >= 38


def test_the_damaged_file_is_named(corruption, run):
    leaf = run / "results" / "neighbors" / "3"
    for name in ("arrays.safetensors", "vectors.npy", "index.faiss", "items.parquet"):
        path = leaf / name
        good = path.read_bytes()
        path.unlink()
        path.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
        with pytest.raises(ConvvizError, match=rf"{name} is damaged"):
            corruption.content(run)
        path.write_bytes(good)
    (run / "skipped.parquet").write_bytes(b"")
    with pytest.raises(ConvvizError, match=r"skipped\.parquet is damaged: it has 0 bytes"):
        _ = convviz.open_run(run).skipped


def test_files_are_checked_when_they_are_asked_for(run):
    leaf = run / "results" / "neighbors" / "3"
    (leaf / "vectors.npy").write_bytes(b"")
    actual = convviz.load(leaf)
    assert actual.result.files["index.faiss"]
    with pytest.raises(ConvvizError, match=r"vectors\.npy is damaged"):
        _ = actual.result.files["vectors.npy"]


def test_a_hand_edited_run_says_that_it_was_changed(run):
    text = (run / "run.json").read_text("utf-8")
    (run / "run.json").write_text(text.replace('"name": "tiny"', '"name": "huge"'), "utf-8")
    with pytest.raises(ConvvizError, match=r"run\.json has changed since it was written"):
        convviz.open_run(run)
    # The layout of the text is no content.
    (run / "run.json").write_text(json.dumps(json.loads(text)), "utf-8")
    assert len(convviz.open_run(run).items) == 10


def test_counts_that_contradict_each_other_are_refused(run, rewrite):
    rewrite(run / "run.json", lambda d: d.update(items=9))
    with pytest.raises(ConvvizError, match=r"items\.parquet is damaged: it has 10 items"):
        tuple(convviz.open_run(run).items)
    leaf = run / "results" / "statistics" / "1"
    rewrite(leaf / "explanation.json", lambda d: d["arrays"]["mean"].update(shape=[6]))
    with pytest.raises(ConvvizError, match="holds other arrays"):
        convviz.load(leaf)


# Hostility


def test_hostile_folders_are_refused_or_read_and_do_nothing_else(corruption, made):
    outcomes, failures = corruption.attack(*made, 20, seed=2)
    print("\n", dict(outcomes))
    assert failures == []
    assert outcomes["refused"] > 10
    assert outcomes["accepted"] > 10  # what was not touched is still read


def test_only_regular_files_inside_of_the_folder_are_opened(tmp_path):
    folder, outside = tmp_path / "folder", tmp_path / "outside"
    folder.mkdir()
    outside.write_text("secret")
    (folder / "real").write_text("content")
    (folder / "inside").symlink_to("real")
    (folder / "leaves").symlink_to(outside)
    (folder / "zero").symlink_to("/dev/zero")
    (folder / "loop").symlink_to("loop")
    os.mkfifo(folder / "fifo")
    (folder / "below").mkdir()
    assert read_bounded(folder, "inside", 7) == b"content"
    for name in ("leaves", "zero", "loop", "fifo", "below", "../outside"):
        with pytest.raises(ConvvizError, match=r"link|regular"):
            open_regular(folder, name)
    with pytest.raises(MissingFileError, match="gone"):
        open_regular(folder, "gone")
    with pytest.raises(ConvvizError, match="6 bytes"):
        read_bounded(folder, "real", 6)


def test_a_page_is_not_written_through_a_link(run):
    victim = run.parent / "victim"
    victim.write_text("precious")
    (run / ".index.html.new").symlink_to(victim)
    (run / "index.html").unlink()
    (run / "index.html").symlink_to(victim)
    page = write_report(run)
    assert page.name == "convviz.html"
    assert victim.read_text() == "precious"


def test_one_bad_result_does_not_stop_the_page(run, rewrite):
    rewrite(
        run / "results" / "patches" / "1" / "explanation.json",
        lambda d: d["result"].update(stacks=[3]),
    )
    bad = run / "results" / "embedding" / "3" / "explanation.json"
    bad.unlink()
    os.mkfifo(bad)
    text = write_report(run).read_text("utf-8")
    assert "results/patches/1" in text
    assert "not a regular file" in text
    assert "results/statistics/1/profile.png" in text


def test_a_table_that_would_fill_the_memory_is_refused(tmp_path):
    rows = 400_000
    texts = pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), ["x" * 60_000])
    columns = {
        "id": texts,
        "source": texts,
        "label": pa.array([None] * rows, pa.int64()),
        "height": pa.array([1] * rows, pa.int32()),
        "width": pa.array([1] * rows, pa.int32()),
        "affine": pa.array([[1.0] * 6] * rows, pa.list_(pa.float64(), 6)),
    }
    path = tmp_path / "items.parquet"
    parquet.write_table(pa.table(columns), path, compression="zstd")
    assert path.stat().st_size < 1 << 20
    with pytest.raises(ConvvizError, match="expands to more"):
        tuple(ItemTable(path, checksum(path), rows))


def test_objects_of_a_store_that_name_paths_outside_are_left_alone(made, tmp_path, monkeypatch):
    memory = fsspec.filesystem("memory")
    for path in made[0].rglob("*"):
        if path.is_file():
            name = path.relative_to(made[0]).as_posix()
            memory.pipe_file(f"/hostile/run/{name}", path.read_bytes())
    planted = "/hostile/run/results/../../../planted"
    memory.store[planted] = memory.store["/hostile/run/run.json"]
    run = convviz.open_run("memory://hostile/run")
    run["statistics"].only.describe()
    assert not list(run.folder.parent.glob("planted*"))
    assert not (run.folder.parents[1] / "planted").exists()
    memory.store.clear()


# Sources


@pytest.mark.parametrize(
    "source",
    [
        "python:os:getcwd",
        "convviz:python:os:getcwd",
        "CONVVIZ:python:os:getcwd",
        "Python:os:getcwd",
        " python:os:getcwd",
        "python:os:getcwd?device=cpu",
        "w.safetensors?arch=python:os:getcwd",
        "file:w.safetensors?arch=python:os:getcwd",
        "convviz:file:w.safetensors?arch=convviz:python:os:getcwd",
        "w.safetensors?arch=resnet18&labels=w.safetensors",
        "w.pt?arch=resnet18",
        "//host/w.safetensors?arch=resnet18",
        "demo-digits?labels=/dev/zero",
        "demo-digits?resize=99999999",
        "other:net",
        "",
    ],
)
def test_a_source_that_runs_code_or_reads_files_needs_the_users_word(
    source, tmp_path, monkeypatch, fresh
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "w.pt").write_bytes(b"")
    (tmp_path / "w.safetensors").write_bytes(save({"x": torch.ones(1)}))
    called = []

    class Other:
        @hookimpl
        def convviz_load_model(self, source, options):
            called.append(source)

    convviz.register(Other(), name="other")
    assert load_recorded_model(source) is None
    assert called == []


def test_sources_that_a_plugin_vouches_for_are_loaded(tmp_path, monkeypatch, fresh):
    monkeypatch.chdir(tmp_path)
    assert load_recorded_model("demo-digits").name == "demo-digits"
    state = convviz.load_model("squeezenet1_1?weights=none").module.state_dict()
    (tmp_path / "w.safetensors").write_bytes(save(state))
    loaded = load_recorded_model("w.safetensors?arch=squeezenet1_1&resize=64")
    assert loaded.source == "w.safetensors?arch=squeezenet1_1&resize=64"
    assert loaded.preprocess.resize == 64

    class Other:
        @hookimpl
        def convviz_load_model(self, source, options):
            return convviz.load_model("demo-digits")

        @hookimpl
        def convviz_vouches_for_source(self, source, options):
            return source == "net"

    convviz.register(Other(), name="other")
    assert load_recorded_model("other:net").name == "demo-digits"
    assert load_recorded_model("other:another") is None


def test_a_run_that_names_such_a_source_asks_for_the_model(run, rewrite):
    rewrite(run / "run.json", lambda d: d["model"].update(source="convviz:python:os:getcwd"))
    with pytest.raises(ParameterError, match=r"convviz:python:os:getcwd.*-m"):
        convviz.open_run(run).load_model()


def test_the_data_set_of_a_run_is_a_path_or_safe(tmp_path):
    os.mkfifo(tmp_path / "fifo.parquet")
    for name in (str(tmp_path / "fifo.parquet"), "hf:squad", "//host/share", "/dev/zero", ""):
        with pytest.raises(ParameterError, match="of the run"):
            open_recorded_dataset(name)
    assert open_recorded_dataset("demo-digits").name == "demo-digits"


# Lookups


@pytest.mark.parametrize("metric", ["l2", "cosine"])
def test_a_lookup_is_exact_and_reads_no_index_file(made, tmp_path, rewrite, metric):
    _, model = made
    photos = np.random.default_rng(3).integers(0, 256, (30, 12, 12, 3), dtype=np.uint8)
    options = {"index": "hnsw", "metric": metric, "workers": 0}
    with checksums_instead_of_pictures():
        actual = convviz.analyze(model, photos, "neighbors", tmp_path / "run", **options)
    leaf = tmp_path / "run" / "results" / "neighbors" / "3"
    vectors = np.load(leaf / "vectors.npy").astype(np.float64)
    (leaf / "index.faiss").write_bytes(b"junk")
    answer = convviz.query(actual, photos[4:6], k=5)
    a, b = vectors[4:6], vectors
    if metric == "cosine":
        a, b = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (a, b))
    distances = np.linalg.norm(a[:, None] - b[None], axis=2)
    distances = distances**2 / 2 if metric == "cosine" else distances
    expected = np.argsort(distances, axis=1, kind="stable")[:, :5]
    assert answer["indices"].tolist() == expected.tolist()
    required = np.take_along_axis(distances, expected, axis=1)
    np.testing.assert_allclose(answer.values.numpy(), required, atol=1e-5)


# Files


def test_arrays_are_those_that_safetensors_reads():
    kinds = (torch.float64, torch.float16, torch.bfloat16, torch.uint8, torch.int64, torch.bool)
    options = {str(k): torch.arange(7).to(k).reshape(7, 1) for k in kinds}
    options |= {"empty": torch.zeros(0, 3), "scalar": torch.tensor(2.5), "c": torch.ones(2) * 1j}
    actual = read_tensors(bytearray(save(options)), "file")
    assert actual.keys() == options.keys()
    for name, array in options.items():
        assert actual[name].dtype == array.dtype
        assert torch.equal(actual[name], array)


@pytest.mark.parametrize(
    "header",
    [
        {"x": {"dtype": "F32", "shape": [1 << 40], "data_offsets": [0, 1 << 42]}},
        {"x": {"dtype": "F32", "shape": [-4, -4], "data_offsets": [0, 64]}},
        {"x": {"dtype": "F32", "shape": [15], "data_offsets": [0, 60]}},
        {"x": {"dtype": "F32", "shape": [17], "data_offsets": [0, 64]}},
        {"x": {"dtype": "F32", "shape": [2.0, 8], "data_offsets": [0, 64]}},
        {"x": {"dtype": "O", "shape": [16], "data_offsets": [0, 64]}},
        {"x": {"dtype": "F32", "shape": [16]}},
        {
            "x": {"dtype": "F32", "shape": [16], "data_offsets": [0, 64]},
            "y": {"dtype": "F32", "shape": [8], "data_offsets": [32, 64]},
        },
        [],
    ],
)
def test_array_files_that_lie_about_their_sizes_are_refused(header):
    head = json.dumps(header).encode()
    with pytest.raises(ConvvizError, match="the file cannot be read"):
        read_tensors(bytearray(len(head).to_bytes(8, "little") + head + bytes(64)), "the file")


def test_npy_files_hold_plain_numbers_alone(tmp_path):
    np.save(tmp_path / "objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    np.save(tmp_path / "plain.npy", np.asfortranarray(np.arange(6.0).reshape(2, 3)))
    with pytest.raises(ConvvizError, match="not allowed"):
        read_npy(bytearray((tmp_path / "objects.npy").read_bytes()), "f")
    content = bytearray((tmp_path / "plain.npy").read_bytes())
    actual = read_npy(content, "f")
    np.testing.assert_array_equal(actual, [[0, 1, 2], [3, 4, 5]])
    assert not actual.flags.writeable
    with pytest.raises(ConvvizError, match="length"):
        read_npy(content[:-1], "f")


@pytest.mark.parametrize("mask", [0o022, 0o027, 0o077])
def test_every_file_has_the_mode_that_the_umask_gives(corruption, tmp_path, mask):
    before = os.umask(mask)
    try:
        with checksums_instead_of_pictures():
            folder, _ = corruption.make_run(tmp_path)
            convviz.open_run(folder)["statistics"].only.save(tmp_path / "saved")
    finally:
        os.umask(before)
    files = [p for p in tmp_path.rglob("*") if p.is_file()]
    assert len(files) > 15
    odd = {
        str(p): oct(p.stat().st_mode)
        for p in files
        if stat.S_IMODE(p.stat().st_mode) != 0o666 & ~mask
    }
    assert odd == {}


# Terminals


def test_what_is_printed_holds_no_control_characters(run, rewrite, capsys):
    leaf = run / "results" / "statistics" / "1"

    def edit(document):
        document["result"]["notes"] = [ESCAPE + "note"]
        document["result"]["measures"][ESCAPE] = ESCAPE
        document["model"]["name"] = ESCAPE
        document["explainer"]["parameters"]["layers"] = [ESCAPE]

    rewrite(leaf / "explanation.json", edit)
    actual = convviz.load(leaf)
    for text in (actual.describe(), repr(actual), table(("a",), [(ESCAPE,)])):
        assert all(line.isprintable() for line in text.split("\n"))
    assert "\\x1b]0;owned\\x07" in actual.describe()
    error = ConvvizError(f"{ESCAPE} is wrong\nsecond line")
    assert str(error) == "\\x1b]0;owned\\x07\\x1b[2J\\u202e is wrong\nsecond line"


def test_progress_takes_no_name_for_markup(monkeypatch):
    from io import StringIO

    from convviz import progress

    class Terminal(StringIO):
        def isatty(self):
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with progress.show_progress():
        list(progress.track(range(3), "[link=file:///x]name[/link]\x1b[2J", 3))
    assert "\x1b]8;" not in terminal.getvalue()
    assert "\x1b[2J" not in terminal.getvalue()
