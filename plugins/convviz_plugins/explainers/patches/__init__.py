"""patches: the patches that activate each unit most (Zeiler & Fergus 2013, section 4.1)."""

from .explainer import Patches as Patches
from .explainer import convviz_explainers as convviz_explainers
