"""The hash of a network's weights: its definition, and writes that it must follow."""

from __future__ import annotations

import copy
import hashlib

import pytest
import torch
from torch import nn

import convviz
from convviz.network.weights_hash import _fingerprint


def network(inputs: int = 3) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(inputs, 64, 3), nn.BatchNorm2d(64))


def test_weights_hash():
    net = network()
    model = convviz.Model(net)
    state = sorted(net.state_dict().items())
    text = hashlib.sha256()
    for name, value in state:
        text.update(f"{name} {value.dtype} {list(value.shape)}\n".encode())
        text.update(value.numpy().tobytes())
    assert model.weights_hash == text.hexdigest() == convviz.Model(network()).weights_hash
    assert convviz.Model(network().to(torch.bfloat16)).weights_hash != text.hexdigest()
    with model.session():
        assert model.weights_hash == model.weights_hash == text.hexdigest()
    net[0].bias.data[0] += 1
    assert model.weights_hash != text.hexdigest()


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("inputs", [2, 40])
def test_the_weights_hash_follows_writes_that_raise_no_version_counter(inputs, layout):
    net = network(inputs).to(memory_format=layout)
    model, hashes = convviz.Model(net), set()

    def add_hash():
        fresh = convviz.Model(copy.deepcopy(net))
        assert model.weights_hash == fresh.weights_hash == model.weights_hash
        hashes.add(model.weights_hash)

    weight = net[0].weight
    version = weight._version
    add_hash()
    weight.data[63, 1, 2, 2] += 1e-3
    add_hash()
    weight.detach().numpy()[:2] = weight.detach().numpy()[:2][::-1].copy()  # exchanges two filters
    add_hash()
    net[1].num_batches_tracked.data += 1
    add_hash()
    assert weight._version == version
    assert len(hashes) == 4


@pytest.mark.parametrize("count", [5, 1021, 3000, 2 * 64 * 1021 + 3 * 1021 + 7])
@pytest.mark.parametrize("dtype", [torch.int32, torch.int64])
def test_every_change_of_a_value_changes_the_fingerprint(count, dtype):
    values = torch.arange(count, dtype=dtype)
    places = {0, 1, count // 2, max(0, count - 1022), count - 2, count - 1}
    fingerprints = [_fingerprint(values)]
    for place in sorted(places):
        changed = values.clone()
        changed[place] += 1
        fingerprints.append(_fingerprint(changed))
    exchanged = values.clone()
    exchanged[[0, count - 1]] = exchanged[[count - 1, 0]]
    assert len({*fingerprints, _fingerprint(exchanged)}) == len(places) + 2
    unaligned = values.view(torch.uint8)[: (count - 1) * dtype.itemsize].view(dtype)[1:]
    assert _fingerprint(unaligned) == _fingerprint(unaligned.clone())
