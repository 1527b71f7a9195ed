"""A private copy of a network in which every activation is a module of its own.

Other libraries register hooks on activation modules. They need a module for each call: functional
activations have none, a module that is called twice mixes its calls, and an in-place module
overwrites what a hook reads. The copy is therefore rebuilt from the network's fx graph.
"""

from __future__ import annotations

import copy
import inspect
import operator
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from convviz import Model, ModelError, ParameterError

from .layer_tracer import LayerTracer

_FUNCTIONS: Mapping[Any, type[nn.Module]] = {
    functional.relu: nn.ReLU,
    torch.relu: nn.ReLU,
    torch.relu_: nn.ReLU,
    functional.relu6: nn.ReLU6,
    functional.leaky_relu: nn.LeakyReLU,
    functional.elu: nn.ELU,
    functional.silu: nn.SiLU,
    functional.gelu: nn.GELU,
    functional.hardswish: nn.Hardswish,
    functional.hardsigmoid: nn.Hardsigmoid,
    functional.sigmoid: nn.Sigmoid,
    torch.sigmoid: nn.Sigmoid,
    functional.tanh: nn.Tanh,
    functional.adaptive_avg_pool2d: nn.AdaptiveAvgPool2d,
    functional.avg_pool2d: nn.AvgPool2d,
    torch.tanh: nn.Tanh,
    "relu": nn.ReLU,
    "relu_": nn.ReLU,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
}
"""Function, or name of a tensor method -> the module that computes the same."""

_SUMS = (operator.add, operator.iadd, torch.add, "add", "add_")


class NetworkCopy:
    """A private copy of a model's network, for one explainer.

    Args:
        model: the model; its network must be in eval mode.
        sums: returns a module that adds two tensors, for libraries that need sums as modules.
        fuses: merge batch norms into the convolutions before them.

    Attributes:
        network: the copy.
        refusal: why the copy has the network's own modules; "" if its activations were replaced.
    """

    def __init__(
        self, model: Model, sums: Callable[[], nn.Module] | None = None, fuses: bool = False
    ) -> None:
        self.refusal = ""
        self._outputs: dict[str, list[fx.Node]] = {}
        plain = _copy_network(model)
        try:
            self.network: nn.Module = self._rebuilt(plain, sums, fuses)
        except Exception as error:  # the network's own code may raise anything while it is traced
            self.refusal = f"{type(error).__name__}: {error}".splitlines()[0]
            self.network = plain
        for part in self.network.modules():
            if getattr(part, "inplace", False):
                part.inplace = False
        self.network.eval()

    def layer(self, name: str, before_activation: bool = False) -> nn.Module:
        """Return the module of the copy whose output is that of a layer.

        Args:
            name: the layer.
            before_activation: return the module before an activation.

        Raises:
            ParameterError: the layer is not the output of a module.
        """
        path, colon, number = name.rpartition(":")
        if not colon or not number.isdecimal():
            path, number = name, "1"
        nodes = self._outputs.get(path, [])
        if self.refusal and int(number) == 1 and path in dict(self.network.named_modules()):
            return self.network.get_submodule(path)
        if int(number) > len(nodes):
            raise ParameterError(
                f"layer {name!r} is not the output of a module, on which other libraries register "
                "their hooks; choose the name of a module (`convviz layers` lists the layers)"
            )
        node = nodes[int(number) - 1]
        if before_activation and isinstance(self._module_of(node), nn.ReLU | nn.Tanh):
            (node,) = node.all_input_nodes
        return self._module_of(node)

    def _module_of(self, node: fx.Node) -> nn.Module:
        """Return the module that computes a node; an identity is added after a function."""
        assert isinstance(self.network, fx.GraphModule)
        if node.op == "call_module":
            return self.network.get_submodule(str(node.target))
        target = f"output_of_{node.name}"
        self.network.add_submodule(target, nn.Identity())
        with node.graph.inserting_after(node):
            identity = node.graph.call_module(target, (node,))
        node.replace_all_uses_with(identity, delete_user_cb=lambda user: user is not identity)
        self.network.recompile()
        return self.network.get_submodule(target)

    def _rebuilt(
        self, plain: nn.Module, sums: Callable[[], nn.Module] | None, fuses: bool
    ) -> fx.GraphModule:
        tracer = LayerTracer(plain)
        graph = tracer.trace(plain)
        self._outputs = tracer.outputs
        network = fx.GraphModule(plain, graph)
        _remove_assertions(graph)
        seen: set[str] = set()
        for node in list(graph.nodes):
            if node.op == "call_module":
                self._separate_call(network, node, seen)
            elif node.target in _FUNCTIONS and node.op != "get_attr":
                module = _activation(_FUNCTIONS[node.target], node)
                self._replace(network, node, module, node.args[:1])
            elif node.target is functional.batch_norm:
                self._replace_batch_norm(network, node)
            elif node.target in _SUMS and _adds_two(node):
                self._replace_sum(network, node, sums)
        if fuses:
            self._fuse_batch_norms(network)
        graph.eliminate_dead_code()
        network.delete_all_unused_submodules()
        network.recompile()
        return network

    def _separate_call(self, network: fx.GraphModule, node: fx.Node, seen: set[str]) -> None:
        """Replace a repeated call by that of a new module; remove modules without effect."""
        target = str(node.target)
        module = network.get_submodule(target)
        if isinstance(module, nn.Identity | nn.Dropout | nn.Dropout2d):
            self._redirect(node, node.args[0])
        elif isinstance(module, nn.Flatten):
            with node.graph.inserting_after(node):
                arguments = (node.args[0], module.start_dim, module.end_dim)
                self._redirect(node, node.graph.call_function(torch.flatten, arguments))
        elif target in seen:
            self._replace(network, node, copy.deepcopy(module), node.args, node.kwargs)
        seen.add(target)

    def _replace_batch_norm(self, network: fx.GraphModule, node: fx.Node) -> None:
        """Replace a functional batch norm with fixed statistics behind a convolution by a module.

        Subclasses of `nn.BatchNorm2d` that also apply an activation call the function.
        """
        arguments = inspect.signature(functional.batch_norm).bind(*node.args, **node.kwargs)
        arguments.apply_defaults()
        source, mean, variance, weight, bias, training, momentum, eps = arguments.args
        is_convolved = source.op == "call_module" and isinstance(
            network.get_submodule(str(source.target)), nn.Conv2d
        )
        tensors = [_attribute(network, value) for value in (mean, variance, weight, bias)]
        if not is_convolved or training or any(tensor is None for tensor in tensors):
            return
        norm = nn.BatchNorm2d(len(tensors[0]), eps, momentum).to(tensors[0])
        norm.running_mean, norm.running_var, *scale_and_shift = (t.detach() for t in tensors)
        # Frozen batch norms of other libraries have buffers instead of parameters.
        norm.weight, norm.bias = map(nn.Parameter, scale_and_shift)
        self._replace(network, node, norm.eval(), (source,))

    def _fuse_batch_norms(self, network: fx.GraphModule) -> None:
        """Merge batch norms into the convolutions before them if nothing else reads these."""
        modules: dict[str, nn.Module] = dict(network.named_modules())
        for node in list(network.graph.nodes):
            source = node.args[0] if node.args else None
            if not isinstance(source, fx.Node) or {node.op, source.op} != {"call_module"}:
                continue
            norm, before = modules[str(node.target)], modules[str(source.target)]
            is_pair = isinstance(norm, nn.BatchNorm2d) and isinstance(before, nn.Conv2d)
            if is_pair and len(source.users) == 1 and norm.running_mean is not None:
                fused = fuse_conv_bn_eval(before.eval(), norm.eval())
                network.add_submodule(str(source.target), fused)
                self._redirect(node, source)

    def _replace_sum(
        self, network: fx.GraphModule, node: fx.Node, sums: Callable[[], nn.Module] | None
    ) -> None:
        if sums is not None:
            self._replace(network, node, sums(), node.args)
        elif node.target is operator.iadd:
            node.target = operator.add
        elif node.target == "add_":
            node.target = "add"

    def _replace(
        self,
        network: fx.GraphModule,
        node: fx.Node,
        module: nn.Module,
        args: Any,
        kwargs: Any = None,
    ) -> None:
        """Replace a node by the call of a new module."""
        target = f"module_of_{node.name}"
        network.add_submodule(target, module)
        with node.graph.inserting_after(node):
            self._redirect(node, node.graph.call_module(target, tuple(args), kwargs or {}))

    def _redirect(self, node: fx.Node, new: Any) -> None:
        """Replace a node by another one for its users and for the layers with its output."""
        node.replace_all_uses_with(new)
        for nodes in self._outputs.values():
            nodes[:] = [new if other is node else other for other in nodes]
        node.graph.erase_node(node)


def _remove_assertions(graph: fx.Graph) -> None:
    """Remove assertions, and what only they read: they hold for the images of the trace."""
    for node in list(graph.nodes):
        if node.target is torch._assert:
            graph.erase_node(node)
    graph.eliminate_dead_code()


def _attribute(network: nn.Module, value: Any) -> Any:
    """Return the tensor that a node reads from a network; None for another node or value."""
    if not isinstance(value, fx.Node) or value.op != "get_attr":
        return None
    return operator.attrgetter(str(value.target))(network)


class TargetScores(nn.Module):
    """A network whose output are the scores of a target: `[N, classes]`, or `[N, 1]`.

    Args:
        private: the copy of the network.
        model: the model, which reads the scores in the network's output.
        target: the target, resolved.

    Attributes:
        index: the column of the target's score.
        has_classes: whether the columns are the classes.
    """

    def __init__(self, private: NetworkCopy, model: Model, target: Any) -> None:
        super().__init__()
        self.network = private.network
        self._target = target
        self._reader = [model]  # a list, because the network must not become a part of this module
        self._outputs: dict[str, Tensor] = {}
        self.has_classes = not target.units and target.contrast is None
        column = target.index if target.function is None else target.function.column
        self.index = int(column) if self.has_classes else 0
        for layer in {unit.layer for unit in target.units}:
            private.layer(layer).register_forward_hook(self._keeper(layer))

    def _keeper(self, layer: str) -> Callable[..., None]:
        def keep(module: nn.Module, inputs: Any, output: Tensor) -> None:
            self._outputs[layer] = output

        return keep

    def forward(self, images: Tensor) -> Tensor:
        """Return the scores."""
        scores = self._reader[0].pick(self.network(images))
        if not isinstance(scores, Tensor):
            raise ModelError("the scores are not a tensor [N, classes]")
        if scores.ndim == 1:
            scores = scores[:, None]
        return scores if self.has_classes else self._value(self._target, scores)[:, None]

    def _value(self, target: Any, scores: Tensor) -> Tensor:
        """Return the values of the target, `[N]`."""
        if target.contrast is not None:
            first, second = target.contrast
            return self._value(first, scores) - self._value(second, scores)
        if target.unit is None:
            return scores[:, target.index]
        output = self._outputs[target.unit.layer]
        return output[(slice(None), target.unit.channel, *(target.unit.position or ()))]


def check_scores(scores: TargetScores, image: Tensor, target: Any) -> None:
    """Raise ModelError if the copy of a network gives another score than the network.

    Args:
        scores: the copy.
        image: `[1, C, H, W]`.
        target: the target, with its score for the image.
    """
    with torch.no_grad():
        row = scores(image)[0].double()
    deviation = abs(float(row[scores.index]) - target.score)
    scale = max(float(row.abs().amax()), abs(target.score))
    if not deviation <= 1e-3 * scale:
        raise ModelError(
            f"a private copy of the network, on which other libraries run, scores {target.label} "
            f"with {float(row[scores.index]):.6g} instead of {target.score:.6g}: the network is "
            "random, or its modules depend on each other in a way that copying breaks"
        )


def _copy_network(model: Model) -> nn.Module:
    """Return a copy of a network whose parameters require gradients and have none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            network = copy.deepcopy(model.module)
    except Exception as error:
        raise ModelError(
            f"{model.name} cannot be copied, which other libraries require, because they change "
            f"the network ({type(error).__name__}: {error})"
        ) from error
    for parameter in network.parameters():
        parameter.requires_grad_(parameter.is_floating_point())
        parameter.grad = None
    return network


def _activation(cls: type[nn.Module], node: fx.Node) -> nn.Module:
    """Return the module of a functional activation, with its parameters."""
    names = list(inspect.signature(cls).parameters)
    arguments = dict(zip(names, node.args[1:], strict=False)) | dict(node.kwargs)
    return cls(**{k: v for k, v in arguments.items() if k in names and k != "inplace"})


def _adds_two(node: fx.Node) -> bool:
    """Return whether a node is the plain sum of two results."""
    two = len(node.args) == 2 and all(isinstance(part, fx.Node) for part in node.args)
    return two and not node.kwargs and node.op in ("call_function", "call_method")


def require_rebuilt(private: NetworkCopy, method: str, model: Model) -> None:
    """Raise ModelError for a method that works on modules if the network cannot be traced."""
    if private.refusal:
        raise ModelError(
            f"{method} works on modules, so that every activation of the network must be a module "
            f"of its own, but {model.name} cannot be rebuilt, because torch.fx cannot trace it "
            f"({private.refusal})"
        )


def require_relus(private: NetworkCopy, method: str, model: Model) -> None:
    """Raise ModelError for a method that changes the gradients of ReLUs if there is none.

    Its map would be the plain gradient.
    """
    if not any(isinstance(part, nn.ReLU) for part in private.network.modules()):
        raise ModelError(
            f"{method} changes the gradients of nn.ReLU modules only, and {model.name} has none: "
            "the result would be the plain gradient"
        )
