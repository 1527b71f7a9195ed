"""The closed set of result types, and their JSON form."""
