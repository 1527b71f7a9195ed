"""A model as convviz sees it: the only place that touches hooks and modes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from .errors import TargetError, UnknownNameError
from .preprocess import Preprocess
from .targets import Target, TargetSpec, Unit

Rule = Literal["plain", "guided", "deconv"]


@dataclass(frozen=True, eq=False)
class Forward:
    """One forward pass.

    Attributes:
        output: scores `[N, classes]`.
        activations: layer -> a copy of its output.
    """

    output: Tensor
    activations: dict[str, Tensor]


class Model:
    """Wraps a network that maps images `[N, C, H, W]` to scores `[N, classes]`.

    Args:
        module: the network; it is never changed, and is explained in eval mode.
        preprocess: how photos become its input.
        labels: class names.
        output: picks the scores out of what the network returns: a key, an index, an
            attribute's name or a function.
        device: "auto" keeps the module's own device.
        dtype: None keeps the module's own.
        name: for a reader.
    """

    def __init__(
        self,
        module: nn.Module,
        *,
        preprocess: Preprocess | Callable[[Any], Tensor] | None = None,
        labels: Sequence[str] | None = None,
        output: str | int | Callable[[Any], Tensor] | None = None,
        device: str | torch.device = "auto",
        dtype: torch.dtype | None = None,
        name: str | None = None,
    ) -> None:
        self.module = module
        self.preprocess = preprocess
        self.labels = tuple(labels or ())
        self.output = output
        first = next(module.parameters(), torch.zeros(()))
        self.device, self.dtype = first.device, first.dtype
        self.name = name or type(module).__name__

    @contextmanager
    def session(self) -> Iterator[None]:
        """Put the network in eval mode, and everything back at the end."""
        modes = [(m, m.training) for m in self.module.modules()]
        try:
            self.module.eval()
            yield
        finally:
            for m, training in modes:
                m.training = training

    def forward(self, images: Tensor, layers: Sequence[str] = ()) -> Forward:
        """Run the network without gradients, keeping the outputs of some layers."""
        activations: dict[str, Tensor] = {}
        handles = []
        modules = dict(self.module.named_modules())
        try:
            for name in layers:

                def keep(_m: nn.Module, _i: Any, out: Any, name: str = name) -> None:
                    activations[name] = out.detach().clone()

                handles.append(modules[name].register_forward_hook(keep))
            with torch.no_grad(), self.session():
                output = self.module(images)
        finally:
            for h in handles:
                h.remove()
        return Forward(output, activations)

    def scores(self, images: Tensor, target: Sequence[Target]) -> Tensor:
        """Return the target's value of every image, `[N]`."""
        raise NotImplementedError

    def gradient(
        self,
        images: Tensor,
        target: Sequence[Target],
        rule: Rule = "plain",
        nonrelu: Literal["clamp", "error"] = "clamp",
    ) -> Tensor:
        """Return the gradient of each image's target with respect to its pixels, `[N, C, H, W]`."""
        with self.session(), torch.enable_grad():
            x = images.detach().clone().requires_grad_()
            out = self.module(x)
            s = sum(out[i, t.index] for i, t in enumerate(target))
            return torch.autograd.grad(s, x)[0]

    def resolve(self, target: TargetSpec, forward: Forward) -> tuple[Target, ...]:
        """Resolve a target once for every image of a clean forward pass."""
        out = forward.output
        result = []
        for row in out:
            i = int(row.argmax()) if target is None else self.label_index(target)
            label = self.labels[i] if self.labels else f"class {i}"
            result.append(Target(i, None, label, float(row[i])))
        return tuple(result)

    def label_index(self, label: str | int) -> int:
        """Return the class index of a label name or index."""
        if isinstance(label, int):
            return label
        if label not in self.labels:
            raise UnknownNameError("target", label, self.labels)
        return self.labels.index(label)

    def check_layer(self, name: str) -> str:
        """Return the name if the model has this layer; raises UnknownNameError."""
        known = [n for n, _ in self.module.named_modules() if n]
        if name not in known:
            raise UnknownNameError("layer", name, known)
        return name

    def default_layers(
        self, kind: Literal["filters", "activations", "patches", "features"]
    ) -> tuple[str, ...]:
        """Return the layers an explainer takes when none are given.

        "filters": the first conv; "activations": the last conv; "patches": the last conv of
        each stage; "features": the input of the last linear layer.
        """
        convs = [n for n, m in self.module.named_modules() if isinstance(m, nn.Conv2d)]
        return (convs[0],) if kind == "filters" else (convs[-1],)
