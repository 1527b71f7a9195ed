"""filters: the filters of a convolution as pictures (Krizhevsky et al. 2012, Fig. 3)."""

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
    """Weights of a conv layer, one tile per filter (Krizhevsky et al. 2012, Fig. 3)."""

    aliases: ClassVar[Mapping[str, str]] = {
        "kernels": "kernels are drawn by 'filters'",
        "weights": "the weights of convolutions are drawn by 'filters'",
    }

    needs_image: ClassVar[bool] = False
    uses_target: ClassVar[bool] = False
    default_layer_kind: ClassVar[LayerKind | None] = "filters"

    layer: str | None = Field(None, description="Conv layer to draw; default: the first one.")
    normalize: Literal["layer", "filter"] = Field(
        "layer",
        description="One symmetric scale for the whole layer, or one per filter, which shows faint "
        "patterns but hides dead filters.",
    )
    fold_bn: bool = Field(
        False, description="Draw each filter scaled by the batch norm that follows the conv."
    )
    view: Literal["weights", "pixel"] = Field(
        "weights",
        description="The weights of the layer, or its kernels composed with those of the first "
        "conv into kernels in pixel space.",
    )
    dead_below: float = Field(
        0.01,
        ge=0,
        lt=1,
        description="Filters with an L2 norm below this share of the largest one count as dead.",
    )

    def layers(self, model: Model) -> tuple[str, ...]:
        """Return the layer whose filters are drawn."""
        return (model.check_layer(self.layer or model.default_layers("filters")[0]),)

    def explain(
        self, model: Model, batch: Batch, target: tuple[Target, ...], forward: Forward
    ) -> Tiles:
        """Return the filters; the images are not used."""
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
            notes=(*notes, *self._weight_notes(values, facts["dead"])),
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
            calls = layer_chain.record_calls(model, probe(model))
            at = layer_chain.conv_at(calls, conv, model.weight(layer), layer)
            return fold_weights(calls, at, layer), ("Batch norm is folded into the weights.",)
        return self._pixel_kernels(model, conv, layer)

    def _pixel_kernels(
        self, model: Model, conv: nn.Conv2d, layer: str
    ) -> tuple[Tensor, tuple[str, ...]]:
        first = model.default_layers("filters")[0]
        stem = conv_of(model, first)
        if stem is conv:
            raise ParameterError(
                f"view='pixel' composes a later layer with the first conv, but {layer!r} is the "
                "first conv; give the conv that follows it as layer"
            )
        calls = layer_chain.record_calls(model, probe(model))
        inner, outer = model.weight(first), model.weight(layer)
        start = layer_chain.conv_at(calls, stem, inner, first)
        end = layer_chain.conv_at(calls, conv, outer, layer)
        gap = layer_chain.find_gap(calls, start, end, layer)
        if self.fold_bn:
            inner = fold_weights(calls, start, first)
            outer = fold_weights(calls, end, layer, required=False)
        kernels = compose(
            dense(inner, stem.groups),
            dense(outer, conv.groups),
            step=tuple(
                s * g for s, g in zip(layer_chain.pair(stem.stride), gap.stride, strict=True)
            ),
            inner_dilation=layer_chain.pair(stem.dilation),
            outer_dilation=layer_chain.pair(conv.dilation),
        )
        return kernels, pixel_view_notes(first, layer, gap, self.fold_bn)

    def _weight_notes(self, values: Tensor, dead: Tensor) -> tuple[str, ...]:
        notes = []
        if count := int(dead.sum()):
            notes.append(
                f"{count} of {len(values)} filters are dead: their L2 norm is below "
                f"{100 * self.dead_below:.3g} % of the layer's largest."
                + ("" if self.fold_bn else " A batch norm may scale them up: see fold_bn.")
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
    """Return an input of zeros for a forward pass, `[1, C, H, W]`."""
    return torch.zeros(1, model.input_channels, *model.input_size, dtype=model.dtype)


def fold_weights(
    calls: list[layer_chain.TorchCall], at: int, layer: str, *, required: bool = True
) -> Tensor:
    """Return a conv's weights with the scale of the batch norm after it folded in.

    In eval mode, norm(conv(x)) = gamma · (conv(x) - mean) / sqrt(variance + eps) + beta. Apart from
    the offset this is a convolution whose output channels are scaled by
    gamma / sqrt(variance + eps); the offset is not part of a kernel and is left out.

    Args:
        calls: the calls of a forward pass, of `layer_chain.record_calls`.
        at: index of the call of the conv.
        layer: name of the conv, for errors.
        required: raise if no batch norm follows, instead of returning the weights unchanged.
    """
    weight: Tensor = calls[at].argument(1, "weight")
    norm = layer_chain.norm_behind(calls, at)
    if norm is None:
        if required:
            raise ParameterError(f"fold_bn=True: no batch norm follows layer {layer!r}")
        return weight
    # F.batch_norm and torch.batch_norm order their arguments differently.
    at_mean, at_variance, at_gamma = (1, 2, 3) if norm.python else (3, 4, 1)
    mean = norm.argument(at_mean, "running_mean")
    variance = norm.argument(at_variance, "running_var")
    if mean is None or variance is None:
        raise ModelError(
            f"fold_bn=True: the batch norm after layer {layer!r} has no running statistics"
        )
    gamma = norm.argument(at_gamma, "weight")
    eps = float(norm.argument(7, "eps", 1e-5))
    return fold_batch_norm(weight, None, mean, variance, gamma, None, eps)[0]


def dense(weight: Tensor, groups: int) -> Tensor:
    """Return a grouped conv's weights `[out, in/groups, h, w]` as those of a dense conv."""
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
    """Return the kernel of the composition of two convolutions.

    Tap a of the outer kernel reads the inner output at an offset of `step * outer_dilation * a`
    pixels; there, tap b of the inner kernel reads another `inner_dilation * b` pixels further:
    kernel[step * outer_dilation * a + inner_dilation * b] += outer[a] @ inner[b].

    Args:
        inner: weights of the conv that runs first, `[mid, in, h, w]`.
        outer: weights of the conv that runs on its output, `[out, mid, h, w]`.
        step: stride of the inner conv, (y, x).
        inner_dilation, outer_dilation: of the two convs, (y, x).

    Returns:
        `[out, in, H, W]` with H = step * outer_dilation * (h_outer - 1)
        + inner_dilation * (h_inner - 1) + 1, and W accordingly.
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


def pixel_view_notes(
    first: str, layer: str, gap: layer_chain.Gap, fold_bn: bool
) -> tuple[str, ...]:
    """Return notes on what the pixel view shows and what it ignores."""
    notes = [f"Kernels of {layer}, composed with those of {first} into kernels in pixel space."]
    ignored = [n for n in gap.names if not (fold_bn and n == "batch norm")]
    if fold_bn:
        notes.append("Batch norms are folded into the weights.")
    if ignored:
        notes.append(
            f"This is a linear approximation: it ignores {', '.join(ignored)} between the layers"
            + (f" (but not the pooling stride {gap.stride})." if gap.stride != (1, 1) else ".")
        )
    return tuple(notes)


def layout_of(values: Tensor) -> Literal["rgb", "grid", "matrix"]:
    """Return the layout in which kernels `[out, in, h, w]` are drawn."""
    if values.shape[2:] == (1, 1):
        return "matrix"
    return "rgb" if values.shape[1] == 3 else "grid"


def measure(values: Tensor, dead_below: float) -> dict[str, Tensor]:
    """Return norms, dead flags and, for each filter, the most similar other live one by cosine."""
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
    # Dead filters are noise, so they are not candidates for the most similar filter.
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
    """Return the columns of the table, one value per filter."""
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
