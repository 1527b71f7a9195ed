"""embedding: a map of a data set in which images with similar features lie close together."""

from .explainer import Embedding as Embedding
from .explainer import convviz_explainers as convviz_explainers
