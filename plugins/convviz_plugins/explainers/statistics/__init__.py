"""statistics: moments, firing rates and dead channels of a layer over a data set."""

from .explainer import Statistics as Statistics
from .explainer import convviz_explainers as convviz_explainers
