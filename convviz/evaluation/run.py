"""One run of a benchmark: prepare, score every image, collect the table."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch

from ..errors import ImageError, ParameterError
from ..explanation.provenance import describe_model, named, versions
from ..plugin.explainer_field import dump_explainer
from ..plugin.metric import Metric
from ..progress import announce, track
from ..scores.targets import TargetSpec
from ..sweep.engines import engine_of
from ..sweep.engines.ray_pool import run_tasks
from ..sweep.forward_pass import OutputOf, choose_forward
from ..sweep.signals import Interrupts
from ..sweep.worker import torch_threads
from .estimate import Estimate, estimate, fastest_batch, metric_passes
from .folder import BenchmarkFolder
from .image_scores import ImageScores
from .inputs import AllImages, BenchmarkInputs, scatter_order, spread
from .scores import Scores
from .scoring import Scorer
from .scoring_job import Scored, ScoringJob
from .sources import MapSet
from .table import collect_scores

ESTIMATE = "estimate.json"


@dataclass(frozen=True)
class BenchmarkSettings:
    """The settings of a benchmark, see `benchmark`."""

    images: int | None
    repeat_images: int
    budget: int | None
    target: TargetSpec
    seed: int
    batch_size: int | None
    controls: bool
    engine: str = "local"
    address: str | None = None
    threads: int | None = None

    def __post_init__(self) -> None:
        limits = {"images": 1, "repeat_images": 1, "budget": 0, "seed": 0}
        limits |= {"batch_size": 1, "threads": 1}
        for name, lowest in limits.items():
            value = getattr(self, name)
            is_number = isinstance(value, int) and not isinstance(value, bool)
            if value is None and name in ("images", "budget", "batch_size", "threads"):
                continue
            if not is_number or value < lowest:
                raise ParameterError(f"{name} must be a whole number >= {lowest}, not {value!r}")
        if callable(self.target) or isinstance(self.target, list | tuple):
            raise ParameterError(
                f"the target of a benchmark is one class, Unit or Contrast, not {self.target!r}"
            )
        engine_of(self.engine, self.address)  # raises an error for a wrong one

    @property
    def threads_of_process(self) -> int:
        """PyTorch threads of each process that scores images."""
        if self.threads is not None:
            return self.threads
        return 1 if self.engine == "ray" else torch.get_num_threads()

    def plan_record(self) -> dict[str, Any]:
        """Return the settings that determine the scores."""
        left_out = ("images", "engine", "address", "threads")
        record = {k: v for k, v in asdict(self).items() if k not in left_out}
        return {**record, "target": None if self.target is None else repr(self.target)}


class BenchmarkRun:
    """One run of a benchmark.

    Args:
        inputs: model, data set and masks.
        map_set: the explainers and controls.
        metrics: the metrics by name.
        settings: the settings.
        folder: where scores are kept; None keeps them in memory.
    """

    def __init__(
        self,
        inputs: BenchmarkInputs,
        map_set: MapSet,
        metrics: Mapping[str, Metric],
        settings: BenchmarkSettings,
        folder: BenchmarkFolder | None,
    ) -> None:
        self.inputs, self.map_set, self.metrics = inputs, map_set, metrics
        self.settings, self.folder = settings, folder
        self.selected = spread(len(inputs.dataset.ids), settings.images)
        repeated = [self.selected[i] for i in spread(len(self.selected), settings.repeat_images)]
        self.repeated = frozenset(repeated)
        # If all metrics repeat explanations, the other images are not scored, but metrics may use
        # them as other images.
        all_repeat = all("repeats" in metric.needs for metric in metrics.values())
        self.indices = repeated if all_repeat else self.selected
        self.is_interrupted = False

    def run(self) -> Scores:
        """Score all images that have no scores yet, and return the table.

        If it is interrupted and has a folder, the table is that of the images that are done, and
        `is_interrupted` is set.
        """
        with torch_threads(self.settings.threads_of_process):
            return self._run()

    def _run(self) -> Scores:
        if self.folder is not None:
            self.folder.start(self._plan())
        done = dict(self._load_saved())
        scorer = self._scorer()
        expected = self._estimate(scorer)
        scorer = replace(scorer, skipped=expected.skipped)
        missing = [index for index in self._order() if index not in done]
        self._announce(expected, len(missing))
        interrupts = Interrupts()
        with interrupts.handle_signals(), closing(self._scored(scorer, missing)) as results:
            try:
                for scored in results:
                    if scored.scores is None:
                        self.inputs.unreadable[self._id(scored.index)] = scored.problem
                        continue
                    done[scored.index] = scored.scores
                    if self.folder is not None:
                        with interrupts.complete_write():
                            self.folder.save(scored.index, scored.scores)
            except KeyboardInterrupt:
                if self.folder is None or not done:
                    raise
                self.is_interrupted = True
                announce(f"interrupted: {len(done)} of {len(self.indices)} images are done")
        images = [done[index] for index in self.indices if index in done]
        notes = self._notes(expected, images)
        return collect_scores(
            images, self.map_set, self.metrics, expected.skipped, expected.pass_seconds, notes
        )

    def _scored(self, scorer: Scorer, missing: list[int]) -> Generator[Scored]:
        """Yield the scores of images, by the engine of the settings."""
        settings, total = self.settings, len(missing)
        job = ScoringJob(self.inputs, scorer, self.repeated, settings.threads_of_process)
        if settings.engine == "ray":
            results = run_tasks(job.for_other_process(), missing, settings.address)
            yield from track(results, "scoring", total, lambda scored: self._id(scored.index))
        else:
            yield from map(job.run, track(missing, "scoring", total, self._id))

    def _id(self, index: int) -> str:
        return self.inputs.dataset.ids[index]

    def _order(self) -> list[int]:
        """Return the images in the order of scoring: after an interrupt, those done are spread.

        Images for all metrics come first.
        """
        order = [self.indices[i] for i in scatter_order(len(self.indices))]
        return sorted(order, key=lambda index: index not in self.repeated)

    def _plan(self) -> dict[str, Any]:
        """Return what determines the scores."""
        model = describe_model(self.inputs.model)
        explainers = {s.name: s.explainer for s in self.map_set.explainers}
        return {
            "model": model["name"],
            "weights": model["weights_hash"],
            "data set": self.inputs.dataset.name,
            "images": [self._id(index) for index in self.selected],
            "explainers": {name: dump_explainer(e, "json") for name, e in explainers.items()},
            "metrics": {
                name: dump_explainer(metric, "json") for name, metric in self.metrics.items()
            },
            "masks": self.inputs.masks is not None,
            "versions": versions(named(list(explainers.values()), {})),
            **self.settings.plan_record(),
        }

    def _load_saved(self) -> Iterator[tuple[int, ImageScores]]:
        """Yield the scores that an earlier call has saved."""
        for index in self.indices:
            scores = None if self.folder is None else self.folder.load(index)
            if scores is not None:
                yield index, scores

    def _scorer(self) -> Scorer:
        """Return the scorer, with the fastest forward pass that gives the model's numbers."""
        model, settings = self.inputs.model, self.settings
        batch = next((b for b in map(self.inputs.batch, self.indices) if b is not None), None)
        if batch is None:
            reason = next(iter(self.inputs.unreadable.values()))
            raise ImageError(f"no image of {self.inputs.dataset.name!r} can be read: {reason}")
        self._first = batch
        passes = metric_passes(
            self.metrics, len(self.map_set.sources), len(self.indices), len(self.repeated)
        )
        runner = choose_forward(model, (), batch.images, passes, settings.batch_size or 1)

        forward = OutputOf(runner)
        return Scorer(
            model,
            self.map_set,
            self.metrics,
            settings.target,
            settings.seed,
            settings.batch_size or (fastest_batch(forward, batch.images) if passes else 1),
            forward,
            others=AllImages(self.inputs, self.selected),
        )

    def _estimate(self, scorer: Scorer) -> Estimate:
        """Return the estimate of the work: that of the first call, since times differ."""
        record = None if self.folder is None else self.folder.read_json(ESTIMATE)
        if record is not None:
            return Estimate.from_record(record)
        expected = estimate(
            scorer, self._first, len(self.indices), len(self.repeated), self.settings.budget
        )
        if self.folder is not None:
            self.folder.write_json(ESTIMATE, expected.record())
        return expected

    def _announce(self, expected: Estimate, missing: int) -> None:
        images, repeats = len(self.indices), len(self.repeated)
        explainers, maps = len(self.map_set.explainers), len(self.map_set.sources)
        announce(
            f"{images} images ({repeats} for metrics that repeat explanations), {explainers} "
            f"explainers and {maps - explainers} controls, {len(self.metrics)} metrics"
        )
        of_process = " in one process" if self.settings.engine == "ray" else ""
        announce(f"estimate: {expected}{of_process}")
        for name, metric in sorted(expected.skipped):
            announce(f"not computed, because it exceeds the budget: {metric} of {name}")
        if missing < images:
            announce(f"{images - missing} images are done, {missing} remain")

    def _notes(self, expected: Estimate, images: list[ImageScores]) -> list[str]:
        notes = []
        if self.is_interrupted:
            notes.append(
                f"Interrupted: {len(images)} of {len(self.indices)} images are done. The same "
                "command resumes."
            )
        if "repeats" in {need for metric in self.metrics.values() for need in metric.needs}:
            names = [name for name, metric in self.metrics.items() if "repeats" in metric.needs]
            notes.append(
                f"{', '.join(names)}: on {len(self.repeated)} of {len(self.selected)} images, "
                "because they repeat the explanations."
            )
        if self.map_set.controls and len(self.repeated) < len(self.indices):
            notes.append(f"Blurred maps: on {len(self.repeated)} of {len(self.indices)} images.")
        unreadable = self.inputs.unreadable
        if unreadable:
            name, reason = next(iter(unreadable.items()))
            notes.append(f"{len(unreadable)} images cannot be read, such as {name}: {reason}")
        for source in self.map_set.explainers:
            failed = [s.failures[source.name] for s in images if source.name in s.failures]
            if failed:
                notes.append(
                    f"{source.name} failed on {len(failed)} of {len(images)} images: {failed[0]}"
                )
        skipped = sorted(expected.skipped)
        if skipped:
            pairs = ", ".join(f"{metric} of {name}" for name, metric in skipped)
            notes.append(f"Not computed within {self.settings.budget} passes: {pairs}.")
        notes.append(
            "Passes of an explainer are its time in units of one forward pass "
            f"({1000 * expected.pass_seconds:.1f} ms)."
        )
        return notes
