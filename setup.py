"""Package folders; the metadata lives in pyproject.toml."""

from setuptools import find_packages, setup

setup(
    packages=find_packages(include=["convviz*"])
    + find_packages("plugins", include=["convviz_plugins*"]),
    package_dir={"convviz_plugins": "plugins/convviz_plugins"},
)
