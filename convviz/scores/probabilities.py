"""Interpretation of scores: classes, probabilities, and single logits of two classes."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import ConvvizWarning, ModelError, ParameterError
from . import targets
from .function_scores import FunctionScores
from .outputs import Activation, Pick, pick_scores


class ScoreReader:
    """The part of a model that interprets its scores.

    Attributes:
        name: of the model, shown to users.
        labels: class names.
        output: selects the scores in the network's output.
        activation: turns scores into probabilities; None decides by outputs and labels.
        binary: the network has one output for two labels; set by the first run.
    """

    name: str
    labels: tuple[str, ...]
    output: Pick
    activation: Activation | None
    binary: bool = False
    _warned: bool = False

    def pick(self, out: Any) -> Any:
        """Return the scores in the network's output, unchecked."""
        return self.both_classes(pick_scores(out, self.output))

    def both_classes(self, scores: Any) -> Any:
        """Return the scores; for a binary head `[N, 1]`, -logit and logit of the two classes.

        Raises:
            ModelError: more labels than one output can have.
        """
        single = isinstance(scores, Tensor) and scores.ndim == 2 and scores.shape[1] == 1
        if single and len(self.labels) > 2:
            raise ModelError(
                f"{self.name} has one output and {len(self.labels)} labels: one output is the "
                "logit of labels[1] against labels[0], or of a single label"
            )
        self.binary = single and len(self.labels) == 2 and self.activation != "softmax"
        return torch.cat([-scores, scores], 1) if self.binary else scores

    def probabilities(self, scores: Tensor, log: bool = False) -> Tensor:
        """Return the probability of each class, or its logarithm, for scores `[N, classes]`.

        Raises:
            ParameterError: the softmax of a single output, which is 1 for every image, or the
                scores are values of functions.
        """
        if isinstance(self.output, FunctionScores):
            names = ", ".join(self.output.names)
            raise ParameterError(
                f"the value of a function ({names}) has no probability; use the value itself "
                '(score="logit")'
            )
        if self.binary or self.activation == "sigmoid":
            return nn.functional.logsigmoid(scores) if log else scores.sigmoid()
        if scores.shape[1] == 1:
            raise ParameterError(
                f"{self.name} has one output, whose softmax is always 1: use "
                'Model(…, activation="sigmoid"), or two labels, of which labels[1] is the class '
                "of the logit"
            )
        return scores.log_softmax(1) if log else scores.softmax(1)

    def check_raw(self, scores: Tensor, from_sigmoid: Callable[[], bool]) -> None:
        """Warn once if the scores are already probabilities.

        Args:
            scores: `[N, classes]`.
            from_sigmoid: runs the network and returns whether they are the output of a sigmoid.

        Raises:
            ModelError: they are, but their sign must distinguish two classes.
        """
        if self._warned:
            return
        if are_probabilities(scores):
            self._warned = True
            _warn_of_softmax(self.name)
        elif _within_unit(scores[:, 1:] if self.binary else scores) and from_sigmoid():
            self._warned = not self.binary
            _report_sigmoid(self.name, self.binary)

    def label_index(self, label: str | int) -> int:
        """Return the class index of a label name or index."""
        return targets.label_index(label, self.labels)

    def label(self, index: int) -> str:
        """Return the name of a class."""
        return self.labels[index] if 0 <= index < len(self.labels) else f"class {index}"


def are_probabilities(scores: Tensor) -> bool:
    """Return whether every row lies in [0, 1] and sums to 1."""
    if scores.shape[0] == 0 or scores.shape[1] < 2:
        return False
    rows = scores.detach().double()
    return _within_unit(rows) and bool(((rows.sum(1) - 1).abs() < 1e-3).all())


def _within_unit(scores: Tensor) -> bool:
    inside = (scores >= 0) & (scores <= 1)
    return bool(inside.numel()) and bool(inside.all())


def _warn_of_softmax(name: str) -> None:
    warnings.warn(
        f"the scores of {name} are probabilities already (rows in [0, 1] that sum to 1); "
        "explanations of a softmax mix the target with all other classes: use the network "
        "without its softmax, or select its logits with Model(output=…)",
        ConvvizWarning,
        stacklevel=4,
    )


def _report_sigmoid(name: str, binary: bool) -> None:
    """Warn about scores that come from a sigmoid; raise ModelError if their sign is needed."""
    squashed = (
        f"the scores of {name} are probabilities already (the output of a sigmoid): use the "
        "network without it, or convert them to logits with Model(output=torch.logit)"
    )
    if binary:
        raise ModelError(f"{squashed}; otherwise the second of the two labels always wins")
    warnings.warn(
        f"{squashed}. Where the sigmoid saturates, gradients and drops vanish",
        ConvvizWarning,
        stacklevel=4,
    )
