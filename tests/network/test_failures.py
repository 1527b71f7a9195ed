"""What the user reads when a network does not run, or runs and explains nothing."""

import logging
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import torch
from torch import nn

import convviz
import convviz.authoring
from convviz import ConvvizWarning, Model, ModelError, Preprocess
from convviz.cli.main import _report
from convviz.graph.export import NoGraph, export

PHOTO = np.random.default_rng(0).integers(0, 256, (20, 20, 3), dtype=np.uint8)


def head(channels=4):
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 3))


def small(channels=3):
    return nn.Sequential(nn.Conv2d(channels, 4, 3), nn.ReLU(), head()).eval()


def fails(net, images, **options):
    """Return the message and the cause of what a network's forward pass ends in."""
    with pytest.raises(ModelError) as caught:
        Model(net, **options).forward(images)
    text = str(caught.value)
    assert "\n" not in text
    assert type(net).__name__ in text
    return text, caught.value.__cause__


class TwoInputs(nn.Module):
    def forward(self, images, mask, scale=1.0):
        return images.mean((2, 3)) * mask


class NoInput(nn.Module):
    def forward(self):
        return torch.zeros(1, 3)


class KeywordOnly(nn.Module):
    def forward(self, images, *, mask):
        return images.mean((2, 3)) * mask


class ViewsOne(nn.Module):
    """Flattens for a batch of one."""

    def __init__(self):
        super().__init__()
        self.conv, self.fc = nn.Conv2d(3, 2, 3), nn.Linear(2 * 36, 3)

    def forward(self, x):
        return self.fc(self.conv(x).view(1, -1))


class MixesAll(nn.Module):
    def forward(self, x):
        return x.mean((0, 2, 3))[None]


class Fussy(nn.Module):
    def forward(self, x):
        raise KeyError("no such sensor")


class Calls(nn.Module):
    """Makes a mistake in its own code: what looks like a missing input is none of its own."""

    def forward(self, x):
        return self.helper()

    def helper(self, x):
        return x


@pytest.mark.parametrize(
    ("wanted", "given", "facts"),
    [
        (1, 3, ["layer '0'", "1 channel,", "have 3", "channels=1"]),
        (3, 1, ["layer '0'", "3 channels", "have 1", "channels=3"]),
        (4, 3, ["4 channels", "have 3", r"[N, 4, H, W]"]),
    ],
)
def test_channels(wanted, given, facts):
    pre = Preprocess(crop=16, channels=given, mean=0.5, std=0.5)
    with pytest.raises(ModelError) as caught:
        convviz.explain(Model(small(wanted), preprocess=pre), PHOTO, "saliency")
    assert all(fact in str(caught.value) for fact in facts)
    assert "expected input" in str(caught.value.__cause__)


def test_channels_of_a_network_that_begins_with_a_norm():
    text, _ = fails(nn.Sequential(nn.BatchNorm2d(1), head(1)).eval(), torch.rand(2, 3, 8, 8))
    assert "1 channel," in text
    assert "have 3" in text


@pytest.mark.parametrize(
    ("net", "inputs"),
    [(TwoInputs(), "(images, mask)"), (NoInput(), "()"), (KeywordOnly(), "(images, mask)")],
)
def test_networks_of_other_inputs(net, inputs):
    text, cause = fails(net, torch.rand(1, 3, 8, 8))
    assert f"forward takes {inputs}" in text
    assert isinstance(cause, TypeError)
    with pytest.raises(ModelError) as caught:  # on no size does it run
        Model(net).layer_names()
    assert f"forward takes {inputs}" in str(caught.value)
    assert "crop" not in str(caught.value)


def test_a_mistake_in_a_networks_own_code_is_shown_as_it_is():
    text, cause = fails(nn.Sequential(Calls()), torch.rand(1, 3, 8, 8))
    assert "layer '0' (Calls)" in text
    assert "forward takes" not in text
    assert "missing 1 required positional argument: 'x'" in text
    assert isinstance(cause, TypeError)


def test_networks_for_one_image_at_a_time():
    net, images = ViewsOne(), torch.rand(2, 3, 8, 8)
    with torch.no_grad():
        alone = torch.cat([net(image) for image in images.split(1)])
    torch.testing.assert_close(Model(net).forward(images).output, alone)
    with pytest.raises(ModelError, match=r"\[1, 3\] for 2 images.*mixes the images"):
        Model(MixesAll()).forward(torch.rand(2, 3, 8, 8))


def test_images_of_another_size():
    net = nn.Sequential(nn.Conv2d(3, 2, 3), nn.Flatten(), nn.Linear(2 * 36, 3))
    text, _ = fails(net, torch.rand(2, 3, 16, 12))
    assert "layer '2' (Linear)" in text
    assert "16 x 12 pixels give 280 features, and it takes 72" in text
    assert "crop" in text
    text, _ = fails(net, torch.rand(2, 3, 2, 2))
    assert "2 x 2 pixels are too small" in text


def test_parts_in_other_dtypes_and_on_other_devices():
    net = small()
    net[2][2].double()
    text, _ = fails(net, torch.rand(1, 3, 8, 8))
    assert "float32 and float64" in text
    net = small()
    net[2][2].to("meta")
    with pytest.raises(ModelError, match=r"'2\.2\.weight' has no values.*meta"):
        Model(net)


def test_exceptions_of_the_networks_own():
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Sequential(nn.ReLU(), Fussy()))
    text, cause = fails(net, torch.rand(1, 3, 8, 8))
    assert "layer '1.1' (Fussy)" in text
    assert "KeyError: 'no such sensor'" in text
    assert "test_failures.py, line" in text
    assert isinstance(cause, KeyError)
    model = Model(net)
    with pytest.raises(ModelError, match=r"'1\.1'"):
        model.gradient(torch.rand(1, 3, 8, 8), [convviz.authoring.Target(0, None, "", 0.0)])
    with pytest.raises(ModelError, match='missing the required "forward"'):
        Model(nn.Module()).forward(torch.rand(1, 3, 8, 8))


class Backwards(torch.autograd.Function):
    """Fails in its backward pass."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        raise ValueError("no way back")


class NoWayBack(nn.Module):
    def forward(self, x):
        return Backwards.apply(x).mean((2, 3))


def test_a_backward_pass_that_fails_is_the_networks_fault():
    with pytest.raises(ModelError, match=r"backward pass.*no way back"):
        convviz.explain(Model(NoWayBack()), torch.rand(2, 3, 8, 8), "saliency")


def test_integers_are_no_images():
    with pytest.raises(convviz.ImageError, match=r"uint8 .*int64 \[8, 8, 3\]"):
        convviz.explain(Model(small()), torch.zeros(1, 3, 8, 8, dtype=torch.int64), "saliency")


@pytest.mark.parametrize("kind", [torch.OutOfMemoryError, MemoryError])
def test_lack_of_memory_keeps_its_type_and_says_what_was_too_much(kind, capsys):
    def full(*_):
        raise kind("CUDA out of memory. Tried to allocate 20 GiB. And more. And more.")

    net = small()
    net[0].register_forward_pre_hook(full)
    with pytest.raises(kind) as caught:
        convviz.explain(Model(net), torch.rand(1, 3, 8, 8), "saliency")
    assert "images [1, 3, 8, 8] on cpu" in caught.value.__notes__[0]
    assert _report(caught.value) == 1
    line = capsys.readouterr().err
    assert line.startswith("error: not enough memory: CUDA out of memory; ")
    assert "And more" not in line
    assert "batch_size" in line


def test_equal_scores_explain_nothing():
    net = small()
    nn.init.zeros_(net[2][2].weight)
    nn.init.zeros_(net[2][2].bias)
    model = Model(net)
    images = torch.rand(2, 3, 8, 8)
    for target in (None, 1):
        with pytest.warns(ConvvizWarning, match="2 of 2 images have the same score in all 3"):
            actual = convviz.explain(model, images, "saliency", target=target)
        assert not actual.result.values.any()
    unit = convviz.Unit("0", 1, (2, 2))
    assert convviz.explain(model, images, "saliency", target=unit).result.values.any()


def test_scores_that_are_not_numbers():
    net = small()
    nn.init.constant_(net[2][2].bias, float("nan"))
    with pytest.raises(convviz.TargetError, match="NaN"):
        convviz.explain(Model(net), torch.rand(1, 3, 8, 8), "saliency")
    with pytest.warns(ConvvizWarning, match="1 of 1 images have NaN"):
        convviz.explain(Model(net), torch.rand(1, 3, 8, 8), "saliency", target=1)


class Branches(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = small()

    def forward(self, x):
        return self.net(x) if x.sum() > 0 else self.net(-x)


class Numpy(Branches):
    def forward(self, x):
        return self.net(torch.from_numpy(x.detach().numpy() + 1))


class Logs(Branches):
    def forward(self, x):
        if torch.compiler.is_exporting():
            logging.getLogger("torch.export").error("a page of text")
            print("a page of text", file=sys.stderr)
            raise RuntimeError("first line\nsecond line")
        return self.net(x)


@pytest.mark.parametrize(
    ("net", "reason"),
    [(Branches(), "values of the images"), (Numpy(), "NumPy"), (Logs(), "first line")],
)
def test_exports_that_fail_are_silent_and_give_one_sentence(net, reason, capfd, caplog):
    stream = sys.stderr
    graph = export(net.eval(), (3, 8, 8))
    assert isinstance(graph, NoGraph)
    assert reason in graph.reason
    assert "\n" not in graph.reason
    assert len(graph.reason) <= 240
    assert not any(capfd.readouterr())
    assert not caplog.records
    assert sys.stderr is stream


def test_a_failing_export_prints_nothing_in_a_process_of_its_own():
    code = """
        import torch, convviz
        from torch import nn

        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.conv = nn.Conv2d(3, 4, 3)

            def forward(self, x):
                x = self.conv(x).mean((2, 3))
                return x if x.sum() > 0 else x + 1

        print(convviz.Model(Net()).graph((3, 16, 16)).reason)
    """
    code = "import convviz.graph.export\n" + textwrap.dedent(code)
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "values of the images" in ran.stdout
    assert not ran.stderr


@pytest.mark.filterwarnings("ignore")
def test_the_hash_covers_quantised_weights():
    def quantised(seed):
        torch.manual_seed(seed)
        net = nn.Sequential(nn.Flatten(), nn.Linear(12, 3)).eval()
        return Model(torch.ao.quantization.quantize_dynamic(net, {nn.Linear})).weights_hash

    assert quantised(1) == quantised(1)
    assert quantised(1) != quantised(2)
