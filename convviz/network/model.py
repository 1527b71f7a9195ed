"""The model that explainers work on: a network with its preprocessing, labels and sessions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn

from ..gradients.relu_rules import NonReLU, Rule, RuleSettings
from ..graph.export import Graph, NoGraph, Shape
from ..images.preprocess import Preprocess
from ..images.preprocess_import import as_preprocess
from ..layers import capture, naming
from ..layers.capture import AllKept, Keeper, LayerCalls
from ..layers.defaults import LayerKind, default_layers
from ..layers.gradient_edges import LayerEdges
from ..layouts import AxisLayout, arrange
from ..locality import ReceptiveField
from ..scores import targets
from ..scores.outputs import (
    Activation,
    Pick,
    at_least_float32,
    check_activation,
    layers_of,
    scores_of,
    values_of,
)
from ..scores.outputs import Forward as Forward
from ..scores.probabilities import ScoreReader
from ..scores.targets import Target, TargetSpec
from ..state.eager_mode import call_eagerly
from ..state.network_lock import lock_network
from .batch_behavior import Behavior, behavior_of, check_single, one_by_one
from .cropped_gradient import cropped_gradient
from .failures import explain_errors
from .graph_cache import cached_graph
from .input_gradient import gradient
from .interface import ModelCache
from .introspection import channels_in, check_images, first_float, likely_shapes, unwrap
from .layer_info import CellCenters, LayerList, centers_of, field_of, list_layers
from .layer_weights import used_weight
from .session import session
from .structure import Structure, mark, structure_of
from .summary import html_summary
from .tracing import layouts_of, trace_network
from .weights_hash import hash_weights


class Model(ScoreReader):
    """Wraps a network that maps images `[N, C, H, W]` to scores `[N, classes]`.

    Args:
        module: the network; it is explained in eval mode and left as it was.
        preprocess: turns photos into its input: a Preprocess, a dict of its fields,
            torchvision's or timm's transforms, or a function from a PIL image to `[C, H, W]`.
        labels: class names.
        output: selects the scores in the network's output: a key, an index, the name of an
            attribute, or a function.
        activation: turns scores into probabilities: "softmax", or "sigmoid" for classes that do
            not exclude each other. None means softmax, except for one output with two labels:
            then it means sigmoid, and the output is the score of labels[1], its negative that of
            labels[0].
        device: "auto" leaves the module on its device; any other value moves it.
        dtype: None leaves the module in its dtype; any other value converts it.
        name: shown to users.
        tf32: allow TensorFloat-32, the reduced float32 precision of NVIDIA's tensor cores.

    Attributes:
        source: the argument of `load_model` if it is enough to load the model again; else "".

    Raises:
        ModelError: the module is scripted or traced, which hides its layers.
    """

    def __init__(
        self,
        module: nn.Module,
        *,
        preprocess: Preprocess | Callable[[Any], Tensor] | None = None,
        labels: Sequence[str] | None = None,
        output: Pick = None,
        activation: Activation | None = None,
        device: str | torch.device = "auto",
        dtype: torch.dtype | None = None,
        name: str | None = None,
        tf32: bool = False,
    ) -> None:
        self.module = unwrap(module)
        self.preprocess = as_preprocess(preprocess)
        self.labels = tuple(labels or ())
        self.output = output
        self.activation = check_activation(activation)
        self.tf32 = tf32
        self.name = name or type(self.module).__name__
        self.source = ""
        if device != "auto" or dtype is not None:
            with lock_network(self.module):  # another Model may be running the network
                place = None if device == "auto" else torch.device(device)
                self.module.to(device=place, dtype=dtype)
        self._device = torch.device("cpu" if device == "auto" else device)
        self.cache = ModelCache()

    def __repr__(self) -> str:
        return f"Model({self.name}, {self.device}, {str(self.dtype).removeprefix('torch.')})"

    def _repr_html_(self) -> str:
        return html_summary(self)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"cache": self.cache.without_network()}

    @property
    def device(self) -> torch.device:
        """The device of the network."""
        return self._first().device

    @property
    def dtype(self) -> torch.dtype:
        """The floating-point type in which the network computes."""
        return self._first().dtype

    def _first(self) -> Tensor:
        """Return a tensor that has the network's device and dtype."""
        tensor = first_float(self.module)
        return torch.empty(0, device=self._device) if tensor is None else tensor

    def session(self) -> AbstractContextManager[None]:
        """Switch the network to eval mode, and restore everything at the end, also after errors.

        Restored are train and eval flags, `requires_grad`, `.grad`, hooks, buffers, the random
        generators of torch, numpy and Python, and the grad mode. Sessions may be nested. Other
        threads wait, including those that use another Model of the same network.

        Raises:
            ModelError: the network overrides `eval`, and its `train` does not undo it.
        """
        return session(self)

    def forward(self, images: Tensor, layers: Sequence[str] = ()) -> Forward:
        """Run the network without gradients and return copies of the outputs of some layers.

        Args:
            images: `[N, C, H, W]`, on any device and of any real dtype.
            layers: names of layers, as `layer_names` lists them.
        """
        with self.session(), torch.no_grad():
            output, activations = self.run(self.prepare_input(images), layers)
            self.check_raw(output, lambda: self.behavior(images).sigmoid)
        return Forward(output, activations)

    def scores(self, images: Tensor, target: Sequence[Target]) -> Tensor:
        """Return the value of each image's target, `[N]`."""
        with self.session(), torch.no_grad():
            output, activations = self.run(self.prepare_input(images), layers_of(target))
        return values_of(target, output, activations)

    def gradient(
        self,
        images: Tensor,
        target: Sequence[Target],
        rule: Rule = "plain",
        nonrelu: NonReLU = "clamp",
        notes: list[str] | None = None,
        layer: str | None = None,
        crop: bool = False,
        opens_gates: bool = False,
    ) -> Tensor:
        """Return the gradient of each image's target with respect to its pixels or a layer.

        With `layer`, the gradient is that of the layer's output as it is at the end of its call,
        before a later operation overwrites it in place. It has the shape and the layout of
        `forward(images, [layer]).activations[layer]`, so that the two can be multiplied.

        Args:
            images: `[N, C, H, W]`.
            target: one resolved target per image, of any kind.
            rule: "plain"; "guided" lets only positive gradients into open ReLUs (Springenberg
                et al. 2014); "deconv" positive ones into any (Zeiler & Fergus 2013).
            nonrelu: "clamp" treats other activations alike, with their own derivative;
                "error" refuses them.
            notes: receives remarks on the rule for the reader; without it, they are given as a
                ConvvizWarning.
            layer: name of the layer to differentiate with respect to; None for the pixels.
            crop: compute gradients of units on crops of the images around their receptive
                fields, if these are smaller and give the same gradient of one image. It is faster
                for many units of one layer, and affects rounding errors only.
            opens_gates: differentiate units before the ReLU, ReLU6, hard swish or clamp that ends
                their layer, where they have a gradient also at the upper limit of a ReLU6.

        Returns:
            `[N, C, H, W]` for the pixels; `[N, C, h, w]`, `[N, C]` or `[N, T, C]` for a layer.

        Raises:
            ModelError: the rule found no activation, or one that it cannot reach; or the
                target does not depend on the images or the layer.
            UnknownNameError: there is no such layer.
        """
        settings = RuleSettings(rule, nonrelu, notes, opens_gates).check()
        if crop and layer is None:
            return cropped_gradient(self, images, target, settings)
        return gradient(self, images, target, settings, layer)

    def prepare_input(self, images: Tensor) -> Tensor:
        """Return a copy of images `[N, C, H, W]` on the network's device and in its dtype."""
        check_images(images)
        self.cache.seen_shape = tuple(images.shape[1:])
        # A copy, so that the network can write into it; it is never an inference tensor.
        x = images.detach().to(self.device, self.dtype, copy=True)
        if len(x) > 1:  # measured before any function mode for gradients is entered
            check_single(self.behavior(x), self.name)
        return x

    def behavior(self, images: Tensor) -> Behavior:
        """Return whether the network couples the images of a batch, and whether it is random.

        Args:
            images: `[N, C, H, W]`, N at least 1.
        """
        key = (images.shape[1:], self.device, self.dtype)
        if key not in self.cache.behaviors:  # nothing changes the network during a session
            with self.session():
                first = images[:1].detach().to(self.device, self.dtype)
                measured = behavior_of(self, first)
                self.cache.behaviors[key] = measured
                return measured
        behavior: Behavior = self.cache.behaviors[key]
        return behavior

    def run(
        self,
        x: Tensor,
        layers: Sequence[str],
        layouts: dict[str, AxisLayout] | None = None,
        edges: LayerEdges | None = None,
        stops: bool = False,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Run the network, one image at a time if it couples the images of a batch.

        Args:
            x: the images, as `prepare_input` returns them.
            layers: names of the layers whose outputs are returned.
            layouts: of these layers; if given, their outputs stay connected to the images.
            edges: collects where the output of one of the layers enters autograd's graph.
            stops: end the pass at the last of the layers; the scores are then `[N, 1]` zeros.
        """
        if len(x) > 1 and self.behavior(x).single:
            return one_by_one(lambda image: self.run(image, layers, layouts, edges, stops), x)
        keeper = Keeper(layers, layouts is not None, edges, stops)
        layouts = layouts_of(self, x, layers) if layouts is None else layouts
        try:
            with explain_errors(self, x), capture.keep_outputs(self.module, keeper):
                out = call_eagerly(self.module, x)
        except AllKept:
            scores = at_least_float32(x.new_zeros(len(x), 1))
            return scores, arrange(keeper.activations, layouts, len(x))
        for name in keeper.unmatched_layers():
            capture.check(name, self.layer_names(tuple(x.shape[1:])))
        scores = self.both_classes(scores_of(out, self.output, len(x)))
        return at_least_float32(scores), arrange(keeper.activations, layouts, len(x))

    def resolve(self, target: TargetSpec, forward: Forward) -> tuple[Target, ...]:
        """Resolve a target once for every image of a clean forward pass.

        Args:
            target: a class index, a class name, a Unit, a Contrast, a list with one of these per
                image, or None for the top class (the first of several equal ones).
            forward: the pass; for units it must include the layers that `target_layers` returns.

        Raises:
            TargetError: the target does not fit the model or the images.
            UnknownNameError: there is no class of this name.
        """
        return targets.resolve_all(target, forward.output, forward.activations, self.labels)

    def target_layers(self, target: TargetSpec) -> tuple[str, ...]:
        """Return the layers of the units in a target, whose activations `resolve` needs."""
        return tuple(self.check_layer(name) for name in targets.units_of(target, self.labels))

    def calls(self, shape: tuple[int, ...] | None = None) -> LayerCalls:
        """List the layers in call order, by running the network once on two images of zeros.

        Args:
            shape: (C, H, W); None means the model's input size. The list is cached per shape.

        Raises:
            ModelError: no input size is known, and none of the usual sizes works.
        """
        return trace_network(self, [shape] if shape is not None else self._shapes())[1]

    def graph(self, shape: Shape) -> Graph | NoGraph:
        """Return the exported ATen graph for images of a shape (C, H, W), cached per shape.

        The first call takes seconds for a deep network. If the network cannot be exported, the
        result is a NoGraph with the reason.
        """
        return cached_graph(self, shape)

    @property
    def structure(self) -> Structure:
        """Fingerprint of the modules, tensors, hooks and attributes, without tensor values."""
        if self.cache.structure is None or self.cache.session_depth == 0:
            self.cache.structure = (structure_of(self.module), mark(self.output))
        return self.cache.structure

    def layer_names(self, shape: tuple[int, ...] | None = None) -> tuple[str, ...]:
        """Return the names of all layers in call order."""
        return tuple(call.name for call in self.calls(shape))

    def check_layer(self, name: str) -> str:
        """Return the name if the model has this layer; otherwise raise UnknownNameError."""
        return capture.check(name, self.layer_names())

    def submodule(self, layer: str) -> nn.Module:
        """Return the module of a layer; the number of a call (":2") is ignored.

        Raises:
            UnknownNameError: there is no such module.
        """
        modules: dict[str, nn.Module] = dict(self.module.named_modules())
        path = layer if layer in modules else naming.split(layer)[0]
        return modules[capture.check(path, [name for name in modules if name])]

    def weight(self, layer: str) -> Tensor:
        """Return a copy of the weight that a layer uses in a forward pass, on the network's device.

        Weight norm, pruning and parametrizations are applied, even if the module's attribute
        `weight` holds another tensor.

        Raises:
            ModelError: the layer runs neither a convolution nor a linear map.
        """
        return used_weight(self, layer)

    def default_layers(self, kind: LayerKind) -> tuple[str, ...]:
        """Return the layers that an explainer uses if none are given; see `layers.defaults`."""
        return default_layers(kind, self.module, self.calls())

    def layers(self) -> LayerList:
        """List the layers in call order: kind, output shape, receptive field, default marks."""
        return list_layers(self)

    def receptive_field(self, layer: str, size: tuple[int, int] | None = None) -> ReceptiveField:
        """Return the receptive field of every position of a layer, in model-input pixels.

        It is the whole image if it cannot be determined. `size` is the height and width of the
        images; None means `input_size`.
        """
        return field_of(self, layer, size)

    def cell_centers(self, layer: str, size: tuple[int, int] | None = None) -> CellCenters | None:
        """Return the centers of the cells of a layer's map, in pixels of the model's input.

        A cell is the part of the image that a position of the map stands for: its receptive field
        where that is local. Gates and attention, which see the whole image, do not change it.

        Args:
            layer: a layer's name.
            size: height and width of the images; None means `input_size`.

        Returns:
            The centers of the h rows and of the w columns; that of the first pixel is 0.5. None if
            the output has no rows and columns, or an operator moves them in an unknown way.
        """
        return centers_of(self, layer, size)

    @property
    def input_channels(self) -> int:
        """Number of channels of an image."""
        if isinstance(self.preprocess, Preprocess):
            return self.preprocess.channels
        return channels_in(self.module)

    @property
    def input_size(self) -> tuple[int, int]:
        """Height and width of the images: the crop, the last images' size, or a size that runs."""
        _, h, w = self._shapes()[0]
        if isinstance(self.preprocess, Preprocess) or self.cache.seen_shape is not None:
            return h, w
        _, height, width = trace_network(self, self._shapes())[0]
        return height, width

    def _shapes(self) -> list[tuple[int, ...]]:
        """Return the input shapes to try, the most likely first."""
        return likely_shapes(self.input_channels, self.preprocess, self.cache.seen_shape)

    @property
    def weights_hash(self) -> str:
        """SHA-256 over the sorted state dict: names, dtypes, shapes and bytes."""
        if self.cache.session_depth == 0:
            return hash_weights(self.module)
        if self.cache.weights_hash is None:  # nothing changes the weights during a session
            self.cache.weights_hash = hash_weights(self.module)
        return self.cache.weights_hash
