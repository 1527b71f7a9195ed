"""What the app computes: jobs, photos, notes, and the lines that reproduce results."""

from __future__ import annotations

import asyncio
import io
import json
import os
import shlex
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import uvicorn
from helpers.echo_worker import echo_worker
from helpers.web_client import Client
from PIL import Image

import convviz
from convviz import ConvvizError, ImageError, ParameterError
from convviz.cli.main import run as run_command
from convviz.plugin.parameter_values import build_explainers
from convviz.report.writer import copy_static
from convviz.web import app
from convviz.web.hosts import server_address
from convviz.web.jobs import Job, JobTable, ResultFile, UnknownJobError
from convviz.web.model_worker import MAX_QUEUED, ModelWorker, QueueFullError
from convviz.web.notes import FILE_NAME, UnitNotes
from convviz.web.photos import PhotoStore, RunPhotos, UnknownPhotoError
from convviz.web.services import ServeSettings, Services
from convviz.web.sessions import MAX_SESSIONS, Sessions
from convviz.web.worker_settings import WorkerSettings

SETTINGS = WorkerSettings(None, None, ".")


# Results


def test_occlusion_of_a_page_equals_that_of_python(client: Client, photo: str) -> None:
    job = client.run_task(
        "explain", photo=photo, explainer="occlusion", target="3",
        parameters={"window": "5", "stride": "3"},
    )  # fmt: skip
    model = convviz.load_model("demo-digits")
    pixels = convviz.open_dataset("demo-digits:?limit=12").load(3)
    expected = convviz.explain(model, pixels, "occlusion", target=3, window=5, stride=3)
    values = np.frombuffer(client.get(job["files"]["values.bin"]).body, "<f4").reshape(32, 32)
    assert np.array_equal(values, expected.values[0].numpy())
    result = job["result"]
    assert result["targets"] == [
        {"label": "3", "score": pytest.approx(expected.target[0].score), "quantity": "score"}
    ]
    assert result["map"]["signed"]
    assert result["map"]["high"] >= float(expected.values.abs().max()) * 0.99
    assert result["notes"] == list(map(str, expected.result.notes))
    picture = client.get(job["files"]["picture-0.png"])
    assert picture.headers["content-type"] == "image/png"
    assert Image.open(io.BytesIO(picture.body)).width > 300


def test_lines_reproduce_a_result(client: Client, photo: str) -> None:
    job = client.run_task(
        "explain", photo=photo, explainer="grabcut", target="3",
        parameters={"source": "occlusion", "source.window": "5", "iterations": "2"},
    )  # fmt: skip
    result = job["result"]
    words = shlex.split(result["shell"])
    assert words[:3] == ["convviz", "explain", "03"]
    assert words[-1] == "--target=3"
    assignments = [words[i + 1] for i, word in enumerate(words) if word == "-p"]
    [explainer] = build_explainers(["grabcut"], assignments)
    assert explainer.source.window == 5
    assert explainer.iterations == 2
    *_, line = result["python"].splitlines()
    scope: dict[str, Any] = {"convviz": convviz, "model": None}
    built = eval(line.partition(", ")[2].partition(", ")[2].removesuffix(", target='3')"), scope)
    assert built == explainer


def test_a_covered_rectangle_has_the_score_of_a_full_pass(client: Client, photo: str) -> None:
    result = client.run_task("cover", photo=photo, box=[4, 6, 20, 22], target="3")["result"]
    model = convviz.load_model("demo-digits")
    pixels = convviz.open_dataset("demo-digits:?limit=12").load(3)
    batch = convviz.authoring.make_batch(pixels, model)
    images = batch.images.clone()
    images[:, :, 6:22, 4:20] = 0
    expected = model.forward(images).output[0]
    assert result["after"] == pytest.approx(float(expected[3]), abs=1e-4)
    assert result["before"] == pytest.approx(float(model.forward(batch.images).output[0, 3]))
    assert result["top"][0]["index"] == int(expected.argmax())
    assert result["probability_after"] == pytest.approx(float(expected.softmax(0)[3]), abs=1e-4)
    for box in ([4, 6, 4, 22], [0, 0, 33, 5]):
        failed = client.run_task("cover", photo=photo, box=box)
        assert failed["status"] == "failed"
        assert "rectangle" in failed["error"]


def test_both_engines_of_rectangles_agree() -> None:
    from convviz.web.rectangle import RectangleScores

    model = convviz.load_model("demo-digits")
    pixels = convviz.open_dataset("demo-digits:?limit=12").load(3)
    images = convviz.authoring.make_batch(pixels, model).images
    with model.session():
        scores = RectangleScores(model, images)
        dense = [scores(box) for box in ([0, 0, 1, 1], [4, 6, 20, 22], [0, 0, 32, 32])]
        scores.prepare()
        scores.max_area = 32 * 32
        for before, box in zip(dense, ([0, 0, 1, 1], [4, 6, 20, 22], [0, 0, 32, 32]), strict=True):
            after = scores(box)
            assert after.is_incremental
            assert not before.is_incremental
            assert torch.allclose(after.scores, before.scores, atol=1e-4)


def test_a_unit_on_a_photo(client: Client, photo: str) -> None:
    model = convviz.load_model("demo-digits")
    pixels = convviz.open_dataset("demo-digits:?limit=12").load(3)
    images = convviz.authoring.make_batch(pixels, model).images
    maps = model.forward(images, ["stage2"]).activations["stage2"][0]
    job = client.run_task("unit_map", photo=photo, layer="stage2", unit=3)
    values = np.frombuffer(client.get(job["files"]["values.bin"]).body, "<f4").reshape(8, 8)
    assert np.array_equal(values, maps[3].numpy())
    clicked = client.run_task("unit_gradient", photo=photo, layer="stage2", unit=3, y=1, x=2)
    result = clicked["result"]
    assert result["box"] == list(model.receptive_field("stage2").support(1, 2))
    assert result["targets"][0]["label"] == "stage2:3@1,2"
    assert result["targets"][0]["score"] == pytest.approx(float(maps[3, 1, 2]), rel=1e-5)
    assert client.run_task("unit_map", photo=photo, layer="stage2", unit=32)["status"] == "failed"
    strongest = client.run_task("unit_map", photo=photo, layer="stage2")["result"]
    highest = maps.flatten(1).amax(1)
    assert strongest["unit"] == strongest["strongest"][0]["unit"] == int(highest.argmax())
    shown = [entry["value"] for entry in strongest["strongest"]]
    assert shown == pytest.approx(highest.sort(descending=True).values[:10].tolist())


def test_a_photo_of_the_run_is_its_own_nearest_neighbour(client: Client, photo: str) -> None:
    result = client.run_task("neighbours", photo=photo, k=3)["result"]
    assert result["found"][0]["row"] == 3
    assert result["found"][0]["distance"] == pytest.approx(0, abs=1e-3)
    assert len(result["found"]) == 3


def test_forms_list_the_explainers_of_the_registry(client: Client) -> None:
    result = client.run_task("explainers")["result"]
    by_name = {form["name"]: form for form in result["explainers"]}
    assert {"occlusion", "grad_cam", "neighbors"} <= set(by_name)
    assert "statistics" not in by_name  # it explains data sets only
    window = next(f for f in by_name["occlusion"]["fields"] if f["name"] == "window")
    assert window["allowed"] == "int > 0 | int > 0,int > 0 | none"
    assert "anyOf" in window["schema"]
    assert by_name["filters"]["needs_image"] is False
    assert "captum" in result["families"]


# Jobs


@pytest.fixture
def worker() -> Any:
    worker = ModelWorker(SETTINGS, echo_worker, grace=0.3)
    yield worker
    worker.close()


def ended(worker: ModelWorker, task: str, **arguments: Any) -> Job:
    job = Job(0, task, arguments)
    worker.submit(job)
    job.finished.result(60)
    return job


def test_a_worker_is_replaced_when_it_dies_or_is_cancelled(worker: ModelWorker) -> None:
    first = ended(worker, "echo", a=1)
    assert first.status == "done"
    assert first.document is not None
    assert first.document["a"] == 1
    assert first.progress == ("counting", 1.0, 2)
    killed = ended(worker, "die")
    assert killed.status == "failed"
    assert "killed" in killed.error
    assert "exit 3" in ended(worker, "exit").error
    again = ended(worker, "echo")
    assert again.document is not None
    assert again.document["pid"] != first.document["pid"]
    sleeping, waiting = Job(0, "sleep", {}), Job(0, "echo", {})
    worker.submit(sleeping)
    worker.submit(waiting)
    while sleeping.status != "running":
        time.sleep(0.01)
    worker.cancel(waiting)
    assert waiting.status == "cancelled"
    worker.cancel(sleeping)
    sleeping.finished.result(30)
    assert sleeping.status == "cancelled"
    assert ended(worker, "echo").status == "done"
    pid = worker.process_id
    worker.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid or 0, 0)
    with pytest.raises(QueueFullError):
        worker.submit(Job(0, "echo", {}))


def test_the_queue_is_bounded(worker: ModelWorker) -> None:
    for _ in range(MAX_QUEUED):
        worker.submit(Job(0, "sleep", {}))
    job = Job(0, "echo", {})
    with suppress(QueueFullError):  # the first job may have left the queue
        worker.submit(job)
    with pytest.raises(QueueFullError):
        worker.submit(job)


def test_explainers_stop_when_they_are_cancelled(client: Client, photo: str) -> None:
    """The process of the model goes on living, with its model."""
    worker = client.services.workers[0]
    before = worker.process_id
    arguments = {"photo": photo, "explainer": "rise", "parameters": {"masks": "1000000"}}
    job = client.post("/api/jobs", {"model": 0, "task": "explain", "arguments": arguments}).json
    while client.get(f"/api/jobs/{job['id']}").json["progress"]["done"] < 1:
        time.sleep(0.05)
    client.post(f"/api/jobs/{job['id']}/cancel", {})
    events = client.get(f"/api/jobs/{job['id']}/events").body.decode()
    assert "event: end" in events
    assert client.get(f"/api/jobs/{job['id']}").json["status"] == "cancelled"
    assert client.run_task("predict", photo=photo)["status"] == "done"
    assert worker.process_id == before


class CountedFuture(Future[None]):
    """A future that counts its callbacks."""

    callbacks = 0

    def add_done_callback(self, fn: Callable[[Future[None]], object]) -> None:
        self.callbacks += 1
        super().add_done_callback(fn)


def test_a_stream_of_events_leaves_one_callback(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long the job takes."""
    monkeypatch.setattr(app, "PROGRESS_EVERY_S", 0.001)
    finished = CountedFuture()
    job = Job(0, "x", {}, finished=finished)

    async def events() -> list[bytes]:
        return [event async for event in app.events_of(job)]

    async def follow() -> list[bytes]:
        following = asyncio.create_task(events())
        await asyncio.sleep(0.1)
        job.end("done", {"answer": 7})
        return await following

    # In another thread: the tests of the browser leave a running loop in this one.
    with ThreadPoolExecutor(1) as threads:
        first, *_, last = threads.submit(asyncio.run, follow()).result()
    assert first.startswith(b"event: progress")
    assert last.startswith(b"event: end")
    assert b'"answer": 7' in last
    assert finished.callbacks == 1


def test_results_are_dropped_oldest_first() -> None:
    table = JobTable(max_jobs=3, max_bytes=100)
    jobs = [Job(0, "x", {}) for _ in range(6)]
    for job in jobs:
        table.add(job)
        job.end("done", {}, {"f": ResultFile("image/png", b"x" * 40)})
    assert table[jobs[-1].id] is jobs[-1]
    with pytest.raises(UnknownJobError):
        table[jobs[0].id]
    running = [Job(0, "x", {}) for _ in range(5)]
    for job in running:
        table.add(job)
    assert all(table[job.id] is job for job in running)  # jobs in progress are kept


# Photos


def test_photos_make_room_and_keep_their_pixels(tmp_path: Path) -> None:
    store = PhotoStore(tmp_path, max_bytes=2 * 20 * 30 * 3)
    rng = np.random.default_rng(0)
    photos = []
    for i in range(3):
        pixels = rng.integers(0, 255, (20, 30, 3), np.uint8)
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "PNG")
        photos.append((pixels, store.add_upload(buffer.getvalue(), f"../{i}.png")))
    pixels, photo = photos[-1]
    assert np.array_equal(store[photo.id].pixels(), pixels)
    assert photo.path.parent == tmp_path
    assert len(list(tmp_path.iterdir())) == 2
    with pytest.raises(UnknownPhotoError):
        store[photos[0][1].id]


@pytest.fixture
def folder_run(tmp_path: Path) -> convviz.Run:
    """A run over two files."""
    photos = tmp_path / "photos"
    photos.mkdir()
    for i, colour in enumerate(((200, 30, 30), (30, 30, 200))):
        Image.new("RGB", (40, 40), colour).save(photos / f"{i}.png")
    return convviz.analyze("demo-digits", photos, ["statistics"], tmp_path / "run")


def test_recorded_photos_are_opened_only_if_they_are_those_of_the_run(
    folder_run: convviz.Run, tmp_path: Path
) -> None:
    photos = RunPhotos(folder_run)
    assert photos.load(1)[0][0, 0].tolist() == [30, 30, 200]
    with pytest.raises(ParameterError, match="row 2"):
        photos.load(2)
    private = tmp_path / "private.png"
    Image.new("RGB", (40, 40), (1, 2, 3)).save(private)
    (tmp_path / "photos" / "1.png").unlink()
    (tmp_path / "photos" / "1.png").symlink_to(private)
    with pytest.raises(ImageError, match="--photos"):
        RunPhotos(folder_run).load(1)  # other bytes than those of the run
    confirmed = RunPhotos(folder_run, str(tmp_path / "photos"))
    assert confirmed.load(1)[0][0, 0].tolist() == [1, 2, 3]


def test_links_that_leave_the_folder_of_the_photos_are_refused(
    folder_run: convviz.Run, tmp_path: Path
) -> None:
    (tmp_path / "photos" / "0.png").rename(tmp_path / "elsewhere.png")
    (tmp_path / "photos" / "0.png").symlink_to(tmp_path / "elsewhere.png")
    with pytest.raises(ConvvizError, match="leaves"):
        RunPhotos(folder_run).load(0)  # the same bytes, but outside


def test_photos_may_be_named_by_a_path_from_the_folder_of_the_command(
    folder_run: convviz.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "photos").rename(tmp_path / "moved")
    monkeypatch.chdir(tmp_path)
    pages = tmp_path / "pages"
    copy_static(pages)
    with Services(ServeSettings("run", photos="moved")) as services:
        services.write_pages(pages)
        assert services.pages_job is not None
        services.pages_job.finished.result(60)
        assert services.pages_job.status == "done", services.pages_job.error
    assert "media/photos/" in (pages / "data" / "items-000.js").read_text()


# Notes and sessions


def test_notes_on_units(client: Client, run_folder: str) -> None:
    note = {"layer": "stage2", "unit": 3, "label": "loops", "note": "<b>closed</b> loops"}
    assert client.post("/api/notes", note).status == 200
    kept = {"stage2": {"3": {"label": "loops", "note": "<b>closed</b> loops"}}}
    assert client.get("/api/notes").json == kept
    assert json.loads(Path(run_folder, FILE_NAME).read_text())["units"] == kept
    convviz.open_run(run_folder)  # the run is still valid
    client.post("/api/notes", {"layer": "stage2", "unit": 3})
    assert client.get("/api/notes").json == {}


@pytest.mark.parametrize(
    "text",
    [
        "[]", "{", '{"schema": 2, "units": {}}', '{"schema": 1, "units": {"a": {"x": {}}}}',
        '{"schema": 1, "units": {"a": {"1": {"label": 1, "note": ""}}}}', "[" * 100_000,
        '{"schema": 1, "units": []}', '{"schema": 1, "units": {"a": []}}',
    ],
)  # fmt: skip
def test_damaged_notes_are_an_error_and_stay(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE_NAME).write_text(text)
    notes = UnitNotes(tmp_path)
    for call in (notes.read, lambda: notes.write("layer", 0, "x", "")):
        with pytest.raises(ConvvizError, match="damaged"):
            call()
    assert (tmp_path / FILE_NAME).read_text() == text


def test_notes_do_not_follow_links(tmp_path: Path) -> None:
    outside = tmp_path / "outside.json"
    outside.write_text('{"schema": 1, "units": {}}')
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / FILE_NAME).symlink_to(outside)
    with pytest.raises(ConvvizError, match="leaves"):
        UnitNotes(folder).write("layer", 0, "x", "")
    assert outside.read_text() == '{"schema": 1, "units": {}}'


def test_notes_of_several_threads_are_all_kept(tmp_path: Path) -> None:
    notes = UnitNotes(tmp_path)
    threads = [
        threading.Thread(target=notes.write, args=("layer", unit, "x", "")) for unit in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(notes.read()["layer"]) == 8


def test_sessions_are_bounded_and_tokens_valid_once() -> None:
    sessions = Sessions(1)
    secrets = []
    for _ in range(MAX_SESSIONS + 1):
        token = sessions.new_launch_token()
        secret = sessions.redeem(token)
        assert secret is not None
        assert sessions.redeem(token) is None
        secrets.append(secret)
    assert not sessions.is_valid(secrets[0])
    assert sessions.is_valid(secrets[-1])
    assert not sessions.is_valid("")


@pytest.mark.parametrize(
    ("host", "is_loopback", "allowed"),
    [
        ("127.0.0.1", True, "127.0.0.1:5"),
        ("localhost", True, "localhost:5"),
        ("::1", True, "[::1]:5"),
        ("192.0.2.7", False, "192.0.2.7:5"),
        ("0.0.0.0", False, "127.0.0.1:5"),
    ],
)
def test_addresses(host: str, is_loopback: bool, allowed: str) -> None:
    address = server_address(host, 5)
    assert address.is_loopback == is_loopback
    assert allowed in address.hosts
    assert "evil.example:5" not in address.hosts


def test_a_server_needs_a_run_or_a_model() -> None:
    from convviz.web.services import ServeSettings

    with pytest.raises(ParameterError, match="-m"):
        Services(ServeSettings(None))


def test_ctrl_c_ends_the_server_without_a_word(
    run_folder: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(server: uvicorn.Server, sockets: list[Any]) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(uvicorn.Server, "run", interrupted)
    assert run_command(["serve", run_folder, "--no-open"]) == 0
    out, err = capsys.readouterr()
    assert "Ctrl-C ends the server" in out
    assert err == ""
