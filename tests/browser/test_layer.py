"""The contact sheet of a layer and the view of a unit in a browser."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest

import convviz
from convviz.report.class_lifts import LEAST_LIFT
from convviz.report.layer_units import LayerUnits
from convviz.report.unit_records import column_record

SHEET = "#sheet a"


@pytest.fixture(scope="session")
def units(digits_run):
    return LayerUnits(digits_run, list(digits_run["patches"])[-1])


def address(units, state=""):
    slug = units.layer.replace(".", "-")
    return f"layer/{slug}.html" + (f"#{state}" if state else "")


def shown_units(page):
    return [int(link.get_attribute("data-unit")) for link in page.locator(SHEET).all()]


def patches_of(page, units):
    """Wait for the patches; return the values under them."""
    page.wait_for_selector("#unit .patches img, #unit .note")
    return [float(text) for text in page.locator("#unit .patches figcaption b").all_inner_texts()]


def expected_patches(units, unit):
    values = units.tiles.values[unit]
    return pytest.approx(values[units.tiles["items"][unit] >= 0].tolist(), rel=6e-3, abs=1e-6)


def test_the_contact_sheet_is_readable_without_scripts(watch, report, units):
    watched = watch(report.as_uri() + "/", java_script_enabled=False)
    page = watched.page
    page.goto(report.as_uri() + "/" + address(units))
    assert shown_units(page) == list(range(units.count))
    tile = page.locator(".sheet .tile:not(.missing)").first
    assert "sheets/" in tile.evaluate("e => getComputedStyle(e).backgroundImage")
    dead = page.locator(".sheet a.dead").all_text_contents()
    assert len(dead) == int(units.dead.sum())
    assert all("dead" in text for text in dead)
    alive = int(np.flatnonzero(~units.dead)[0])
    assert f"{units.columns['max'][alive]:.3g}" in page.locator(SHEET).nth(alive).text_content()


def test_examples_of_several_ranks_stand_below_the_histogram_of_highest_values(pages, units):
    unit = int(np.argmax(units.columns["max"]))
    page = pages.open(address(units, f"unit={unit}"))
    page.wait_for_selector(".strata img")
    names = [text.split(" rank ")[0] for text in page.locator(".strata h4").all_inner_texts()]
    assert names == ["top 1 %", "top 10 %", "median", "lowest"]  # rank 1 is also the top 0.1 %
    shown = [float(text) for text in page.locator(".strata figcaption b").all_inner_texts()]
    values = units.tiles["stratum_values"][unit, 1:].flatten().tolist()
    assert shown == pytest.approx(values, rel=6e-3, abs=1e-6)
    bars = page.locator("[aria-labelledby=peaks-title] .histogram rect").count()
    assert bars == int((units.tiles["peak_histogram"][unit] > 0).sum())


def test_units_are_sorted_found_opened_and_linked(pages, units, digits_run):
    page = pages.open(address(units))
    page.select_option("#sort", "max")
    order = np.lexsort((-units.columns["mean"], -units.columns["max"])).tolist()
    assert shown_units(page) == order
    assert page.evaluate("location.hash") == "#sort=max"

    page.locator(SHEET).first.click()
    assert page.locator("#unit h2").inner_text() == f"unit {order[0]}"
    assert patches_of(page, units) == expected_patches(units, order[0])
    facts = page.locator(".unit-facts").inner_text()
    assert f"rank {units.rank[order[0]]} of {units.count}" in facts

    page.keyboard.press("ArrowRight")
    page.wait_for_function(f"document.querySelector('#unit h2').innerText === 'unit {order[1]}'")
    assert patches_of(page, units) == expected_patches(units, order[1])
    assert page.locator("#sheet [aria-current]").get_attribute("data-unit") == str(order[1])

    page.keyboard.press("w")
    page.wait_for_selector(".patches.is-whole .box")
    box = page.locator(".patches.is-whole .box").first.bounding_box()
    frame = page.locator(".patches.is-whole .photo").first.bounding_box()
    item = digits_run.items[int(units.tiles["items"][order[1], 0])]
    x0, y0, x1, y1 = units.tiles["boxes"][order[1], 0].tolist()
    height, width = item.size
    wide = min(x1, width) - max(x0, 0)
    assert box["width"] / frame["width"] == pytest.approx(wide / width, abs=0.03)
    high = min(y1, height) - max(y0, 0)
    assert box["height"] / frame["height"] == pytest.approx(high / height, abs=0.03)

    page.go_back()
    page.wait_for_function(f"document.querySelector('#unit h2').innerText === 'unit {order[0]}'")
    page.keyboard.press("Escape")
    assert page.locator("#unit").is_hidden()
    page.keyboard.press("/")
    page.keyboard.type("3")
    lifts = lifts_of(units, ["3"])
    meant = [u for u in range(units.count) if u == 3 or lifts[u] >= LEAST_LIFT]
    page.wait_for_selector(".class-note")
    assert page.locator("#sort").input_value() == "lift"
    shown = shown_units(page)
    assert sorted(shown) == meant
    assert [lifts[u] for u in shown] == pytest.approx(sorted(lifts[meant])[::-1], rel=1e-3)
    assert page.locator("[role=status]").inner_text() == f"{len(meant)} of {units.count} units"


@pytest.mark.parametrize("order", ["changed", "lift", "constructor", "<script>"])
def test_an_order_that_the_layer_lacks_is_that_of_the_numbers(pages, units, order):
    page = pages.open(address(units, f"sort={order}"))
    assert page.locator("#sort").input_value() == "unit"
    assert shown_units(page) == list(range(units.count))


def lifts_of(units, classes):
    """Lift of some classes by unit, as Python ranks units; 0 for units without a lift."""
    lifts = np.zeros(units.count)
    for entry in units.run.units(units.layer, classes, units.lifts.explainer):
        lifts[entry.unit] = entry.lift
    return lifts


def test_classes_are_found_by_patterns_and_kept_on_the_way_to_other_layers(pages, units):
    page = pages.open(address(units, "class=[3], ?&show=all"))
    note = page.locator(".class-note").inner_text()
    assert "10 classes: 0, 1, 2, 3 and 6 more" in note
    assert "“[3]”" in note
    page.locator("#find").fill("1, 4-5")
    lifts = lifts_of(units, ["1", "4", "5"])
    page.wait_for_function("document.querySelector('.class-note')?.innerText.includes('3 classes')")
    first = page.locator(SHEET).first
    best = int(first.get_attribute("data-unit"))
    assert lifts[best] == pytest.approx(lifts.max(), rel=1e-3)
    # Not `inner_text`: tiles have no rendered text until they come into view.
    lift, times = first.locator(".value").text_content().split()
    assert times == "×"
    assert float(lift) == pytest.approx(lifts[best], rel=0.06)
    assert first.locator("small").text_content() in ("1", "4", "5")
    other = page.locator(".layers a:not([aria-current])").first
    name = other.inner_text()
    other.click()
    page.locator("h1", has_text=name).wait_for()
    pages.wait()
    assert page.locator("#find").input_value() == "1, 4-5"
    assert page.locator("#sort").input_value() == "lift"


def test_a_link_opens_a_unit_whose_classes_filter_and_whose_numbers_can_be_saved(pages, units):
    unit = int(np.argmax(units.columns["selectivity"]))
    page = pages.open(address(units, f"unit={unit}&view=whole"))
    assert patches_of(page, units) == expected_patches(units, unit)
    assert page.locator(".patches.is-whole").count() == 1

    label = int(units.lifts.classes[unit, 0])
    name = units.run.classes[label]
    row = page.locator(".bars button").first
    assert row.locator(".bar-name").inner_text() == name
    lifts = units.lifts
    expected = f"{lifts.counts[unit, 0]} of {lifts.totals[unit, 0]}"
    assert row.locator(".bar-count").inner_text() == expected
    row.click()
    items = [i for i in units.tiles["items"][unit].tolist() if i >= 0]
    labels = [units.items[i].label for i in items]
    page.wait_for_selector(".bars button[aria-pressed=true]")
    page.wait_for_selector(".meant-note")  # the lifts of the classes have been loaded
    others = sum(other != label for other in labels)
    assert page.locator(".patches .faded").count() == others % len(labels)  # never all of them
    meant = page.locator(".meant-note").inner_text()
    assert meant.startswith(f"{len(labels) - others} of {len(labels)} patches are of")

    with page.expect_download() as saved:
        page.get_by_role("button", name="CSV").click()
    rows = list(csv.DictReader(io.StringIO(saved.value.path().read_text("utf-8"))))
    assert [row["image"] for row in rows] == [units.items[i].id for i in items]
    numbers = [float(row["activation"]) for row in rows]
    assert numbers == pytest.approx(units.tiles.values[unit, : len(rows)].tolist(), rel=1e-4)
    shell, python = page.locator(".lines code").all_inner_texts()
    assert f"--layer {units.layer} --unit {unit}" in shell
    drawn = eval(python, {"convviz": convviz})
    assert drawn.layer == units.layer


def test_guided_gradients_are_shown_or_the_line_that_draws_them(pages, units, digits_run):
    [drawn] = units.tiles.order
    page = pages.open(address(units, f"unit={drawn}&view=guided"))
    page.wait_for_selector(".patches.is-guided img[src*='media/guided/']")
    assert page.locator(".guided-status").count() == 0
    alive = np.flatnonzero(~units.dead).tolist()
    other = next(unit for unit in alive if unit != drawn)
    page.goto(pages.allowed[0] + address(units, f"unit={other}"))
    patches_of(page, units)
    page.get_by_role("button", name="Guided gradient").click()
    line = page.locator(".guided-status code").inner_text()
    assert f"view=guided&unit={other}" in page.url or f"unit={other}&view=guided" in page.url
    assert line == (
        f"convviz show {digits_run.address} -e patches --layer {units.layer} --unit {other}"
    )
    assert page.locator(".patches img").count() > 0  # the patches stay
    page.keyboard.press("g")
    page.wait_for_selector(".guided-status", state="detached")
    assert page.locator(".patches.is-crop").count() == 1


def test_dead_units_are_marked_and_can_be_shown_alone(pages, units):
    dead = np.flatnonzero(units.dead).tolist()
    page = pages.open(address(units))
    assert page.locator("#show").count() == (1 if dead else 0)
    state = "show=alive&sort=fires"
    page.goto(pages.allowed[0] + address(units, state))
    pages.wait()
    columns = column_record(units)["columns"]  # equal shares are in the order of the means
    alive = np.flatnonzero(~units.dead).tolist()
    order = sorted(alive, key=lambda u: (-columns["fires"][u], -columns["mean"][u]))
    assert shown_units(page) == order


def test_a_missing_chunk_is_reported_in_the_page(watch, report, units, tmp_path):
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(report, copy)
    slug = units.layer.replace(".", "-")
    (copy / "data" / "layer" / slug / "units-000.js").unlink()
    watched = watch(copy.as_uri() + "/")
    page = watched.open(address(units, "unit=0"))
    assert "units-000.js cannot be read" in page.locator("[role=alert]").inner_text()
    assert any("units-000.js" in problem for problem in watched.problems)
    watched.problems.clear()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_have_no_serious_problems_of_accessibility(watch, report, units, scheme):
    from axe_playwright_python.sync_playwright import Axe

    axe = Axe()
    watched = watch(report.as_uri() + "/", color_scheme=scheme)
    for place in ("index.html", address(units), address(units, "unit=1&class=3")):
        page = watched.open(place)
        # The policy of the page forbids scripts that axe adds, so it runs through the debugger.
        page.evaluate(axe.axe_script)
        found = page.evaluate("axe.run(document, {resultTypes: ['violations'], preload: false})")
        serious = [
            (v["id"], [node["html"][:120] for node in v["nodes"][:3]])
            for v in found["violations"]
            if v["impact"] in ("serious", "critical")
        ]
        assert serious == [], place


def test_an_example_of_a_range_can_be_chosen_when_no_class_matches(pages, units):
    page = pages.open(address(units, ""))
    page.locator("#find").fill("no such class")
    example = page.locator(".class-note button.inline")
    assert example.inner_text() == "0-9"
    example.click()
    page.locator(".class-note", has_text="10 classes").wait_for()
    assert page.locator("#find").input_value() == "0-9"


@pytest.mark.parametrize("path", ["map", "layer"])
def test_the_link_to_the_current_page_is_in_view_on_a_small_screen(watch, report, units, path):
    pages = watch(f"{report.as_uri()}/", viewport={"width": 280, "height": 700})
    name = next((report / path).glob("*.html")).name if path == "map" else address(units)[6:]
    page = pages.open(f"{path}/{name}")
    for link in page.locator(".top nav [aria-current], .layers [aria-current]").all():
        box, bar = link.bounding_box(), link.locator("..").bounding_box()
        assert box["x"] >= bar["x"] - 1
        assert box["x"] + box["width"] <= bar["x"] + bar["width"] + 1
