"""environment.yml, pyproject.toml and the code name the same packages; the wheel holds what it should."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

import toriwork
from tools import lower_bounds
from toriwork.codebase.source import tree_of

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
ENVIRONMENT = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))

#: conda-forge's name -> the name that PyPI knows it by
CONDA_NAMES = {"matplotlib-base": "matplotlib", "python-duckdb": "duckdb", "python-lmdb": "lmdb"}
#: conda-forge does not have these
FROM_PYPI = {"redzed-tda"}
#: what the import statement says -> the distribution that holds it
IMPORT_NAMES = {"sklearn": "scikit-learn", "yaml": "pyyaml", "redzed_tda": "redzed-tda", "IPython": "ipywidgets"}
IMPORT_NAMES |= {"PIL": "matplotlib"}  # which needs and brings it
IMPORT_NAMES |= {"traitlets": "ipywidgets", "nbconvert": "jupyterlab"}  # same
IMPORT_NAMES |= {"opentelemetry": "opentelemetry-sdk", "google": "opentelemetry-proto"}  # which brings protobuf
#: what stands in this checkout
OWN = {"toriwork", "tests", "tools", "benchmarks", "research", "conftest"}
OWN |= {"alan_backend", "python", "make_history", "migrate_to_nodb"}  # the backend to practise on imports itself
DECLARE = "declare it in pyproject.toml and environment.yml; IMPORT_NAMES knows it where its import has another name"
#: needed by another requirement, which does not say so
UNDECLARED_BY = {"scikit-learn": "gudhi.sklearn", "scipy": "gudhi.sklearn"}


def requirements(texts: list[str]) -> dict[str, SpecifierSet]:
    """Distribution -> bounds, references of one extra to another left out."""
    parsed = map(Requirement, texts)
    return {item.name.lower(): item.specifier for item in parsed if item.name != PROJECT["name"]}


def declared(*extras: str) -> dict[str, SpecifierSet]:
    """What an install with these extras brings."""
    optional = [text for extra in extras for text in PROJECT["optional-dependencies"][extra]]
    return requirements(PROJECT["dependencies"] + optional)


def conda() -> dict[str, SpecifierSet]:
    """The packages of environment.yml under their PyPI names; python, pip and the checkout itself left out."""
    *entries, pip = ENVIRONMENT["dependencies"]
    named = [entry for entry in entries if not re.match(r"(python=|pip$)", entry)]
    named += [entry for entry in pip["pip"] if not entry.startswith("-")]
    found = {}
    for entry in named:
        item = Requirement(entry)
        found[CONDA_NAMES.get(item.name, item.name)] = item.specifier
    return found


def imported_by(folder: Path) -> set[str]:
    """Top-level names of every third-party module that the code imports, wherever the statement stands."""
    names = set()
    for path in folder.rglob("*.py"):
        if "corpus" in path.parts:
            continue  # what toriwork guard must find: nobody imports it
        for node in ast.walk(tree_of(path.read_bytes())):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                names.add(node.module.split(".")[0])
    return names - set(sys.stdlib_module_names) - OWN


def test_both_files_name_the_same_packages_with_the_same_bounds():
    assert conda() == declared(*PROJECT["optional-dependencies"]), "give both files the same line"


def test_the_recipe_says_what_pyproject_says():
    recipe = yaml.safe_load((ROOT / "conda" / "recipe" / "recipe.yaml").read_text(encoding="utf-8"))
    known = recipe["context"]
    assert (known["name"], known["version"]) == (PROJECT["name"], toriwork.__version__)
    assert f">={known['python_min']}" == PROJECT["requires-python"]
    python, *others = recipe["requirements"]["run"]
    assert python == "python >=${{ python_min }}"
    run = {CONDA_NAMES.get(item.name, item.name): item.specifier for item in map(Requirement, others)}
    assert run == {name: bounds for name, bounds in declared().items() if name not in FROM_PYPI}
    build = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["build-system"]["requires"]
    assert [item.replace(" ", "") for item in recipe["requirements"]["host"][2:]] == build
    assert recipe["build"]["python"]["entry_points"] == [f"{k} = {v}" for k, v in PROJECT["scripts"].items()]
    about = recipe["about"]
    assert (about["summary"], about["license"]) == (PROJECT["description"], PROJECT["license"])


def test_what_comes_from_pypi_alone_is_what_the_environment_takes_from_there():
    *_, pip = ENVIRONMENT["dependencies"]
    taken = {Requirement(entry).name for entry in pip["pip"] if not entry.startswith("-")}
    assert taken & declared().keys() == FROM_PYPI


def test_only_conda_forge_is_asked():
    assert ENVIRONMENT["channels"] == ["conda-forge", "nodefaults"]


def test_the_environment_is_of_a_python_that_the_package_supports():
    (pin,) = [entry for entry in ENVIRONMENT["dependencies"] if str(entry).startswith("python=")]
    assert pin.removeprefix("python=") + ".0" in SpecifierSet(PROJECT["requires-python"])


def test_every_requirement_has_a_lower_bound():
    assert [
        name
        for name, bounds in declared(*PROJECT["optional-dependencies"]).items()
        if not any(">=" in str(bound) for bound in bounds)
    ] == [], "give it a lower bound in pyproject.toml and environment.yml"


def test_the_oldest_releases_are_tried_with_their_extras():
    """``python tools/lower_bounds.py --try`` runs the tests with them; this is the part that takes no time."""
    pinned = {item.name.lower(): item for item in map(Requirement, lower_bounds.pins())}
    asked = [text for texts in PROJECT["optional-dependencies"].values() for text in texts] + PROJECT["dependencies"]
    for item in map(Requirement, asked):
        if item.name != PROJECT["name"] and item.name not in lower_bounds.LATEST:
            assert pinned[item.name.lower()].extras == item.extras
            assert f">={str(pinned[item.name.lower()].specifier)[2:]}" in str(item.specifier).split(",")
    *packages, editable, checkout = lower_bounds.tried()  # tests call `toriwork`, flake8 with our plugin, pre-commit
    assert {Requirement(text).name for text in packages} >= {item.name for item in map(Requirement, asked)} - {
        "toriwork"
    }
    assert (editable, checkout) == ("--editable", str(ROOT))


def test_every_import_of_the_package_is_declared():
    runtime = declared("demo", "fast", "migrate", "cluster", "soak")
    missing = {name for name in imported_by(ROOT / "toriwork") if IMPORT_NAMES.get(name, name) not in runtime}
    assert missing == set(), DECLARE


#: giotto-tda and MLflow, which need older packages: an environment of their own, named to ``benchmarks.other_tools``
ELSEWHERE = {"gtda", "mlflow"}


def test_every_import_of_benchmarks_and_research_is_declared():
    peers = declared("demo", "bench", "cluster", "soak")
    names = imported_by(ROOT / "benchmarks") | imported_by(ROOT / "research")
    assert names >= ELSEWHERE
    missing = {name for name in names - ELSEWHERE if IMPORT_NAMES.get(name, name) not in peers}
    assert missing == set(), DECLARE


def test_every_import_of_tests_and_tools_is_declared():
    everything = declared(*PROJECT["optional-dependencies"])
    names = imported_by(ROOT / "tests") | imported_by(ROOT / "tools") | imported_by(ROOT / "data_samples")
    assert {name for name in names if IMPORT_NAMES.get(name, name) not in everything} == set(), DECLARE


def test_nothing_is_required_of_a_user_that_no_code_needs():
    used = {IMPORT_NAMES.get(name, name) for name in imported_by(ROOT / "toriwork")} | set(UNDECLARED_BY)
    unused = requirements(PROJECT["dependencies"]).keys() - used
    assert unused <= {"ipywidgets"}  # waits for toriwork.widgets; the notebooks' users have it from the first day


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The folder into which a wheel that was built from this checkout is unpacked."""
    from hatchling.builders.wheel import WheelBuilder

    folder = tmp_path_factory.mktemp("wheel")
    (built,) = WheelBuilder(str(ROOT)).build(directory=str(folder / "built"), versions=["standard"])
    with zipfile.ZipFile(built) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


@pytest.fixture(scope="module")
def wheel(installed):
    """The names inside the wheel."""
    return {path.relative_to(installed).as_posix() for path in installed.rglob("*") if path.is_file()}


def test_the_wheel_holds_every_module_and_the_type_marker(wheel):
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "toriwork").rglob("*.py")}
    assert modules <= wheel
    assert "toriwork/py.typed" in wheel
    front_ends = {str(path.relative_to(ROOT)) for path in (ROOT / "toriwork" / "widgets" / "static").iterdir()}
    assert "toriwork/widgets/static/live.js" in front_ends
    assert front_ends <= wheel


def test_the_wheel_holds_the_data_samples(wheel):
    samples = {f"toriwork/{path.relative_to(ROOT)}" for path in (ROOT / "data_samples").glob("*.*")}
    assert samples
    assert samples <= wheel


def test_commands_run_from_the_wheel_outside_of_the_checkout(installed, tmp_path):
    code = (
        "import sys, toriwork\nfrom toriwork.cli import main\nfrom toriwork.samples import load_sample, sample_names\n"
        "assert toriwork.__file__.startswith(sys.argv[1]), toriwork.__file__\n"
        "assert all(len(load_sample(name)) for name in sample_names())\n"
        "lines = ['notebook sanitize', 'registry add cloud.csv', 'registry info', 'diagram cloud.csv', 'doctor']\n"
        "sys.exit(max(main(line.split()) for line in lines))\n"
    )
    (tmp_path / "cloud.csv").write_text("x,y\n0,0\n0,1\n1,0\n")
    environment = os.environ | {"PYTHONPATH": str(installed), "TORI_STATE_ROOT": str(tmp_path)}
    line = [sys.executable, "-c", code, str(installed)]
    done = subprocess.run(line, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_wheel_holds_nothing_else(wheel):
    assert {name.split("/")[0] for name in wheel if ".dist-info" not in name} == {"toriwork"}
