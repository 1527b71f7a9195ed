"""What occlusion tells about the way it is computed."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from convviz.cli.app import run


@pytest.mark.parametrize(
    ("parameter", "words"),
    [
        ("occlusion.engine=auto", ["layer by layer", "MACs saved", "bound", "whole maps from"]),
        ("occlusion.engine=dense", ['full forward pass a window (engine="dense")']),
    ],
)
def test_verbose_tells_the_plan(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], parameter: str, words: list[str]
) -> None:
    photo, out = tmp_path / "grey.png", tmp_path / "out"
    Image.new("RGB", (96, 96), (90, 120, 60)).save(photo)
    given = ["explain", str(photo), "-e", "occlusion", "-p", "occlusion.stride=32"]
    given += ["-p", parameter, "--model", "demo", "-o", str(out)]
    assert run(given) == 0
    assert "MACs" not in capsys.readouterr().out
    assert run([*given, "--verbose"]) == 0
    shown = capsys.readouterr().out
    assert all(word in shown for word in words)
    assert not any("MACs saved" in p.read_text("utf-8", "ignore") for p in out.rglob("*.json"))
