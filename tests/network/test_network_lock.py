"""Several Models, threads and processes on one network."""

from __future__ import annotations

import os
import signal
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import nn

import convviz
from convviz.state.network_lock import lock_network
from convviz.state.process_state import count_thread

IMAGES = torch.linspace(-1, 1, 4 * 3 * 12 * 12).reshape(4, 3, 12, 12)
LAYERS = ["body.0", "body.2", "/relu"]


pytestmark = pytest.mark.usefixtures("quick_pictures")


class Net(nn.Module):
    def __init__(self, pause=0.0):
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(
            nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.Conv2d(4, 5, 3)
        )
        self.head = nn.Linear(5, 3)
        self.pause = pause

    def forward(self, x):
        x = torch.relu(self.body(x))
        time.sleep(self.pause)  # lets other threads run in the middle
        return self.head(x.mean((2, 3)))


def state(net):
    return (
        [(n, m.training, list(m._forward_hooks), list(m._forward_pre_hooks)) for n, m in
         net.named_modules()],
        [(n, id(p), p.requires_grad, p.grad, p.detach().numpy().tobytes()) for n, p in
         net.named_parameters()],
        [(n, id(b), b.numpy().tobytes()) for n, b in net.named_buffers()],
    )  # fmt: skip


def expected(net, i):
    """Return scores, activation and gradient of one image without convviz."""
    x = IMAGES[i : i + 1].clone().requires_grad_()
    maps = net.body[:1](x)
    scores = net.head(torch.relu(net.body(x)).mean((2, 3)))
    (gradient,) = torch.autograd.grad(scores.max(), x)
    return scores.detach(), maps.detach(), gradient


def check(model, i, want):
    scores, maps, gradient = want
    forward = model.forward(IMAGES[i : i + 1], LAYERS)
    torch.testing.assert_close(forward.output, scores)
    torch.testing.assert_close(forward.activations["body.0"], maps)
    target = model.resolve(None, forward)
    torch.testing.assert_close(model.gradient(IMAGES[i : i + 1], target), gradient)
    assert model.layer_names((3, 12, 12))[:2] == ("body.0", "body.1")


def test_models_made_for_each_request_in_several_threads():
    """The frozen first weight, the flags and the hooks of the user survive, and all maps are
    right."""
    net = Net(0.001).eval()
    want = [expected(net, i) for i in range(4)]
    net.train()
    net.body[1].eval()
    net.body[0].weight.requires_grad_(False)
    net.head.register_forward_hook(lambda *_: None)
    before = state(net)

    def request(i):
        check(convviz.Model(net), i % 4, want[i % 4])

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(request, range(30)))
    assert state(net) == before


def test_a_part_of_another_models_network_is_locked_too():
    net = Net()
    entered, release = threading.Event(), threading.Event()

    def hold():
        with convviz.Model(net.body).session():
            entered.set()
            release.wait(10)

    holder = threading.Thread(target=hold)
    holder.start()
    assert entered.wait(10)
    modes = []
    waiting = threading.Thread(
        target=lambda: (convviz.Model(net).forward(IMAGES), modes.append(net.body.training))
    )
    waiting.start()
    waiting.join(0.3)
    assert waiting.is_alive()  # the body is still in the other session
    other = Net()
    convviz.Model(other).forward(IMAGES)  # a network of its own does not wait
    release.set()
    holder.join(10)
    waiting.join(10)
    assert modes == [True]


def test_networks_that_share_a_parameter_wait_for_each_other():
    one, other = Net(), Net()
    other.head.weight = one.head.weight
    got = threading.Event()
    with lock_network(one):
        thread = threading.Thread(target=lambda: lock_network(other).__enter__() or got.set())
        thread.start()
        assert not got.wait(0.2)
    assert got.wait(10)
    thread.join()


def test_nested_models_of_a_network_and_of_its_part_in_one_thread():
    net = Net()
    before = state(net)
    with convviz.Model(net.body).session(), convviz.Model(net).session():
        convviz.Model(net).forward(IMAGES)
        assert not net.training
    assert state(net) == before


def test_another_thread_that_runs_the_network_is_not_captured():
    net = Net(0.002).eval()
    want = [expected(net, i) for i in range(4)]
    before = state(net)
    model = convviz.Model(net)
    stop, wrong, runs = threading.Event(), [], []

    def infer():
        while not stop.is_set():
            with torch.no_grad():
                out = net(IMAGES[:1])
            runs.append(1)
            if not torch.allclose(out, want[0][0]):
                wrong.append(out)

    threads = [threading.Thread(target=infer) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for i in range(30):
            check(model, i % 4, want[i % 4])
            (saliency,) = [convviz.explain(model, IMAGES[:2], "saliency").values]
            torch.testing.assert_close(saliency[:1], want[0][2].abs().amax(1))
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert runs
    assert not wrong
    assert state(net) == before


def test_sweeps_in_threads_give_what_one_sweep_gives(tmp_path):
    net = Net().double().eval()
    photos = (IMAGES.permute(0, 2, 3, 1) * 127 + 128).byte().numpy()
    preprocess = convviz.Preprocess(resize=12, crop=12)

    def run(name):
        model = convviz.Model(net, preprocess=preprocess)
        data = convviz.array_dataset(photos, [0, 1, 2, 0])
        out = convviz.analyze(model, data, "neighbors", tmp_path / name, k=2, batch_size=2)
        return out["neighbors"].values

    alone = run("alone")
    before = state(net)
    with ThreadPoolExecutor(2) as pool:
        for values in pool.map(run, ["one", "two"]):
            assert torch.equal(values, alone)
    assert state(net) == before


def in_child(check):
    """Fork, run a check in the child, and return its exit status; 99 where it hangs."""
    pid = os.fork()
    if not pid:
        status = 1
        try:
            signal.alarm(20)
            check()
            status = 0
        except BaseException:
            traceback.print_exc()  # pytest shows it with the failure in the parent
        finally:
            os._exit(status)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return status
        time.sleep(0.02)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return 99


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
class TestFork:
    @pytest.fixture
    def busy(self):
        """A network in train mode in the middle of another thread's session."""
        net = Net().eval()
        want = [expected(net, i) for i in range(2)]
        net.train()
        net.body[1].eval()
        model = convviz.Model(net)
        entered, release = threading.Event(), threading.Event()

        def stop(*_):
            entered.set()
            release.wait(30)

        net.stop = stop
        forward = net.forward
        net.forward = lambda x: (net.stop(), forward(x))[1]
        before = state(net)
        thread = threading.Thread(target=lambda: convviz.explain(model, IMAGES[:1], "saliency"))
        thread.start()
        assert entered.wait(20)
        assert not net.training
        yield net, model, want, before
        release.set()
        thread.join()
        assert state(net) == before

    def test_the_child_has_the_network_as_it_was_and_can_explain(self, busy):
        net, model, want, before = busy

        def check_child():
            net.stop = lambda: None
            assert state(net) == before
            check(model, 0, want[0])
            check(convviz.Model(net), 1, want[1])
            convviz.explain(model, IMAGES[:1], "guided_backprop")
            assert state(net) == before

        assert in_child(check_child) == 0

    def test_the_registry_and_the_networks_can_be_locked_in_the_child(self, busy):
        net, *_ = busy

        def check_child():
            net.stop = lambda: None
            with lock_network(net), count_thread():
                convviz.plugin.registry.current().explainer_class("saliency")

        assert in_child(check_child) == 0

    def test_the_thread_that_forks_keeps_its_session(self):
        net = Net()
        model = convviz.Model(net)

        def check_child():
            assert not net.training
            model.forward(IMAGES)
            assert model.cache.session_depth == 1

        with model.session():
            assert in_child(check_child) == 0
        assert net.training
