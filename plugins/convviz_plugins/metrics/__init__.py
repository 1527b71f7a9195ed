"""The built-in metrics of explanations, one module for each."""
