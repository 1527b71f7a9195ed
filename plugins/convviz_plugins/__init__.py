"""Everything convviz ships as plugins: explainers, model and data sources."""
