"""Base classes of explainers: of images (Explainer) and of data sets (DatasetExplainer)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator
from torch import Tensor

from ..errors import ConvvizError, ParameterError
from ..layers.defaults import LayerKind
from ..results.types import Result

if TYPE_CHECKING:
    from ..data.dataset import Dataset, Items
    from ..images.batch import Batch
    from ..network.model import Model
    from ..scores.outputs import Forward
    from ..scores.targets import Target

MapKind = Literal["gradient", "contribution", "rank"]
"""The meaning of a map over an image, which decides how its quality can be measured.

"gradient": the derivative of the score with respect to the input, or a modified one; if the colour
channels of the map are combined, the array "gradient" `[N, C, H, W]` has all of them.
"contribution": values in units of the score, whose sum over a region is what the region
contributes. "rank": only the order of the values has a meaning, high for important pixels.
"""

Partial = dict[str, dict[str, Tensor]]
"""Intermediate result of a DatasetExplainer for a batch or a shard: `partial[layer][name]`.

The tensors are on the CPU. The layer "" holds values that belong to no layer.
"""


def partial_problem(partial: object) -> str:
    """Return why an object is not a Partial, or "" if it is one."""
    expected = "a partial is a dict layer -> dict name -> tensor on the CPU"
    if not isinstance(partial, dict):
        return f"{expected}, not {type(partial).__name__}"
    for layer, tensors in partial.items():
        if not isinstance(layer, str) or not isinstance(tensors, dict):
            hint = '; the layer "" holds values that belong to no layer'
            return f"{expected}, but partial[{layer!r}] is {type(tensors).__name__}{hint}"
        if not tensors:
            return f"partial[{layer!r}] is empty; leave the layer out"
        for name, tensor in tensors.items():
            entry = f"partial[{layer!r}][{name!r}]"
            if not isinstance(name, str) or not isinstance(tensor, Tensor):
                return f"{expected}, but {entry} is {type(tensor).__name__}"
            if tensor.device.type != "cpu":
                return f"{expected}, but {entry} is on {tensor.device}"
    return ""


class Explainer(BaseModel):
    """Base class of explainers of images. The fields of a subclass are its parameters.

    Declare each parameter as a pydantic field with a default and a description: validation, `repr`,
    command-line help and saved metadata are derived from it. Instances are immutable and have no
    state.

    An explainer that reads one layer has a field `layer`. One that reads several layers is a
    `DatasetExplainer`, whose field is `layers`.

    Attributes:
        needs_image: False for an explainer of the model alone.
        uses_target: False for an explainer whose result does not depend on the target.
        aliases: other names of the method -> a sentence that says how this explainer provides
            it, shown to users who ask for that name.
        default_layer_kind: the kind of layer read if none is given, see `Model.default_layers`;
            None for an explainer without a choice of layer.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    needs_image: ClassVar[bool] = True
    uses_target: ClassVar[bool] = True
    aliases: ClassVar[Mapping[str, str]] = {}
    default_layer_kind: ClassVar[LayerKind | None] = None

    @property
    def map_kind(self) -> MapKind | None:
        """The kind of the map in the result; None for a result that is not a map of importance.

        Override it by a class variable, `map_kind: ClassVar[MapKind | None] = "rank"`, or by a
        property if it depends on parameters.
        """
        return None

    def layers(self, model: Model) -> tuple[str, ...]:
        """Return the layers whose activations `explain` reads from `forward`."""
        return ()

    def reads_forward(self) -> bool:
        """Return whether `explain` reads `forward` or the targets.

        False saves a forward pass for an explainer that only passes its targets on to
        `Model.gradient`, which then resolves them from its own pass. Until that call the targets
        cannot be read, and `forward` is empty.
        """
        return True

    def explain(
        self, model: Model, batch: Batch, target: tuple[Target, ...], forward: Forward
    ) -> Result:
        """Return the result for the batch.

        Args:
            model: the model, in eval mode.
            batch: the images; images `[N, C, H, W]` are on the model's device.
            target: one resolved target per image.
            forward: the forward pass on the unchanged images, shared by all explainers of the
                call: scores `[N, classes]` and the activations of `layers`.
        """
        raise NotImplementedError(f"{type(self).__name__} does not explain single images")

    def explain_targets(
        self, model: Model, batch: Batch, targets: Sequence[tuple[Target, ...]], forward: Forward
    ) -> tuple[Result, ...]:
        """Return one result per target of the same images.

        Override it if targets can share work; `explain` is called for each otherwise.

        Args:
            model, batch, forward: as in `explain`.
            targets: for each target, one resolved target per image.
        """
        return tuple(self.explain(model, batch, target, forward) for target in targets)


class DatasetExplainer(BaseModel):
    """Base class of explainers of data sets.

    `reduce` turns a batch into a Partial, `merge` joins two neighbouring partials of a shard, and
    `finish` reads the partials of all shards in order and returns one result per layer. There is
    no mutable state, so a sweep can be resumed, retried and distributed without further code.

    Attributes:
        layers: the layers to read, a name or several; empty means `default_layers(model)`.
        default_layer_kind: the kind of layers read if none are given, see `Model.default_layers`;
            None for an explainer that overrides `default_layers`.
        aliases: as in `Explainer`.
        dataset_fields: names of the fields that `for_dataset` sets, dicts by class. Extending a run
            may add entries to them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    needs_image: ClassVar[bool] = True
    uses_target: ClassVar[bool] = False
    aliases: ClassVar[Mapping[str, str]] = {}
    dataset_fields: ClassVar[tuple[str, ...]] = ()

    default_layer_kind: ClassVar[LayerKind | None] = None

    layers: tuple[str, ...] = Field(
        (), description="Layers to read: a name or several; `convviz layers` marks the default."
    )

    @field_validator("layers", mode="before")
    @classmethod
    def _as_tuple(cls, names: Any) -> Any:
        """Accept a single name."""
        if isinstance(names, str):
            return (names,) if names else ()
        return names

    def default_layers(self, model: Model) -> tuple[str, ...]:
        """Return the layers read if none are given: those of `default_layer_kind`."""
        if self.default_layer_kind is None:
            raise ParameterError(f"{type(self).__name__} has no default layers: give layers=…")
        return model.default_layers(self.default_layer_kind)

    def resolve_layers(self, model: Model) -> tuple[str, ...]:
        """Return the layers this explainer reads, checked against the model."""
        names = self.layers or self.default_layers(model)
        return tuple(model.check_layer(name) for name in names)

    def needs(self) -> tuple[DatasetExplainer, ...]:
        """Return the explainers whose results this one uses; equal ones are run once per sweep."""
        return ()

    def optional_needs(self, others: tuple[DatasetExplainer, ...]) -> tuple[DatasetExplainer, ...]:
        """Return the explainers among `others` whose results this one uses if they exist.

        Args:
            others: the other explainers that were requested for the sweep.
        """
        return ()

    def for_dataset(self, model: Model, dataset: Dataset) -> DatasetExplainer:
        """Return the explainer with the parameters that depend on the data set.

        It is called once, before the sweep; the parameters are saved in the plan.
        """
        return self

    def reduce(self, model: Model, batch: Batch, forward: Forward) -> Partial:
        """Return the intermediate result of a batch, `partial[layer][name]`.

        Values that belong to no layer go under the layer "".
        """
        return {}

    def merge(self, a: Partial, b: Partial) -> Partial:
        """Return the partial of two neighbouring sets of items, `a` before `b`.

        Must be associative. `a` and `b` have the layers that `reduce` returned.
        """
        raise NotImplementedError

    def finish(
        self,
        model: Model,
        partials: Iterator[Partial],
        items: Items,
        needs: tuple[Mapping[str, Result], ...],
    ) -> dict[str, Result]:
        """Return the results, layer -> Result.

        Args:
            model: the model of the sweep.
            partials: the partials of the shards, in item order.
            items: the items of the data set; `items.load(i)` reads a photo.
            needs: the results of `needs()`, in its order, and after them those of
                `optional_needs()` that exist.
        """
        raise NotImplementedError

    def add_pictures(
        self, model: Model, results: Mapping[str, Result], items: Items
    ) -> Mapping[str, Result]:
        """Return results of `finish` with pictures that take longer to compute than the results.

        It is called when something shows the results, or at the end of a sweep with `pictures`.
        Override it for Tiles whose stacks are cut out of photos: `finish` then returns an array
        "boxes" and the tiles to draw, `order`, without stacks.

        Args:
            model: the model of the run.
            results: layer -> result without stacks; `order` may have been replaced.
            items: the items of the run.
        """
        return results

    @classmethod
    def for_query(cls, run: str, k: int) -> DatasetExplainer | None:
        """Return an instance whose `explain` looks images up in a run; None if not supported.

        Args:
            run: folder or address of a finished run with results of this explainer.
            k: number of items to return per image.
        """
        return None

    def explain(
        self, model: Model, batch: Batch, target: tuple[Target, ...], forward: Forward
    ) -> Result:
        """Explain single images by the results of a finished run; not supported by default."""
        raise ConvvizError(
            f"{type(self).__name__} explains data sets: use convviz.analyze() or `convviz analyze`"
        )
