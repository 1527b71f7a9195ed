import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torchvision import transforms
from torchvision.models import get_model_weights
from torchvision.transforms import v2

from convviz import Model, Preprocess
from convviz.errors import ParameterError, UnknownNameError
from convviz.images.affine import apply, apply_box, invert
from convviz.images.preprocess_import import (
    as_preprocess,
    preprocess_from_timm,
    preprocess_from_torchvision,
)

ODD_SIZES = [(333, 500), (225, 227), (97, 61), (301, 200), (7, 40)]


def noise(height, width, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    "name", ["resnet18", "efficientnet_b0", "inception_v3", "mobilenet_v3_small", "swin_t"]
)
@pytest.mark.parametrize("size", ODD_SIZES)
def test_torchvisions_presets_bit_for_bit(name, size):
    weights = get_model_weights(name).DEFAULT
    photo = noise(*size)
    expected = weights.transforms()(Image.fromarray(photo))
    assert torch.equal(preprocess_from_torchvision(weights)(photo), expected)


@pytest.mark.parametrize(
    "steps",
    [
        transforms.Compose(
            [
                transforms.Resize(40),
                transforms.CenterCrop((33, 28)),
                transforms.ToTensor(),
                transforms.Normalize((0.5, 0.4, 0.3), (0.2, 0.3, 0.4)),
            ]
        ),
        transforms.Compose([transforms.Resize((31, 45), antialias=True), transforms.ToTensor()]),
        transforms.Compose([transforms.Grayscale(), transforms.Resize(28), transforms.ToTensor()]),
        transforms.Compose(
            [
                transforms.Resize(50, transforms.InterpolationMode.NEAREST),
                transforms.CenterCrop(64),
                transforms.PILToTensor(),
                transforms.ConvertImageDtype(torch.float),
                transforms.Normalize([0.5], [0.5]),
            ]
        ),
        transforms.ToTensor(),
    ],
)
@pytest.mark.parametrize("size", ODD_SIZES[:3])
def test_composed_transforms_bit_for_bit(steps, size):
    composed = steps if isinstance(steps, transforms.Compose) else None
    preprocess = as_preprocess(composed or transforms.Compose([steps]))
    assert isinstance(preprocess, Preprocess)
    photo = noise(*size)
    assert torch.equal(preprocess(photo), torch.as_tensor(steps(Image.fromarray(photo))))


def test_the_second_generation_of_transforms():
    steps = v2.Compose(
        [
            v2.Resize(40, interpolation=v2.InterpolationMode.BICUBIC),
            v2.CenterCrop(32),
            v2.ToImage(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize([0.5] * 3, [0.25] * 3),
        ]
    )
    photo = noise(57, 91)
    # These scale and normalise in another order of operations: equal but for the last bit.
    torch.testing.assert_close(
        as_preprocess(steps)(photo),
        torch.as_tensor(steps(Image.fromarray(photo))),
        rtol=0,
        atol=1e-6,
    )


@pytest.mark.parametrize(
    "steps",
    [
        [transforms.CenterCrop(32), transforms.Resize(28), transforms.ToTensor()],
        [transforms.Resize(28), transforms.Grayscale(), transforms.ToTensor()],
        [transforms.Resize(28), transforms.Resize(20), transforms.ToTensor()],
        [transforms.Grayscale(3), transforms.ToTensor()],
        [transforms.Resize(28, max_size=40), transforms.ToTensor()],
        [transforms.RandomHorizontalFlip(), transforms.ToTensor()],
        [transforms.Resize(28), transforms.PILToTensor()],
        [lambda image: image, transforms.ToTensor()],
    ],
)
def test_other_transforms_stay_what_they_are(steps):
    composed = transforms.Compose(steps)
    assert as_preprocess(composed) is composed
    with pytest.raises(ParameterError):
        preprocess_from_torchvision(composed)


def test_a_model_recognises_its_preprocess():
    net = torch.nn.Conv2d(3, 2, 3)
    given = get_model_weights("resnet18").DEFAULT.transforms()
    assert Model(net, preprocess=given).preprocess == Preprocess()
    assert Model(net, preprocess={"resize": 9, "crop": 8}).preprocess.crop == 8
    with pytest.raises(ParameterError, match=r"convviz\.Preprocess"):
        Model(net, preprocess=3)


@pytest.mark.parametrize(
    ("name", "size"),
    [("resnet18", (57, 91)), ("tf_efficientnet_lite0", (224, 225)), ("resnet18", (300, 299))],
)
def test_timms_configurations_bit_for_bit(name, size):
    timm_data = pytest.importorskip("timm.data")
    from timm import create_model

    config = timm_data.resolve_model_data_config(create_model(name))
    reference = timm_data.create_transform(**config, is_training=False)
    photo = noise(*size)
    assert torch.equal(preprocess_from_timm(config)(photo), reference(Image.fromarray(photo)))


@pytest.mark.parametrize("mode", ["squash", "center", "border"])
def test_timms_crop_modes(mode):
    timm_data = pytest.importorskip("timm.data")
    config = {
        "input_size": (3, 32, 32),
        "interpolation": "bilinear",
        "mean": (0.5,) * 3,
        "std": (0.5,) * 3,
        "crop_pct": 0.9,
        "crop_mode": mode,
    }
    if mode == "border":
        with pytest.raises(ParameterError, match="border"):
            preprocess_from_timm(config)
        return
    photo = noise(50, 77)
    reference = timm_data.create_transform(**config, is_training=False)
    assert torch.equal(preprocess_from_timm(config)(photo), reference(Image.fromarray(photo)))


def test_grey_is_the_luminance_of_pil():
    photo = noise(40, 50)
    grey = np.asarray(Image.fromarray(photo).convert("L"))
    preprocess = Preprocess(None, None, mean=(0.0,), std=(1.0,), channels=1)
    assert torch.equal(preprocess(photo)[0], torch.from_numpy(grey.astype(np.float32) / 255))
    assert (preprocess.cut(photo) == grey[..., None]).all()
    assert torch.equal(preprocess.normalize(photo), preprocess(photo))


def test_a_photo_smaller_than_the_crop_is_padded_with_black():
    preprocess = Preprocess(resize=None, crop=(8, 9))
    cut = preprocess.cut(np.full((5, 4, 3), 200, np.uint8))
    assert cut.shape == (8, 9, 3)
    rows, columns = np.nonzero(cut[..., 0])
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (1, 5, 2, 5)
    assert preprocess.affine(5, 4) == (1.0, 0.0, -2.0, 0.0, 1.0, -1.0)


def test_normalise_and_denormalise_are_inverse():
    photo = noise(20, 30)
    preprocess = Preprocess(None, None)
    assert (preprocess.denormalize(preprocess.normalize(photo)) == photo).all()
    half = preprocess.normalize(photo).half()
    assert np.abs(preprocess.denormalize(half).astype(int) - photo).max() <= 1
    assert preprocess.denormalize(torch.full((3, 2, 2), 1e9)).min() == 255
    with pytest.raises(ParameterError, match="3 channels"):
        preprocess.denormalize(torch.zeros(1, 2, 2))


def test_the_affine_map_finds_a_mark_in_the_photo():
    """A bright square, drawn where the map says that it comes from, appears where it should."""
    height, width = 301, 419
    preprocess = Preprocess(resize=64, crop=(56, 48), mean=(0.0,), std=(1.0,))
    box = (20, 31, 28, 37)
    x0, y0, x1, y1 = (round(v) for v in apply_box(preprocess.affine(height, width), box))
    photo = np.zeros((height, width, 3), np.uint8)
    photo[y0:y1, x0:x1] = 255
    cut = preprocess.cut(photo)[..., 0].astype(float)
    expected = np.zeros((56, 48), bool)
    expected[31:37, 20:28] = True
    assert ((cut > 127.5) == expected).all()
    # In all as much light as the square holds.
    assert cut.sum() / 255 == pytest.approx(8 * 6, rel=0.02)


@settings(max_examples=60, deadline=None)
@given(
    height=st.integers(1, 900),
    width=st.integers(1, 900),
    resize=st.one_of(
        st.none(), st.integers(1, 300), st.tuples(st.integers(1, 300), st.integers(1, 300))
    ),
    crop=st.one_of(
        st.none(), st.integers(1, 300), st.tuples(st.integers(1, 300), st.integers(1, 300))
    ),
)
def test_affine_round_trip(height, width, resize, crop):
    preprocess = Preprocess(resize=resize, crop=crop)
    there, back = preprocess.affine(height, width), preprocess.inverse_affine(height, width)
    for x, y in [(0, 0), (3.5, 100), (-7, 2)]:
        assert apply(back, *apply(there, x, y)) == pytest.approx((x, y), abs=1e-6)
    out_h, out_w = preprocess.output_size(height, width)
    if crop is None:
        assert apply(there, out_w, out_h) == pytest.approx((width, height))
        assert apply(there, 0, 0) == (0, 0)
    else:
        # The crop is central: its centre is the photo's, to within the rounding of one pixel.
        sx, sy = there[0], there[4]
        x, y = apply(there, out_w / 2, out_h / 2)
        assert abs(x - width / 2) <= 0.5 * sx + 1e-6
        assert abs(y - height / 2) <= 0.5 * sy + 1e-6


def test_output_size_is_the_size_of_the_cut():
    for size in ODD_SIZES:
        for preprocess in (
            Preprocess(50, None),
            Preprocess((20, 30), None),
            Preprocess(None, None),
            Preprocess(40, 30),
        ):
            assert preprocess.cut(noise(*size)).shape[:2] == preprocess.output_size(*size)


def test_a_turning_map_is_inverted():
    quarter = (0.0, -2.0, 5.0, 2.0, 0.0, 1.0)
    assert apply(invert(quarter), *apply(quarter, 3, 4)) == pytest.approx((3, 4))
    assert apply_box(quarter, (0, 0, 1, 3)) == (-1, 1, 5, 3)


def test_fields_survive_json():
    preprocess = Preprocess((20, 30), 16, "bicubic", [0.5], 0.25, 1)
    assert preprocess.mean == (0.5,)
    assert Preprocess.from_dict(json.loads(json.dumps(preprocess.to_dict()))) == preprocess
    with pytest.raises(UnknownNameError, match="'resize'"):
        Preprocess.from_dict({"resizes": 3})


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"resize": 0}, "resize must be a number of pixels"),
        ({"resize": 2.5}, "resize must be"),
        ({"resize": True}, "resize must be"),
        ({"crop": (1, 2, 3)}, r"crop must be .*\(1, 2, 3\)"),
        ({"crop": "224"}, "crop must be"),
        ({"interpolation": "cubic"}, "unknown interpolation 'cubic'; closest: 'bicubic'"),
        ({"channels": 4}, "channels must be 1 or 3, not 4"),
        ({"channels": 1}, "mean .* one value for each of 1 channels"),
        ({"mean": (0.5, 0.5)}, "mean .* one value for each of 3 channels"),
        ({"mean": "grey"}, "mean must be numbers"),
        ({"mean": float("nan")}, "mean must be finite"),
        ({"mean": (123.7, 116.3, 103.5)}, "divide mean and std by 255"),
        ({"std": (1.0, 0.0, 1.0)}, "std must be above 0"),
    ],
)
def test_bad_fields_are_refused(fields, message):
    with pytest.raises((ParameterError, UnknownNameError), match=message):
        Preprocess(**fields)


@pytest.mark.parametrize(
    "photo", [np.zeros((4, 4, 3)), np.zeros((4, 4), np.uint8), np.zeros((0, 4, 3), np.uint8), None]
)
def test_what_is_no_photo_is_refused(photo):
    with pytest.raises(ParameterError, match=r"a photo is a uint8 array \[h, w, 3\]"):
        Preprocess()(photo)


def test_the_photo_is_not_changed():
    photo = noise(30, 40)
    before = photo.copy()
    photo.flags.writeable = False
    Preprocess(20, 16)(photo)
    assert (photo == before).all()
