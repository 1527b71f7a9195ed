"""The map of a layer in a browser."""

from __future__ import annotations

import numpy as np
import pytest

import convviz
from convviz.gallery.page import slug

COUNT = "document.querySelectorAll('.map-list li').length"


@pytest.fixture(scope="session")
def address(digits_run):
    """The address of the map of the digits."""
    layer = next(iter(digits_run["embedding"]))
    return f"map/{slug(layer)}.html"


def _place(page, row):
    """Return where an image is on the screen."""
    return page.evaluate(
        """row => {
          const map = window.convvizMap;
          const point = 2 * map.points.pointOfRow.get(row);
          const { positions } = map.points;
          const [x, y] = map.toScreen(positions[point], positions[point + 1]);
          const box = map.place.getBoundingClientRect();
          return [box.left + x, box.top + y];
        }""",
        row,
    )


def _pixel(page, x, y):
    """Return the colour of a pixel of the page."""
    import io

    from PIL import Image

    clip = {"x": x, "y": y, "width": 1, "height": 1}
    return Image.open(io.BytesIO(page.screenshot(clip=clip))).convert("RGB").getpixel((0, 0))


def test_the_map_filters_searches_and_opens_images_by_pointer_and_keyboard(
    pages, digits_run, address, check_accessible
):
    page = pages.open(f"{address}#thumbs=0&renderer=webgl")
    page.wait_for_function("() => window.convvizMap.deck.isInitialized")  # in software
    listed = page.locator(".map-list li")
    assert listed.count() == 40
    check_accessible(page)
    values = digits_run["embedding"][next(iter(digits_run["embedding"]))].result.values
    rightmost = int(values[:, 0].argmax())
    x, y = _place(page, rightmost)
    background = page.evaluate("getComputedStyle(window.convvizMap.place).backgroundColor")
    assert background == "rgb(255, 255, 255)"
    red, _, blue = _pixel(page, x + 2, y)
    assert blue > red  # the point is drawn, in blue where there are more than 8 classes

    page.mouse.move(x, y)
    page.locator(".map-card strong", has_text=digits_run.items.ids[rightmost]).wait_for()
    page.mouse.click(x, y)
    page.wait_for_url(f"**/image.html#id={rightmost}")
    page.go_back()
    pages.wait()

    page.locator(".map-legend button").nth(3).click()
    page.get_by_label("only this class").check()
    threes = [i for i, label in enumerate(digits_run.items.column("label")) if label == 3]
    page.wait_for_function(f"() => {COUNT} === {len(threes)}")
    url = page.url
    assert "class=3" in url
    assert "only=1" in url
    page.goto("about:blank")
    page.goto(url)
    pages.wait()
    page.wait_for_function(f"() => {COUNT} === {len(threes)}")

    page.goto(url.split("#")[0] + f"#id={rightmost}")
    page.reload()
    pages.wait()
    centre = page.evaluate("[window.convvizMap.width / 2, window.convvizMap.height / 2]")
    box = page.locator(".map-place").bounding_box()
    x, y = _place(page, rightmost)
    assert (x - box["x"], y - box["y"]) == pytest.approx(centre, abs=2)
    page.locator(".map-place").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("+")
    assert "view=" in page.url
    assert _place(page, rightmost)[0] < x
    page.keyboard.press("0")
    page.keyboard.press("/")
    page.keyboard.type(digits_run.items.ids[11])
    page.wait_for_function(f"() => {COUNT} >= 1 && {COUNT} < 40")


def test_wheel_and_drag_zoom_and_move_the_map(pages, address):
    page = pages.open(address)
    box = page.locator(".map-place").bounding_box()
    x, y = box["x"] + box["width"] / 3, box["y"] + box["height"] / 3
    first = page.evaluate("window.convvizMap.view")
    page.mouse.move(x, y)
    page.mouse.wheel(0, -400)
    page.wait_for_function("zoom => window.convvizMap.view.zoom > zoom", arg=first["zoom"])
    before = page.evaluate("window.convvizMap.view")
    scale = page.evaluate("window.convvizMap.scale")
    page.mouse.down()
    page.mouse.move(x + 60, y + 30, steps=4)
    page.mouse.up()
    after = page.evaluate("window.convvizMap.view")
    assert (before["x"] - after["x"]) * scale == pytest.approx(60, abs=2)
    assert (after["y"] - before["y"]) * scale == pytest.approx(30, abs=2)
    page.get_by_role("button", name="Whole map").click()
    assert page.evaluate("window.convvizMap.view.zoom") == 0


def test_without_scripts_the_page_shows_the_picture_of_the_map(watch, report, address):
    watched = watch(report.as_uri() + "/", java_script_enabled=False)
    watched.page.goto(f"{report.as_uri()}/{address}")
    picture = watched.page.locator("noscript img, main figure img")
    assert picture.count() == 1
    assert picture.evaluate("image => image.naturalWidth") > 300


def test_a_map_without_photos_requests_no_thumbnails(watch, tmp_path, digits_run, address):
    nothing = convviz.array_dataset(np.zeros((1, 8, 8), np.uint8))
    convviz.write_run_report(digits_run, tmp_path / "pages", photos=nothing)
    watched = watch((tmp_path / "pages").as_uri() + "/")
    page = watched.open(address)
    page.wait_for_function(f"() => {COUNT} === 40")
    assert watched.problems == []


def test_names_cannot_run_scripts_on_the_map(hostile_pages, hostile_run, address):
    page = hostile_pages.open(f"{address}#q=<img src=x onerror=hacked=1>&class=<script>")
    page.wait_for_function(f"() => {COUNT} > 0 && {COUNT} < 30")  # the images that match
    page.get_by_label("Search").fill("")
    page.wait_for_function(f"() => {COUNT} > 30")
    x, y = _place(page, 5)
    page.mouse.move(x, y)
    page.locator(".map-card strong").wait_for()
    assert page.evaluate("window.hacked") is None
