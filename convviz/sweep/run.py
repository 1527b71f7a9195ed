"""A finished run, opened for reading."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import notebook
from ..data.fingerprint import Content
from ..data.item_table import ItemTable
from ..errors import ConvvizError, ParameterError, UnknownNameError, printable
from ..explanation.explanation import Explanation
from ..network.model import Model
from ..storage.checksums import CHECKSUMS
from ..storage.path_names import folder_name
from ..storage.table_formats import to_pandas
from ..storage.untrusted_files import check_inside
from .class_names import class_names
from .input.loader import SkippedItem
from .layer_results import LayerResults, names_in
from .plan import OMITTED
from .store.factory import open_reader, place_of
from .store.file_names import ITEMS, RESULTS, RUN, SKIPPED
from .store.run_record import read_run
from .store.tables import read_rows, skipped_types
from .units import UnitRanking, rank_units

if TYPE_CHECKING:
    from ..data.dataset import Dataset

PASS_MODEL = "pass it: query(run, images, model=…), on the command line -m"


class Run:
    """A finished run: explainer -> layer -> Explanation. Iterating yields the explainers.

    Attributes:
        folder: the run folder; for a run in an object store a temporary folder, into which each
            result is fetched on first access.
        address: the folder, or the address in an object store.
        plan: the content of `run.json`: model, data set, explainers, versions.
        model: the model of the run, if it is known.
        photos: the data set or its source; by default it is opened where the run found it.
    """

    def __init__(self, folder: str | Path, model: Model | None = None, photos: Any = None) -> None:
        place = place_of(folder)
        self._reader = open_reader(place)
        self.folder = self._reader.folder
        self.address = str(place)
        self.plan = read_run(self.folder, RUN)
        self.model, self.photos = model, photos
        self._results: dict[str, LayerResults] = {}

    @cached_property
    def explainers(self) -> tuple[str, ...]:
        """The explainers that have results."""
        return tuple(sorted(names_in(self.folder / RESULTS)))

    @cached_property
    def items(self) -> ItemTable:
        """The items that were used. Results refer to items by their index here."""
        checksum = self.plan[CHECKSUMS][ITEMS]
        return ItemTable(self.folder / ITEMS, checksum, self.plan["items"], self.classes)

    @cached_property
    def skipped(self) -> tuple[SkippedItem, ...]:
        """The items that could not be used, with the reason."""
        table, checksum = self.folder / SKIPPED, self.plan[CHECKSUMS][SKIPPED]
        skipped = tuple(map(_skipped_item, read_rows(table, skipped_types(), checksum)))
        if len(skipped) != (count := self.plan["skipped"]):
            raise ConvvizError(f"{table} is damaged: it has {len(skipped)} rows instead of {count}")
        return skipped

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes on the data set (files that were ignored, items without a label), and on
        results of default explainers that are missing."""
        omitted = self.plan.get(OMITTED, {})
        reasons = (f"No {name}: {reason}" for name, reason in omitted.items())
        return (*self.plan["dataset"].get("notes", ()), *reasons)

    @property
    def nonfinite(self) -> dict[str, int]:
        """Layer -> number of values that were NaN or infinite; layers without any are left out."""
        return dict(self.plan.get("nonfinite", {}))

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes of the data set.

        Classes that are numbers have the names of the outputs of the model that they stand for,
        and the number in parentheses where the name alone is ambiguous.
        """
        return class_names(self.plan)

    def load_model(self, device: str = "auto", dtype: str | None = None) -> Model:
        """Load the model of the run again.

        Args:
            device, dtype: as for `convviz.load_model`; the dtype of the run if not given.

        Raises:
            ParameterError: the run does not record the source of its model, the source may run
                code, or it has other weights now.
        """
        from ..plugin.sources import load_recorded_model

        saved = self.plan["model"]
        source = saved.get("source", "")
        # The folder may be untrusted, and some sources run code.
        model = load_recorded_model(source, device=device, dtype=dtype or self.plan["dtype"])
        if model is None:
            how = f", loaded from {source!r}" if source else ""
            raise ParameterError(
                f"this requires the model of the run ({saved['name']}{how}): {PASS_MODEL}"
            )
        if model.weights_hash != saved["weights_hash"]:
            raise ParameterError(
                f"{source!r} now has other weights than the model of the run: {PASS_MODEL}"
            )
        return model

    def to_arrow(self, name: str, layer: str | Sequence[str] | None = None) -> Any:
        """Return the results of an explainer as an Arrow table, see `to_pandas`."""
        import pyarrow as pa

        results = self[name]
        layers = list(results) if layer is None else [layer] if isinstance(layer, str) else layer
        tables = []
        for key in layers:
            table = results[key].to_arrow(self.classes)
            names = pa.array([key] * len(table), pa.string())
            tables.append(table.add_column(0, "layer", names))
        return pa.concat_tables(tables, promote_options="permissive")

    def to_pandas(self, name: str, layer: str | Sequence[str] | None = None) -> Any:
        """Return the results of an explainer as a pandas data frame, with a column for the layer.

        Args:
            name: the explainer.
            layer: a layer, or several; all layers if not given.

        Raises:
            ConvvizError: pandas is not installed.
            UnknownNameError: the run has no such explainer or layer.
        """
        return to_pandas(self.to_arrow(name, layer))

    def export_map(self, path: str | Path, layer: str | None = None) -> Path:
        """Write the map of embedding to a Parquet file for Embedding Atlas and similar viewers.

        The file has one row per image: `x`, `y`, `id`, `label`, `path`, the thumbnail `image` and,
        if the run has neighbors of the same layer, `neighbors`.

        Args:
            path: the file to write.
            layer: the layer of embedding; it may be omitted if there is only one.

        Raises:
            UnknownNameError: the run has no embedding, or not of this layer.
        """
        from .map_export import write_map

        maps = self["embedding"]
        points = maps.only if layer is None else maps[layer]
        has_neighbors = "neighbors" in self and points.layer in self["neighbors"]
        matches = self["neighbors"][points.layer] if has_neighbors else None
        write_map(Path(path), points, matches, self.classes)
        return Path(path)

    def open_dataset(self, photos: Any = None) -> Dataset:
        """Open the data set of the run, which holds its photos.

        Args:
            photos: the data set or its source, if it has moved or was given as an object; by
                default it is searched where the run found it, from the run folder as well.

        Raises:
            ParameterError: the data set is not there.
        """
        from .photos import open_dataset_of

        return open_dataset_of(self, photos)

    def draw(
        self,
        explainer: str,
        layer: str | None = None,
        *,
        units: int | str | Iterable[int | str] = (),
        queries: str | Iterable[str] = (),
        photos: Any = None,
    ) -> Explanation:
        """Return the result of a layer with its pictures, or those of chosen units or images.

        Args:
            explainer: its name.
            layer: the layer; may be omitted if there is only one.
            units: channels, or images for neighbors: numbers, and ranges such as "100-120,130";
                those that the explainer chose if neither units nor queries are given.
            queries: names of images whose neighbours are drawn: their ids, or the end of one.
            photos: as for `open_dataset`; needed for patches that have not been drawn before.

        Raises:
            ParameterError: a unit or an image does not exist, or the photos are not available.
        """
        from .pictures import draw_chosen

        results = self[explainer]
        explanation = results.only if layer is None else results[layer]
        return draw_chosen(self, explanation, units, queries, photos)

    def _draw_missing(self, explanation: Explanation) -> Explanation:
        from .pictures import draw_missing

        return draw_missing(self, {explanation.layer: explanation})[explanation.layer]

    def save_pictures(
        self,
        explainer: str | None = None,
        layer: str | Sequence[str] | None = None,
    ) -> bool:
        """Draw the pictures that results lack and save them in the run folder.

        The folder then holds the bytes of a sweep with `pictures=True`.

        Args:
            explainer: its name; all explainers if not given.
            layer: a layer, or several; all layers if not given.

        Returns:
            False if pictures could not be saved: the folder cannot be written, is in an object
            store, or the model of the run is not available.
        """
        from .pictures import save_missing

        saved = []
        for name in self.explainers if explainer is None else (explainer,):
            layers = [layer] if isinstance(layer, str) else layer or list(self[name])
            saved.append(save_missing(self, {key: self[name][key] for key in layers}))
        self._results.clear()
        return all(saved)

    def units(
        self, layer: str, classes: str | Sequence[str], explainer: str | None = None
    ) -> UnitRanking:
        """Return the units of a layer that respond to some classes, by lift.

        With best images (patches), the lift is the share of the classes among the images that
        activate a unit most, divided by their share among all images. Otherwise, with means
        by class (statistics), it is the mean activation on the images of the classes, divided by
        that on all images; for a layer with negative values, the shares of images in which the
        unit fires are compared.

        Args:
            layer: a layer of the run.
            classes: names of classes, or patterns such as "*terrier", of the data set or the
                model; or ranges of outputs of the model, such as "151-268", the dogs of ImageNet.
            explainer: whose results are used, if several have the layer.
        """
        return rank_units(self, layer, classes, explainer)

    def __getitem__(self, name: str) -> LayerResults:
        if name not in self.explainers:
            raise UnknownNameError("explainer of this run", name, self.explainers)
        if name not in self._results:
            order = self.plan["explainers"].get(name, {}).get("layers", ())
            folder = self.folder / RESULTS / folder_name(name)
            check_inside(self.folder, folder)
            self._results[name] = LayerResults(folder, self._reader, order, self._draw_missing)
        return self._results[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.explainers)

    def __len__(self) -> int:
        return len(self.explainers)

    def __contains__(self, name: object) -> bool:
        return name in self.explainers

    def _repr_html_(self) -> str:
        rows = [(name, ", ".join(self[name])) for name in self.explainers]
        facts = {
            "model": str(self.plan["model"].get("name", "")),
            "data set": str(self.plan["dataset"].get("name", "")),
            "images": f"{len(self.items)}, {len(self.skipped)} skipped",
        }
        head = notebook.facts(f"Run {self.address}", facts)
        return head + notebook.table(("explainer", "layers"), rows)

    def __repr__(self) -> str:
        count = f"{len(self.items)} items" + (
            f", {len(self.skipped)} skipped" if self.skipped else ""
        )
        return printable(f"<Run {self.address!r}: {', '.join(self.explainers)}; {count}>")


def open_run(folder: str | Path, model: Model | None = None) -> Run:
    """Open a run folder that `analyze` wrote.

    Args:
        folder: the run folder, or an address in an object store ("s3://bucket/run").
        model: the model of the run, for `convviz.query`.
    """
    return Run(folder, model)


def _skipped_item(row: dict[str, Any]) -> SkippedItem:
    size, sha256 = row.get("bytes"), row.get("sha256")
    content = None if size is None or sha256 is None else Content(size, sha256)
    return SkippedItem(row["index"], row["id"], row["reason"], content)
