"""flip: the smallest rectangle whose covering changes the top class."""

from .explainer import Flip as Flip
from .explainer import convviz_explainers as convviz_explainers
