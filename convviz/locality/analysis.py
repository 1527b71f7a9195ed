"""The rule of every node of a graph, and the receptive fields that follow from them."""

from __future__ import annotations

from torch import fx

from ..errors import UnknownNameError
from ..graph.export import Graph, NoGraph
from . import rules_pointwise, rules_reshape, rules_sliding
from .field import ReceptiveField
from .pixel_sets import Pixels, Seen, Spans
from .rules import RULES, Axes, Call, Global, Local, operator, shape

_FIXED = frozenset(
    """
    empty_like full_like new_empty new_full new_ones new_zeros ones_like sym_numel sym_size
    sym_storage_offset sym_stride zeros_like
    """.split()  # noqa: SIM905
)
"""Operators that look at the shape of a tensor only."""

# Importing a module of rules registers them.
_RULES = (rules_pointwise, rules_reshape, rules_sliding)


def locality(graph: Graph) -> dict[fx.Node, Local | Global]:
    """Return the rule of every node that depends on the images, in graph order.

    What depends on a global node is global, and names that one.
    """
    if "locality" not in graph.memo:
        found: dict[fx.Node, Local | Global] = {}
        for node in graph.nodes.nodes:
            if node is graph.image:
                found[node] = Local(Axes(2, 3), ())
            elif node.op == "output" or operator(node) in _FIXED:
                continue
            elif any(source in found for source in node.all_input_nodes):
                found[node] = _rule(node, found)
        graph.memo["locality"] = found
    result: dict[fx.Node, Local | Global] = graph.memo["locality"]
    return result


def _rule(node: fx.Node, found: dict[fx.Node, Local | Global]) -> Local | Global:
    axes = {}
    for source in node.all_input_nodes:
        known = found.get(source)
        if isinstance(known, Global):
            return known
        if known is not None:
            axes[source] = known.axes
    name = operator(node)
    known_rule = RULES.get(name)
    if known_rule is None and rules_pointwise.is_pointwise(node.target, name):
        known_rule = rules_pointwise.pointwise
    local = known_rule(Call(node, axes)) if known_rule else None
    return Global(node, name) if local is None else local


def receptive_field(graph: Graph | NoGraph, layer: str) -> ReceptiveField:
    """Return what every position of a layer's map can see of the images.

    Args:
        graph: the model's graph, or why there is none: then every field is the whole image.
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
        since, reason = _named(graph, rule)
        return ReceptiveField(layer, size, reason=reason, since=since)
    rows, columns = (shape(node)[axis] for axis in rule.axes)
    return ReceptiveField(
        layer,
        size,
        rule.axes,
        virtual=_walk(graph, node, Spans.units(rows + 1, columns + 1)),
        trace=lambda: _walk(graph, node, Pixels.units(rows, columns)).hulls(),
    )


def _named(graph: Graph, rule: Global) -> tuple[str, str]:
    """Name the layer (or operator) that sees everything, and say so in a sentence."""
    at = next((name for name, node in graph.layers.items() if node is rule.node), None)
    if at is None:
        return rule.op, f"{rule.op} sees all of it"
    return at, f"{at} ({rule.op}) sees all of it"


def _walk(graph: Graph, node: fx.Node, units: Seen) -> Seen:
    """Walk from a node back to the images with what its rows and its columns see.

    The two axes are independent: a box is the product of what its row sees and what its
    column sees.
    """
    rules, heads = locality(graph), _heads(graph)
    seen = dict.fromkeys(heads[node], units)
    # The heads of a node come before it, so that by its turn all of its readers are done.
    for current in reversed(_upto(rules, node)):
        rule = rules[current]
        if current not in seen or current is graph.image:
            continue
        assert isinstance(rule, Local)  # what a global node feeds is global
        here = seen.pop(current)
        for edge in rule.edges:
            pulled = here.pull(edge.y, edge.x)
            for head in heads[edge.source]:
                seen[head] = seen[head].join(pulled) if head in seen else pulled
    return seen[graph.image]


def _upto(rules: dict[fx.Node, Local | Global], node: fx.Node) -> list[fx.Node]:
    nodes = list(rules)
    return nodes[: nodes.index(node) + 1]


def _heads(graph: Graph) -> dict[fx.Node, frozenset[fx.Node]]:
    """Return for every local node the last ones before it (or itself) that move intervals.

    Most nodes leave them alone; skipping those makes deep networks quick to walk.
    """
    if "heads" not in graph.memo:
        heads: dict[fx.Node, frozenset[fx.Node]] = {}
        for node, rule in locality(graph).items():
            if isinstance(rule, Global):
                continue
            plain = rule.edges and rule.pointwise
            sources = [heads[e.source] for e in rule.edges]
            heads[node] = frozenset().union(*sources) if plain else frozenset({node})
        graph.memo["heads"] = heads
    result: dict[fx.Node, frozenset[fx.Node]] = graph.memo["heads"]
    return result
