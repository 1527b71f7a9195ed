"""Keys of partials in the file of a shard."""

from __future__ import annotations

import torch

from convviz.sweep.store.partial_keys import flatten_partials, keys_of_step, nest_tensors

LAYERS = ("", "layer1", "layer1/relu:2", "a%2Fb", "layer1.0", "%", "日本")


def test_partials_are_the_same_after_flattening_whatever_the_names():
    names = ("count", "class values", "a/b")
    partials = [{layer: {n: torch.rand(2) for n in names} for layer in LAYERS} for _ in range(11)]
    tensors = flatten_partials(partials)
    for step, partial in enumerate(partials):
        keys = keys_of_step(tensors, step)
        assert nest_tensors((key, tensors[key]) for key in keys) == partial


def test_a_step_without_tensors_has_an_empty_partial():
    assert keys_of_step(flatten_partials([{}, {"": {"n": torch.zeros(1)}}]), 0) == []
    assert nest_tensors([]) == {}
