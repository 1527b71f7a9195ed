"""Scores of networks: targets, values of targets, probabilities."""
