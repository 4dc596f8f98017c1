"""pyproject.toml, environment.yml, constraints.txt and the package tell one story."""

import re
import sys
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.version import Version

import minivae

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # pytest brings it where Python does not

ROOT = Path(__file__).parents[1]
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = SETTINGS["project"]
CONDA_NAMES = {"torch": "pytorch", "matplotlib": "matplotlib-base"}


def requirements() -> dict[str, Requirement]:
    extras = PROJECT["optional-dependencies"]
    found = [Requirement(text) for text in PROJECT["dependencies"] + extras["course"] + extras["test"]]
    return {requirement.name: requirement for requirement in found}


def test_conda_environment_has_the_same_packages_and_bounds():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    (pip,) = [entry["pip"] for entry in environment if isinstance(entry, dict)]
    stated = [entry for entry in environment if isinstance(entry, str) and entry != "pip"] + pip
    stated.remove("-e .")
    assert f"python{PROJECT['requires-python']}" in stated
    stated.remove(f"python{PROJECT['requires-python']}")
    wanted = {f"{CONDA_NAMES.get(name, name)}{requirement.specifier}" for name, requirement in requirements().items()}
    assert set(stated) == wanted


def test_every_dependency_is_pinned_within_its_bounds():
    pins = {}
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        match = re.match(r"([\w.\-]+)==([\w.+]+)", line)
        if match:
            pins[re.sub(r"[-_.]+", "-", match[1]).lower()] = Version(match[2])
    for name, requirement in requirements().items():
        assert name in pins, f"{name} has no pin in constraints.txt"
        assert requirement.specifier.contains(pins[name]), f"{name}=={pins[name]} is outside {requirement.specifier}"


def test_version_is_stated_once_and_the_same():
    assert PROJECT["version"] == minivae.__version__


def test_ci_runs_the_test_command_of_the_readme():
    assert "make test" in (ROOT / "README.md").read_text()
    assert (ROOT / ".ci" / "run").read_text().rstrip().endswith("make test\nmake test-slow")  # together: make test-all


def test_what_the_package_reads_is_installed_with_it():
    stated = SETTINGS["tool"]["setuptools"]["package-data"]
    folders = {ROOT / package.replace(".", "/"): names for package, names in stated.items()}
    data = {path for folder, names in folders.items() for name in names for path in folder.glob(name)}
    assert data == {p for p in (ROOT / "minivae").rglob("*") if p.is_file() and p.suffix not in (".py", ".pyc")}
