"""Every explainer and a sweep on a CUDA device, against the same on the CPU.

`CONVVIZ_GPU_TESTS_ON=cpu pytest tests/gpu -m gpu -n 0` runs the files without a GPU,
so that a mistake in a test is found before a GPU is at hand. With `CONVVIZ_WITHOUT_KERNELS=1` the
operators' Python references run in place of the native kernels.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
import torchvision

import convviz
from convviz.occlusion import occluded_scores
from convviz.state.device import fast_bf16

DEVICE = os.environ.get("CONVVIZ_GPU_TESTS_ON", "cuda")

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(DEVICE == "cuda" and not torch.cuda.is_available(), reason="no CUDA device"),
]

FLOAT32_TOLERANCE = 1e-4
"""Difference allowed as a share of the largest value: sums in another order, no TF32."""

GRADIENT_TOLERANCE = 1e-3
"""The same for gradients, which pass through many layers twice."""

PREPROCESS = convviz.Preprocess(resize=64, crop=64)

IMAGE_EXPLAINERS: dict[str, tuple[dict[str, Any], float]] = {
    "activations": ({"layer": "layer2"}, FLOAT32_TOLERANCE),
    "filters": ({}, 0.0),
    "occlusion": ({"window": 16, "stride": 8, "fill": 0.0}, FLOAT32_TOLERANCE),
    "saliency": ({}, GRADIENT_TOLERANCE),
    "guided_backprop": ({}, GRADIENT_TOLERANCE),
    "grad_cam": ({}, GRADIENT_TOLERANCE),
    "guided_grad_cam": ({}, GRADIENT_TOLERANCE),
    "input_x_gradient": ({}, GRADIENT_TOLERANCE),
    "integrated_gradients": ({"steps": 4}, GRADIENT_TOLERANCE),
}


def network(dtype: torch.dtype = torch.float32) -> torch.nn.Module:
    torch.manual_seed(0)
    return torchvision.models.resnet18(weights=None).eval().to(dtype)


def models(dtype: torch.dtype = torch.float32) -> tuple[convviz.Model, convviz.Model]:
    """Return the same network on the CPU and on the device."""
    return (
        convviz.Model(network(dtype), preprocess=PREPROCESS, name="net"),
        convviz.Model(network(dtype), preprocess=PREPROCESS, name="net", device=DEVICE),
    )


def photos(count: int) -> np.ndarray:
    generator = np.random.default_rng(0)
    coarse = generator.integers(0, 256, (count, 9, 9, 3), dtype=np.uint8)
    return coarse.repeat(8, axis=1).repeat(8, axis=2)


def difference(values: torch.Tensor, expected: torch.Tensor) -> float:
    """Return the largest difference as a share of the largest expected value."""
    values, expected = values.double().cpu(), expected.double().cpu()
    assert values.shape == expected.shape
    if not expected.numel():
        return 0.0
    scale = float(expected.abs().nan_to_num(0, 0, 0).max()) or 1.0
    return float((values - expected).abs().nan_to_num(0).max()) / scale


@pytest.mark.parametrize("name", IMAGE_EXPLAINERS)
def test_image_explainers(name: str) -> None:
    parameters, tolerance = IMAGE_EXPLAINERS[name]
    on_cpu, on_device = models()
    images = photos(3)
    expected = convviz.explain(on_cpu, images, name, target=5, **parameters)
    explanation = convviz.explain(on_device, images, name, target=5, **parameters)
    assert explanation.values.device.type == "cpu"
    assert difference(explanation.values, expected.values) <= tolerance


def test_grabcut_finds_the_same_object() -> None:
    masks = [
        convviz.explain(model, photos(2), "grabcut", target=5).values.bool() for model in models()
    ]
    assert float((masks[0] != masks[1]).double().mean()) < 0.02  # seeds at ties may move


@pytest.mark.parametrize("rule", ["plain", "guided", "deconv"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gradients(rule: str, dtype: torch.dtype) -> None:
    on_cpu, on_device = models(dtype)
    images = torch.randn(4, 3, 64, 64, dtype=dtype)
    forward = on_cpu.forward(images)
    target = on_cpu.resolve(7, forward)
    expected = on_cpu.gradient(images, target, rule)
    gradient = on_device.gradient(images.to(DEVICE), target, rule)
    assert gradient.device.type == torch.device(DEVICE).type
    tolerance = GRADIENT_TOLERANCE if dtype == torch.float32 else 1e-9
    assert difference(gradient, expected) <= tolerance


@pytest.mark.parametrize(
    ("engine", "batch_size"),
    [("dense", None), ("dense", 13), ("auto", None), ("auto", 13)],
    ids=["dense", "dense in batches", "incremental", "incremental in chunks"],
)
def test_occlusion_engines(
    engine: Literal["dense", "auto"], batch_size: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(occluded_scores, "MIN_PIXELS_FOR_EXPORT", 0)
    on_cpu, on_device = models(torch.float64)
    images = torch.randn(2, 3, 64, 64, dtype=torch.float64)
    boxes = torch.tensor([(x, y, x + 16, y + 16) for y in range(0, 56, 8) for x in range(0, 56, 8)])
    boxes, fill = boxes.clamp(max=64), torch.zeros(1, dtype=torch.float64)

    def occluded(model: convviz.Model, **options: Any) -> occluded_scores.Occluded:
        return convviz.authoring.occluded(
            model,
            images.to(model.device),
            boxes,
            fill,
            lambda forward, _: forward.output,
            **options,
        )

    expected = occluded(on_cpu, engine="dense")
    result = occluded(on_device, engine=engine, batch_size=batch_size)
    assert (result.plan is None) == (engine == "dense"), result.how
    assert difference(result.scores, expected.scores) <= 1e-9


def test_bfloat16_is_close_where_the_device_is_fast() -> None:
    on_cpu, on_device = models()
    if not fast_bf16(on_device.device):
        pytest.skip(f"{DEVICE} does not multiply in bfloat16 itself")
    parameters = {"window": 16, "stride": 8, "fill": 0.0, "target": 5}
    expected = convviz.explain(on_cpu, photos(1), "occlusion", **parameters)
    explanation = convviz.explain(on_device, photos(1), "occlusion", precision="bf16", **parameters)
    assert difference(explanation.values, expected.values) <= 0.05


LAYERS = ("layer1", "layer2")
DATASET_EXPLAINERS: dict[str, dict[str, Any]] = {
    "patches": {"layers": LAYERS},
    "statistics": {"layers": LAYERS},
    "neighbors": {"k": 3},
    "embedding": {"method": "pca"},
}


def swept(model: convviz.Model, out: Path, **options: Any) -> convviz.Run:
    explainers = [convviz.explainer(name, **p) for name, p in DATASET_EXPLAINERS.items()]
    labels = [i % 2 for i in range(24)]
    return convviz.analyze(model, (photos(24), labels), explainers, out, shard_size=6, **options)


def test_a_sweep(tmp_path: Path) -> None:
    on_cpu, on_device = models()
    expected, run = swept(on_cpu, tmp_path / "cpu"), swept(on_device, tmp_path / "device")
    for name in ("statistics", "neighbors"):
        for layer, explanation in run[name].items():
            reference = expected[name][layer].values
            assert difference(explanation.values, reference) <= GRADIENT_TOLERANCE, (name, layer)
    for layer in LAYERS:
        patches, reference = run["patches"][layer], expected["patches"][layer]
        assert difference(patches.values, reference.values) <= GRADIENT_TOLERANCE


def test_a_sweep_goes_on_after_an_interrupt_with_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, model = models()
    whole = swept(model, tmp_path / "whole", deterministic=False)
    statistics = type(convviz.explainer("statistics", layers=LAYERS))
    original = statistics.reduce
    batches = 0

    def interrupted(self: Any, *given: Any) -> Any:
        """Reduce the batches of two of the four shards; a shard is a single batch."""
        nonlocal batches
        batches += 1
        if batches == 3:
            raise KeyboardInterrupt
        return original(self, *given)

    monkeypatch.setattr(statistics, "reduce", interrupted)
    with pytest.raises(KeyboardInterrupt):
        swept(model, tmp_path / "resumed")
    resumed = swept(model, tmp_path / "resumed")
    assert batches == 5  # the two shards that were finished are not swept again
    for name in DATASET_EXPLAINERS:
        for layer, explanation in whole[name].items():
            assert torch.equal(explanation.values, resumed[name][layer].values), (name, layer)


def test_out_of_memory_halves_the_batch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _, model = models()
    sizes = []
    original = convviz.Model.run

    def limited(self: Any, x: torch.Tensor, *given: Any, **options: Any) -> Any:
        sizes.append(len(x))
        if len(x) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return original(self, x, *given, **options)

    monkeypatch.setattr(convviz.Model, "run", limited)
    # alone: the gradients of patches run the network again after the sweep
    explainer = convviz.explainer("statistics", layers=LAYERS)
    run = convviz.analyze(model, photos(24), explainer, tmp_path / "run", batch_size=6)
    assert len(run.items) == 24
    assert max(sizes) > 3 >= min(sizes)


def test_float32_is_not_shortened_unless_asked() -> None:
    if DEVICE != "cuda":
        pytest.skip("TF32 exists on CUDA devices only")
    on_cpu, on_device = models()
    images = torch.randn(2, 3, 64, 64)
    scores = on_device.forward(images).output.cpu()
    assert difference(scores, on_cpu.forward(images).output) <= FLOAT32_TOLERANCE
