"""A page per layer: a contact sheet of all units, and the view of one unit in the same page."""

from __future__ import annotations

import shlex
from functools import partial
from typing import Any

import numpy as np

from .layer_units import LayerUnits
from .photo_pass import COLUMNS, Atlas, cut, save_picture
from .site import Link, Site, SiteLayer
from .unit_effects import effects_of_layer
from .unit_records import RowOf, column_record, lift_record, short, unit_chunks, visible_box

SECOND = "_second"
"""End of the name of a layer's contact sheet of the second run; slugs have no underscore."""

UNITS_PER_ATLAS = 512
TILE = 80
"""Side of a picture in the contact sheet, in pixels."""

STRIP = 18
"""Units of a layer that the overview shows."""

SORTS = {
    "unit": "number",
    "max": "maximum",
    "fires": "share of images that fire it",
    "selectivity": "selectivity",
    "prominence": "prominence",
}
"""Orders of the contact sheet: column and words."""

GUIDED_SIDE = 8192
"""Largest height of a picture of guided gradients: browsers shrink or refuse much larger ones."""


def links(site: Site) -> list[Link]:
    """Return one entry of the navigation: the first layer with units."""
    layers = [layer for layer in site.layers if layer.units]
    return [Link("layer", "Units", f"layer/{layers[-1].slug}.html")] if layers else []


def request_pictures(site: Site) -> None:
    """Request the top patch of every unit, and the photos of all top patches."""
    for layer in _layers(site):
        _request_sheet(site, layer.slug, _units(site, layer), lambda item: item)
        if site.second is not None and (units := _second_units(site, layer)) is not None:
            _request_sheet(site, layer.slug + SECOND, units, site.second.row_of)


def _request_sheet(site: Site, name: str, units: LayerUnits, row_of: RowOf) -> None:
    if units.tiles is None:
        return
    items, boxes = units.tiles["items"].tolist(), units.tiles["boxes"].tolist()
    atlases = site.sheets[name] = []
    for start in range(0, units.count, UNITS_PER_ATLAS):
        size = min(UNITS_PER_ATLAS, units.count - start)
        path = f"media/sheets/{name}/{start // UNITS_PER_ATLAS:03d}.jpg"
        atlas = site.pictures.atlas(path, size, TILE, COLUMNS)
        atlases.append(atlas)
        for index in range(size):
            item, box = items[start + index][0], boxes[start + index][0]
            row = row_of(item) if item >= 0 else None
            if row is not None and (visible := visible_box(units, item, box)):
                site.pictures.draw(row, partial(_draw_tile, atlas, index, visible))
    rows = {row_of(item) for row in items for item in row if item >= 0}
    for row in sorted(row for row in rows if row is not None):
        site.items.request_preview(row)


def _draw_tile(atlas: Atlas, index: int, box: Any, photo: np.ndarray) -> None:
    atlas.put(index, cut(photo, box, atlas.tile))


def write(site: Site) -> None:
    """Write the style of the contact sheets, and page and data of each layer."""
    _write_style(site)
    for layer in _layers(site):
        _write_layer(site, layer, _units(site, layer))


def _write_layer(site: Site, layer: SiteLayer, units: LayerUnits) -> None:
    columns = column_record(units)
    sorts = {name: words for name, words in SORTS.items() if name in {"unit", *units.columns}}
    second = _second_units(site, layer)
    shares = _changed_shares(site, units, second)
    if any(share is not None for share in shares):
        columns["columns"]["changed"] = shares
        sorts["changed"] = "changed top images"
    site.write_chunk(f"layer/{layer.slug}/units", columns)
    if (table := units.lift_table) is not None:
        site.write_chunk(f"layer/{layer.slug}/classes", lift_record(table))
    weights_hash = site.run.plan["model"]["weights_hash"]
    effects = effects_of_layer(site.maps.effects, layer.name, units.count, weights_hash)
    for block, records in unit_chunks(units, lambda item: item):
        if effects is not None:
            records = [record | {"matters": effects.record(record["unit"])} for record in records]
        site.write_chunk(f"layer/{layer.slug}/units-{block:03d}", records)
    of_second = _write_second(site, layer, second)
    drawn = _write_guided(site, layer, units)
    values = {
        "name": layer.name,
        "slug": layer.slug,
        "field": units.field,
        "run": site.run.address,
        "shell": shlex.join(["convviz", "show", site.run.address, "-e", "patches", "--layer"]),
        "serve": shlex.join(["convviz", "serve", site.run.address]),
        "guided": drawn,
        "draws_guided": _draws_guided(site, layer),
        "sheets": [atlas.record() for atlas in site.sheets.get(layer.slug, [])],
        "meaning": units.lifts.meaning if units.lifts is not None else "",
        "weights": str(units.tiles.measures.get("incoming weights", "")) if units.tiles else "",
        "lifts_from": units.lifts.explainer if units.lifts is not None else "",
        "has_patches": units.tiles is not None,
        "has_statistics": units.table is not None,
        "second": of_second,
        "provenance": _provenance(site),
    }
    site.write_chunk(f"layer/{layer.slug}/layer", values)
    site.write_page(
        "layer.html",
        f"layer/{layer.slug}.html",
        "layer",
        layer=layer,
        units=units,
        tiles=list(_tiles(site, layer, units)),
        sorts=sorts,
        second=site.second.name if site.second and shares else "",
        dead=int(units.dead.sum()),
        silent=int(units.silent.sum()),
        layers=_layers(site),
        missing=len(site.pictures.missing),
    )


def _tiles(site: Site, layer: SiteLayer, units: LayerUnits) -> Any:
    """Yield what the contact sheet shows of each unit, by number."""
    largest = units.columns["max"]
    for unit in range(units.count):
        yield {
            "unit": unit,
            "classes": _place(site, layer.slug, unit),
            "second": _place(site, layer.slug + SECOND, unit),
            "dead": bool(units.dead[unit]),
            "max": short(largest[unit]),
        }


def _place(site: Site, name: str, unit: int) -> str:
    """Return the classes of the tile of a unit in a contact sheet; "missing" if it has none."""
    atlases = site.sheets.get(name, [])
    block, index = divmod(unit, UNITS_PER_ATLAS)
    row, column = divmod(index, COLUMNS)
    is_drawn = block < len(atlases) and index in atlases[block].filled
    return f"{_sheet_class(name, block)} x{column} y{row}" if is_drawn else "missing"


def strip(site: Site, layer: SiteLayer) -> list[dict[str, Any]]:
    """Return the units of a layer that the overview shows: the most prominent ones."""
    if layer.slug not in site.sheets:
        return []
    units = _units(site, layer)
    key = units.columns.get("prominence", units.columns["max"])
    best = np.argsort(-np.nan_to_num(key, nan=-np.inf), kind="stable")[:STRIP].tolist()
    tiles = {tile["unit"]: tile for tile in _tiles(site, layer, units)}
    return [tiles[unit] for unit in best if tiles[unit]["classes"] != "missing"]


def _write_style(site: Site) -> None:
    """Write the places of tiles as classes: pages have no inline styles."""
    rows = UNITS_PER_ATLAS // COLUMNS
    rules = [f".x{x}{{background-position-x:calc({-x}*var(--tile))}}" for x in range(COLUMNS)]
    rules += [f".y{y}{{background-position-y:calc({-y}*var(--tile))}}" for y in range(rows)]
    for name, atlases in site.sheets.items():
        for block, atlas in enumerate(atlases):
            address = atlas.path.removeprefix("media/")
            rules.append(f'.{_sheet_class(name, block)}{{background-image:url("{address}")}}')
    path = site.folder / "media" / "sheets.css"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([*rules, ""]), "utf-8")


def _sheet_class(name: str, block: int) -> str:
    """Return the class of tiles of an atlas; a class must not start with a digit, as slugs may."""
    return f"sheet-{name}-{block}"


def _write_guided(site: Site, layer: SiteLayer, units: LayerUnits) -> dict[str, Any] | None:
    """Write the guided gradients that the run holds as pictures; return how to show them.

    The units are the rows of the pictures, and the patches of a unit are its columns.
    """
    if units.tiles is None or "guided gradients" not in units.tiles.arrays:
        return None
    pictures = units.tiles["guided gradients"].numpy()
    rows, columns, height, width = pictures.shape[:4]
    if not rows:
        return None
    block = max(1, GUIDED_SIDE // height)
    sheets = []
    for start in range(0, rows, block):
        part = pictures[start : start + block]
        sheet = part.transpose(0, 2, 1, 3, 4).reshape(len(part) * height, columns * width, 3)
        path = f"media/guided/{layer.slug}-{start // block}.jpg"
        save_picture(site.folder / path, sheet)
        sheets.append({"atlas": path, "rows": len(part)})
    return {"sheets": sheets, "block": block, "columns": columns, "height": height, "width": width}


def _draws_guided(site: Site, layer: SiteLayer) -> bool:
    """Return whether `convviz show` draws guided gradients of the units."""
    if "patches" not in site.run or layer.name not in site.run["patches"]:
        return False
    return bool(site.run["patches"][layer.name].parameters.get("guided"))


def _second_units(site: Site, layer: SiteLayer) -> LayerUnits | None:
    """Return the units of the same layer in the second run; None if it has none."""
    if site.second is None:
        return None
    units = LayerUnits(site.second.run, layer.name)
    return units if units.count else None


def _write_second(site: Site, layer: SiteLayer, units: LayerUnits | None) -> dict[str, Any] | None:
    """Write the units of the same layer in the second run; return what names it."""
    if site.second is None:
        return None
    name = {"model": site.second.run.plan["model"]["name"], "run": site.second.name, "count": 0}
    if units is None:
        return name
    for block, records in unit_chunks(units, site.second.row_of):
        site.write_chunk(f"layer/{layer.slug}/second-{block:03d}", records)
    site.write_chunk(f"layer/{layer.slug}/second", column_record(units))
    return {**name, "count": units.count, "has_patches": units.tiles is not None}


def _changed_shares(site: Site, units: LayerUnits, second: LayerUnits | None) -> list[float | None]:
    """Return which share of the top images of each unit are not those in the second run.

    Only images that both runs have are compared, as many as both have among the top ones of the
    unit: the images that only one run has displace others. None if there are none. The list is
    empty without a second run, or if one of the runs has no patches of the layer.
    """
    run = site.second
    if run is None or second is None or units.tiles is None or second.tiles is None:
        return []
    tops = [
        [row for row in _distinct(items) if run.rows_in_second[row] >= 0]
        for items in units.tiles["items"].tolist()
    ]
    others = [
        [row for item in _distinct(items) if (row := run.row_of(item)) is not None]
        for items in second.tiles["items"].tolist()
    ]
    shares: list[float | None] = []
    others += [[]] * (len(tops) - len(others))
    for top, other in zip(tops, others, strict=False):
        depth = min(len(top), len(other))
        kept = len({*top[:depth]} & {*other[:depth]})
        shares.append(round(1 - kept / depth, 4) if depth else None)
    return shares


def _distinct(items: list[int]) -> list[int]:
    """Return the top images of a unit by rank, each once; -1 stands for none."""
    return list(dict.fromkeys(item for item in items if item >= 0))


def _provenance(site: Site) -> dict[str, str]:
    plan = site.run.plan
    versions = ", ".join(f"{name} {version}" for name, version in plan["versions"].items())
    return {
        "model": plan["model"]["name"],
        "weights": plan["model"]["weights_hash"],
        "data set": plan["dataset"]["name"],
        "computed with": f"{versions}, {plan['dtype']}",
    }


def _units(site: Site, layer: SiteLayer) -> LayerUnits:
    return LayerUnits(site.run, layer.name, site.items.records)


def _layers(site: Site) -> list[SiteLayer]:
    return [layer for layer in site.layers if layer.units]
