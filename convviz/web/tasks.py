"""The tasks that the process of a model carries out: arguments -> result and files."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .. import api
from ..errors import ConvvizError, ParameterError
from ..images.preprocess import Preprocess
from ..locality import ReceptiveField
from ..plugin import registry
from ..report.site import Site
from ..report.writer import write_site
from ..results.types import Matches
from ..scores.outputs import Forward
from ..scores.targets import Unit, parse_target
from ..sweep.queries import query_layers
from .explainer_forms import agreement_of, build_from_texts, list_explainers
from .loaded_model import LoadedModel, PreparedPhoto
from .navigation import LIVE, WORKBENCH
from .photos import CheckedPhotos, RunPhotos
from .rectangle import RectangleScores
from .reproduce import covered_lines, python_lines, query_lines, shell_line
from .result_files import MEDIA_TYPES, Files, classes_of, document_of, map_of, png
from .unit_place import place_in_run

Arguments = Mapping[str, Any]
Answer = tuple[dict[str, Any], Files]

TOP_CLASSES = 5
STRONGEST_UNITS = 10


def describe_model(state: LoadedModel, arguments: Arguments) -> Answer:
    """Return the labels, the layers and the input of the model."""
    model = state.model
    with model.session():
        layers = [
            {
                "name": info.name,
                "kind": info.kind,
                "shape": info.shape,
                "receptive_field": info.receptive_field,
                "default_for": info.default_for,
            }
            for info in model.layers()
        ]
    height, width = model.input_size
    document = {
        "name": model.name,
        "source": _source(state),
        "labels": model.labels,
        "layers": layers,
        "height": height,
        "width": width,
        "device": str(model.device),
    }
    return document, {}


def explainers(state: LoadedModel, arguments: Arguments) -> Answer:
    """Return the explainers with their parameters."""
    return list_explainers(arguments["family"]), {}


def predict(state: LoadedModel, arguments: Arguments) -> Answer:
    """Return the most probable classes of a photo, and the model's view of it."""
    photo = state.photo(arguments["photo"])
    files = {"photo.png": ("image/png", png(photo.batch.pixels[0].numpy()))}
    scores = photo.scores[0]
    top = classes_of(scores, _probabilities(state, scores), state.model.label, TOP_CLASSES)
    return {"classes": top}, files


def explain(state: LoadedModel, arguments: Arguments) -> Answer:
    """Run one explainer on a photo, or on the model alone."""
    name, text = arguments["explainer"], arguments["target"]
    explainer, texts = build_from_texts(
        name, arguments["parameters"], state.model, state.settings.run
    )
    photo = None if arguments["photo"] is None else state.photo(arguments["photo"])
    if photo is None and explainer.needs_image:
        raise ParameterError(f"{name} needs a photo")
    target = parse_target(text, state.model.labels) if text else None
    image = photo.photo if photo is not None and explainer.needs_image else None
    start = time.perf_counter()
    explanation = api.explain(state.model, image, explainer, target=target)
    seconds = time.perf_counter() - start
    document, files = document_of(explanation)
    shown = None if image is None else arguments["photo"]["name"]
    document |= {
        "result": state.keep(explanation),
        "seconds": seconds,
        "python": python_lines(_source(state), shown, name, explainer, target),
        "shell": shell_line(_source(state), shown, name, texts, text),
    }
    return document, files


def draw(state: LoadedModel, arguments: Arguments) -> Answer:
    """Draw a picture of a result as a file, with titles and notes."""
    explanation = state.explanation(arguments["result"])
    kind, number = arguments["format"], arguments["picture"]
    pictures = explanation.pictures(kind)
    if number >= len(pictures):
        raise ParameterError(f"picture {number}: the result has {len(pictures)} pictures")
    picture = pictures[number]
    return {"name": picture.file_name}, {picture.file_name: (MEDIA_TYPES[kind], picture.data)}


def agreement(state: LoadedModel, arguments: Arguments) -> Answer:
    """Return how far the maps of several results agree."""
    return {"pairs": agreement_of([state.explanation(key) for key in arguments["results"]])}, {}


def cover(state: LoadedModel, arguments: Arguments) -> Answer:
    """Return the scores of a photo with a rectangle covered by the mean colour."""
    model, photo = state.model, state.photo(arguments["photo"])
    x0, y0, x1, y1 = box = arguments["box"]
    height, width = photo.batch.images.shape[-2:]
    if not (0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height):
        raise ParameterError(f"rectangle {box}: it is empty, or not inside {width} x {height}")
    with model.session():
        covered = _rectangle(state, photo)(box)
        index = _class_index(state, photo, arguments["target"])
    before, after = photo.scores[0], covered.scores
    old, new = _probabilities(state, before), _probabilities(state, after)
    rectangle = photo.rectangle
    assert rectangle is not None
    document = {
        "index": index,
        "label": model.label(index),
        "before": float(before[index]),
        "after": float(after[index]),
        "probability_before": None if old is None else float(old[index]),
        "probability_after": None if new is None else float(new[index]),
        "top": classes_of(after, new, model.label, TOP_CLASSES),
        "incremental": covered.is_incremental,
        "seconds": covered.seconds,
        "full_pass": rectangle.full_pass,
        "reason": rectangle.reason,
        "may_be_faster": rectangle.may_be_faster,
        "python": covered_lines(
            _source(state),
            arguments["photo"]["name"],
            box,
            index,
            isinstance(model.preprocess, Preprocess),
        ),
    }
    return document, {}


def prepare_cover(state: LoadedModel, arguments: Arguments) -> Answer:
    """Prepare rectangles on a photo; with `exports` also incremental inference, for seconds."""
    photo = state.photo(arguments["photo"])
    with state.model.session():
        rectangle = _rectangle(state, photo)
        if arguments["exports"] and rectangle.may_be_faster:
            rectangle.prepare()
    return {"reason": rectangle.reason, "max_area": rectangle.max_area}, {}


def unit_map(state: LoadedModel, arguments: Arguments) -> Answer:
    """Return the activation map of a unit on a photo, and the units that are most active."""
    layer, unit = arguments["layer"], arguments["unit"]
    photo = state.photo(arguments["photo"])
    forward = state.model.forward(photo.batch.images, [layer])
    activations = forward.activations[layer]
    if activations.ndim not in (2, 4) or (unit or 0) >= activations.shape[1]:
        raise ParameterError(
            f"unit {unit} of {layer!r}: its output has the shape {list(activations.shape[1:])}"
        )
    strongest = _strongest_units(activations[0])
    unit = strongest[0]["unit"] if unit is None else unit
    values = activations[0, unit].double().cpu()
    place = place_in_run(state.run, state.model, photo.batch, forward, layer, unit)
    document = {
        "unit": unit,
        "value": float(values.max()),
        "strongest": strongest,
        "place": place,
    }
    if values.ndim == 0:  # a layer without positions
        return {**document, "map": None}, {}
    shown, files = map_of(values.numpy(), "activation", bool((values < 0).any()))
    files["photo.png"] = ("image/png", png(photo.batch.pixels[0].numpy()))
    field = _receptive_field(state, photo, layer)
    return {**document, "map": shown, "receptive_field": str(field)}, files


def _strongest_units(activations: Tensor) -> list[dict[str, Any]]:
    """Return the units `[C, …]` with the highest values; of equal ones, by the mean of the map."""
    values = activations.double().cpu().flatten(1) if activations.ndim > 1 else activations[:, None]
    highest, means = values.amax(1).tolist(), values.mean(1).tolist()
    order = sorted(range(len(highest)), key=lambda unit: (-highest[unit], -means[unit]))
    return [{"unit": unit, "value": highest[unit]} for unit in order[:STRONGEST_UNITS]]


def unit_gradient(state: LoadedModel, arguments: Arguments) -> Answer:
    """Return the guided gradient of a unit at a position, and its receptive field."""
    layer, y, x = arguments["layer"], arguments["y"], arguments["x"]
    photo = state.photo(arguments["photo"])
    unit = Unit(layer, arguments["unit"], (y, x))
    explainer = registry.explainer("guided_backprop")
    explanation = api.explain(state.model, photo.photo, explainer, target=unit)
    document, files = document_of(explanation)
    field = _receptive_field(state, photo, layer)
    name = arguments["photo"]["name"]
    document |= {
        "result": state.keep(explanation),
        "box": None if field.whole else field.support(y, x),
        "receptive_field": str(field),
        "python": python_lines(_source(state), name, "guided_backprop", explainer, unit),
        "shell": shell_line(_source(state), name, "guided_backprop", {}, str(unit)),
    }
    return document, files


def guided_patches(state: LoadedModel, arguments: Arguments) -> Answer:
    """Return the guided gradients of the top patches of a unit of the run.

    With `refused`, the reason, if they cannot be computed with this model.
    """
    try:
        gradients = state.guided_gradients
    except ConvvizError as error:
        return {"refused": str(error)}, {}
    document, files = gradients.of_unit(arguments["layer"], arguments["unit"])
    return {**document, "refused": ""}, files


def neighbours(state: LoadedModel, arguments: Arguments) -> Answer:
    """Return the nearest images of the run."""
    if state.run is None:
        raise ParameterError("no run was opened")
    photo, k = state.photo(arguments["photo"]), arguments["k"]
    layers = query_layers(state.run)
    layer = arguments["layer"] or (layers[-1] if layers else None)
    explanation = api.query(state.run, photo.photo, k, state.model, layer)
    result = explanation.result
    if not isinstance(result, Matches) or not result.found:
        raise ConvvizError(f"{explanation.name} returned no neighbours")
    rows = {name: row for row, name in enumerate(state.run.items.ids)}
    found = [
        {
            "id": m["id"],
            "distance": float(m["distance"]),
            "class": m.get("class"),
            "row": rows.get(m["id"]),
        }
        for m in result.found[0]
    ]
    name = arguments["photo"]["name"]
    document = {
        "layer": explanation.layer or layer,
        "layers": layers,
        "unit": result.unit,
        "found": found,
        "python": query_lines(state.run.address, _source(state), name, k, layer),
    }
    return document, {}


def pages(state: LoadedModel, arguments: Arguments) -> Answer:
    """Write the report of the run into a folder that holds the static files already."""
    if state.run is None:
        raise ParameterError("no run was opened")
    photos = CheckedPhotos(state.run, RunPhotos(state.run, state.settings.photos))
    site = Site(state.run, Path(arguments["folder"]), photos=photos, live=LIVE)
    write_site(site, [WORKBENCH])
    links = [(link.page, link.text, link.href) for link in site.links if link != WORKBENCH]
    return {"links": links}, {}


def _rectangle(state: LoadedModel, photo: PreparedPhoto) -> RectangleScores:
    if photo.rectangle is None:
        photo.rectangle = RectangleScores(state.model, photo.batch.images)
    return photo.rectangle


def _receptive_field(state: LoadedModel, photo: PreparedPhoto, layer: str) -> ReceptiveField:
    height, width = photo.batch.images.shape[-2:]
    return state.model.receptive_field(layer, (height, width))


def _class_index(state: LoadedModel, photo: PreparedPhoto, text: str) -> int:
    """Return the class that a target names; the top class for an empty text."""
    target = parse_target(text, state.model.labels) if text else None
    if isinstance(target, str | int | None):
        [resolved] = state.model.resolve(target, Forward(photo.scores, {}))
        assert resolved.index is not None
        return resolved.index
    raise ParameterError(f"target {text!r}: covering a rectangle needs a class")


def _probabilities(state: LoadedModel, scores: Tensor) -> Tensor | None:
    """Return the probabilities of scores `[classes]`; None for scores without any."""
    try:
        return state.model.probabilities(scores[None].to(torch.float64))[0]
    except ConvvizError:
        return None


def _source(state: LoadedModel) -> str:
    return state.settings.source or state.model.source


TASKS: dict[str, Callable[[LoadedModel, Arguments], Answer]] = {
    "model": describe_model,
    "explainers": explainers,
    "predict": predict,
    "explain": explain,
    "draw": draw,
    "agreement": agreement,
    "cover": cover,
    "prepare_cover": prepare_cover,
    "unit_map": unit_map,
    "unit_gradient": unit_gradient,
    "guided_patches": guided_patches,
    "neighbours": neighbours,
    "pages": pages,
}
"""Name -> function of the state and the checked arguments. Pages cannot ask for "pages"."""
