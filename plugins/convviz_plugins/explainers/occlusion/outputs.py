"""The numbers that occlusion reads from a forward pass of covered copies."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from convviz import Model, ParameterError
from convviz.authoring import Forward, Target

Score = Literal["logit", "prob", "logprob"]
Output = Literal["drop", "value", "argmax"]
Rows = tuple[tuple[Target, ...], ...]
"""For each target, one resolved target per image."""


@dataclass(frozen=True)
class Reading:
    """Reads the scores of K targets, `[B, K]`, from a forward pass of B copies.

    Attributes:
        score, output: as in Occlusion.
        targets: K tuples with one resolved target per image.
        model: the model, which converts scores to probabilities.
        layers: the layers of the targets that are units.
    """

    score: Score
    output: Output
    targets: Rows
    model: Model
    layers: tuple[str, ...] = field(init=False)
    _columns: dict[tuple[torch.device, Rows], Tensor] = field(
        init=False, default_factory=dict, compare=False, repr=False
    )

    def __post_init__(self) -> None:
        read_targets = [t for row in self.targets for t in row if self.output != "argmax"]
        layers = dict.fromkeys(unit.layer for t in read_targets for unit in t.units)
        object.__setattr__(self, "layers", tuple(layers))
        for target in read_targets:
            if self.score != "logit" and (target.units or target.function):
                kind = "unit" if target.units else "function"
                raise ParameterError(
                    f"score={self.score!r} needs a class as target; the {kind} {target.label} has "
                    'no probability; use score="logit"'
                )
        if self.output == "argmax":
            self._check_argmax()

    def _check_argmax(self) -> None:
        """Raise if several targets or a function are given, which output="argmax" ignores."""
        if len(self.targets) > 1 or any(t.function for row in self.targets for t in row):
            raise ParameterError(
                'output="argmax" maps the most probable class of the model, whatever the target; '
                "leave out targets and functions"
            )

    def __call__(self, forward: Forward, owner: Tensor) -> Tensor:
        """Return the scores `[B, K]`; `owner` `[B]` is the index of the image of each copy."""
        output = forward.output
        if self.output == "argmax":
            return self._winner(output)[:, None]
        if self.score != "logit":
            log = self.score == "logprob"
            output = self.model.probabilities(output.double(), log).to(output.dtype)
        if all(_column(target) is not None for row in self.targets for target in row):
            return output.gather(1, self._column_indices(self.targets, output.device)[owner])
        return torch.stack(
            [self._read_target(row, output, forward, owner) for row in self.targets], 1
        )

    def _column_indices(self, rows: Rows, device: torch.device) -> Tensor:
        """Return the columns of targets, `[N, K]`, copied to the device once."""
        key = (device, rows)
        if key not in self._columns:
            columns = [[_column(target) for target in row] for row in rows]
            self._columns[key] = torch.tensor(columns, device=device).T
        return self._columns[key]

    def _winner(self, output: Tensor) -> Tensor:
        if output.shape[1] == 1:
            raise ParameterError(
                f'output="argmax" needs several classes; {self.model.name} has one output: give '
                "Model(…, labels=(negative, positive)) if it distinguishes two"
            )
        return _winner(output)

    def _read_target(
        self, row: tuple[Target, ...], output: Tensor, forward: Forward, owner: Tensor
    ) -> Tensor:
        """Return the values `[B]` of one target per image."""
        pairs = [t.contrast for t in row if t.contrast is not None]
        if row and len(pairs) == len(row):
            a, b = zip(*pairs, strict=True)
            first, second = (self._read_target(part, output, forward, owner) for part in (a, b))
            return first - second
        if all(_column(target) is not None for target in row):
            return output.gather(1, self._column_indices((row,), output.device)[owner])[:, 0]
        picked = [
            _value(row[image], output[copy], forward, copy)
            for copy, image in enumerate(owner.tolist())
        ]
        return torch.stack([value.to(output.dtype) for value in picked])


def _column(target: Target) -> int | None:
    """Return the column of the scores that holds a target's value, if one does."""
    return target.index if target.function is None else target.function.column


def _value(target: Target, scores: Tensor, forward: Forward, copy: int) -> Tensor:
    """Return the value of a target for one copy, whose scores are `[classes]`."""
    if target.contrast is not None:
        a, b = (_value(part, scores, forward, copy) for part in target.contrast)
        return a - b
    if target.unit is None:
        return scores[target.index]
    activation = forward.activations[target.unit.layer][copy, target.unit.channel]
    return activation[target.unit.position] if target.unit.position else activation


def _winner(output: Tensor) -> Tensor:
    """Return the top class of each row: the first of equal ones, -1 if a score is NaN."""
    classes = torch.arange(output.shape[1], device=output.device)
    best = output.amax(1, keepdim=True)
    first = torch.where(output == best, classes, output.shape[1]).amin(1)
    return torch.where(best[:, 0].isnan(), -1, first)
