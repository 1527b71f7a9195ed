"""`python -m convviz` is the `convviz` command."""

from .cli import main

main()
