"""The data-set page in a browser."""

from __future__ import annotations

import pytest


def test_the_page_lists_errors_confusions_and_classes_and_sorts_by_the_address(
    pages, digits_run, check_accessible
):
    page = pages.open("dataset.html")
    images = digits_run["predictions"]["images"].result
    right = int((images["rank"] == 0).sum())
    expected = f"{100 * right / 40:.1f} %"
    assert page.locator(".big-numbers dd").first.inner_text().startswith(expected)
    rows = page.locator("#classes tbody tr")
    names = digits_run["predictions"]["classes"].result.rows
    assert sorted(rows.locator("th").all_inner_texts()) == sorted(names)
    check_accessible(page)

    page.get_by_role("button", name="images").click()
    counts = [int(text) for text in rows.locator("td:nth-child(2)").all_inner_texts()]
    assert counts == sorted(counts, reverse=True)
    assert page.locator("#classes [aria-sort=descending]").inner_text().startswith("images")
    page.get_by_role("button", name="images").click()
    counts = [int(text) for text in rows.locator("td:nth-child(2)").all_inner_texts()]
    assert counts == sorted(counts)
    page.get_by_label("Filter classes").fill(names[3])
    assert rows.count() == 1
    address = page.url
    assert "class-sort=images-up" in address
    assert f"class-filter={names[3]}" in address

    page.goto("about:blank")
    page.goto(address)
    pages.wait()
    assert rows.count() == 1
    assert page.get_by_label("Filter classes").input_value() == names[3]


def test_the_page_is_readable_without_scripts(watch, report):
    watched = watch(report.as_uri() + "/", java_script_enabled=False)
    watched.page.goto(report.as_uri() + "/dataset.html")
    assert watched.page.locator("#classes tbody tr").count() == 10
    assert watched.page.locator("svg.calibration circle").count() > 0


@pytest.mark.parametrize("width", [390, 1440])
def test_names_cannot_run_scripts(hostile_pages, hostile_run, width):
    hostile_pages.page.set_viewport_size({"width": width, "height": 900})
    page = hostile_pages.open("dataset.html#class-sort=class-up&class-filter=<script>")
    page.mouse.wheel(0, 4000)
    page.locator("#classes button").first.click()
    text = page.locator("body").inner_text()
    shown = [name for name in hostile_run.items.ids if name in text]
    assert len(shown) > 10  # names are shown as they are
    assert page.locator("#skipped tbody td").first.inner_text().startswith("<img src=x onerror")
    assert page.evaluate("window.hacked") is None
    assert page.evaluate("document.documentElement.scrollWidth") <= width
