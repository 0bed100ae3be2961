"""The one thing that pyproject.toml cannot say: the scenarios at the root are package data."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["twin", "twin.*", "devices", "devices.*"]), "twin.scenarios"],
    package_dir={"twin.scenarios": "scenarios"},
    package_data={
        "twin.scenarios": ["*.toml"],
        "twin.alarmcore.store": ["*.sql"],
        "twin.report": ["*.html.j2", "*.css", "*.js"],
        "twin": ["py.typed"],
    },
)
