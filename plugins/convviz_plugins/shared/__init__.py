"""Helpers that several built-in explainers use."""
