"""occlusion against a loop over windows and pixels, and against its peers."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import pytest
import torch
from torch import nn

import convviz

EDGES = ("partial", "shift", "drop")
AGGREGATES = ("mean", "sum", "center")
SCORES = ("logit", "prob", "logprob")
SIZE, WINDOW, STRIDE = (13, 18), (4, 6), (3, 5)
FILL = 0.37


def small_net(channels: int = 3, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    net = nn.Sequential(
        nn.Conv2d(channels, 6, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 8, 3),
        nn.Tanh(),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(32, 5),
    )
    return net.double().eval()


def photos(count: int = 2, channels: int = 3, size: tuple[int, int] = SIZE) -> torch.Tensor:
    return torch.randn(count, channels, *size, generator=torch.Generator().manual_seed(1)).double()


def explain(net: nn.Module, images: torch.Tensor, target=None, **params):
    model = net if isinstance(net, convviz.Model) else convviz.Model(net)
    return convviz.explain(model, images, "occlusion", target=target, **params)


def walk(length: int, window: int, stride: int, edge: str) -> list[range]:
    """The covered pixels of each step along one axis."""
    steps, start = [], 0
    while start < length:
        first = start
        if start + window > length:
            if edge == "drop":
                break
            first = length - window if edge == "shift" else start
        steps.append(range(first, min(first + window, length)))
        if start + window >= length:
            break
        start += stride
    return steps


def covered_scores(net, image, window, stride, edge, fill) -> np.ndarray:
    """All class scores under each window, `[rows, columns, classes]`."""
    rows = walk(image.shape[1], window[0], stride[0], edge)
    columns = walk(image.shape[2], window[1], stride[1], edge)
    out = np.empty((len(rows), len(columns), 5))
    for r, c in itertools.product(range(len(rows)), range(len(columns))):
        copy = image.clone()
        for y, x in itertools.product(rows[r], columns[c]):
            copy[:, y, x] = fill if np.isscalar(fill) else fill[:, y, x]
        with torch.no_grad():
            out[r, c] = net(copy[None].clone())[0].numpy()
    return out


def scored(scores: np.ndarray, score: str) -> np.ndarray:
    if score == "logit":
        return scores
    prob = np.exp(scores - scores.max(-1, keepdims=True))
    prob /= prob.sum(-1, keepdims=True)
    return prob if score == "prob" else np.log(prob)


def to_pixels(grid: np.ndarray, size, window, stride, edge, how: str) -> np.ndarray:
    rows, columns = (walk(n, w, s, edge) for n, w, s in zip(size, window, stride, strict=True))
    dense = np.full(size, np.nan)
    for y, x in itertools.product(range(size[0]), range(size[1])):
        over = []
        for (r, ys), (c, xs) in itertools.product(enumerate(rows), enumerate(columns)):
            if y in ys and x in xs:
                far = (np.mean(ys) - y) ** 2 + (np.mean(xs) - x) ** 2
                over.append((far, r, c))
        if not over:
            continue
        result = [grid[r, c] for _, r, c in over]
        if how == "center":
            _, r, c = min(over)
            dense[y, x] = grid[r, c]
        else:
            dense[y, x] = sum(result) if how == "sum" else sum(result) / len(result)
    return dense


@functools.cache
def reference_scores(edge: str) -> tuple[np.ndarray, np.ndarray]:
    net, images = small_net(), photos()
    covered = [covered_scores(net, i, WINDOW, STRIDE, edge, FILL) for i in images]
    with torch.no_grad():
        return np.stack(covered), net(images.clone()).numpy()


def close(a, b, scale: float) -> bool:
    a, b = np.asarray(a), np.asarray(b)
    assert a.shape == b.shape
    assert (np.isnan(a) == np.isnan(b)).all()
    return bool(np.nanmax(np.abs(a - b)) <= 1e-10 * scale)


@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize("aggregate", AGGREGATES)
@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("output", ["drop", "value"])
def test_equals_a_loop_over_windows(edge, aggregate, score, output):
    covered, clean = reference_scores(edge)
    got = explain(
        *(small_net(), photos(), [3, 1]),
        window=WINDOW,
        stride=STRIDE,
        fill=FILL,
        edge=edge,
        aggregate=aggregate,
        score=score,
        output=output,
    )
    for i, target in enumerate((3, 1)):
        grid, base = scored(covered[i], score)[..., target], scored(clean[i], score)[target]
        grid = base - grid if output == "drop" else grid
        scale = np.abs(scored(clean, score)).max()
        assert close(got["grid"][i], grid, scale)
        assert close(got["baseline"][i], base, scale)
        assert close(
            got.values[i], to_pixels(grid, SIZE, WINDOW, STRIDE, edge, aggregate), scale * 12
        )


@pytest.mark.parametrize("edge", EDGES)
def test_argmax_is_the_class_that_wins(edge):
    covered, clean = reference_scores(edge)
    got = explain(
        *(small_net(), photos()),
        window=WINDOW,
        stride=STRIDE,
        fill=FILL,
        edge=edge,
        output="argmax",
    )
    for i in range(2):
        winners = covered[i].argmax(-1)
        assert (got["grid"][i].numpy() == winners).all()
        assert got["baseline"][i] == clean[i].argmax()
        dense = to_pixels(winners, SIZE, WINDOW, STRIDE, edge, "center")
        np.testing.assert_array_equal(got.values[i].numpy(), dense)
    assert set(got.result.classes) == set(covered.argmax(-1).flatten().tolist())


@pytest.mark.parametrize("edge", EDGES)
def test_boxes_are_the_pixels_that_were_covered(edge):
    got = explain(small_net(), photos(1), window=WINDOW, stride=STRIDE, fill=0, edge=edge)
    expected = [
        (xs[0], ys[0], xs[-1] + 1, ys[-1] + 1)
        for ys in walk(SIZE[0], WINDOW[0], STRIDE[0], edge)
        for xs in walk(SIZE[1], WINDOW[1], STRIDE[1], edge)
    ]
    assert got["boxes"].tolist() == [list(box) for box in expected]
    assert got["grid"][0].numel() == len(expected)


@pytest.mark.parametrize(
    ("size", "window", "stride"),
    [((8, 8), 2, 1), ((8, 8), 8, 3), ((9, 11), (1, 3), (4, 5)), ((14, 9), 3, 7)],
)
@pytest.mark.parametrize("edge", EDGES)
def test_odd_sizes_and_grey_images(size, window, stride, edge):
    net, images = small_net(channels=1), photos(2, 1, size)
    pair = [(v, v) if isinstance(v, int) else v for v in (window, stride)]
    got = explain(net, images, 2, window=window, stride=stride, fill=FILL, edge=edge)
    with torch.no_grad():
        clean = net(images.clone()).numpy()
    for i in range(2):
        grid = clean[i, 2] - covered_scores(net, images[i], *pair, edge, FILL)[..., 2]
        assert close(got["grid"][i], grid, np.abs(clean).max())
        dense = to_pixels(grid, size, *pair, edge, "mean")
        assert close(got.values[i], dense, np.abs(clean).max())


def test_pixels_under_no_window_are_nan_and_said():
    got = explain(small_net(), photos(1), window=4, stride=4, fill=0, edge="drop")
    missing = got.values[0].isnan()
    assert missing[12:].all()
    assert missing[:, 16:].all()
    assert not missing[:12, :16].any()
    assert any("by no window" in note for note in got.result.notes)


@pytest.mark.parametrize("aggregate", AGGREGATES)
def test_covering_with_the_original_pixels_changes_nothing(aggregate):
    images = photos()
    got = explain(small_net(), images, window=5, stride=3, fill=images.clone(), aggregate=aggregate)
    assert got["grid"].abs().max() <= 1e-12
    assert got.values.abs().max() <= 1e-11


def test_several_targets_share_one_sweep_and_equal_single_runs():
    net, images, how = small_net(), photos(), {"window": 5, "stride": 4, "fill": 0.1}
    copies = []
    net.register_forward_hook(lambda _, args, __: copies.append(len(args[0])))
    unit = convviz.Unit("3", 2, (1, 2))
    contrast = convviz.Contrast(4, unit)
    targets = [4, None, unit, [0, 1], contrast, [contrast, 2]]
    singles = [explain(net, images, t, **how) for t in targets]
    copies.clear()
    explain(net, images, unit, **how)
    single_run = sum(copies)
    copies.clear()
    several = explain(net, images, targets=targets, **how)
    assert sum(copies) == single_run
    for single, other in zip(singles, several, strict=True):
        for name in ("values", "grid", "baseline"):
            assert torch.allclose(single[name], other[name], rtol=0, atol=1e-12)
        assert single.target == other.target
        assert (single.result.unit, other.layer) == (other.result.unit, "")
    expected = several[0]["grid"] - several[2]["grid"]
    assert torch.allclose(several[4]["grid"], expected, rtol=0, atol=1e-12)
    assert [r.result.unit for r in several[:5:2]] == [
        "score drop",
        "activation drop",
        "activation difference drop",
    ]


def test_a_unit_is_read_at_its_clean_position():
    net, images = small_net(), photos(1)
    with torch.no_grad():
        clean = net[:4](images.clone())[0, 3]
    y, x = divmod(int(clean.argmax()), clean.shape[1])
    got = explain(net, images, convviz.Unit("3", 3), window=4, stride=4, fill=0, output="value")
    for box, value in zip(got["boxes"].tolist(), got["grid"].flatten().tolist(), strict=True):
        copy = images.clone()
        copy[..., box[1] : box[3], box[0] : box[2]] = 0
        with torch.no_grad():
            assert net[:4](copy)[0, 3, y, x].item() == pytest.approx(value, abs=1e-12)


def test_a_unit_has_no_probability():
    with pytest.raises(convviz.ParameterError, match="needs a class as target"):
        explain(small_net(), photos(1), convviz.Unit("3", 0), window=4, fill=0, score="prob")


@pytest.mark.parametrize(("window", "stride"), [((4, 6), (3, 5)), ((5, 5), (5, 5)), ((3, 4), 1)])
def test_captum_preset_gives_captums_numbers(window, stride):
    from captum.attr import Occlusion

    net, images = small_net(), photos()
    strides = (3, *(stride if isinstance(stride, tuple) else (stride, stride)))
    peer = Occlusion(net).attribute(
        images, (3, *window), strides, baselines=0, target=torch.tensor([3, 1])
    )
    got = explain(net, images, [3, 1], preset="captum", window=window, stride=stride)
    assert (peer == peer[:, :1]).all()  # one number a pixel, the same for each channel
    # Captum divides in float32, whatever the model's own dtype.
    assert torch.allclose(got.values, peer[:, 0].double(), rtol=0, atol=1e-6)


def test_xplique_preset_follows_its_formula():
    """Sum over all windows that fit of (clean - covered) on the window's pixels."""
    net, images = small_net(), photos()
    height, width = SIZE
    expected = torch.zeros(2, *SIZE).double()
    with torch.no_grad():
        clean = net(images.clone())
        for top in range(0, height - WINDOW[0] + 1, STRIDE[0]):
            for remaining in range(0, width - WINDOW[1] + 1, STRIDE[1]):
                mask = torch.zeros(SIZE, dtype=torch.bool)
                mask[top : top + WINDOW[0], remaining : remaining + WINDOW[1]] = True
                covered = net(images * ~mask)
                for i, target in enumerate((3, 1)):
                    expected[i] += (clean[i, target] - covered[i, target]) * mask
    got = explain(net, images, [3, 1], preset="xplique", window=WINDOW, stride=STRIDE)
    assert torch.allclose(got.values.nan_to_num(0), expected, rtol=0, atol=1e-10)
    assert torch.equal(got.values.isnan(), expected == 0)


def test_zeiler_preset_is_the_probability_that_is_left():
    net, images = small_net(), photos(1)
    got = explain(net, images, 2, preset="zeiler", window=4, stride=4, fill=0)
    copy = images.clone()
    copy[..., :4, :4] = 0
    with torch.no_grad():
        expected = net(copy).softmax(1)[0, 2].item()
    assert got["grid"][0, 0, 0].item() == pytest.approx(expected, abs=1e-12)
    assert got.result.unit == "probability"


def test_explicit_parameters_win_over_a_preset_wherever_they_stand():
    for params in (
        {"preset": "xplique", "aggregate": "mean", "edge": "shift"},
        {"edge": "shift", "aggregate": "mean", "preset": "xplique"},
    ):
        built = convviz.explainer("occlusion", **params)
        assert (built.edge, built.aggregate, built.fill) == ("shift", "mean", 0.0)
    again = type(built)(**built.model_dump())
    assert again == built


def test_mean_is_zero_after_normalisation_and_for_a_bare_tensor():
    net, images = small_net(), photos(1)
    how = {"window": 4, "stride": 4}
    zero = explain(net, images, **how, fill=0)
    assert torch.equal(explain(net, images, **how).values, zero.values)
    known = convviz.Model(net, preprocess=convviz.Preprocess(resize=None, crop=None))
    assert torch.equal(explain(known, images, **how).values, zero.values)


def test_mean_and_colours_ask_for_a_preprocess():
    net = convviz.Model(small_net(), preprocess=lambda photo: torch.zeros(3, 13, 18))
    photo = np.zeros((20, 20, 3), np.uint8)
    for fill in ("mean", "#808080"):
        with pytest.raises(convviz.ConvvizError, match="Preprocess"):
            convviz.explain(net, photo, "occlusion", window=4, fill=fill)


def test_a_colour_is_that_colour_in_the_photo():
    """On a photo of one colour, covering with that colour changes nothing; another does."""
    net = small_net().float()
    model = convviz.Model(net, preprocess=convviz.Preprocess(resize=None, crop=None))
    photo = np.empty((13, 18, 3), np.uint8)
    photo[:] = (200, 30, 90)
    same = convviz.explain(model, photo, "occlusion", window=5, stride=4, fill="#c81e5a")
    assert same["grid"].abs().max() < 1e-5
    other = convviz.explain(model, photo, "occlusion", window=5, stride=4, fill=(30, 200, 90))
    assert other["grid"].abs().max() > 1e-3


def test_image_mean_and_tensors_fill_what_they_say():
    net, images = small_net(), photos()
    means = images.mean((2, 3))
    got = explain(net, images, window=5, stride=4, fill="image_mean")
    for i in range(2):
        per_channel = explain(net, images[i : i + 1], window=5, stride=4, fill=means[i])
        assert torch.allclose(got.values[i], per_channel.values[0], rtol=0, atol=1e-12)
    whole = means[:, :, None, None].expand(images.shape)
    assert torch.allclose(
        *(explain(net, images, window=5, stride=4, fill=whole).values, got.values), atol=1e-12
    )
    with pytest.raises(convviz.ParameterError, match="does not fit"):
        explain(net, images, window=5, fill=torch.zeros(4))


def test_blur_hides_detail_and_keeps_what_is_even():
    net = small_net()
    even = torch.full((1, 3, *SIZE), 0.4).double()
    assert explain(net, even, window=5, stride=4, fill="blur")["grid"].abs().max() < 1e-12
    fine = torch.tensor([1.0, -1.0]).double().repeat(1, 3, *SIZE[:1], SIZE[1] // 2)
    blurred = explain(net, fine, window=5, stride=4, fill="blur")["grid"]
    zero = explain(net, fine, window=5, stride=4, fill=0)["grid"]
    assert (blurred - zero).abs().max() < 0.1 * zero.abs().max()


def test_noise_depends_on_the_seed_alone():
    net, images = small_net(), photos()
    state = torch.random.get_rng_state()
    both = explain(net, images, window=5, stride=4, fill="noise", seed=7)
    assert torch.equal(torch.random.get_rng_state(), state)
    second = explain(net, images[1:], window=5, stride=4, fill="noise", seed=7)
    assert torch.allclose(both.values[1], second.values[0], rtol=0, atol=1e-12)
    other = explain(net, images[1:], window=5, stride=4, fill="noise", seed=8)
    assert (other.values[0] - second.values[0]).abs().max() > 1e-4


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("mean", "mean"),
        (" blur ", "blur"),
        ("#102030", (16, 32, 48)),
        ("[16, 32, 48]", (16, 32, 48)),
        ("16,32,48", (16, 32, 48)),
        ("0.5", 0.5),
        (-2, -2.0),
        ([1, 2, 3], (1, 2, 3)),
    ],
)
def test_how_a_fill_is_written(given, meant):
    assert convviz.explainer("occlusion", fill=given).fill == meant


@pytest.mark.parametrize(
    "given", ["grey", "#12345", [1, 2], [1, 2, 300], [0.1, 0.2, 0.3], True, float("nan"), "null"]
)
def test_a_wrong_fill_says_what_is_allowed(given):
    with pytest.raises(convviz.ParameterError, match="image_mean") as error:
        convviz.explainer("occlusion", fill=given)
    assert "colour" in str(error.value)


class Memory:
    """How much of it there is, which is nothing of a network's own."""

    room, spare = 10, 0


class Greedy(nn.Module):
    """Has memory for no more than `room` images at once."""

    def __init__(self, room: int, error: Exception) -> None:
        super().__init__()
        self.net, self.error = small_net(), error
        self.sizes: list[int] = []
        self.memory = Memory()
        convviz.Model(self).behavior(photos(1))  # measured once, with room enough
        self.sizes.clear()
        self.memory.room = room

    def forward(self, x):
        self.sizes.append(len(x))
        if len(x) > self.memory.room and len(self.sizes) > self.memory.spare:
            raise self.error
        return self.net(x)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: 12 bytes"),
    ],
)
def test_lack_of_memory_halves_the_batch(error):
    net, images, how = Greedy(3, error), photos(1), {"window": 4, "stride": 3, "fill": 0}
    got = explain(net, images, 1, **how, batch_size=16)
    assert torch.allclose(got.values, explain(net.net, images, 1, **how).values, atol=1e-12)
    # The clean image, then halves until one fits; the smaller size is kept.
    assert net.sizes[:4] == [1, 16, 8, 4]
    assert set(net.sizes[4:]) <= {1, 2}


def test_other_errors_are_not_swallowed():
    net = Greedy(1, RuntimeError("the network is at fault"))
    with pytest.raises(convviz.ModelError, match="at fault"):
        explain(net, photos(1), 1, window=4, stride=3, fill=0, batch_size=4)
    assert net.sizes == [1, 4]


def test_lack_of_memory_for_a_single_copy_is_an_error():
    net = Greedy(0, torch.OutOfMemoryError("not even one"))
    net.memory.spare = 1  # the clean image still fits
    with pytest.raises(torch.OutOfMemoryError, match="not even one"):
        explain(net, photos(1), 1, window=4, stride=3, fill=0, batch_size=4)
    assert net.sizes == [1, 4, 2, 1]


@pytest.mark.parametrize("batch_size", [1, 7, 1000])
def test_the_batch_size_changes_nothing(batch_size):
    how = {"window": 4, "stride": 3, "fill": 0}
    got = explain(small_net(), photos(), **how, batch_size=batch_size)
    assert torch.allclose(got.values, explain(small_net(), photos(), **how).values, atol=1e-12)


def test_images_share_batches():
    net = Greedy(10**6, RuntimeError())
    explain(net, photos(3), 0, window=8, stride=8, fill=0, batch_size=64)
    assert len(net.sizes) == 2  # one clean pass of all images, one of all their copies


def test_a_window_larger_than_the_image_names_both():
    with pytest.raises(convviz.ParameterError, match=r"32 x 32.*13 x 18.*window=3"):
        explain(small_net(), photos(1), window=32)


def test_the_inputs_are_left_alone():
    images = photos()
    before = images.clone()
    explain(small_net(), images, window=4, stride=4, fill=0)
    assert torch.equal(images, before)


def test_parameters_and_arrays_survive_saving(tmp_path):
    net, images = convviz.Model(small_net()), photos(1)
    fill, unit = torch.rand(3, *SIZE).double(), convviz.Unit("3", 1, (0, 1))
    result = explain(net, images, unit, window=(4, 6), stride=5, fill=fill)
    result.save(tmp_path / "leaf")
    again = convviz.load(tmp_path / "leaf")
    assert torch.equal(again.explainer.fill, fill)
    assert torch.equal(again["fill"], fill)
    assert again.target == result.target
    assert again.target[0].unit == unit
    assert (again.explainer.window, again.explainer.stride) == ((4, 6), 5)
    assert torch.allclose(again.values, result.values, rtol=0, atol=0, equal_nan=True)
    assert again.result.window == (4, 6)


@pytest.mark.parametrize("given", [{"targets": [0, 1]}, {"target": lambda out: out[:, 0]}])
def test_argmax_takes_no_targets(given):
    with pytest.raises(convviz.ParameterError, match="leave out targets"):
        explain(small_net(), photos(), window=5, fill=0, output="argmax", **given)


def test_float32_models_give_float32():
    got = explain(small_net().float(), photos().float(), window=4, stride=4, fill=0)
    assert {got[name].dtype for name in ("values", "grid", "baseline")} == {torch.float32}
