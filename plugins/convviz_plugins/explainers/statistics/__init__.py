"""How every channel of a layer behaves over a data set, and which channels are dead."""

from .explainer import Statistics as Statistics
from .explainer import convviz_explainers as convviz_explainers
