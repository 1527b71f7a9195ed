"""The pages of a report about two runs in a browser."""

from __future__ import annotations

import pytest
import torch

import convviz


@pytest.fixture(scope="module")
def second_run(tmp_path_factory, digits_run):
    """A run of a changed network on a part of the digits."""
    model = convviz.load_model("demo-digits")
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weights in model.module.parameters():
            weights += 0.6 * weights.std() * torch.randn(weights.shape, generator=generator)
    layers = list(digits_run["patches"])[:2]
    explainers = [convviz.explainer("patches", layers=layers, draw=0), "neighbors"]
    folder = tmp_path_factory.mktemp("second") / "changed"
    return convviz.analyze(model, "demo-digits:?limit=30", explainers, folder)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, digits_run, second_run):
    """The folder of the report about both runs; the second one is right more often."""
    folder = tmp_path_factory.mktemp("two-runs") / "pages"
    convviz.write_run_report(second_run, folder, other=digits_run)
    return folder


@pytest.fixture
def pages(watch, folder):
    """A page of the report."""
    return watch(folder.as_uri() + "/")


@pytest.fixture(scope="module")
def changed(digits_run, second_run):
    """Rows of the images with another prediction in the two runs."""
    first = second_run["predictions"]["images"]["top"][:, 0]
    return (first != digits_run["predictions"]["images"]["top"][:30, 0]).nonzero()[:, 0].tolist()


def test_the_overview_leads_to_the_images_with_other_predictions(
    pages, second_run, changed, check_accessible
):
    page = pages.open("index.html")
    assert 0 < len(changed) < 30
    assert page.get_by_text(f"({30 - len(changed)} of 30), see the others").is_visible()
    check_accessible(page)
    page.get_by_role("link", name="see the others").click()
    page.wait_for_url("**/images.html#second=differs")
    pages.wait()
    names = page.locator("#images .image-item .name")
    ids = second_run.items.ids
    assert names.all_inner_texts() == [ids[i] for i in changed]
    check_accessible(page)

    result = second_run["predictions"]["images"].result
    wrong = (result["top"][:, 0] != result["label"]).tolist()
    gained = [i for i in changed if wrong[i]]
    for option, rows in [
        ("same", [i for i in range(30) if i not in changed]),
        ("gained", gained),
        ("lost", []),
    ]:
        page.get_by_label("Prediction in run").select_option(option)
        page.get_by_role("status").get_by_text(f"{len(rows)} of 30 images", exact=False).wait_for()
        assert names.all_inner_texts() == [ids[i] for i in rows]
    assert gained


def test_an_image_has_the_predictions_and_units_of_both_runs(
    pages, digits_run, changed, check_accessible
):
    page = pages.open(f"image.html#id={changed[0]}")
    beside = page.get_by_role("region", name="Predictions in run")
    best = str(int(digits_run["predictions"]["images"]["top"][changed[0], 0]))
    assert beside.locator(".predictions tbody tr").first.inner_text().split()[0] == best
    assert "Another class than in changed" in beside.inner_text()
    assert page.get_by_role("heading", name="Units that it activates most in run").is_visible()
    assert page.get_by_role("heading", name="in the features of").count() == 2
    check_accessible(page)


def test_an_image_that_the_second_run_lacks_says_so(
    watch, tmp_path, digits_run, second_run, check_accessible
):
    folder = tmp_path / "pages"
    convviz.write_run_report(digits_run, folder, other=second_run)
    page = watch(folder.as_uri() + "/").open("image.html#id=35")
    assert "This run does not have the image." in page.inner_text("body")
    check_accessible(page)


def test_a_layer_shows_the_units_of_both_runs(pages, second_run, check_accessible):
    layer = next(iter(second_run["patches"]))
    page = pages.open(f"layer/{layer.replace('.', '-')}.html")
    assert page.locator("#sheet li").first.locator(".tile").count() == 2
    assert "left in changed, right in run" in page.inner_text("#sheet-note")
    page.get_by_label("Sort by").select_option(label="changed top images")
    page.locator("#sheet .value", has_text="%").first.wait_for()
    shares = [float(text.split()[0]) for text in page.locator("#sheet .value").all_text_contents()]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > shares[-1]
    page.locator("#sheet a").first.click()
    page.get_by_role("heading", name="The same unit in run").wait_for()
    kept = page.get_by_text("images that both runs have are the same.").inner_text()
    assert float(kept.split()[0]) == pytest.approx(100 - shares[0], abs=0.1)
    check_accessible(page)
