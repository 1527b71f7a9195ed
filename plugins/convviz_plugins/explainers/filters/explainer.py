"""The filters of a convolution as pictures (Krizhevsky et al. 2012, Fig. 3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

import convviz
import convviz.authoring
from convviz import Model, ModelError, ParameterError, Tiles
from convviz.authoring import Batch, Explainer, Forward, LayerKind, Target, fold_batch_norm

from . import layer_chain


class Filters(Explainer):
    """The weights of a conv layer, one tile a filter (Krizhevsky et al. 2012, Fig. 3)."""

    aliases: ClassVar[Mapping[str, str]] = {
        "kernels": "kernels are drawn by 'filters'",
        "weights": "the weights of convolutions are drawn by 'filters'",
    }

    needs_image: ClassVar[bool] = False
    default_layer_kind: ClassVar[LayerKind | None] = "filters"

    layer: str | None = Field(None, description="Conv layer to draw; default: the first one.")
    normalize: Literal["layer", "filter"] = Field(
        "layer",
        description="One symmetric scale for the whole layer, or one a filter "
        "(shows faint patterns, but hides dead filters).",
    )
    fold_bn: bool = Field(
        False, description="Draw each filter scaled by the batch norm that follows the conv."
    )
    view: Literal["weights", "pixel"] = Field(
        "weights",
        description="The weights as they are, or a second layer's kernels carried through the "
        "first layer's kernels into pixel space.",
    )
    dead_below: float = Field(
        0.01, ge=0, lt=1, description="A filter is dead below this share of the largest L2 norm."
    )

    def layers(self, model: Model) -> tuple[str, ...]:
        """Return the layer whose filters are drawn."""
        return (model.check_layer(self.layer or model.default_layers("filters")[0]),)

    def explain(
        self, model: Model, batch: Batch, target: tuple[Target, ...], forward: Forward
    ) -> Tiles:
        """Draw the filters; the images are not looked at."""
        (layer,) = self.layers(model)
        with torch.no_grad():
            values, notes = self._kernels(model, layer)
        values = values.detach().cpu().clone()
        facts = measure(values, self.dead_below)
        return Tiles(
            values,
            arrays=facts,
            unit="weight",
            measures={
                "layer": layer,
                "filters": len(values),
                "dead filters": int(facts["dead"].sum()),
            },
            notes=(*notes, *self._say_dead(values, facts["dead"])),
            layout=layout_of(values),
            scale="layer" if self.normalize == "layer" else "tile",
            signed=True,
            captions=tuple(str(i) for i in range(len(values))),
            table=table_of(facts),
        )

    def _kernels(self, model: Model, layer: str) -> tuple[Tensor, tuple[str, ...]]:
        conv = conv_of(model, layer)
        if self.view == "weights":
            if not self.fold_bn:
                return model.weight(layer), ()
            steps = layer_chain.watch(model, probe(model))
            at = layer_chain.conv_at(steps, conv, model.weight(layer), layer)
            return fold_weights(steps, at, layer), ("Batch norm is folded into the weights.",)
        return self._pixel_kernels(model, conv, layer)

    def _pixel_kernels(
        self, model: Model, conv: nn.Conv2d, layer: str
    ) -> tuple[Tensor, tuple[str, ...]]:
        first = model.default_layers("filters")[0]
        stem = conv_of(model, first)
        if stem is conv:
            raise ParameterError(
                f"view='pixel' carries a later layer through the first conv; {layer!r} is the "
                "first conv itself: give the conv that follows it as layer"
            )
        steps = layer_chain.watch(model, probe(model))
        inner, outer = model.weight(first), model.weight(layer)
        start = layer_chain.conv_at(steps, stem, inner, first)
        end = layer_chain.conv_at(steps, conv, outer, layer)
        gap = layer_chain.between(steps, start, end, layer)
        if self.fold_bn:
            inner = fold_weights(steps, start, first)
            outer = fold_weights(steps, end, layer, required=False)
        kernels = compose(
            dense(inner, stem.groups),
            dense(outer, conv.groups),
            step=tuple(
                s * g for s, g in zip(layer_chain.pair(stem.stride), gap.stride, strict=True)
            ),
            inner_dilation=layer_chain.pair(stem.dilation),
            outer_dilation=layer_chain.pair(conv.dilation),
        )
        return kernels, say_pixel(first, layer, gap, self.fold_bn)

    def _say_dead(self, values: Tensor, dead: Tensor) -> tuple[str, ...]:
        notes = []
        if count := int(dead.sum()):
            notes.append(
                f"{count} of {len(values)} filters are dead: their L2 norm is below "
                f"{100 * self.dead_below:.3g} % of the layer's largest."
                + ("" if self.fold_bn else " A batch norm can scale them up again: see fold_bn.")
            )
        if bad := int((~torch.isfinite(values)).flatten(1).any(1).sum()):
            notes.append(f"Filters with NaN or infinite weights: {bad}.")
        return tuple(notes)


def conv_of(model: Model, layer: str) -> nn.Conv2d:
    """Return the conv module that a layer name stands for."""
    modules = dict(model.module.named_modules())
    module: Any = modules.get(layer, modules.get(layer.rpartition(":")[0]))
    if not isinstance(module, nn.Conv2d):
        kind = "a function" if module is None else type(module).__name__
        convs = [name for name, m in modules.items() if isinstance(m, nn.Conv2d)]
        raise ParameterError(
            f"filters draws Conv2d layers; {layer!r} is {kind}; conv layers: "
            + (", ".join(repr(name) for name in convs[:6]) or "none")
            + (f" and {len(convs) - 6} more" if len(convs) > 6 else "")
        )
    return module


def probe(model: Model) -> Tensor:
    """Return one black image as the model takes it, `[1, C, H, W]`."""
    return torch.zeros(1, model.input_channels, *model.input_size, dtype=model.dtype)


def fold_weights(
    steps: list[layer_chain.Step], at: int, layer: str, *, required: bool = True
) -> Tensor:
    """Return a conv's weights times gamma / sqrt(variance + eps) of the norm behind it.

    Args:
        steps: what `layer_chain.watch` returned.
        at: index of the conv's step.
        layer: what an error calls it.
        required: raise where no norm follows, instead of returning the weights as they are.
    """
    weight: Tensor = steps[at].argument(1, "weight")
    norm = layer_chain.norm_behind(steps, at)
    if norm is None:
        if required:
            raise ParameterError(f"fold_bn=True: no batch norm takes the output of layer {layer!r}")
        return weight
    # F.batch_norm and torch.batch_norm order their arguments differently.
    at_mean, at_variance, at_gamma = (1, 2, 3) if norm.python else (3, 4, 1)
    mean = norm.argument(at_mean, "running_mean")
    variance = norm.argument(at_variance, "running_var")
    if mean is None or variance is None:
        raise ModelError(
            f"fold_bn=True: the batch norm behind layer {layer!r} keeps no running statistics"
        )
    gamma = norm.argument(at_gamma, "weight")
    eps = float(norm.argument(7, "eps", 1e-5))
    return fold_batch_norm(weight, None, mean, variance, gamma, None, eps)[0]


def dense(weight: Tensor, groups: int) -> Tensor:
    """Write a grouped conv's weights `[out, in/groups, h, w]` as those of a plain one."""
    if groups == 1:
        return weight
    out, width = weight.shape[:2]
    full = weight.new_zeros(out, width * groups, *weight.shape[2:])
    for g, rows in enumerate(torch.arange(out).chunk(groups)):
        full[rows, g * width : (g + 1) * width] = weight[rows]
    return full


def compose(
    inner: Tensor,
    outer: Tensor,
    step: tuple[int, ...] = (1, 1),
    inner_dilation: tuple[int, int] = (1, 1),
    outer_dilation: tuple[int, int] = (1, 1),
) -> Tensor:
    """Return the one kernel that does the work of two convolutions in a row.

    The tap a of the outer kernel reads the inner output `step * outer_dilation * a` pixels
    further on, where the inner kernel's tap b reads `inner_dilation * b` pixels further:
    kernel[step * outer_dilation * a + inner_dilation * b] += outer[a] @ inner[b].

    Args:
        inner: weights of the conv that runs first, `[mid, in, h, w]`.
        outer: weights of the conv that runs on its output, `[out, mid, h, w]`.
        step: stride of the inner conv, (y, x).
        inner_dilation, outer_dilation: of the two convs, (y, x).

    Returns:
        `[out, in, H, W]` with H = step * outer_dilation * (h_outer - 1)
        + inner_dilation * (h_inner - 1) + 1, and W alike.
    """
    jump = [s * d for s, d in zip(step, outer_dilation, strict=True)]
    span = [d * (k - 1) + 1 for d, k in zip(inner_dilation, inner.shape[2:], strict=True)]
    size = [j * (k - 1) + s for j, k, s in zip(jump, outer.shape[2:], span, strict=True)]
    kernel = inner.new_zeros(outer.shape[0], inner.shape[1], *size)
    for ay in range(outer.shape[2]):
        for ax in range(outer.shape[3]):
            y, x = ay * jump[0], ax * jump[1]
            part = kernel[
                :, :, y : y + span[0] : inner_dilation[0], x : x + span[1] : inner_dilation[1]
            ]
            part += torch.einsum("om,mcyx->ocyx", outer[:, :, ay, ax], inner)
    return kernel


def say_pixel(first: str, layer: str, gap: layer_chain.Between, folded_in: bool) -> tuple[str, ...]:
    """Return a sentence on what the pixel view is and ignores."""
    notes = [f"Kernels of {layer} carried through those of {first} into pixel space."]
    ignored = [n for n in gap.names if not (folded_in and n == "batch norm")]
    if folded_in:
        notes.append("Batch norms are folded into the weights.")
    if ignored:
        notes.append(
            f"A linear approximation: it ignores {', '.join(ignored)} in between"
            + (f" (but keeps the pooling stride {gap.stride})." if gap.stride != (1, 1) else ".")
        )
    return tuple(notes)


def layout_of(values: Tensor) -> Literal["rgb", "grid", "matrix"]:
    """Choose how kernels `[out, in, h, w]` are drawn."""
    if values.shape[2:] == (1, 1):
        return "matrix"
    return "rgb" if values.shape[1] == 3 else "grid"


def measure(values: Tensor, dead_below: float) -> dict[str, Tensor]:
    """Return norms, dead flags and the closest other live filter of each, by cosine."""
    rows = values.flatten(1)
    norms = rows.norm(dim=1)
    finite = norms[torch.isfinite(norms)]
    largest = finite.max() if len(finite) else norms.new_zeros(())
    dead = norms <= dead_below * largest
    unit = rows / norms.clamp_min(torch.finfo(rows.dtype).tiny)[:, None]
    likeness = (unit @ unit.T).nan_to_num(-2.0, -2.0, -2.0)
    likeness.fill_diagonal_(-2.0)
    usable = (norms > 0) & torch.isfinite(norms)
    likeness[~usable] = -2.0
    # Dead filters are noise: none of them is what a live one resembles.
    likeness[:, ~usable | dead] = -2.0
    cosine, closest = likeness.max(1)
    none = cosine < -1.5
    return {
        "norms": norms,
        "dead": dead,
        "closest": closest.masked_fill(none, -1),
        "cosine": cosine.clamp(-1, 1).masked_fill(none, float("nan")),
    }


def table_of(facts: dict[str, Tensor]) -> dict[str, tuple[Any, ...]]:
    """Return the table's columns, one value a filter."""
    closest = [i if i >= 0 else None for i in facts["closest"].tolist()]
    return {
        "L2 norm": tuple(facts["norms"].tolist()),
        "dead": tuple(facts["dead"].tolist()),
        "closest": tuple(closest),
        "cosine": tuple(facts["cosine"].tolist()),
    }


@convviz.authoring.hookimpl
def convviz_explainers() -> list[type[Explainer]]:
    """Return the explainer of this plugin."""
    return [Filters]
