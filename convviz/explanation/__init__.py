"""Explanations: results with their provenance, saved to folders and displayed."""
