"""The classes of zennit.*, generated from the signatures of zennit's composites."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from pydantic import Field, PositiveFloat

from convviz.authoring import Explainer, MapKind

from ...shared.bridges.signatures import Translation, explainer_class, missing_library
from .explainer import CompositeExplainer

_TRANSLATION = Translation(
    replaced={
        "epsilon": {
            "epsilon": (
                PositiveFloat,
                Field(1e-6, description="Added to the denominators of linear layers."),
            )
        },
        "stabilizer": {
            "stabilizer": (
                PositiveFloat,
                Field(1e-6, description="Added to the denominators of the other rules."),
            )
        },
    },
    injected=frozenset(
        ("self", "layer_map", "first_map", "zero_params", "canonizers", "low", "high")
    ),
    choices={},
    descriptions={
        "gamma": "Weight of the positive weights of convolutions.",
        "beta_smooth": "Steepness of the softplus in place of ReLU.",
    },
)

_OVERVIEW = "https://doi.org/10.1007/978-3-030-28954-6_10"
_ARXIV = "https://arxiv.org/abs/"

SUMMARIES: Mapping[str, str] = {
    "EpsilonGammaBox": "Relevance propagation: the box rule for the first convolution, gamma for "
    f"others, epsilon for linear layers ({_OVERVIEW}).",
    "EpsilonPlus": "Relevance propagation: positive contributions of convolutions, epsilon for "
    f"linear layers ({_OVERVIEW}).",
    "EpsilonAlpha2Beta1": "Relevance propagation: twice the positive minus the negative "
    f"contributions of convolutions, epsilon for linear layers ({_OVERVIEW}).",
    "EpsilonPlusFlat": "Relevance propagation: evenly in the first layer, positive contributions "
    f"of convolutions, epsilon for linear layers ({_OVERVIEW}).",
    "EpsilonAlpha2Beta1Flat": "Relevance propagation: evenly in the first layer, twice the "
    "positive minus the negative contributions of convolutions, epsilon for linear layers "
    f"({_OVERVIEW}).",
    "DeconvNet": f"Gradient whose ReLUs act on the gradient only ({_ARXIV}1311.2901).",
    "GuidedBackprop": "Gradient of which each ReLU passes on the positive part "
    f"({_ARXIV}1412.6806).",
    "ExcitationBackprop": "Positive contributions of convolutions and linear layers "
    f"({_ARXIV}1608.00507).",
    "BetaSmooth": f"Gradient of the network with smooth ReLUs ({_ARXIV}1906.07983).",
}
"""Composite -> one sentence, with the publication that defines it."""

_KINDS: Mapping[str, MapKind] = {
    "DeconvNet": "gradient",
    "GuidedBackprop": "gradient",
    "BetaSmooth": "gradient",
}


@cache
def classes() -> dict[str, type[Explainer]]:
    """Return the generated classes by name.

    Raises:
        MissingLibraryError: zennit is not installed.
    """
    try:
        from zennit.composites import COMPOSITES
    except ModuleNotFoundError as error:
        raise missing_library(error, "zennit", "zennit") from error
    classes_by_name: dict[str, type[Explainer]] = {}
    for composite in COMPOSITES.values():
        name, fields = composite.__name__, _TRANSLATION.fields(composite.__init__)
        if fields is not None:
            kind = _KINDS.get(name, "contribution")
            doc = SUMMARIES.get(name, f"The composite {name} of zennit.")
            unit = "relevance" if kind == "contribution" else "modified gradient"
            classes_by_name[name] = explainer_class(
                name,
                CompositeExplainer,
                fields,
                doc,
                library_class=name,
                changes_relus=kind == "gradient",
                map_kind=kind,
                unit=unit,
            )
    return classes_by_name
