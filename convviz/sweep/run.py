"""The run folder, read back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from ..data.fingerprint import Content
from ..data.item_table import ItemTable
from ..errors import ConvvizError, ParameterError, UnknownNameError
from ..explanation.explanation import Explanation, load
from ..network.model import Model
from ..storage.checksums import CHECKSUMS
from ..storage.path_names import folder_name, layer_name
from ..storage.untrusted_files import check_inside
from ..text import natural, printable
from .input.loader import Skipped
from .store.file_lock import locked
from .store.local import RESULTS, RUN, SWEEP, Store, is_run
from .store.object_store import Remote, place_of
from .store.remote import Copy
from .store.run_record import read_run
from .store.tables import ITEMS, SKIPPED, rows, skipped_types

GIVE = "give it (query(run, images, model=…), on the command line -m)"


class _ArrayError(ConvvizError, LookupError):
    """An array was asked for in the place of a layer."""


class Layers:
    """The results of one explainer: layer -> Explanation, loaded when asked for.

    Where there is a single layer, what an Explanation has (`values`, `show()`, …) is had
    directly. Iterating gives the layers, `items()` the layers with their explanations, both in
    the order in which the sweep took them: that of the network, or that asked for.
    """

    def __init__(self, folder: Path, copy: Copy | None = None, order: Sequence[str] = ()) -> None:
        self.folder = folder
        self._copy = copy
        names = sorted(_names_in(folder), key=natural)
        first = [layer for layer in order if layer in names]
        self._names = tuple(dict.fromkeys([*first, *names]))
        self._loaded: dict[str, Explanation] = {}

    def __getitem__(self, layer: str) -> Explanation:
        if layer not in self._names:
            if len(self) == 1 and layer in self.only.result.arrays:
                raise _ArrayError(
                    f"{layer!r} is an array of {self.folder.name}, not a layer: "
                    f"[{self._names[0]!r}][{layer!r}], or .only[{layer!r}]"
                )
            raise UnknownNameError(f"layer of {self.folder.name}", layer, self._names)
        if layer not in self._loaded:
            if self._copy is not None:
                self._copy.fetch(self.folder / folder_name(layer))
            folder = self.folder / folder_name(layer)
            check_inside(self.folder, folder)
            self._loaded[layer] = load(folder)
        return self._loaded[layer]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, layer: object) -> bool:
        return layer in self._names

    def keys(self) -> tuple[str, ...]:
        """Return the layers."""
        return self._names

    def items(self) -> Iterator[tuple[str, Explanation]]:
        """Yield each layer with its explanation, loading them one by one."""
        return ((layer, self[layer]) for layer in self._names)

    @property
    def only(self) -> Explanation:
        """The explanation of the single layer; raises ConvvizError where there are several."""
        if len(self) != 1:
            raise ConvvizError(
                f"{self.folder.name} has {len(self)} layers, choose one: {', '.join(self)}"
            )
        return self[self._names[0]]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if not hasattr(Explanation, name) and name not in Explanation.__dataclass_fields__:
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")
        return getattr(self.only, name)

    def __repr__(self) -> str:
        return printable(f"<{self.folder.name}: {', '.join(self)}>")


class Run:
    """A finished run: explainer -> layer -> Explanation. Iterating gives the explainers.

    Attributes:
        folder: where it is; for a run of an object store a temporary folder, into which each
            result is fetched when it is first asked for.
        address: the folder, or the address in an object store.
        plan: what `run.json` holds: model, data set, explainers, versions.
        model: the model that the run was made with, where it is known.
    """

    def __init__(self, folder: str | Path, model: Model | None = None) -> None:
        place = place_of(folder)
        self._copy = Copy(place) if isinstance(place, Remote) else None
        self.folder = self._copy.folder if self._copy else Path(folder)
        self.address = str(place)
        self.plan = _read_plan(self.folder)
        self.model = model
        self._results: dict[str, Layers] = {}

    @cached_property
    def explainers(self) -> tuple[str, ...]:
        """The explainers that have results."""
        return tuple(sorted(_names_in(self.folder / RESULTS)))

    @cached_property
    def items(self) -> ItemTable:
        """The items that were used; results count them in this order."""
        return ItemTable(self.folder / ITEMS, self.plan[CHECKSUMS][ITEMS], self.plan["items"])

    @cached_property
    def skipped(self) -> tuple[Skipped, ...]:
        """The items that could not be used, with the reason."""
        table, checksum = self.folder / SKIPPED, self.plan[CHECKSUMS][SKIPPED]
        skipped = tuple(_skipped(row) for row in rows(table, skipped_types(), checksum))
        if len(skipped) != (count := self.plan["skipped"]):
            raise ConvvizError(f"{table} is damaged: it has {len(skipped)} rows instead of {count}")
        return skipped

    @property
    def notes(self) -> tuple[str, ...]:
        """What the data set lacks: files that were left out, items without a label."""
        return tuple(self.plan["dataset"].get("notes", ()))

    @property
    def nonfinite(self) -> dict[str, int]:
        """How many values of a layer were NaN or infinite; layers without any are left out."""
        return dict(self.plan.get("nonfinite", {}))

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the data set's classes."""
        return tuple(self.plan["dataset"]["classes"])

    def load_model(self, device: str = "auto", dtype: str | None = None) -> Model:
        """Load the model of the run again.

        Args:
            device: where it shall run.
            dtype: as for `convviz.load_model`; that of the run if not given.

        Raises:
            ParameterError: the run does not say how, or other weights are loaded now.
        """
        from ..plugin.sources import load_recorded_model

        saved = self.plan["model"]
        source = saved.get("source", "")
        # Anybody may have written the folder, and some sources run any code.
        model = load_recorded_model(source, device=device, dtype=dtype or self.plan["dtype"])
        if model is None:
            how = f", loaded from {source!r}" if source else ""
            raise ParameterError(f"this needs the model of the run ({saved['name']}{how}): {GIVE}")
        if model.weights_hash != saved["weights_hash"]:
            raise ParameterError(
                f"{source!r} loads other weights now than those of the run: {GIVE}"
            )
        return model

    def __getitem__(self, name: str) -> Layers:
        if name not in self.explainers:
            raise UnknownNameError("explainer of this run", name, self.explainers)
        if name not in self._results:
            order = self.plan["explainers"].get(name, {}).get("layers", ())
            folder = self.folder / RESULTS / folder_name(name)
            check_inside(self.folder, folder)
            self._results[name] = Layers(folder, self._copy, order)
        return self._results[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.explainers)

    def __len__(self) -> int:
        return len(self.explainers)

    def __contains__(self, name: object) -> bool:
        return name in self.explainers

    def __repr__(self) -> str:
        count = f"{len(self.items)} items" + (
            f", {len(self.skipped)} skipped" if self.skipped else ""
        )
        return printable(f"<Run {self.address!r}: {', '.join(self.explainers)}; {count}>")


def open_run(folder: str | Path, model: Model | None = None) -> Run:
    """Open a run folder that `analyze` wrote.

    Args:
        folder: the run folder, also one of an object store ("s3://bucket/run").
        model: the model it was made with, for `convviz.query`.
    """
    return Run(folder, model)


def _skipped(row: dict[str, Any]) -> Skipped:
    size, sha256 = row.get("bytes"), row.get("sha256")
    content = None if size is None or sha256 is None else Content(size, sha256)
    return Skipped(row["index"], row["id"], row["reason"], content)


def _names_in(folder: Path) -> list[str]:
    """Return what the folders inside of a folder of results are called after."""
    try:
        return [layer_name(path.name) for path in folder.iterdir() if path.is_dir()]
    except OSError as error:
        raise ConvvizError(f"{folder} cannot be read: {error.strerror}") from error


def _read_plan(folder: Path) -> dict[str, Any]:
    if (folder / SWEEP / "done").is_dir():  # complete, and killed before all was in its place
        with locked(folder):
            Store(folder).settle()
    if not is_run(folder) and (folder / SWEEP).is_dir():
        raise ConvvizError(f"the run in {str(folder)!r} is not finished: the same analyze goes on")
    if not is_run(folder):
        raise ConvvizError(f"{str(folder)!r} is not a run folder: it has no {RUN} and {ITEMS}")
    return read_run(folder, RUN)
