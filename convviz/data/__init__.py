"""Data sets as ordered lists of items with stable ids, their labels and fingerprints."""
