"""The workbench in a browser, with a server and models."""

from __future__ import annotations

import io
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pytest
from PIL import Image

import convviz

pytest.importorskip("starlette", reason="the app requires convviz[web]")
pytest.importorskip("uvicorn", reason="the app requires convviz[web]")

from convviz.web.jobs import Job
from convviz.web.server import AppServer
from convviz.web.services import ServeSettings, Services

PATIENCE_MS = 90_000


@pytest.fixture(scope="module")
def services(digits_run: convviz.Run) -> Iterator[Services]:
    """What an app of the run with two models works with."""
    settings = ServeSettings(digits_run.address, ("demo-digits", "demo-digits?device=cpu"))
    with Services(settings) as services:
        yield services


@pytest.fixture(scope="module")
def server(services: Services) -> Iterator[AppServer]:
    """A server of the run with two models."""
    with running(services) as server:
        yield server


@contextmanager
def running(services: Services) -> Iterator[AppServer]:
    """Run a server in a thread."""
    server = AppServer(services, show=lambda line: None)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.has_started:
        time.sleep(0.01)
    yield server
    server.stop()
    thread.join(10)


@pytest.fixture
def bench(watch: Any, server: AppServer) -> Any:
    """A signed-in page of the workbench."""
    watched = watch(server.address.url + "/")
    watched.page.set_default_timeout(PATIENCE_MS)
    watched.page.goto(server.launch_link())
    assert "token" not in watched.page.url
    return watched


def done(page: Any, count: int) -> Any:
    """Wait for results, newest first."""
    cards = page.locator(".result[data-status=done]")
    cards.nth(count - 1).wait_for()
    return cards


def test_explanations_are_run_compared_and_cancelled(
    bench: Any, tmp_path: Path, check_accessible: Any
) -> None:
    page = bench.page
    page.goto(bench.allowed[0] + "live.html")
    page.locator("button.primary:disabled").wait_for()
    assert page.get_by_text("Choose a photo first.").first.is_visible()
    file = tmp_path / "<img src=x onerror=alert(1)>.png"
    digit = convviz.open_dataset("demo-digits:?limit=40").load(7)
    Image.fromarray(digit).save(file)
    page.set_input_files("input[type=file]", str(file))
    page.locator(".side .classes li").first.wait_for()
    assert page.locator(".photo-name b").inner_text() == file.name
    assert page.locator(".side .classes .name").first.inner_text() == "7"

    page.click("button.primary")
    cards = done(page, 1)
    assert cards.first.locator("h2").inner_text() == "occlusion"
    assert "7 score" in cards.first.locator(".card-head p").inner_text()
    stage = cards.first.locator(".map-stage")
    stage.hover(position={"x": 40, "y": 60})
    row, column = (
        int(60 / stage.bounding_box()["height"] * 32),
        int(40 / stage.bounding_box()["width"] * 32),
    )
    assert f"at row {row}, column {column}" in cards.first.locator(".readout").inner_text()

    page.select_option("select[name=explainer]", "grad_cam")
    page.get_by_text("Parameters of grad_cam").click()
    page.select_option("#parameter-variant", "layer_cam")
    page.select_option("select[name=run]", "models")
    page.click("button.primary")
    cards = done(page, 3)
    assert cards.nth(0).locator("h2").inner_text().startswith("grad_cam")
    page.get_by_role("heading", name="Agreement of the maps").wait_for()
    page.get_by_label("One scale per unit").check()
    page.get_by_role("button", name="Map", exact=True).click()
    cards.first.get_by_text("Numbers and parameters").click()
    assert "layer_cam" in cards.first.inner_text()
    check_accessible(page)
    assert "explainer=grad_cam" in page.url
    assert "p.variant=layer_cam" in page.url
    page.go_back()  # from the choice of models
    assert page.locator("select[name=run]").input_value() == ""
    page.go_back()  # from the parameter
    assert page.locator("#parameter-variant").input_value() == ""

    page.select_option("select[name=explainer]", "rise")
    page.fill("#parameter-masks", "1000000")
    page.locator("#parameter-masks").press("Tab")
    page.click("button.primary")
    page.locator(".result[data-status=running] progress[max]").wait_for()
    page.get_by_role("button", name="Cancel").click()
    page.locator(".result[data-status=cancelled]").wait_for()
    page.fill("#parameter-masks", "0")
    page.locator("#parameter-masks").evaluate("element => element.form.noValidate = true")
    page.locator("#parameter-masks").press("Tab")
    page.click("button.primary")
    page.locator(".result[data-status=failed] .problem").wait_for()
    assert "masks" in page.locator(".result[data-status=failed] .problem").inner_text()
    page.get_by_role("button", name="Remove rise").first.click()
    assert page.locator(".result").count() == 4


def test_a_rectangle_a_unit_and_neighbours_by_deep_links_and_keys(
    bench: Any, digits_run: convviz.Run, check_accessible: Any
) -> None:
    page = bench.page
    page.goto(bench.allowed[0] + "live.html#mode=cover&row=3&box=8,8,20,20")
    page.locator("#covered-score").wait_for()
    before = page.locator("#covered-score").inner_text()
    stage = page.locator(".cover-stage")
    box = stage.bounding_box()
    page.mouse.move(box["x"] + 10, box["y"] + 10)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, steps=4)
    page.mouse.up()
    page.locator(".history li").nth(1).wait_for()
    assert page.locator("#covered-score").inner_text() != before
    assert "box=8%2C8%2C20%2C20" not in page.url
    check_accessible(page)
    stage.focus()
    page.keyboard.press("Shift+ArrowRight")
    page.locator(".history li").nth(2).wait_for()
    page.go_back()
    page.wait_for_url("**box=8,8,20,20*")
    page.locator("#covered-score", has_text=before.split()[0]).wait_for()

    page.locator("#tab-cover").focus()
    page.keyboard.press("ArrowRight")
    assert page.locator("#tab-units").get_attribute("aria-selected") == "true"
    page.locator(".split .map-stage canvas").wait_for()
    page.get_by_role("button", name="the strongest one").click()
    page.get_by_text("Guided gradient of").wait_for()
    strongest = page.locator(".strongest b").all_inner_texts()
    pixels = convviz.open_dataset("demo-digits:?limit=40").load(3)
    model = convviz.load_model("demo-digits")
    layer = page.locator("select[name=layer]").input_value()
    maps = model.forward(convviz.authoring.make_batch(pixels, model).images, [layer])
    order = maps.activations[layer][0].flatten(1).amax(1).sort(descending=True, stable=True)
    assert strongest == [str(unit) for unit in order.indices[:10].tolist()]
    assert page.locator("input[name=unit]").input_value() == strongest[0]
    page.locator(".strongest button").nth(1).click()
    page.wait_for_url(f"**unit={strongest[1]}*")
    layer = list(digits_run["patches"])[-1]
    page.locator(".place-in-run", has_text="In the run this photo").wait_for()
    page.locator(".patches.in-a-row li").nth(8).wait_for()  # the run's pages have been written
    best = digits_run["patches"][layer].values[0, 0]
    place = urlencode({"mode": "units", "row": 3, "layer": layer, "unit": 0})
    page.goto(f"{bench.allowed[0]}live.html#{place}")
    caption = page.locator(".in-a-row figcaption b").first
    caption.wait_for()
    page.wait_for_function(
        "([place, value]) => Math.abs(document.querySelector(place).textContent / value - 1) < .01",
        arg=[".in-a-row figcaption b", float(best)],
    )
    page.get_by_role("button", name="Next unit").click()
    assert "unit=1" in page.url
    assert "at=" not in page.url
    check_accessible(page)
    page.get_by_label("Label").fill("loops")
    page.get_by_role("button", name="Save").click()
    page.get_by_text("Saved in the run folder.").wait_for()
    assert "loops" in Path(digits_run.folder, "notes.json").read_text()

    page.click("#tab-neighbours")
    page.locator(".neighbours li").first.wait_for()
    assert page.locator(".neighbours li").count() == 12
    assert page.locator(".neighbours li").first.locator(".badge").inner_text() == "this photo"
    # The run's pages have been written meanwhile.
    page.locator(".picker .thumbs button").first.wait_for()
    page.fill(".picker input", "12")
    answers: list[str] = []
    page.on("requestfinished", lambda r: answers.append(r.url))
    page.locator(".picker .thumbs button").first.click()
    page.wait_for_url("**row=12*")
    while len([url for url in answers if url.endswith("/api/answers")]) < 2:
        page.wait_for_timeout(50)  # the classes and the neighbours of the new photo
    page.goto(bench.allowed[0] + "index.html")
    bench.wait()
    assert page.get_by_role("link", name="Workbench").get_attribute("href") == "live.html"


START_JOB = """async (request) => {
  const answer = await fetch("/api/jobs", {
    method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify(request),
  });
  return (await answer.json()).id;
}"""
CANCEL_JOB = """id => fetch(`/api/jobs/${id}/cancel`, {
  method: "POST", headers: {"Content-Type": "application/json"}, body: "{}",
})"""
COMPUTED = ".patches.is-guided img[src*='guided.png']"


def test_guided_gradients_of_a_unit_are_computed_shown_in_place_and_kept(
    bench: Any,
    digits_run: convviz.Run,
    services: Services,
    monkeypatch: pytest.MonkeyPatch,
    check_accessible: Any,
) -> None:
    layer = list(digits_run["patches"])[-1]
    result = digits_run["patches"][layer].result
    alive = [u for u in range(len(result.values)) if result.values[u, -1] > 0]
    first, second = [unit for unit in alive if unit not in result.order][:2]
    place = f"{bench.allowed[0]}layer/{layer.replace('.', '-')}.html#unit="
    page = bench.page
    page.goto(f"{place}{first}")
    page.locator(".patches.is-crop img").nth(8).wait_for()
    page.get_by_role("button", name="Guided gradient").click()
    page.locator(COMPUTED).nth(8).wait_for()
    assert page.locator(".guided-status").count() == 0
    assert "mid-grey" in page.locator(".patches + .note").inner_text()
    answer = page.request.get(page.locator(COMPUTED).first.evaluate("image => image.src"))
    sheet = np.asarray(Image.open(io.BytesIO(answer.body())))
    drawn = digits_run.draw("patches", layer, units=first)["guided gradients"][0].numpy()
    assert np.array_equal(sheet, np.concatenate(list(drawn), axis=1))
    check_accessible(page)

    # While the model is busy, the page shows it, and the job can be cancelled.
    row = page.evaluate(
        """async () => (await (await fetch("/api/rows", {
          method: "POST", headers: {"Content-Type": "application/json"}, body: '{"row": 3}',
        })).json()).id"""
    )
    arguments = {"photo": row, "explainer": "rise", "parameters": {"masks": "1000000"}}
    busy = page.evaluate(START_JOB, {"model": 0, "task": "explain", "arguments": arguments})
    page.goto(f"{place}{second}&view=guided")
    page.get_by_text("waiting for the model").wait_for()
    assert page.locator(".patches.waits img").count() == 9  # the patches are shown meanwhile
    check_accessible(page)
    page.get_by_role("button", name="Cancel").click()
    page.locator(".guided-status").get_by_text("Cancelled.").wait_for()
    page.get_by_role("button", name="Compute them").click()
    page.get_by_text("waiting for the model").wait_for()
    page.evaluate(CANCEL_JOB, busy)
    page.locator(COMPUTED).nth(8).wait_for()
    of_second = page.locator(COMPUTED).first.get_attribute("src")

    # The gradients of a unit seen before are there at once; a reload gets them from the server.
    page.goto(f"{place}{first}&view=guided")
    page.locator(COMPUTED).nth(8).wait_for()
    page.go_back()
    page.wait_for_function(
        "([place, src]) => document.querySelector(place)?.getAttribute('src') === src",
        arg=[COMPUTED, of_second],
    )
    submit = services.submit

    def submit_and_wait(request: Any) -> Job:
        """Answer a request only when its job has ended, as it may with a short one."""
        job = submit(request)
        job.finished.result(PATIENCE_MS / 1000)
        return job

    monkeypatch.setattr(services, "submit", submit_and_wait)
    page.reload()
    page.locator(COMPUTED).nth(8).wait_for()


def test_guided_gradients_need_the_model_of_the_run(
    watch: Any, digits_run: convviz.Run, report: Path
) -> None:
    layer = list(digits_run["patches"])[-1]
    unit = digits_run["patches"][layer].result.order[0] ^ 1  # one that has not been drawn
    settings = ServeSettings(digits_run.address, ("demo",))
    with Services(settings) as services, running(services) as server:
        services.pages_job = job = Job(-1, "pages", {})
        site = (report / "data" / "site.js").read_text()
        shutil.copytree(report, services.folder / "pages", dirs_exist_ok=True)
        written = services.folder / "pages" / "data" / "site.js"
        written.write_text(site.replace('"live":null', '"live":{"workbench":"live.html"}'))
        job.end("done", {"links": []})
        watched = watch(server.address.url + "/")
        watched.page.set_default_timeout(PATIENCE_MS)
        watched.page.goto(server.launch_link())
        page = watched.open(f"layer/{layer.replace('.', '-')}.html#unit={unit}&view=guided")
        problem = page.locator(".guided-status [role=alert]")
        problem.wait_for()
        assert "other weights than the model of the run" in problem.inner_text()
        assert page.get_by_role("button", name="Try again").is_visible()


def test_a_page_that_is_not_written_yet_shows_the_progress_and_reloads_at_its_address(
    watch: Any, digits_run: convviz.Run, report: Path, check_accessible: Any
) -> None:
    with Services(ServeSettings(digits_run.address)) as services, running(services) as server:
        services.pages_job = job = Job(-1, "pages", {})
        watched = watch(server.address.url + "/")
        watched.page.goto(server.launch_link())
        page = watched.page
        page.goto(server.address.url + "/layer/stage1-relu.html")
        page.locator("#step", has_text="starting").wait_for()  # also in a folder
        page.goto(server.address.url + "/image.html#id=7")
        page.locator("#step", has_text="starting").wait_for()
        job.progress = ("reading results: layer page", 2, 6)
        page.get_by_text("2 of 6.").wait_for()
        assert page.locator("#step").inner_text() == "reading results: layer page"
        assert page.locator("#progress").get_attribute("value") == "2"
        check_accessible(page)
        shutil.copytree(report, services.folder / "pages", dirs_exist_ok=True)
        job.end("done", {"links": []})
        page.locator("h1", has_text=digits_run.items.ids[7]).wait_for()
        assert page.url.endswith("image.html#id=7")
