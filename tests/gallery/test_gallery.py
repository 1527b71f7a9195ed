"""The overview page."""

from __future__ import annotations

import os
import struct
import sys
import zlib
from html.parser import HTMLParser
from urllib.parse import unquote

import pytest
import torch
from PIL import Image

import convviz
import convviz.authoring
from convviz.explanation.explanation import Explanation
from convviz.gallery import write_report
from convviz.images.batch import Item
from convviz.render import Picture
from convviz.scores.targets import Target

AFFINE = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
VOID = {"meta", "img", "link", "br", "hr", "input"}


def png(width=4, height=3):
    """A grey PNG, made by hand."""

    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = b"".join(b"\x00" + b"\x80" * width for _ in range(height))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        [chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")]
    )


class Page(HTMLParser):
    """A page taken apart: tags with attributes, text, and whether the tags balance."""

    def __init__(self, path):
        super().__init__()
        self.tags, self.text, self.open = [], "", []
        self.source = path.read_text("utf-8")
        self.feed(self.source)
        assert not self.open, self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag
        self.text += " "

    def handle_data(self, data):
        self.text += data

    def all(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


@pytest.fixture
def leaf(tmp_path, monkeypatch):
    """Save an explanation into a leaf folder below tmp_path."""

    def make(folder, *, pictures=("map",), source="cat.png", caption="Warm is good.", **fields):
        drawn = [Picture(name, png(), caption) for name in pictures]
        monkeypatch.setattr("convviz.explanation.content.render", lambda result, scene: drawn)
        result = fields.pop("result", None) or convviz.Heatmap(torch.zeros(1, 3, 4))
        given = {
            "explainer": None,
            "name": folder.split("/")[-1],
            "model": {"name": "tiny net", "weights_hash": "0123456789abcdef"},
            "target": (Target(1, None, "dog", 2.5),),
            "items": (Item("a", source, AFFINE, (3, 4)),),
            "versions": {"convviz": "0.1.0"},
        }
        return Explanation(result=result, **{**given, **fields}).save(tmp_path / folder)

    return make


def hrefs(page):
    links = [a["href"] for a in page.all("a")]
    return [link for link in links if not link.startswith("#")]


def test_every_link_and_picture_of_the_page_exists(leaf, tmp_path):
    leaf("cat/occlusion", pictures=("one", "two", "three", "four", "five", "six"))
    leaf("odd #1 %41 ü?/saliency", pictures=("a b#c",))
    leaf("run/results/patches/layer4.1", name="patches")
    page = Page(write_report(tmp_path))
    images = [image["src"] for image in page.all("img")]
    assert len(images) == 6
    assert len(set(hrefs(page))) == 11
    for address in images + hrefs(page):
        assert (tmp_path / unquote(address)).exists(), address
    anchors = {attrs["id"] for _, attrs in page.tags if "id" in attrs}
    jumps = [a["href"][1:] for a in page.all("a") if a["href"].startswith("#")]
    assert set(jumps) <= anchors
    assert len(anchors) == len([1 for _, attrs in page.tags if "id" in attrs])


def test_the_page_needs_no_network_and_runs_nothing(leaf, tmp_path):
    leaf("cat/occlusion")
    page = Page(write_report(tmp_path))
    assert "://" not in page.source
    assert not page.all("script")
    assert not page.all("link")
    assert not [attrs for _, attrs in page.tags if any(a.startswith("on") for a in attrs)]


def test_pictures_have_alt_texts_and_sizes(leaf, tmp_path):
    leaf("cat/occlusion")
    (image,) = Page(write_report(tmp_path)).all("img")
    assert image["alt"] == "occlusion: cat.png · dog (2.50). Warm is good."
    assert (image["width"], image["height"]) == ("3", "2")  # 4 x 3 at 120 px per inch


def test_hostile_words_stay_words(leaf, tmp_path):
    bad = "<script>alert(1)</script>\"'&"
    result = convviz.Heatmap(
        torch.zeros(1, 3, 4), notes=(bad,), measures={bad: bad, "KL": float("nan")}
    )
    leaf(
        "x/<img src=x onerror=alert(1)>",
        name=bad,
        source=bad,
        caption=bad,
        result=result,
        layer=bad,
        model={"name": bad, "weights_hash": bad},
        target=(Target(1, None, bad, float("nan")),),
        versions={bad: bad},
    )
    page = Page(write_report(tmp_path, title=bad, intro=bad))
    assert not page.all("script")
    assert all("onerror" not in attrs for _, attrs in page.tags)
    assert page.text.count("alert(1)") > 8
    assert page.all("img")[0]["src"].endswith("map.png")


def test_the_page_says_what_was_explained_and_how(leaf, tmp_path):
    result = convviz.Heatmap(
        torch.zeros(1, 3, 4), notes=("Not a proof.",), measures={"KL divergence": 1.23456}
    )
    leaf("cat/saliency", explainer=convviz.explainer("saliency"), result=result)
    text = " ".join(Page(write_report(tmp_path, title="My net", intro="Look.")).text.split())
    for words in (
        "My net",
        "Look.",
        "tiny net 0123456789ab",
        "cat.png · dog (2.50)",
        "How to read it: Bright: high value. Dark: low value.",
        "KL divergence 1.235",
        "Not a proof.",
        "channels max",
        "convviz 0.1.0",
        "Sensitivity of the score to each pixel",
    ):
        assert words in text


def test_pictures_are_shown_in_the_size_that_they_are_drawn_for(leaf, tmp_path):
    folder = leaf("photo/occlusion", pictures=("plain", "fine", "odd"))
    Image.new("RGB", (600, 120)).save(folder / "plain.png")
    Image.new("RGB", (600, 120)).save(folder / "fine.png", dpi=(300, 300))
    Image.new("RGB", (600, 120)).save(folder / "odd.png", dpi=(0.01, 0.01))
    sizes = [(i["width"], i["height"]) for i in Page(write_report(tmp_path)).all("img")]
    assert sizes == [("480", "96"), ("192", "38"), ("480", "96")]  # 120 px per inch if not known


def test_results_are_side_by_side_only_as_wide_as_their_pictures(leaf, tmp_path):
    for name in "ab":
        folder = leaf(f"{name}/occlusion")
        Image.new("RGB", (1200 if name == "b" else 500, 120)).save(folder / "map.png")
    assert "minmax(min(100%, 960px)" in write_report(tmp_path).read_text()


def test_vector_pictures_are_shown_or_named_but_svg_files_are_no_links(leaf, tmp_path, rewrite):
    folder = leaf("photo/occlusion")
    files = {"map.svg": "", "map.pdf": "", "map.html": ""}
    rewrite(folder / "explanation.json", lambda document: document.update(pictures=files))
    page = Page(write_report(tmp_path))
    assert [image["src"] for image in page.all("img")] == ["photo/occlusion/map.svg"]
    assert set(hrefs(page)) == {"photo/occlusion/"}


def test_captions_appear_where_they_tell_pictures_apart(leaf, tmp_path, rewrite):
    leaf("a/occlusion", pictures=("one", "two"))
    assert not Page(write_report(tmp_path)).all("figcaption")
    other = {"one.png": "Cold is bad."}
    rewrite(tmp_path / "a/occlusion/explanation.json", lambda d: d["pictures"].update(other))
    page = Page(write_report(tmp_path))
    assert len(page.all("figcaption")) == 2
    assert page.text.count("Warm is good.") == page.text.count("Cold is bad.") == 1


def test_notes_that_all_leaves_share_are_said_once(leaf, tmp_path):
    for folder, own in (("a", "Only here."), ("b", "Only there.")):
        result = convviz.Heatmap(torch.zeros(1, 3, 4), notes=("For all.", own))
        leaf(f"{folder}/occlusion", result=result)
    text = Page(write_report(tmp_path)).text
    assert [text.count(note) for note in ("For all.", "Only here.", "Only there.")] == [1, 1, 1]


RESULTS = {
    "above zero": convviz.Heatmap(torch.zeros(1, 3, 4), signed=True, unit="score drop"),
    "per colour channel": convviz.Heatmap(torch.zeros(1, 3, 3, 4), colour=True),
    "stands for a class": convviz.Heatmap(torch.zeros(1, 3, 4), unit="class", classes={1: "a"}),
    "segmented object": convviz.Mask(torch.zeros(1, 3, 4, dtype=torch.bool)),
    "One tile per filter, all on one scale": convviz.Tiles(torch.zeros(1, 3, 4)),
    "drawn over the photo": convviz.Tiles(torch.zeros(1, 1, 3, 4), layout="images"),
    "One block per channel with crops": convviz.Tiles(
        torch.zeros(1, 1),
        arrays={"c": torch.zeros(1, 1, 2, 2, 3, dtype=torch.uint8)},
        stacks=(convviz.authoring.Stack(title="crops", pictures="c"),),
    ),
    "raw pixels": convviz.Matches(
        torch.zeros(1, 1), arrays={"pixel_indices": torch.zeros(1, 1, dtype=torch.int64)}
    ),
    "Every point is an image": convviz.Points(torch.zeros(1, 2)),
    "a table of numbers": convviz.Table(torch.zeros(1, 2)),
}


@pytest.mark.parametrize("words", RESULTS)
def test_every_kind_of_result_says_how_to_read_it(words, leaf, tmp_path):
    leaf("a/thing", result=RESULTS[words])
    assert words in " ".join(Page(write_report(tmp_path)).text.split())


def test_cards_follow_the_given_order_and_gather_their_leaves(leaf, tmp_path):
    for folder in ("b/saliency", "a/saliency", "a/filters", "a/occlusion"):
        leaf(folder, source=f"{folder[0]}.png")
    page = Page(write_report(tmp_path, order=("saliency", "absent")))
    assert [s["id"] for s in page.all("section")] == ["saliency", "filters", "occlusion"]
    assert page.text.index("a.png · dog") < page.text.index("b.png · dog")


def test_broken_leaves_are_listed_and_leave_the_rest(leaf, tmp_path):
    leaf("good/occlusion")
    (leaf("cut/occlusion") / "explanation.json").write_text("{")
    (leaf("empty/occlusion") / "explanation.json").write_text('{"schema": 2}')
    (leaf("newer/occlusion") / "explanation.json").write_text('{"schema": 99}')
    leaf(".hidden/occlusion")
    page = Page(write_report(tmp_path))
    assert len(page.all("img")) == 1
    for words in ("Could not be read", "cut/occlusion", "empty/occlusion", "schema 99"):
        assert words in page.text
    assert "hidden" not in page.text


def test_a_picture_that_tries_to_leave_its_folder_is_a_broken_leaf(leaf, tmp_path, rewrite):
    path = leaf("good/occlusion") / "explanation.json"
    rewrite(path, lambda document: document.update(pictures={"../../../map.png": ""}))
    page = Page(write_report(tmp_path))
    assert not page.all("img")
    assert "not a plain file name" in page.text


def test_an_empty_folder_says_so(tmp_path):
    page = Page(write_report(tmp_path))
    assert "no results" in page.text


def test_writing_again_gives_the_same_page(leaf, tmp_path):
    leaf("a/occlusion")
    first = write_report(tmp_path).read_bytes()
    assert write_report(tmp_path).read_bytes() == first
    assert sorted(os.listdir(tmp_path)) == ["a", "index.html"]


def test_a_page_of_the_user_is_not_overwritten(leaf, tmp_path):
    (tmp_path / "index.html").write_text("<h1>mine</h1>")
    leaf("a/occlusion")
    page = write_report(tmp_path)
    assert page.name == "convviz.html"
    assert (tmp_path / "index.html").read_text() == "<h1>mine</h1>"


@pytest.mark.skipif(sys.platform != "linux", reason="file names are Unicode elsewhere")
def test_a_file_name_that_is_no_unicode_still_makes_a_page(leaf, tmp_path):
    name = os.fsdecode(b"caf\xe9")
    leaf(f"{name}/occlusion", source=name)
    page = Page(write_report(tmp_path))
    address = page.all("img")[0]["src"]
    assert (tmp_path / os.fsdecode(b"caf\xe9") / "occlusion" / "map.png").exists()
    assert address == "caf%E9/occlusion/map.png"
    assert convviz.load(tmp_path / name / "occlusion").items[0].source == name
