"""Locality rules of all nodes of a graph, and receptive fields computed from them."""

from __future__ import annotations

from torch import fx

from ..errors import UnknownNameError
from ..graph.export import Graph, NoGraph
from . import rules_pointwise, rules_reshape, rules_sliding
from .pixel_sets import PixelIntervals, PixelMasks, PixelSet
from .receptive_field import ReceptiveField
from .rules import RULES, Global, ImageAxes, Local, OperatorCall, operator, shape

_FIXED = frozenset(
    """
    empty_like full_like new_empty new_full new_ones new_zeros ones_like sym_numel sym_size
    sym_storage_offset sym_stride zeros_like
    """.split()  # noqa: SIM905
)
"""Operators that use the shape of a tensor only."""

# Importing a module of rules registers them.
_RULES = (rules_pointwise, rules_reshape, rules_sliding)


def locality(graph: Graph) -> dict[fx.Node, Local | Global]:
    """Return the rule of every node that depends on the images, in graph order.

    A node that depends on a global node is global, and refers to the first such node.
    """
    if "locality" not in graph.memo:
        rules: dict[fx.Node, Local | Global] = {}
        for node in graph.nodes.nodes:
            if node is graph.image:
                rules[node] = Local(ImageAxes(2, 3), ())
            elif node.op == "output" or operator(node) in _FIXED:
                continue
            elif any(source in rules for source in node.all_input_nodes):
                rules[node] = _rule(node, rules)
        graph.memo["locality"] = rules
    result: dict[fx.Node, Local | Global] = graph.memo["locality"]
    return result


def _rule(node: fx.Node, rules: dict[fx.Node, Local | Global]) -> Local | Global:
    """Return the rule of a node, given those of the nodes before it."""
    axes = {}
    for source in node.all_input_nodes:
        source_rule = rules.get(source)
        if isinstance(source_rule, Global):
            return source_rule
        if source_rule is not None:
            axes[source] = source_rule.axes
    name = operator(node)
    rule = RULES.get(name)
    if rule is None and rules_pointwise.is_pointwise(node.target, name):
        rule = rules_pointwise.pointwise
    local = rule(OperatorCall(node, axes)) if rule else None
    return Global(node, name) if local is None else local


def receptive_field(graph: Graph | NoGraph, layer: str) -> ReceptiveField:
    """Return the receptive field of every position of a layer's map.

    Args:
        graph: the model's graph. Without one, every field is the whole image.
        layer: a layer's name.
    """
    size = (graph.shape[1], graph.shape[2])
    if isinstance(graph, NoGraph):
        return ReceptiveField(layer, size, reason=graph.reason)
    if layer not in graph.layers:
        raise UnknownNameError("layer", layer, graph.layers)
    node = graph.layers[layer]
    rule = locality(graph).get(node)
    if rule is None:
        return ReceptiveField(layer, size, reason="it does not depend on the images")
    if isinstance(rule, Global):
        since, reason = _describe(graph, rule)
        return ReceptiveField(layer, size, reason=reason, since=since)
    rows, columns = (shape(node)[axis] for axis in rule.axes)
    return ReceptiveField(
        layer,
        size,
        rule.axes,
        virtual=_walk(graph, node, PixelIntervals.units(rows + 1, columns + 1)),
        trace=lambda: _walk(graph, node, PixelMasks.units(rows, columns)).hulls(),
    )


def _describe(graph: Graph, rule: Global) -> tuple[str, str]:
    """Return the first layer (or operator) that sees the whole image, and the reason."""
    layer = next((name for name, node in graph.layers.items() if node is rule.node), None)
    if layer is None:
        return rule.op, f"{rule.op} sees the whole image"
    return layer, f"{layer} ({rule.op}) sees the whole image"


def _walk(graph: Graph, node: fx.Node, units: PixelSet) -> PixelSet:
    """Return the pixels of the images that the rows and columns of a node see.

    Walks backwards from the node. Where several operators read a value, what they see of it is
    joined. The two axes are independent: a unit sees the product of what its row sees and what
    its column sees.

    Args:
        graph: the graph.
        node: a local node.
        units: the rows and columns of the node, each of which sees itself.
    """
    rules, heads = locality(graph), _heads(graph)
    seen = dict.fromkeys(heads[node], units)
    # The heads of a node come before it in the graph. In reverse order, all readers of a node have
    # therefore been processed when it is its turn, and its set is complete.
    order = list(rules)
    for current in reversed(order[: order.index(node) + 1]):
        rule = rules[current]
        if current not in seen or current is graph.image:
            continue
        assert isinstance(rule, Local)  # every node behind a global one is global
        pixels = seen.pop(current)
        for edge in rule.edges:
            pulled = pixels.pull(edge.y, edge.x)
            for head in heads[edge.source]:
                seen[head] = seen[head].join(pulled) if head in seen else pulled
    return seen[graph.image]


def _heads(graph: Graph) -> dict[fx.Node, frozenset[fx.Node]]:
    """Return for every local node the last nodes up to it that change intervals.

    These are the node itself if it slides, else the heads of its inputs. Most nodes are pointwise
    and leave intervals as they are. Skipping them makes deep networks quick to walk.
    """
    if "heads" not in graph.memo:
        heads: dict[fx.Node, frozenset[fx.Node]] = {}
        for node, rule in locality(graph).items():
            if isinstance(rule, Global):
                continue
            sources = [heads[edge.source] for edge in rule.edges]
            is_pointwise = rule.edges and rule.pointwise
            heads[node] = frozenset().union(*sources) if is_pointwise else frozenset({node})
        graph.memo["heads"] = heads
    result: dict[fx.Node, frozenset[fx.Node]] = graph.memo["heads"]
    return result
