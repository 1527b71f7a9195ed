"""The closed set of result types, and conversion of values to JSON."""
