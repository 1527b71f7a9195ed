"""occlusion: what happens to a score while a window slides over the image and hides it."""

from .explainer import Occlusion as Occlusion
from .explainer import convviz_explainers as convviz_explainers
