"""The notebook widget in a browser, with its Python side behind it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers.script_payloads import PAYLOADS
from helpers.widget_page import show_widget

import convviz
from convviz.report.class_lifts import LEAST_LIFT

pytest.importorskip("anywidget", reason="widgets require convviz[notebook]")


def test_units_and_a_selection_on_the_map(
    watch: Any, digits_run: convviz.Run, check_accessible: Any
) -> None:
    page = watch().page
    widget = convviz.widget(digits_run)
    show_widget(page, widget)
    page.get_by_role("button", name="unit 5", exact=True).click()
    page.locator(".unit-name", has_text="unit 5").wait_for()
    assert (widget.layer, widget.unit) == (list(digits_run["patches"])[-1], 5)
    tiles = digits_run["patches"][widget.layer].result
    captions = page.locator(".patches figcaption b").all_inner_texts()
    assert float(captions[0]) == pytest.approx(float(tiles.values[5, 0]), rel=0.01)
    assert page.locator(".patches img").first.evaluate("image => image.naturalWidth") > 0
    assert page.locator(".histogram rect").count() > 3
    check_accessible(page)
    page.get_by_role("button", name="Next unit").click()
    page.locator(".unit-name", has_text="unit 6").wait_for()
    assert widget.unit == 6
    page.select_option("select[name=sort]", "max")
    order = np.argsort(-tiles.values[:, 0].numpy(), kind="stable")
    assert page.locator(".widget-sheet b").first.inner_text() == str(order[0])
    page.select_option("select[name=sort]", "")
    page.get_by_label("Find").fill("3")
    ranking = digits_run.units(widget.layer, "3", "statistics")
    lifts = {entry.unit: entry.lift for entry in ranking if entry.lift >= LEAST_LIFT}
    meant = lifts.keys() | {3}
    page.get_by_role("status").filter(has_text=f"{len(meant)} of ").wait_for()
    first = page.locator(".widget-sheet li").first
    assert lifts[int(first.locator("b").inner_text())] == pytest.approx(max(lifts.values()))
    lift = float(first.locator(".muted").inner_text().removesuffix(" ×"))
    assert lift == pytest.approx(max(lifts.values()), rel=0.06)
    page.get_by_label("Find").fill("")

    page.get_by_role("button", name="Map", exact=True).click()
    place = page.locator(".map-place[aria-busy=false]")
    box = place.bounding_box()
    middle = box["x"] + box["width"] / 2
    page.mouse.move(box["x"] + 12, box["y"] + 12)  # the corners are round
    page.mouse.down()
    page.mouse.move(middle, box["y"] + box["height"] - 12, steps=4)
    page.mouse.up()
    page.locator(".widget-chosen li").first.wait_for()
    places = digits_run["embedding"].only.values[:, 0].numpy()
    left = np.flatnonzero(places < (places.min() + places.max()) / 2).tolist()
    assert widget.selection == left
    assert page.get_by_role("status").inner_text() == f"{len(left)} selected"
    check_accessible(page)
    place.focus()
    page.keyboard.press("Escape")
    page.get_by_text("0 selected", exact=True).wait_for()
    assert widget.selection == []
    page.keyboard.press("Enter")
    page.get_by_text("40 selected", exact=True).wait_for()
    assert widget.selection == list(range(40))
    page.evaluate("model.set('selection', [7, 9])")  # as Python does
    page.get_by_text("2 selected", exact=True).wait_for()
    page.evaluate("cleanup()")
    assert page.locator("#widget").inner_html() == ""


def test_maps_with_opacity(watch: Any, check_accessible: Any) -> None:
    model = convviz.load_model("demo-digits")
    photos = [convviz.open_dataset("demo-digits:?limit=9").load(i) for i in (3, 8)]
    explanations = convviz.explain(model, photos, ["saliency", "occlusion"])
    widget = convviz.widget(explanations)
    page = watch().page
    show_widget(page, widget)
    canvas = page.locator(".map-panel canvas").first
    canvas.wait_for()
    assert page.locator(".map-panel").count() == 2
    page.get_by_label("Opacity").fill("0.25")
    assert canvas.evaluate("canvas => canvas.style.opacity") == "0.25"
    assert widget.opacity == 0.25
    canvas.hover(position={"x": 100, "y": 60})
    reading = float(page.locator(".reading").first.inner_text())
    size = canvas.bounding_box()
    row, column = int(60 / size["height"] * 32), int(100 / size["width"] * 32)
    value = float(explanations[0].result.of_image(0)[row, column])
    highest = float(explanations[0].values[0].max())
    assert reading == pytest.approx(value, abs=highest / 200)
    check_accessible(page)
    page.select_option("select[name=image]", "1")
    page.locator("h2", has_text=explanations[0].items[1].source).wait_for()
    assert widget.image == 1


def test_results_without_maps_are_pictures(watch: Any) -> None:
    page = watch().page
    show_widget(page, convviz.widget(convviz.explain("demo-digits", None, "filters")))
    page.locator("img.picture").wait_for()
    assert page.locator("img.picture").evaluate("image => image.naturalWidth") > 100


def test_names_that_are_scripts_do_not_run(watch: Any, hostile_run: convviz.Run) -> None:
    page = watch().page
    widget = convviz.widget(hostile_run)
    show_widget(page, widget)
    page.get_by_role("button", name="unit 1", exact=True).click()
    page.locator(".unit-name").wait_for()
    page.get_by_role("button", name="Map", exact=True).click()
    page.locator(".map-place[aria-busy=false]").focus()
    page.keyboard.press("Enter")
    page.locator(".widget-chosen strong").nth(9).wait_for()
    names = page.locator(".widget-chosen strong").all_inner_texts()
    assert any("<svg onload=hacked=1>" in name for name in names)
    assert page.evaluate("window.hacked") is None
    assert page.locator("#widget script, #widget [onerror], #widget iframe").count() == 0
    assert len(PAYLOADS) >= 30
