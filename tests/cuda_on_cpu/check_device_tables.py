"""gather_windows with tables that count as on the device; run by `tools/cuda-on-cpu`."""

from __future__ import annotations

import pytest
import torch
from ops.special_values import noise, same

from convviz.ops.gather_windows import gather_windows


@pytest.fixture(autouse=True)
def tables_on_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONVVIZ_TABLES_ON_DEVICE", "1")


@pytest.mark.parametrize("channels", [3, 8])
@pytest.mark.parametrize("sources", [1, 70])
def test_windows_are_those_of_the_reference(sources: int, channels: int) -> None:
    clean = noise(1, channels, 9, 8)
    changed = [noise(3, channels, 1 + i % 4, 2) - i for i in range(sources)]
    rows = [[i, i % 3, i % 7, i % 5, i % 9 - 2, i % 8 - 2] for i in range(-1, sources)]
    arguments = (clean, changed, torch.tensor(rows), 4, 5, -1.0)
    assert same(gather_windows(*arguments), gather_windows._init_fn(*arguments))


@pytest.mark.parametrize("row", [[2, 0], [-2, 0], [0, 7], [0, -1]])
def test_a_row_that_points_outside_fails(row: list[int]) -> None:
    table = torch.tensor([[*row, 0, 0, 0, 0]])
    with pytest.raises(RuntimeError, match="trapped"):
        gather_windows(torch.zeros(1, 2, 4, 4), [torch.zeros(1, 2, 2, 2)], table, 2, 2, 0.0)
