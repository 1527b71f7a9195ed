"""Model sources: where `convviz.load_model` finds networks."""
