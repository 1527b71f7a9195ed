"""The local app: the pages of a run with explainers, models and photos that answer at once.

It requires the extra `convviz[web]`. `convviz serve` starts it.
"""
