"""The overview page in a browser."""

from __future__ import annotations


def test_the_overview_states_model_data_and_layers_and_the_policy_forbids_inline_scripts(
    pages, digits_run
):
    page = pages.open("index.html")
    assert page.locator("h1").inner_text() == digits_run.plan["model"]["name"]
    assert page.locator(".big-numbers dd").first.inner_text() == "40"
    rows = page.locator("tbody th").all_inner_texts()
    layers = [*digits_run["patches"], *digits_run["embedding"]]
    assert rows == layers
    background = page.evaluate("getComputedStyle(document.querySelector('.card')).backgroundColor")
    assert background == "rgb(255, 255, 255)"  # the style sheet is applied
    page.evaluate(
        """() => {
          const script = document.createElement('script');
          script.textContent = 'window.ran = true';
          document.body.append(script);
        }"""
    )
    assert page.evaluate("window.ran") is None
    assert "Content Security Policy" in pages.problems.pop()
