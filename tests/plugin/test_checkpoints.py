"""Checkpoints with several sets of weights, nested ones, and files of other kinds."""

import os
import warnings
import zipfile

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

import convviz
from convviz import ConvvizWarning, ModelError, UnknownNameError, load_model

IMAGES = torch.linspace(-1, 1, 3 * 12 * 12).view(1, 3, 12, 12)


def network(seed=0, classes=4):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(400, classes)
    ).eval()


def weights(seed=0, prefix="", classes=4):
    state = network(seed, classes).state_dict()
    return {prefix + name: value.clone() for name, value in state.items()}


def scores(seed=0):
    return network(seed)(IMAGES).detach()


def loaded(path, **options):
    return load_model(path, arch=network(9), **options)


def run(model):
    return model.forward(IMAGES).output


def nested(state):
    return {"epoch": 7, "model": {"state_dict": state, "ema_decay": 0.9}}


ONE_SET = {
    "at the top": lambda s: s,
    **{
        key: lambda s, key=key: {key: s, "epoch": 3}
        for key in ("state_dict", "model", "net", "network", "module", "weights", "params", "x")
    },
    "nested": nested,
    "in a list": lambda s: {"models": [s]},
    "with counters": lambda s: {**s, "step": 3},
    "beside an optimizer": lambda s: {
        "state_dict": s,
        "optimizer": {"state": {"0": {"exp_avg": torch.ones(2)}}},
        "optimizer_state": {"0.weight": torch.zeros(4, 3, 3, 3)},
    },
}


@pytest.mark.parametrize("prefix", ["", "module.", "model.net.", "backbone.", "_orig_mod.module."])
@pytest.mark.parametrize("wrap", ONE_SET)
def test_one_set_is_found_wherever_it_lies(tmp_path, wrap, prefix):
    torch.save(ONE_SET[wrap](weights(3, prefix)), tmp_path / "w.pth")
    assert torch.equal(run(loaded(tmp_path / "w.pth")), scores(3))


SEVERAL = {
    "timm": ("state_dict", "state_dict_ema"),
    "yolo": ("model", "ema"),
    "mmlab": ("state_dict", "ema_state_dict"),
    "basicsr": ("params", "params_ema"),
    "average first": ("net", "model_ema"),
}


@pytest.mark.parametrize("names", SEVERAL.values(), ids=SEVERAL)
def test_trained_weights_come_before_their_average_and_a_warning_says_so(tmp_path, names):
    path = tmp_path / "w.pth"
    trained, average = names
    torch.save({average: weights(2), trained: weights(1), "epoch": 3}, path)
    with pytest.warns(ConvvizWarning, match=rf"'{trained}' is used.*'{average}'"):
        model = loaded(path)
    assert torch.equal(run(model), scores(1))
    assert model.name.endswith(f"w.pth ({trained})")
    chosen = loaded(f"{path}?key={average}")
    assert torch.equal(run(chosen), scores(2))
    assert chosen.name.endswith(f"w.pth ({average})")


def test_sets_told_apart_by_prefixes(tmp_path):
    """As DINO and Lightning save a teacher beside its student."""
    state = {
        **weights(1, "student.backbone."),
        **weights(2, "teacher.backbone."),
        "student.head.weight": torch.ones(2),
    }
    save_file(state, tmp_path / "w.safetensors")
    with pytest.warns(ConvvizWarning, match=r"'student\.backbone' is used"):
        model = loaded(tmp_path / "w.safetensors")
    assert torch.equal(run(model), scores(1))
    for key in ("teacher", "teacher.backbone"):
        assert torch.equal(run(loaded(tmp_path / "w.safetensors", key=key)), scores(2))
    torch.save({"teacher": weights(2, "module."), "student": weights(1)}, tmp_path / "w.pth")
    with pytest.warns(ConvvizWarning, match="'student' is used"):
        assert torch.equal(run(loaded(tmp_path / "w.pth")), scores(1))


def test_of_a_gan_the_part_that_fits_is_taken(tmp_path):
    generator = {"0.weight": torch.zeros(8, 9, 3, 3), "1.weight": torch.zeros(8)}
    torch.save({"generator": generator, "discriminator": weights(1)}, tmp_path / "w.pth")
    assert torch.equal(run(loaded(tmp_path / "w.pth")), scores(1))
    with pytest.raises(ModelError, match=r"4\.weight is missing") as caught:
        loaded(tmp_path / "w.pth", key="generator")
    assert "discriminator" in str(caught.value)


def test_a_set_saved_twice_needs_no_choice(tmp_path):
    torch.save({"state_dict": weights(1), "best": weights(1)}, tmp_path / "w.pth")
    assert torch.equal(run(loaded(tmp_path / "w.pth")), scores(1))


def test_the_keys_are_listed_where_none_fits(tmp_path):
    path = tmp_path / "w.pth"
    torch.save({"encoder": {"a.b": torch.ones(1)}, "decoder": {"c": torch.ones(1)}}, path)
    with pytest.raises(ModelError, match=r"'encoder' \(a\.b, …\), 'decoder' \(c, …\)"):
        loaded(path)
    with pytest.raises(UnknownNameError, match="closest: 'encoder'"):
        loaded(path, key="encodr")


def test_classes_come_from_the_set_that_is_taken(tmp_path):
    timm = pytest.importorskip("timm")
    nets = [timm.create_model("test_resnet", num_classes=count).eval() for count in (5, 7)]
    states = [{k: v.clone() for k, v in net.state_dict().items()} for net in nets]
    torch.save({"model": states[0], "model_ema": states[1]}, tmp_path / "w.pth")
    source = f"{tmp_path / 'w.pth'}?arch=timm:test_resnet"
    images = torch.rand(1, 3, 32, 32)
    with pytest.warns(ConvvizWarning, match="'model' is used"):
        assert torch.equal(load_model(source).forward(images).output, nets[0](images))
    model = load_model(source + "&key=model_ema")
    assert torch.equal(model.forward(images).output, nets[1](images))


def test_another_number_of_classes_is_named(tmp_path):
    torch.save(weights(1, classes=6), tmp_path / "w.pth")
    with pytest.raises(ModelError, match="layer '4' has 6 outputs in the file, 4 in the network"):
        loaded(tmp_path / "w.pth")


def script(path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.trace(network(), IMAGES), path)


def zipped(*names):
    def write(path):
        with zipfile.ZipFile(path, "w") as archive:
            for name in names:
                archive.writestr(name, b"x")

    return write


FOREIGN = {
    "script.pt": (script, "TorchScript"),
    "net.onnx": (lambda p: p.write_bytes(b"\x08\x08\x12\x07pytorch"), "ONNX"),
    "renamed.pth": (lambda p: p.write_bytes(b"\x08\x08\x12\x07pytorch"), "ONNX"),
    "net.h5": (lambda p: p.write_bytes(b"\x89HDF\r\n\x1a\n"), "Keras"),
    "net.bin": (lambda p: p.write_bytes(b"\x89HDF\r\n\x1a\n"), "HDF5"),
    "net.keras": (zipped("config.json", "model.weights.h5"), "Keras"),
    "keras.pt": (zipped("config.json", "model.weights.h5"), "Keras"),
    "net.pt2": (zipped("net/archive_format"), "exported program"),
    "net.npz": (zipped("a.npy"), "NumPy"),
    "net.npy": (lambda p: np.save(p, np.zeros(3)), "NumPy"),
    "net.zip": (zipped("readme.txt"), "zip file"),
    "net.tflite": (lambda p: p.write_bytes(b"1234TFL3"), "TensorFlow Lite"),
    "net.gguf": (lambda p: p.write_bytes(b"GGUF1234"), "GGUF"),
    "net.pth.gz": (lambda p: p.write_bytes(b"\x1f\x8b12"), "gzip"),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_files_of_other_kinds_are_refused_by_name(tmp_path, name):
    write, kind = FOREIGN[name]
    write(tmp_path / name)
    with pytest.raises(ModelError, match=f"{kind}.*state dict"):
        load_model(f"{tmp_path / name}?arch=resnet18")


def test_a_file_that_is_no_checkpoint_is_refused(tmp_path):
    (tmp_path / "model.pt").write_text("hi\n")
    with pytest.raises(ModelError, match="not a readable checkpoint: it was not written by torch"):
        load_model(f"{tmp_path / 'model.pt'}?arch=resnet18")


def test_names_of_files_do_not_matter_and_folders_are_explained(tmp_path):
    torch.save({"state_dict": weights(1)}, tmp_path / "model_best.pth.tar")
    assert torch.equal(run(loaded(tmp_path / "model_best.pth.tar")), scores(1))
    save_file(weights(1), tmp_path / "weights.bin")
    assert torch.equal(run(loaded(tmp_path / "weights.bin")), scores(1))
    with pytest.raises(ModelError, match=r"is a folder.*weights\.bin"):
        loaded(tmp_path)
    os.mkfifo(tmp_path / "w.pth")
    with pytest.raises(ModelError, match="not a regular file"):
        loaded(tmp_path / "w.pth")


def test_a_pickled_network_is_refused(tmp_path):
    torch.save({"model": network()}, tmp_path / "w.pth")
    with pytest.raises(ModelError, match=r"more than tensors.*state_dict"):
        loaded(tmp_path / "w.pth")


def test_a_choice_is_part_of_the_source(tmp_path):
    torch.save({"a": weights(1), "b_ema": weights(2)}, tmp_path / "w.pth")
    with pytest.raises(UnknownNameError, match="closest: 'key'"):
        convviz.load_model(f"{tmp_path / 'w.pth'}?arch=resnet18&keys=a")
