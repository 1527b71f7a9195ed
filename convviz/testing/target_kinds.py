"""Checks that an explainer accepts units of layers and contrasts as targets."""

from __future__ import annotations

from ..errors import ConvvizError, PluginError
from ..explanation.explanation import Explanation
from ..scores.targets import Contrast, Unit
from .bench import Bench
from .checking import CheckFailedError, none_of, nothing_written, shape_problems
from .compare import batch_differences, differences

CHANNEL = 1


def takes_units(bench: Bench) -> None:
    """Check that units are explained, or refused with a ConvvizError other than PluginError.

    Raises:
        CheckFailedError: a unit is treated as the class with its number, the result of an image
            depends on the other images, or the explainer writes to shared tensors.
    """
    if bench.images is None:
        return
    (layer, *_) = bench.model.default_layers("activations")
    unit = Unit(layer, CHANNEL)
    try:
        by_unit = bench.explain(bench.images, target=unit)
    except PluginError:
        raise
    except ConvvizError:
        return
    none_of(shape_problems(by_unit.result, bench))
    by_class = [bench.explain(bench.images, target=k) for k in (CHANNEL, CHANNEL - 1)]
    if _same(by_unit, by_class[0]) and not _same(*by_class):
        raise CheckFailedError(f"channel {CHANNEL} of {layer!r} is explained as class {CHANNEL}")
    singles = [bench.explain([photo], target=unit).result for photo in bench.photos]
    none_of(batch_differences(by_unit.result, singles))
    nothing_written(bench, unit)


def takes_contrasts(bench: Bench) -> None:
    """Check that the difference of two scores is explained, or refused with a ConvvizError.

    Raises:
        CheckFailedError: a contrast is explained like its first class, or all contrasts alike,
            although the results of two classes differ.
    """
    if bench.images is None:
        return
    contrasts = [Contrast(k, CHANNEL - 1) for k in (CHANNEL, CHANNEL + 1)]
    try:
        first, second = (bench.explain(bench.images, target=c) for c in contrasts)
    except PluginError:
        raise
    except ConvvizError:
        return
    none_of(shape_problems(first.result, bench))
    by_class = [bench.explain(bench.images, target=k) for k in (CHANNEL, CHANNEL - 1)]
    if not _same(*by_class) and (_same(first, second) or _same(first, by_class[0])):
        raise CheckFailedError(
            f"the contrast of classes {CHANNEL} and {CHANNEL - 1} is explained as something else"
        )


def _same(first: Explanation, second: Explanation) -> bool:
    return not list(differences(first.result, second.result, exact=True))
