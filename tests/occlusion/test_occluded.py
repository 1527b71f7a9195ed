"""`occluded`: the choice of the engine, its description, options and errors."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from occlusion.branching_network import Branches, randomize_statistics, slid
from torch import Tensor, nn

from convviz import explain
from convviz.errors import ParameterError
from convviz.network.model import Model
from convviz.occlusion import occluded_scores
from convviz.occlusion.executor import WindowExecutor
from convviz.occlusion.prepare import PreparedOcclusion, prepare


class TestOccluded:
    """The engine that explainers call: incremental where it can be, and it says how."""

    boxes = slid(40, 40, (8, 8), (8, 8))

    @pytest.fixture(autouse=True)
    def however_small(self, monkeypatch):
        monkeypatch.setattr(occluded_scores, "MIN_PIXELS_FOR_EXPORT", 0)

    def call(self, model: Model, images: Tensor, layers=(), **options):
        def read(forward, owner):
            assert set(forward.activations) == set(layers)
            parts = [forward.output, *(a.flatten(1) for a in forward.activations.values())]
            return torch.cat(parts, 1) + owner[:, None]

        fill = torch.full_like(images, 0.3)
        return occluded_scores.occluded(model, images, self.boxes, fill, read, layers, **options)

    def test_equals_the_dense_engine_for_images_scores_and_layers(self):
        torch.manual_seed(0)
        model = Model(randomize_statistics(Branches()))
        images = torch.randn(3, 2, 40, 40, dtype=torch.float64)
        for layers in ((), ("stem", "c"), ("a.0", "b.1")):
            actual = self.call(model, images, layers, batch_size=11)
            want = self.call(model, images, layers, engine="dense")
            assert "only what each window changes" in actual.how
            assert actual.plan is not None
            assert want.plan is None
            torch.testing.assert_close(actual.scores, want.scores, rtol=0, atol=1e-10)

    def test_where_nothing_is_saved_it_says_so(self):
        class Squeezed(nn.Module):
            def __init__(self):
                super().__init__()
                self.head = nn.Linear(2, 3)

            def forward(self, x):
                return self.head((x * x.mean((2, 3), keepdim=True)).mean((2, 3)))

        model = Model(Squeezed().double())
        images = torch.randn(1, 2, 40, 40, dtype=torch.float64)
        actual = self.call(model, images)
        assert actual.how.startswith("nearly all in whole maps, from ")
        want = self.call(model, images, engine="dense")
        torch.testing.assert_close(actual.scores, want.scores, rtol=0, atol=1e-12)

    def test_a_network_without_weights_has_nothing_to_count(self):
        model = Model(nn.Sequential(nn.AvgPool2d(8), nn.Flatten()))
        images = torch.randn(1, 2, 40, 40)
        actual = self.call(model, images, approximate=0.5)
        assert actual.plan is not None
        assert actual.plan.saving == actual.plan.bound == 1
        assert actual.how.startswith("only what each window changes; whole maps from ")
        explanation = explain(
            model, torch.rand(1, 2, 240, 240), "occlusion", 0, window=16, approximate=0.5
        )
        assert explanation.result.measures["MACs saved"] == 0

    def test_axes_of_size_1_are_no_obstacle(self):
        class Small(nn.Module):
            def __init__(self):
                super().__init__()
                convs = [nn.Conv2d(2, 4, 3, 2, 1), *(nn.Conv2d(4, 4, 3, 2, 1) for _ in range(5))]
                self.convs = nn.Sequential(*convs)

            def forward(self, x):
                x = self.convs(x)
                return x.view(x.shape[0], -1, 1, 1).relu().flatten(1)

        model = Model(randomize_statistics(Small()))
        images = torch.randn(1, 2, 40, 40, dtype=torch.float64)
        actual = self.call(model, images)
        assert actual.plan is not None
        want = self.call(model, images, engine="dense")
        torch.testing.assert_close(actual.scores, want.scores, rtol=0, atol=1e-12)

    def test_a_graph_that_holds_for_one_batch_size_is_not_run(self):
        """len(x) becomes the number that the network was exported with."""

        class Counting(nn.Module):
            def __init__(self):
                super().__init__()
                self.conv = nn.Conv2d(2, 4, 3)

            def forward(self, x):
                return self.conv(x).mean((2, 3)).view(len(x), -1)

        model = Model(randomize_statistics(Counting()))
        images = torch.randn(1, 2, 40, 40, dtype=torch.float64)
        actual = self.call(model, images)
        assert "the graph holds for one batch size only" in actual.how
        want = self.call(model, images, engine="dense")
        assert torch.equal(actual.scores, want.scores)

    @pytest.mark.parametrize(
        ("images", "fill", "words"),
        [
            (torch.ones(1, 2, 40, 40, dtype=torch.uint8), torch.tensor(0.5), "floating point"),
            (torch.ones(2, 40, 40), torch.zeros(2, 1, 1), r"\[N, C, H, W\]"),
            (torch.ones(1, 2, 40, 40), torch.zeros(2), r"fill \[2\] does not fit"),
        ],
    )
    def test_images_and_fills_that_do_not_fit_are_refused(self, images, fill, words):
        model = Model(nn.Sequential(nn.Conv2d(2, 1, 3), nn.Flatten()))
        for engine in ("auto", "dense"):
            with pytest.raises(ParameterError, match=words):
                occluded_scores.occluded(
                    model, images, self.boxes, fill, lambda f, _: f.output, engine=engine
                )

    def test_a_lowered_program_is_tried_in_windows_too(self):
        class Mixed(nn.Module):
            def __init__(self):
                super().__init__()
                self.a, self.b = nn.Conv2d(2, 4, 3), nn.Conv2d(2, 4, 3)

            def forward(self, x):
                return (self.a(x) + self.b(x).double().float()).relu().mean((2, 3))

        model = Model(Mixed())
        images = torch.randn(1, 2, 40, 40)
        with model.session(), torch.no_grad():
            prepared = prepare(model, images, self.boxes, (), dtype=torch.bfloat16)
            assert isinstance(prepared, PreparedOcclusion)
            run = WindowExecutor(prepared.program, prepared.plan, *[images.to(prepared.dtype)] * 2)
            list(run.outputs(np.arange(2)))

    def test_a_network_without_a_graph_runs_in_full_and_says_why(self):
        class Odd(nn.Module):
            def forward(self, x):  # whose branches are the same, which an export cannot know
                return x.mean((2, 3)) if float(x.sum()) > 0 else x.sum((2, 3)) / x[0, 0].numel()

        model = Model(Odd().double())
        images = torch.randn(1, 2, 40, 40, dtype=torch.float64)
        actual = self.call(model, images)
        assert "because torch.export" in actual.how
        assert "full forward pass" in actual.how
        want = self.call(model, images, engine="dense")
        assert torch.equal(actual.scores, want.scores)

    def test_a_graph_that_misses_something_is_not_believed(self, monkeypatch):
        class Twofold(Branches):
            def forward(self, x):
                scores = super().forward(x)
                return scores if torch.compiler.is_exporting() else scores * 2

        model = Model(randomize_statistics(Twofold()))
        images = torch.randn(1, 2, 40, 40, dtype=torch.float64)
        actual = self.call(model, images)
        assert "does not give the model's scores" in actual.how
        want = self.call(model, images, engine="dense")
        assert torch.equal(actual.scores, want.scores)

    def test_weights_changed_in_place_are_followed(self):
        model = Model(randomize_statistics(Branches()))
        images = torch.randn(1, 2, 40, 40, dtype=torch.float64)
        before = self.call(model, images).scores
        with torch.no_grad():
            model.module.stem.weight.mul_(1.5)
        after = self.call(model, images)
        assert "only what each window changes" in after.how
        assert not torch.allclose(after.scores, before)
        want = self.call(model, images, engine="dense")
        torch.testing.assert_close(after.scores, want.scores, rtol=0, atol=1e-10)

    def test_out_of_memory_halves_the_chunk(self, monkeypatch):
        model = Model(randomize_statistics(Branches()))
        images = torch.randn(1, 2, 40, 40, dtype=torch.float64)
        want = self.call(model, images).scores
        outputs, tried = WindowExecutor.outputs, []

        def scarce(run, positions):
            tried.append(len(positions))
            if len(positions) > 5:
                raise torch.OutOfMemoryError("not enough")
            return outputs(run, positions)

        monkeypatch.setattr(WindowExecutor, "outputs", scarce)
        images = torch.cat([images, images + 1])
        actual = self.call(model, images, batch_size=10)
        assert actual.plan is not None
        torch.testing.assert_close(actual.scores[:1], want, rtol=0, atol=1e-12)
        assert [n for n in tried if n > 5] == [10]  # the smaller size is kept, for all images

    def test_half_precision_scores_are_read_in_single_precision(self):
        torch.manual_seed(0)
        model = Model(randomize_statistics(Branches()).to(torch.bfloat16))
        images = torch.randn(1, 2, 40, 40)
        fill = torch.full_like(images, 50.0)  # so that windows count for more than rounding
        actual, want = (
            occluded_scores.occluded(
                model, images, self.boxes, fill, lambda f, _: f.output, engine=e
            )
            for e in ("auto", "dense")
        )
        assert actual.plan is not None
        assert actual.scores.dtype == want.scores.dtype == torch.float32
        largest = float(want.scores.abs().max())
        torch.testing.assert_close(actual.scores, want.scores, rtol=0, atol=0.02 * largest)
        assert float((want.scores - want.scores[:, :1]).abs().max()) > 0.05 * largest

    def test_windows_that_would_be_wrong_are_not_believed(self, monkeypatch):
        """All clean scores are right here, so only the test of windows shows the error."""
        model = Model(randomize_statistics(Branches()))
        images = torch.randn(1, 2, 40, 40, dtype=torch.float64)
        gather = WindowExecutor._gather

        def shift_windows(run, node, held, table, size, padding=0.0):
            windows = gather(run, node, held, table, size, padding)
            return windows if size[0] < 3 else windows.roll(1, 2)

        monkeypatch.setattr(WindowExecutor, "_gather", shift_windows)
        actual = self.call(model, images)
        assert "does not give the model's scores" in actual.how
        monkeypatch.undo()
        want = self.call(model, images, engine="dense")
        assert torch.equal(actual.scores, want.scores)

    def test_what_fails_in_windows_runs_in_full_and_says_why(self, monkeypatch):
        model = Model(randomize_statistics(Branches()))
        images = torch.randn(1, 2, 40, 40, dtype=torch.float64)

        def failing(*_):
            raise IndexError("no such window\nand more")

        monkeypatch.setattr(WindowExecutor, "_slide", failing)
        actual = self.call(model, images)
        assert actual.how.endswith("does not run in windows (IndexError: no such window)")
        want = self.call(model, images, engine="dense")
        assert torch.equal(actual.scores, want.scores)

    @pytest.mark.parametrize("dtype", [torch.int16, torch.int32, torch.uint8])
    def test_boxes_of_any_integers(self, dtype):
        torch.manual_seed(0)
        model, images = Model(randomize_statistics(Branches())), torch.randn(1, 2, 40, 40).double()
        fill = torch.zeros(1, 2, 1, 1)  # of another dtype than the images
        for engine in ("auto", "dense"):
            actual, want = (
                occluded_scores.occluded(
                    model, images, boxes, fill, lambda f, _: f.output, engine=engine
                ).scores
                for boxes in (self.boxes.to(dtype), self.boxes)
            )
            assert torch.equal(actual, want)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"engine": "fast"}, "engine='fast': allowed are 'auto' and 'dense'"),
            ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
            ({"batch_size": -1}, "batch_size must be at least 1, got -1"),
            ({"regions": torch.tensor([[0, 0, 4, 4], [3, 3, 3, 9]])}, r"box \[3, 3, 3, 9\]"),
            ({"regions": torch.tensor([[30, 30, 41, 40]])}, "image of 40 x 40"),
            ({"regions": torch.tensor([[-1, 0, 4, 4]])}, "image of 40 x 40"),
            ({"regions": torch.rand(2, 4)}, r"float32 \[2, 4\]"),
            ({"regions": torch.zeros(0, 4, dtype=torch.int64)}, "1 images and 0 regions"),
        ],
    )
    def test_bad_input_is_named(self, options, message):
        model, images = Model(randomize_statistics(Branches())), torch.randn(1, 2, 40, 40).double()
        options = {"regions": self.boxes, **options}
        with pytest.raises(ParameterError, match=message):
            occluded_scores.occluded(
                model, images, fill=torch.zeros(1), read=lambda f, _: f.output, **options
            )
