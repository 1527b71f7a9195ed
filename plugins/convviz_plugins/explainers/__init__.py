"""The built-in explainers: one module or package per explainer, named after it."""
