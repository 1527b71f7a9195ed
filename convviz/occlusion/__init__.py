"""Scores of occluded images: the dense engine, and exact incremental inference."""
