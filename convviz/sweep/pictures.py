"""Pictures of a finished run: drawn when something shows them, and kept in the run folder."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from ..data.item_names import index_of_name
from ..data.item_table import ItemTable
from ..errors import ConvvizError, ConvvizWarning, ParameterError
from ..explanation import result_folder
from ..explanation.explanation import Explanation
from ..images.batch import Item
from ..network.model import Model
from ..plugin.explainer import DatasetExplainer
from ..render import Picture
from ..render.unit import check_units, choose_units, has_pictures, restrict
from ..results.number_ranges import numbers_of_parts
from ..results.types import Matches, Result, Tiles, with_notes
from ..storage.path_names import folder_name
from .photos import OpenedRun, PhotosOfRun
from .store.factory import place_of
from .store.file_names import RESULTS, RUN
from .store.local import LocalRunStore, write_overview
from .store.run_record import read_run
from .worker import torch_settings


class RunFolder(OpenedRun, Protocol):
    """The part of a finished run that drawing reads, with its place."""

    address: str

    def save_pictures(self) -> bool:
        """Draw the pictures that results lack and save them in the run folder."""


def draw_chosen(
    run: RunFolder,
    explanation: Explanation,
    units: int | str | Iterable[int | str],
    queries: str | Iterable[str],
    photos: Any,
) -> Explanation:
    """Return an explanation of chosen units, see `Run.draw`."""
    chosen = numbers_of_parts(units)
    names = [queries] if isinstance(queries, str) else list(queries)
    if names and not isinstance(explanation.result, Matches):
        raise ParameterError(f"{explanation.name} has no queries; use neighbors")
    chosen = (*chosen, *(index_of_name(name, _ids(explanation.items)) for name in names))
    if not chosen:
        return draw_missing(run, {explanation.layer: explanation}, photos)[explanation.layer]
    check_units(explanation.result, explanation.scene, chosen)
    items = PhotosOfRun(run, photos, verify=True)
    result = explanation.result
    if isinstance(result, Tiles) and not has_pictures(result, chosen):
        result = choose_units(result, chosen)
        result, _ = _with_pictures(run, {explanation.layer: (explanation, result)}, items)[
            explanation.layer
        ]
    result = restrict(result, chosen, explanation.items, items.load_item)
    return replace(explanation, result=result, deferred=None)


def draw_missing(
    run: RunFolder, explanations: Mapping[str, Explanation], photos: Any = None
) -> dict[str, Explanation]:
    """Return the results of an explainer, by layer, with the pictures that they lack.

    Pictures that look as in a sweep with `pictures` are kept in the run folder.
    """
    drawn = _draw(run, explanations, photos)
    return {layer: explanation for layer, (explanation, _) in drawn.items()}


def save_missing(run: RunFolder, explanations: Mapping[str, Explanation]) -> bool:
    """Draw and save the pictures of the results of an explainer, see `Run.save_pictures`."""
    results = run.folder / RESULTS
    lacking = {
        layer: explanation
        for layer, explanation in explanations.items()
        if not any((results / _place_of_result(explanation)).glob("*.png"))
    }
    is_slow = any(not has_pictures(explanation.result) for explanation in lacking.values())
    if is_slow and not _change_run(run, lambda folder: None):  # nothing could be kept
        return False
    pictures: dict[Path, Sequence[Picture]] = {}
    is_all = True
    for explanation, is_complete in _draw(run, lacking).values():
        of_result = _pictures_of(explanation) if is_complete else None
        if of_result is None:
            is_all = False
        elif of_result:
            pictures[_place_of_result(explanation)] = of_result
    return (not pictures or _keep_pictures(run, pictures)) and is_all


def _pictures_of(explanation: Explanation) -> Sequence[Picture] | None:
    """Return the pictures of a result; None, with a warning, if it cannot be drawn."""
    try:
        return explanation.pictures()
    except ConvvizError as error:
        warnings.warn(str(error), ConvvizWarning, stacklevel=2)
        return None


def save_all(run: RunFolder) -> None:
    """Draw and save the pictures that a run lacks; warns if some cannot be saved."""
    if not run.save_pictures():
        warnings.warn(
            f"not all pictures could be saved in {run.address}", ConvvizWarning, stacklevel=3
        )


def _place_of_result(explanation: Explanation) -> Path:
    """Return the path of a result folder, relative to that of the results."""
    return Path(folder_name(explanation.name), folder_name(explanation.layer))


def _draw(
    run: RunFolder, explanations: Mapping[str, Explanation], photos: Any = None
) -> dict[str, tuple[Explanation, bool]]:
    """Return results with the pictures that they lack, and whether they look as in a sweep."""
    drawn = {layer: (explanation, True) for layer, explanation in explanations.items()}
    undrawn = {
        layer: (explanation, explanation.result)
        for layer, explanation in explanations.items()
        if not has_pictures(explanation.result)
    }
    if not undrawn:
        return drawn
    results = _with_pictures(run, undrawn, PhotosOfRun(run, photos, verify=True))
    for layer, (result, is_complete) in results.items():
        drawn[layer] = replace(undrawn[layer][0], result=result, deferred=None), is_complete
    if complete := [drawn[layer][0] for layer in undrawn if drawn[layer][1]]:
        _keep_results(run, complete)
    return drawn


def _with_pictures(
    run: RunFolder, undrawn: Mapping[str, tuple[Explanation, Result]], items: PhotosOfRun
) -> dict[str, tuple[Result, bool]]:
    """Return results with pictures by layer, and whether they look as in a sweep.

    Without the explainer or the model, patches are cut out of the photos.
    """
    explanations = [explanation for explanation, _ in undrawn.values()]
    results = {layer: result for layer, (_, result) in undrawn.items()}
    drawn, reason = _ask_explainer(run, explanations[0].explainer, results, items)
    complete = {}
    for layer, (explanation, result) in undrawn.items():
        if layer in drawn and has_pictures(drawn[layer]):
            complete[layer] = (drawn[layer], True)
            continue
        assert isinstance(result, Tiles)
        cut = restrict(result, result.order, explanation.items, items.load_item)
        note = (f"Drawn from the photos alone: {reason}",) if reason else ()
        complete[layer] = (with_notes(cut, note), False)
    return complete


def _ask_explainer(
    run: RunFolder, explainer: Any, results: Mapping[str, Result], items: PhotosOfRun
) -> tuple[Mapping[str, Result], str]:
    """Return the results with the pictures of the explainer, or none and the reason."""
    if not isinstance(explainer, DatasetExplainer):
        return {}, "the explainer is not available."
    if type(explainer).add_pictures is DatasetExplainer.add_pictures:
        return {}, ""
    try:
        run.model = run.model or run.load_model()
    except ConvvizError as error:
        return {}, f"{error}."
    check_model(run, run.model)
    with run.model.session(), torch_settings(_settings_of(run.plan)):
        return explainer.add_pictures(run.model, results, items), ""


def _settings_of(plan: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of PyTorch from the plan of a run, which is untrusted."""
    threads = max(1, min(int(plan["threads"]), os.cpu_count() or 1))
    return {"threads": threads, "deterministic": bool(plan.get("deterministic"))}


def check_model(run: RunFolder, model: Model) -> None:
    """Raise ParameterError if a model has other weights than that of the run."""
    saved = run.plan["model"]
    if model.weights_hash != saved["weights_hash"]:
        raise ParameterError(
            f"{model.name!r} has other weights than the model of the run, {saved['name']!r}"
        )


def _keep_results(run: RunFolder, explanations: Sequence[Explanation]) -> None:
    """Save results in the run folder, if it can be written."""

    def save(folder: Path) -> None:
        for explanation in explanations:
            place = folder / RESULTS / _place_of_result(explanation)
            result_folder.write(explanation, place, lambda: ())

    _change_run(run, save)


def _keep_pictures(run: RunFolder, pictures: Mapping[Path, Sequence[Picture]]) -> bool:
    """Add pictures to result folders of the run; return whether the folder could be written.

    Args:
        run: the run.
        pictures: path of a result folder relative to that of the results -> its pictures.
    """

    def save(folder: Path) -> None:
        for place, of_result in pictures.items():
            result_folder.add_pictures(folder / RESULTS / place, of_result)
        write_overview(folder, run.plan)

    return _change_run(run, save)


def _change_run(run: RunFolder, change: Callable[[Path], None]) -> bool:
    """Change the folder of a run; return False if that is not possible.

    It is not in an object store, without the right to write, or while another process writes to
    the folder or has replaced the run.
    """
    place = place_of(run.address)
    if not isinstance(place, Path):
        return False
    try:
        with LocalRunStore(place).lock():
            if read_run(place, RUN) != run.plan:
                return False
            change(place)
    except (ConvvizError, OSError):
        return False
    return True


def _ids(items: Sequence[Item]) -> tuple[str, ...]:
    return items.ids if isinstance(items, ItemTable) else tuple(item.id for item in items)
