"""Sources of data sets."""
