"""filters: the filters of a convolution as pictures (Krizhevsky et al. 2012, Fig. 3)."""

from .explainer import Filters as Filters
from .explainer import convviz_explainers as convviz_explainers
