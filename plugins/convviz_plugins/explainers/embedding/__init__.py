"""A map of a data set: images that the network takes for alike lie close together."""

from .explainer import Embedding as Embedding
from .explainer import convviz_explainers as convviz_explainers
