"""feature_visualization: an image that maximizes a score or a unit (Olah et al. 2017)."""

from .explainer import FeatureVisualization as FeatureVisualization
from .explainer import convviz_explainers as convviz_explainers
