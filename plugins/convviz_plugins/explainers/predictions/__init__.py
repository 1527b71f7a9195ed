"""predictions: top classes, accuracy, calibration, confident errors and label suspects."""

from .explainer import Predictions as Predictions
from .explainer import convviz_explainers as convviz_explainers
