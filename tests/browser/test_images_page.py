"""The list of images and the page of an image in a browser."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from helpers.script_payloads import PAYLOADS

import convviz

NAMES = "#images .image-item .name"


def test_the_list_searches_filters_sorts_and_opens_an_image_by_keyboard(
    pages, digits_run, check_accessible
):
    page = pages.open("images.html")
    table = digits_run["predictions"]["images"].result
    ids = digits_run.items.ids
    assert page.locator(NAMES).all_inner_texts() == list(ids)
    check_accessible(page)

    page.get_by_label("Order").select_option("doubt")
    order = table["probabilities"][:, 0].argsort(stable=True).tolist()
    assert page.locator(NAMES).all_inner_texts() == [ids[i] for i in order]

    page.get_by_label("Predicted", exact=True).fill("3")
    rows = [i for i in order if table["top"][i, 0] == 3]
    assert page.locator(NAMES).all_inner_texts() == [ids[i] for i in rows]
    assert page.get_by_role("status").inner_text().startswith(f"{len(rows)} of 40 images")
    address = page.url

    page.locator("#images .image-item").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.wait_for_url("**/image.html#id=*")
    pages.wait()
    assert page.locator("h1").inner_text() == ids[rows[1]]
    page.go_back()
    pages.wait()
    assert page.url == address
    assert page.locator(NAMES).all_inner_texts() == [ids[i] for i in rows]

    page.get_by_text("show all").click()
    page.keyboard.press("/")
    page.keyboard.type("no such image")
    assert page.get_by_text("No image matches.").is_visible()
    assert page.url.endswith("q=no+such+image")
    page.go_back()
    page.wait_for_url(address)
    assert page.locator(NAMES).count() == len(rows)


def test_an_image_has_its_predictions_neighbours_and_units(pages, digits_run, check_accessible):
    page = pages.open("image.html#id=7")
    table = digits_run["predictions"]["images"].result
    best, share = int(table["top"][7, 0]), float(table["probabilities"][7, 0])
    first = page.locator(".predictions tbody tr").first.inner_text().split()
    assert first[0] == str(best)
    assert float(first[-2]) == pytest.approx(100 * share, abs=0.1)

    layer = list(digits_run["neighbors"])[-1]
    near = digits_run["neighbors"][layer].result["indices"][7].tolist()
    links = page.locator(".near-row").first.locator("a")
    assert [link.get_attribute("href") for link in links.all()] == [
        f"image.html#id={row}" for row in near
    ]
    layer = list(digits_run["patches"])[-1]
    items = digits_run["patches"][layer].result["items"]
    units = torch.nonzero(items == 7).tolist()
    shown = page.locator(".unit-cards strong").all_inner_texts()
    assert sorted(shown) == sorted(f"unit {unit}" for unit, _ in units)
    assert len(shown) > 0
    first = int(shown[0].split()[1])
    other = next(i for i in items[first].tolist() if i not in (7, -1))
    page.locator(".unit-cards .other-patch").first.wait_for()
    names = page.locator(".unit-cards .other-patch").all()
    assert names[0].get_attribute("title") == digits_run.items.ids[other]
    lines = page.locator(".source code").all_inner_texts()
    assert lines[0].startswith("convviz explain PHOTO -m demo-digits -e ")
    assert lines[1:] == [
        f"convviz report {digits_run.address} maps",
        f"convviz serve {digits_run.address}",
    ]
    check_accessible(page)

    links.first.click()
    page.locator("h1", has_text=digits_run.items.ids[near[0]]).wait_for()
    page.keyboard.press("ArrowRight")
    page.locator("h1", has_text=digits_run.items.ids[near[0] + 1]).wait_for()
    page.go_back()
    page.go_back()
    page.locator("h1", has_text=digits_run.items.ids[7]).wait_for()
    page.goto(page.url.split("#")[0] + "#id=4000")
    assert "images 0 to 39" in page.get_by_role("alert").inner_text()


def test_saved_maps_are_shown_by_explainer_and_target_with_the_value_under_the_pointer(
    watch, digits_run, tmp_path, check_accessible
):
    image = digits_run.open_dataset().load(3)
    item = digits_run.items[3]
    explanations = []
    for target in (0, 8):
        explanation = convviz.explain("demo-digits", image, "occlusion", target, window=2, stride=1)
        explanation = replace(explanation, items=(item,))
        explanation.save(tmp_path / "explained" / f"target-{target}")
        explanations.append(explanation)
    [agreement] = convviz.compare(explanations).agreements
    lost = replace(item, id="<b>lost</b>", source="<b>lost</b>.png")
    replace(explanation, items=(lost,)).save(tmp_path / "explained" / "lost")
    report = tmp_path / "report"
    convviz.write_run_report(digits_run, report, explained=[tmp_path / "explained"])
    watched = watch(report.as_uri() + "/")
    page = watched.open("image.html#id=3")
    assert page.locator(".maps thead th").all_inner_texts() == ["target", "occlusion"]
    rows = page.locator(".maps tbody tr")
    assert [text.split(" ")[0] for text in rows.locator("th").all_inner_texts()] == ["0", "8"]
    check_accessible(page)

    values = explanation.values[0].double()
    panel = rows.last.locator(".map-panel")
    panel.scroll_into_view_if_needed()
    box = panel.bounding_box()
    height, width = values.shape
    y, x = divmod(int(values.abs().argmax()), width)
    page.mouse.move(
        box["x"] + (x + 0.5) / width * box["width"], box["y"] + (y + 0.5) / height * box["height"]
    )
    reading = float(panel.locator("output").inner_text())
    assert reading == pytest.approx(float(values[y, x]), rel=0.02)
    other = float(rows.first.locator("output").inner_text())  # the crosshair is shared
    assert other != reading

    numbers = page.locator(".agreements tbody .number").all_inner_texts()
    assert float(numbers[0]) == pytest.approx(agreement.rank_correlation, abs=6e-3)
    assert float(numbers[1].split(" ")[0]) == pytest.approx(100 * agreement.overlap, abs=0.6)
    panel.click()
    scales = "els => els.map((e) => new DOMMatrix(getComputedStyle(e).transform).a)"
    assert page.locator(".map-layers").evaluate_all(scales) == [2, 2]
    page.keyboard.press("0")
    assert page.locator(".map-layers").evaluate_all(scales) == [1, 1]

    over = panel.locator("canvas")
    assert float(over.evaluate("canvas => getComputedStyle(canvas).opacity")) > 0
    page.keyboard.down(" ")
    page.wait_for_function(
        "() => getComputedStyle(document.querySelector('.map-panel canvas')).opacity === '0'"
    )
    page.keyboard.up(" ")
    page.get_by_label("Opacity").fill("0.2")
    page.reload()
    watched.wait()
    over.wait_for()
    assert float(over.evaluate("canvas => getComputedStyle(canvas).opacity")) == pytest.approx(0.2)
    watched.open("index.html")
    assert "<b>lost</b>.png" in page.locator("[aria-labelledby=problems-title]").inner_text()


def test_names_cannot_run_scripts(hostile_pages, hostile_run):
    page = hostile_pages.open("images.html")
    for payload in PAYLOADS[:10]:
        page.get_by_label("Search").fill(payload)
        page.locator(NAMES, has_text=payload).first.wait_for()
    assert page.evaluate("window.hacked") is None
    for row in range(len(hostile_run.items)):
        page = hostile_pages.open(f"image.html#id={row}")
        page.locator("h1", has_text=hostile_run.items.ids[row].split("\n")[0][:5]).wait_for()
    assert page.evaluate("window.hacked") is None
    page = hostile_pages.open(f"images.html#q={PAYLOADS[2]}&class={PAYLOADS[4]}&sort=<script>")
    assert page.evaluate("window.hacked") is None
