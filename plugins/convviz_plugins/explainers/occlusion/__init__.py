"""occlusion: the change of a score while a window of the image is covered."""

from .explainer import Occlusion as Occlusion
from .explainer import convviz_explainers as convviz_explainers
