"""Benchmarks of explainers: scores of explanations, their statistics, tables and speed."""
