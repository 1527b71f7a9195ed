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


@pytest.fixture
def two_runs(watch, tmp_path_factory, digits_run, second_run):
    """A page of the report about both runs."""
    folder = tmp_path_factory.mktemp("two-runs") / "pages"
    convviz.write_run_report(digits_run, folder, other=second_run)
    return watch(folder.as_uri() + "/")


def test_two_runs_are_side_by_side(two_runs, digits_run, second_run, check_accessible):
    first = digits_run["predictions"]["images"]["top"][:, 0].tolist()
    second = second_run["predictions"]["images"]["top"][:, 0].tolist()
    ids, own = digits_run.items.ids, second_run.items.ids
    changed = [
        i for i, name in enumerate(ids) if name in own and first[i] != second[own.index(name)]
    ]
    assert 0 < len(changed) < 30
    page = two_runs.open("index.html")
    assert page.get_by_text(f"({30 - len(changed)} of 30), see the others").is_visible()
    check_accessible(page)

    page.get_by_role("link", name="see the others").click()
    page.wait_for_url("**/images.html#second=differs")
    two_runs.wait()
    names = page.locator("#images .image-item .name")
    assert names.all_inner_texts() == [ids[i] for i in changed]
    right = digits_run["predictions"]["images"]["label"].tolist()
    expected = [i for i in changed if first[i] == right[i]]
    page.get_by_label("Prediction in changed").select_option("lost")
    page.get_by_role("status").filter(has_text=f"{len(expected)} of 40").wait_for()
    assert names.all_inner_texts() == [ids[i] for i in expected]
    check_accessible(page)

    names.first.click()
    page.wait_for_url("**/image.html#id=*")
    two_runs.wait()
    beside = page.get_by_role("region", name="Predictions in changed")
    best = str(second[own.index(ids[expected[0]])])
    assert beside.locator(".predictions tbody tr").first.inner_text().split()[0] == best
    assert "Another class than in run" in beside.inner_text()
    assert page.get_by_role("region", name="Units that it activates most in changed").is_visible()
    check_accessible(page)
    missing = next(i for i, name in enumerate(ids) if name not in own)
    page = two_runs.open(f"image.html#id={missing}")
    page.reload()
    two_runs.wait()
    assert "This run does not have the image." in page.inner_text("body")

    layer = next(iter(second_run["patches"]))
    slug = layer.replace(".", "-")
    page = two_runs.open(f"layer/{slug}.html")
    tiles = page.locator("#sheet li").first.locator(".tile")
    assert tiles.count() == 2
    assert "left in run, right in changed" in page.inner_text("#sheet-note")
    page.get_by_label("Sort by").select_option(label="changed top images")
    page.locator("#sheet .value", has_text="%").first.wait_for()
    shares = [float(text.split()[0]) for text in page.locator("#sheet .value").all_inner_texts()]
    assert shares == sorted(shares, reverse=True)
    page.locator("#sheet a").first.click()
    page.get_by_role("heading", name="The same unit in changed").wait_for()
    kept = page.get_by_text("of the top images in run are top images here as well.").inner_text()
    assert float(kept.split()[0]) == pytest.approx(100 - shares[0], abs=0.1)
    check_accessible(page)
