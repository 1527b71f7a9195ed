"""Descriptions of the fields that are options of `convviz analyze`, without further imports."""

CLASSES_HELP = (
    "Outputs of the model by class of the data set: a CSV or JSON file with class and output "
    "(index or label), or in Python a dict. By default, classes are matched by name or number."
)
