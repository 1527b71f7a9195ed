"""Files of a folder that are replaced together."""

from __future__ import annotations

import os

from convviz.storage.atomic_folder import replacing


def test_a_hard_link_to_the_file_that_it_replaces_is_moved(tmp_path):
    """A rename of one link to another of the same file does nothing."""
    (tmp_path / "table").write_text("1")
    (tmp_path / "old").write_text("x")
    with replacing(tmp_path, ["old"]) as new:
        os.link(tmp_path / "table", new / "table")
        (new / "b").write_text("2")
    assert sorted(os.listdir(tmp_path)) == ["b", "table"]
    assert (tmp_path / "table").read_text() == "1"
