"""The scoring of images, in this process or in those of a Ray cluster."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from ..sweep.forward_pass import OutputOf, copy_to_cpu
from .image_scores import ImageScores
from .inputs import AllImages, BenchmarkInputs
from .scoring import Scorer


@dataclass(frozen=True)
class Scored:
    """The outcome of one image.

    Attributes:
        index: of the image in the data set.
        scores: None if the image is unreadable.
        problem: why it is unreadable.
    """

    index: int
    scores: ImageScores | None
    problem: str = ""


@dataclass(frozen=True, eq=False)
class ScoringJob:
    """Scores images of a benchmark; a job of `run_tasks`.

    Attributes:
        inputs: the images and masks.
        scorer: scores an image.
        repeated: indices of the images for the metrics that repeat the explanations.
        threads: PyTorch threads of a process.
        on_gpu: whether the model runs on a GPU.
    """

    inputs: BenchmarkInputs
    scorer: Scorer
    repeated: frozenset[int]
    threads: int
    on_gpu: bool = False
    what: str = "benchmark"

    def for_other_process(self) -> ScoringJob:
        """Return the job for another process, which may have another GPU or none."""
        scorer = self.scorer
        model, forward = scorer.model, scorer.forward
        assert isinstance(forward, OutputOf)
        assert isinstance(scorer.others, AllImages)
        copied = copy_to_cpu(model)
        inputs = replace(self.inputs, model=copied, unreadable={})
        scorer = replace(
            scorer,
            model=copied,
            forward=OutputOf(forward.runner.of_model(copied)),
            others=replace(scorer.others, inputs=inputs),
            shared_cache={},
        )
        return replace(self, inputs=inputs, scorer=scorer, on_gpu=model.device.type == "cuda")

    def start(self) -> None:
        """Prepare a new process: set its threads, and move the model to its GPU."""
        torch.set_num_threads(self.threads)
        if self.on_gpu:
            self.scorer.model.module.to("cuda")

    def run(self, index: int) -> Scored:
        """Score the image with an index in the data set."""
        with self.scorer.model.session():
            batch = self.inputs.batch(index)
            if batch is None:
                return Scored(index, None, self.inputs.unreadable[self.inputs.dataset.ids[index]])
            with_repeats = index in self.repeated
            return Scored(index, self.scorer.score(batch, with_repeats, self.inputs.mask(batch)))

    def describe(self, task: int) -> str:
        """Return the name of a task."""
        return f"image {self.inputs.dataset.ids[task]!r}"
