"""Decisions of occlusion that depend on the device, made without a GPU."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from occlusion.branching_network import Branches, randomize_statistics, slid
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from convviz import Model
from convviz.occlusion import chunk_plan, occluded_scores
from convviz.occlusion.chunk_plan import ChunkPlanner
from convviz.occlusion.memory_budget import default_memory
from convviz.occlusion.plan import make_plan
from convviz.program.program import Program, compile_graph
from convviz.state.network_state import set_float32_precision

GIB = 1 << 30
BOXES = slid(40, 40, (9, 9), (8, 8))


@pytest.mark.parametrize(
    ("free", "reserved", "allocated", "budget"),
    [(8, 0, 0, 4), (6, 5, 1, 5), (100, 0, 0, 16)],
    ids=["free memory", "with unused cached memory", "at most 16 GiB"],
)
def test_the_budget_on_cuda_is_half_of_the_free_memory(
    monkeypatch: pytest.MonkeyPatch, free: int, reserved: int, allocated: int, budget: int
) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (free * GIB, 140 * GIB))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda _: reserved * GIB)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda _: allocated * GIB)
    assert default_memory(torch.device("cuda")) == budget * GIB
    assert default_memory(torch.device("cpu")) == 512 << 20


@pytest.fixture
def program() -> Program:
    return compile_graph(Model(randomize_statistics(Branches())).graph((2, 40, 40)))


def test_a_chunk_is_planned_once_while_its_tables_are_small(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    planner = ChunkPlanner(program, make_plan(program, BOXES), torch.device("cpu"))
    first, second = np.arange(4), np.arange(4, 9)
    chunk = planner(first)
    assert planner(first) is chunk
    assert chunk.nbytes == sum(table.nbytes for table in chunk.tables.values())
    monkeypatch.setattr(chunk_plan, "MAX_CACHED_BYTES", chunk.nbytes)
    assert planner(second) is not planner(second)
    assert planner(first) is chunk


def test_images_share_the_plans_of_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(occluded_scores, "MIN_PIXELS_FOR_EXPORT", 0)
    model = Model(randomize_statistics(Branches()))
    images = torch.randn(3, 2, 40, 40, dtype=torch.float64)
    planned = []
    original = ChunkPlanner._plan_chunk

    def plan_chunk(planner: ChunkPlanner, positions: np.ndarray) -> chunk_plan.ChunkPlan:
        planned.append(len(positions))
        return original(planner, positions)

    monkeypatch.setattr(ChunkPlanner, "_plan_chunk", plan_chunk)
    result = occluded_scores.occluded(
        model, images, BOXES, torch.zeros(1), lambda forward, _: forward.output, batch_size=10
    )
    assert result.plan is not None
    whole, rest = divmod(len(BOXES), 10)
    test_of_two_boxes, *chunks = planned
    assert test_of_two_boxes <= 2
    assert chunks == [10] * whole + [rest] * bool(rest)


class Convolutions(TorchDispatchMode):
    """Records the shapes of the maps that are convolved."""

    def __init__(self) -> None:
        super().__init__()
        self.shapes: list[tuple[int, ...]] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        if func is torch.ops.aten.convolution.default:
            self.shapes.append(tuple(args[0].shape))
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize(("device", "shape"), [("cpu", (1, 2, 20, 3)), ("meta", (5, 2, 4, 3))])
def test_maps_are_stacked_for_onednn_only(device: str, shape: tuple[int, ...]) -> None:
    """Other devices, here one without data, get the maps of a 1 x 1 convolution as they are."""
    net = nn.Sequential(nn.Conv2d(2, 3, 1), nn.Flatten(), nn.Linear(36, 2))
    program = compile_graph(Model(net).graph((2, 4, 3)))
    step = next(step for step in program.steps if step.mixes)
    maps = torch.empty(5, 2, 4, 3, device=device).contiguous(memory_format=torch.channels_last)
    weights = {node: value.to(device) for node, value in program.constants.items()}
    with torch.no_grad(), Convolutions() as convolutions:
        result = step.run(lambda node: weights.get(node, maps))
    assert result.shape == (5, 3, 4, 3)
    assert convolutions.shapes == [shape]


@pytest.mark.parametrize("allowed", [False, True])
def test_tf32_is_off_unless_asked_and_restored(allowed: bool) -> None:
    backends = torch.backends.cuda.matmul, torch.backends.cudnn
    before = [backend.allow_tf32 for backend in backends]
    try:
        for backend in backends:
            backend.allow_tf32 = not allowed
        with set_float32_precision(torch.device("cuda"), tf32=allowed):
            assert [backend.allow_tf32 for backend in backends] == [allowed, allowed]
        assert [backend.allow_tf32 for backend in backends] == [not allowed, not allowed]
    finally:
        for backend, value in zip(backends, before, strict=True):
            backend.allow_tf32 = value
