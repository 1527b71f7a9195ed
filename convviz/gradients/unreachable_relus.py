"""Activations that function modes cannot see: in autograd functions, scripted or compiled parts.

They are found in autograd's graph, by the names of its nodes and the tensors that these save.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from .memory_efficient import is_memory_efficient
from .relu_calls import is_zero

_ACTIVATIONS = (
    *("CeluBackward", "EluBackward", "GeluBackward", "HardswishBackward", "HardtanhBackward"),
    *("LeakyReluBackward", "MishBackward", "PreluKernelBackward", "ReluBackward"),
    *("RreluWithNoiseBackward", "SeluBackward", "SiluBackward", "SoftplusBackward"),
    "ThresholdBackward",
)
"""Names of autograd's nodes for activations."""

_BOUNDS = {
    "ClampBackward": ("min", "max"),
    "ClampMinBackward": ("min",),
    "ClampMaxBackward": ("max",),
    "MaximumBackward": ("self", "other"),
    "MinimumBackward": ("self", "other"),
    "FmaxBackward": ("self", "other"),
    "FminBackward": ("self", "other"),
}
"""Nodes that are rectifiers if one of these operands is 0."""

_MASKING = ("WhereBackward", "MaskedFillBackward", "IndexPutBackward")
_OPAQUE = ("DifferentiableGraphBackward", "CompiledFunctionBackward")
_CustomNode: Any = torch.autograd.function.BackwardCFunction


class Unreached(NamedTuple):
    """Activations in a graph that no function mode saw.

    Attributes:
        refused: reasons why the rule cannot be applied.
        doubtful: names of nodes that may be rectifiers.
    """

    refused: list[str]
    doubtful: list[str]


class UnreachableActivations:
    """Finds activations in autograd's graph that no function mode has seen."""

    def __init__(self) -> None:
        self._seen: set[Any] = set()
        self._hidden: dict[Any, str] = {}

    def mark_seen(self, node: Any) -> None:
        """Ignore a node that a function mode has examined already."""
        self._seen.add(node)

    def pass_over(self, y: Tensor, inputs: Iterable[Tensor]) -> None:
        """Ignore all nodes between a result and its inputs."""
        stop, todo = {x.grad_fn for x in inputs}, [y.grad_fn]
        while todo:
            node = todo.pop()
            if node is not None and node not in stop and node not in self._seen:
                self._seen.add(node)
                todo.extend(parent for parent, _ in node.next_functions)

    def hide(self, name: str) -> None:
        """Record which functions call an activation while gradients are disabled.

        The `forward` of an autograd function is such a function.
        """
        frame = sys._getframe(1)
        while frame is not None:
            self._hidden.setdefault(frame.f_code, name)
            frame = frame.f_back  # type: ignore[assignment]

    def find(self, nodes: Iterable[Any]) -> Unreached:
        """Return the activations among nodes that were not created by a rule."""
        findings = Unreached([], [])
        for node in nodes:
            if isinstance(node, _CustomNode) and not is_memory_efficient(node):
                findings.refused.extend(self._custom(node))
            elif node not in self._seen:
                _examine(node, findings)
        return findings

    def _custom(self, node: Any) -> list[str]:
        """Return the reasons to refuse an autograd function, at most one."""
        if node.name().startswith(_OPAQUE):
            return [_reason(node)]
        forward = getattr(getattr(node, "_forward_cls", None), "forward", None)
        name = self._hidden.get(getattr(forward, "__code__", None))
        if name is None:
            return []
        return [
            f"{name} is called inside the autograd function {node.name()}, which defines its own "
            "gradient; the rule cannot reach it"
        ]


def _reason(node: Any) -> str:
    return (
        f"an activation ({node.name()}) was not reached; its call is not visible in Python "
        "(a scripted, traced or compiled part, or torch.func.vmap)"
    )


def _examine(node: Any, findings: Unreached) -> None:
    name = node.name()
    short = name.rstrip("0123456789")
    if (
        name.startswith(_ACTIVATIONS)
        or "DifferentiableGraphBackward" in name
        or _is_bounded_by_zero(node, short)
        or _adds_absolute(node, short)
    ):
        findings.refused.append(_reason(node))
    elif short in _MASKING or (short == "MulBackward" and _is_masked(node)):
        findings.doubtful.append(short.removesuffix("Backward").lower())


def _is_bounded_by_zero(node: Any, short: str) -> bool:
    return any(is_zero(_saved_operand(node, bound)) for bound in _BOUNDS.get(short, ()))


def _saved_operand(node: Any, name: str) -> Any:
    """Return an operand that a node saved; None if it saved none or it was overwritten."""
    try:
        return getattr(node, f"_saved_{name}", None)
    except RuntimeError:
        return None


def _adds_absolute(node: Any, short: str) -> bool:
    """Return whether a node is the sum of a tensor and its absolute value."""
    if short not in ("AddBackward", "SubBackward"):
        return False
    edges = node.next_functions
    return any(
        other[0] is not None
        and other[0].name().startswith("AbsBackward")
        and other[0].next_functions[0] == edge
        for edge, other in ((edges[0], edges[-1]), (edges[-1], edges[0]))
    )


def _is_masked(node: Any) -> bool:
    """Return whether one factor of a product is a mask of zeros and ones that is not constant."""
    for name in ("self", "other"):
        factor = _saved_operand(node, name)
        if isinstance(factor, Tensor) and not factor.requires_grad and factor.numel() > 1:
            values = factor.detach()
            if bool(((values == 0) | (values == 1)).all()) and bool((values != values.max()).any()):
                return True
    return False
