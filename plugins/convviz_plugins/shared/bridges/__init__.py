"""Explainers generated from the attribution methods of other libraries."""
