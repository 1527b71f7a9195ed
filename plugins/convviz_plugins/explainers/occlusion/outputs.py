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
    targets: tuple[tuple[Target, ...], ...]
    model: Model
    layers: tuple[str, ...] = field(init=False)
    _classes: dict[torch.device, Tensor] = field(
        init=False, default_factory=dict, compare=False, repr=False
    )

    def __post_init__(self) -> None:
        units = [t.unit for row in self.targets for t in row if t.unit is not None]
        read_units = units if self.output != "argmax" else []
        object.__setattr__(self, "layers", tuple(dict.fromkeys(u.layer for u in read_units)))
        if read_units and self.score != "logit":
            raise ParameterError(
                f"score={self.score!r} needs a class as target; the unit {read_units[0]} has an "
                'activation and no probability; use score="logit"'
            )

    def __call__(self, forward: Forward, owner: Tensor) -> Tensor:
        """Return the scores `[B, K]`; `owner` `[B]` is the index of the image of each copy."""
        output = forward.output
        if self.output == "argmax":
            return self._winner(output)[:, None]
        if self.score != "logit":
            log = self.score == "logprob"
            output = self.model.probabilities(output.double(), log).to(output.dtype)
        if all(target.index is not None for row in self.targets for target in row):
            return output.gather(1, self._class_indices(output.device)[owner])
        return torch.stack(
            [self._read_target(row, output, forward, owner) for row in self.targets], 1
        )

    def _class_indices(self, device: torch.device) -> Tensor:
        """Return the classes of all targets, `[N, K]`, copied to the device once."""
        if device not in self._classes:
            indices = [[target.index for target in row] for row in self.targets]
            self._classes[device] = torch.tensor(indices, device=device).T
        return self._classes[device]

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
        picked = [
            _value(row[image], output[copy], forward, copy)
            for copy, image in enumerate(owner.tolist())
        ]
        return torch.stack([value.to(output.dtype) for value in picked])


def _value(target: Target, scores: Tensor, forward: Forward, copy: int) -> Tensor:
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
