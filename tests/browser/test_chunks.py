"""Chunks of data as the browser reads them, and their scripts."""

from __future__ import annotations

import json

import pytest

from convviz.errors import ConvvizError
from convviz.report.chunks import chunk_text, write_chunk

HOSTILE = [
    "</script><script>alert(1)</script>",
    "<!--",
    "\u2028\u2029",
    "\ud800x",
    "'\"\\",
    "&amp;",
]


def test_a_chunk_escapes_what_could_end_a_script_and_keeps_the_values():
    text = chunk_text("a/b-1", {"names": HOSTILE, "numbers": (1.5, float("nan"), float("inf"))})
    assert not set("<>&\u2028\u2029\ud800") & set(text)
    name, _, value = text.removeprefix("convvizChunk(").removesuffix(");\n").partition(",")
    assert json.loads(name) == "a/b-1"
    assert json.loads(value) == {"names": HOSTILE, "numbers": [1.5, None, None]}


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a//b", "A", "a.js", "", "a/../b", "a\n"])
def test_names_of_chunks_cannot_leave_their_folder(tmp_path, name):
    with pytest.raises(ConvvizError):
        write_chunk(tmp_path, name, 1)


def test_pages_load_chunks_of_items_once(pages, report, digits_run):
    page = pages.open("index.html")
    page.add_script_tag(url=(report / "data" / "items-000.js").as_uri())
    received = page.evaluate("[...window.convvizShared.received.keys()]")
    assert received == ["items-000"]
    items = page.evaluate("window.convvizShared.received.get('items-000')")
    assert items["start"] == 0
    assert items["names"] == list(digits_run.items.ids)
    assert items["labels"] == digits_run.items.column("label")
    assert (report / items["thumbs"]["atlas"]).is_file()
    assert all((report / path).is_file() for path in items["previews"])
