"""The checks, one function each, and the two functions that run them all."""

from __future__ import annotations

import copy
import io
import random
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from pydantic import BaseModel

from ..errors import ConvvizError, message_of
from ..explanation.explanation import Explanation, load
from ..explanation.provenance import Named, check_result
from ..network.inputs import make_batch
from ..network.model import Model
from ..plugin.explainer import DatasetExplainer, Explainer, partial_problem
from ..plugin.metric import Metric
from ..plugin.registry import explainer as by_name
from ..plugin.registry import identify
from ..results.types import Result
from .bench import Bench, ManualSweep, tiny_model, tiny_photos
from .checking import (
    CheckFailedError,
    kind_problems,
    none_of,
    nothing_written,
    shape_problems,
)
from .compare import batch_differences, changed_entries, differences, snapshot
from .metric_kit import METRIC_CHECKS, MetricBench, metric_bench
from .process import no_trace_in_process
from .target_kinds import takes_contrasts, takes_units


@dataclass(frozen=True)
class Check:
    """The outcome of a check."""

    name: str
    passed: bool
    detail: str = ""


class ConformanceError(AssertionError):
    """An explainer failed checks of the kit.

    Attributes:
        failed: the failed checks.
    """

    def __init__(self, explainer: object, failed: Sequence[Check]) -> None:
        self.failed = tuple(failed)
        lines = [f"  {check.name}: {check.detail}" for check in failed]
        super().__init__("\n".join([f"{type(explainer).__name__} fails:", *lines]))


def check_explainer(
    explainer: Any, model: Model | None = None, photos: np.ndarray | None = None
) -> None:
    """Check that an explainer fulfils the contract.

    Args:
        explainer: an instance, a class whose parameters all have defaults, or a name. Choose
            parameters that make it fast: it runs a dozen times.
        model: the model, by default `tiny_model()`. Should be float64.
        photos: uint8 `[n, h, w, 3]`; by default two, or 96 for a DatasetExplainer.

    Raises:
        ConformanceError: checks failed; the message lists them.
    """
    explainer = _instance(explainer)
    failed = [check for check in conformance(explainer, model, photos) if not check.passed]
    if failed:
        raise ConformanceError(explainer, failed)


def check_metric(metric: Any, model: Model | None = None, photos: np.ndarray | None = None) -> None:
    """Check that a metric fulfils the contract.

    Args:
        metric: an instance, or a class whose parameters all have defaults.
        model: the model, by default `tiny_model()`. Should be float64.
        photos: uint8 `[n, h, w, 3]`, of which the first is used; a small one by default.

    Raises:
        ConformanceError: checks failed; the message lists them.
    """
    check_explainer(metric, model, photos)


def conformance(
    explainer: Any, model: Model | None = None, photos: np.ndarray | None = None
) -> Iterator[Check]:
    """Yield the checks of `check_explainer` or `check_metric` one by one.

    Checks that need one that failed are left out.
    """
    explainer = _instance(explainer)
    if isinstance(explainer, Metric):
        yield from _conformance_of_metric(metric_bench(explainer, model, photos))
        return
    single = isinstance(explainer, Explainer)
    photos = tiny_photos(2 if single else 96) if photos is None else photos
    bench = Bench(explainer, model or tiny_model(), photos)
    yield _run("leaves the process as it was", no_trace_in_process, bench)
    yield _run("parameters round-trip", _parameters, bench)
    checks = _IMAGE_CHECKS if single else _DATASET_CHECKS
    for name, check in checks.items():
        outcome = _run(name, check, bench)
        yield outcome
        if not outcome.passed and name in _FIRST:
            return


def _instance(explainer: Any) -> Any:
    if isinstance(explainer, str):
        return by_name(explainer)
    instance = explainer() if isinstance(explainer, type) else explainer
    if not isinstance(instance, Explainer | DatasetExplainer | Metric):
        raise TypeError(f"{instance!r} is neither an explainer nor a Metric")
    return instance


def _conformance_of_metric(bench: MetricBench) -> Iterator[Check]:
    yield _run("parameters round-trip", lambda b: _parameters_of(b.metric), bench)
    for name, check in METRIC_CHECKS.items():
        outcome = _run(name, check, bench)
        yield outcome
        if not outcome.passed and name == "scores maps":
            return


def _run(name: str, check: Callable[[Any], None], bench: Any) -> Check:
    try:
        check(bench)
    except CheckFailedError as failure:
        return Check(name, False, str(failure))
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # an explainer may raise SystemExit
        return Check(name, False, f"{type(error).__name__}: {message_of(error)}")
    return Check(name, True)


def _parameters(bench: Bench) -> None:
    _parameters_of(bench.explainer)


def _parameters_of(explainer: BaseModel) -> None:
    cls = type(explainer)
    bare = [name for name, field in cls.model_fields.items() if not field.description]
    none_of(bare, "no description: ")
    if not cls.model_config.get("frozen") or cls.model_config.get("extra") != "forbid":
        raise CheckFailedError("model_config must keep frozen=True and extra='forbid'")
    again = cls(**explainer.model_dump())
    if again.model_dump() != explainer.model_dump():
        raise CheckFailedError(f"{explainer!r} is rebuilt from its parameters as {again!r}")
    text = explainer.model_dump_json()
    if cls.model_validate_json(text).model_dump_json() != text:
        raise CheckFailedError(
            f"{text} reads back as {cls.model_validate_json(text).model_dump_json()}"
        )


def _no_blank(explanation: Explanation) -> None:
    from PIL import Image

    pictures = explanation.pictures()
    if not pictures:
        raise CheckFailedError("there is no picture")
    for picture in pictures:
        with Image.open(io.BytesIO(picture.png)) as image:
            pixels = np.asarray(image.convert("RGB")).reshape(-1, 3)
        if (pixels == pixels[0]).all():
            raise CheckFailedError(f"picture {picture.name!r} has only one colour")


def _no_loss(explanation: Explanation) -> None:
    explanation = replace(explanation, result=explanation.drawn, deferred=None)
    with tempfile.TemporaryDirectory() as folder:
        explanation.save(folder)
        again = load(folder)  # its files are read on demand
        none_of(differences(again.result, explanation.result, exact=True))
        if not again.equals(explanation):
            raise CheckFailedError("the loaded explanation differs from the saved one")


def _with_traces(model: Model) -> Model:
    """Return a copy of a model with mixed modes, gradients and a hook, which must be preserved."""
    model = copy.deepcopy(model)
    model.module.train()
    for index, part in enumerate(model.module.modules()):
        part.training = index % 2 == 0
    for index, parameter in enumerate(model.module.parameters()):
        parameter.requires_grad_(index % 2 == 0)
        parameter.grad = torch.full_like(parameter, 0.5) if index % 3 == 0 else None
    next(iter(model.module.children()), model.module).register_forward_hook(lambda *_: None)
    return model


def _runs(bench: Bench) -> None:
    result = bench.call().run() if bench.explainer.needs_image else bench.explain(None).result
    if not isinstance(result, Result):
        raise CheckFailedError(f"explain returned {type(result).__name__}, not a Result")


def _form(bench: Bench) -> None:
    if not bench.explainer.needs_image:
        bench.explain(None)
        return
    result = bench.call().run()
    identity = identify(bench.explainer)
    named = Named(bench.explainer, identity.name, identity.distribution, identity.version)
    check_result(named, result, len(bench.photos))
    none_of(shape_problems(result, bench))
    assert isinstance(bench.explainer, Explainer)
    none_of(kind_problems(bench.explainer.map_kind, result))


def _repeats(bench: Bench) -> None:
    again = _after_seed(1, lambda: bench.explain(bench.images)).result
    problems = differences(bench.explanation.result, again, exact=True)
    none_of(problems, "a second call has another result: ")


def _after_seed(seed: int, call: Callable[[], Any]) -> Any:
    """Return the result of a call with seeded global random generators, which are restored."""
    numpy_state, python_state = np.random.get_state(), random.getstate()
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            np.random.seed(seed)
            random.seed(seed)
            return call()
    finally:
        np.random.set_state(numpy_state)
        random.setstate(python_state)


def _batch_independent(bench: Bench) -> None:
    if bench.images is None:
        return
    singles = [bench.explain([photo]).result for photo in bench.photos]
    none_of(batch_differences(bench.explanation.result, singles))


def _no_trace(bench: Bench) -> None:
    if bench.explainer.needs_image:
        nothing_written(bench)
    model = _with_traces(bench.model)
    inputs = make_batch(list(bench.photos), model).images
    before = snapshot(model.module, inputs)
    bench.explain(inputs if bench.explainer.needs_image else None, model)
    none_of(changed_entries(before, snapshot(model.module, inputs)), "changed: ")


def _no_trace_of_errors(bench: Bench) -> None:
    for calls in (1, 2, 3):
        model = _with_traces(bench.model)
        _raise_after(model, calls)
        inputs = make_batch(list(bench.photos), model).images
        before = snapshot(model.module, inputs)
        with suppress(ConvvizError, RuntimeError):
            bench.explain(inputs if bench.explainer.needs_image else None, model)
        none_of(changed_entries(before, snapshot(model.module, inputs)), "changed: ")


def _raise_after(model: Model, calls: int) -> None:
    """Add a hook that raises an error in every forward pass after the first `calls`."""
    count = 0

    def fail(*_: Any) -> None:
        nonlocal count
        count += 1
        if count > calls:
            raise RuntimeError("the network fails on purpose")

    model.module.register_forward_hook(fail)


def _saves(bench: Bench) -> None:
    _no_loss(bench.explanation)


def _draws(bench: Bench) -> None:
    _no_blank(bench.explanation)


def _analyzes(bench: Bench) -> None:
    if not bench.analysis:
        raise CheckFailedError("finish returned no result")


def _partial_form(bench: Bench) -> None:
    for partial in ManualSweep(bench).partials([2, 3]):
        if problem := partial_problem(partial):
            raise CheckFailedError(problem)
        none_of(
            f"partial[{layer!r}][{name!r}] requires a gradient: detach it"
            for layer, tensors in partial.items()
            for name, tensor in tensors.items()
            if tensor.requires_grad
        )


def _any_merging(bench: Bench) -> None:
    sweep = ManualSweep(bench)
    size = len(bench.photos) // 3
    a, b, c = sweep.partials([size, size, len(bench.photos) - 2 * size])
    merge = sweep.explainer.merge
    left_first = sweep.finish([merge(merge(a, b), c)])
    right_first = sweep.finish([merge(a, merge(b, c))])
    _same_layers(left_first, right_first, "merge(merge(a, b), c) and merge(a, merge(b, c)): ")


def _any_batches(bench: Bench) -> None:
    sweep = ManualSweep(bench)
    total = len(bench.photos)
    whole = sweep.finish(sweep.partials([total]))
    for size in (1, 7):
        sizes = [min(size, total - start) for start in range(0, total, size)]
        parts = sweep.finish([sweep.merge(sweep.partials(sizes))])
        _same_layers(whole, parts, f"all at once and batches of {size}: ")


def _any_shards(bench: Bench) -> None:
    sweep = ManualSweep(bench)
    half = len(bench.photos) // 2
    partials = sweep.partials([half, len(bench.photos) - half])
    one_shard, two_shards = sweep.finish([sweep.merge(partials)]), sweep.finish(partials)
    _same_layers(one_shard, two_shards, "one shard and two: ")


def _same_layers(first: dict[str, Result], other: dict[str, Result], before: str) -> None:
    if list(first) != list(other):
        raise CheckFailedError(f"{before}layers {list(first)} and {list(other)}")
    for layer in first:
        none_of(differences(first[layer], other[layer]), f"{before}{layer}: ")


def _analysis_repeats(bench: Bench) -> None:
    again = _after_seed(1, bench.analyze)
    for layer, explanation in bench.analysis.items():
        problems = differences(explanation.result, again[layer].result, exact=True)
        none_of(problems, f"a second run has another result: {layer}: ")


def _analysis_no_trace(bench: Bench) -> None:
    model = _with_traces(bench.model)
    photos = torch.from_numpy(bench.photos)
    before = snapshot(model.module, photos)
    bench.analyze(model)
    none_of(changed_entries(before, snapshot(model.module, photos)), "changed: ")


def _analysis_saves(bench: Bench) -> None:
    for explanation in bench.analysis.values():
        _no_loss(explanation)


def _analysis_draws(bench: Bench) -> None:
    for explanation in bench.analysis.values():
        _no_blank(explanation)


_FIRST = ("runs", "result keeps its form", "partials keep their form")
"""Checks whose failure makes the following ones meaningless."""

_IMAGE_CHECKS: dict[str, Callable[[Bench], None]] = {
    "runs": _runs,
    "result keeps its form": _form,
    "repeats": _repeats,
    "batched equals single": _batch_independent,
    "takes units as targets": takes_units,
    "takes contrasts as targets": takes_contrasts,
    "leaves no trace": _no_trace,
    "leaves no trace of errors": _no_trace_of_errors,
    "saves and loads": _saves,
    "draws a picture": _draws,
}

_DATASET_CHECKS: dict[str, Callable[[Bench], None]] = {
    "partials keep their form": _partial_form,
    "runs": _analyzes,
    "merge is associative": _any_merging,
    "any batches": _any_batches,
    "any shards": _any_shards,
    "repeats": _analysis_repeats,
    "leaves no trace": _analysis_no_trace,
    "saves and loads": _analysis_saves,
    "draws a picture": _analysis_draws,
}
