"""The action files have the same inputs and outputs; the lock is complete on each system."""

import re
import tomllib
from importlib.metadata import distribution

import pytest
import yaml
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.paths import ROOT

CONTAINER, PYTHON = (
    yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))
    for name in ("action.yml", "python/action.yml")
)
NOT_LOCKED = set(
    re.search(r"^NOT_IN_IMAGE := (.+)$", (ROOT / "Makefile").read_text(), re.M)[1].split()
)


def read_supported_pythons() -> list[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    prefix = "Programming Language :: Python :: 3."
    return [name.rpartition(" ")[2] for name in project["classifiers"] if name.startswith(prefix)]


def test_both_actions_have_the_same_inputs():
    assert PYTHON["inputs"] == CONTAINER["inputs"]
    assert {key: PYTHON[key] for key in PYTHON if key not in ("name", "outputs", "runs")} == {
        key: CONTAINER[key] for key in CONTAINER if key not in ("name", "outputs", "runs")
    }


def test_both_actions_have_the_same_outputs():
    assert PYTHON["runs"]["steps"][-1]["id"] == "ci3"
    assert PYTHON["outputs"] == {
        name: {**output, "value": f"${{{{ steps.ci3.outputs.{name} }}}}"}
        for name, output in CONTAINER["outputs"].items()
    }


def test_supported_pythons_are_used():
    script = (ROOT / "python/find_python.sh").read_text()
    first, *_, last = read_supported_pythons()
    assert (
        f"({first.replace('.', ', ')}) <= sys.version_info[:2] <= ({last.replace('.', ', ')})"
        in script
    )
    assert all(f"python{version}" in script for version in read_supported_pythons())


def test_python_is_installed_only_for_ci3_if_none_is_found():
    find, setup, start = PYTHON["runs"]["steps"]
    assert setup["if"] == f"steps.{find['id']}.outputs.path == ''"
    assert setup["uses"].startswith("actions/setup-python@")
    assert setup["with"]["python-version"] in {f"3.{minor}" for minor in range(11, 15)}
    assert setup["with"]["update-environment"] is False  # the job keeps its PATH
    paths = f"steps.{find['id']}.outputs.path || steps.{setup['id']}.outputs.python-path"
    assert start["env"]["CI3_PYTHON"] == f"${{{{ {paths} }}}}"


@pytest.mark.parametrize("version", read_supported_pythons())
@pytest.mark.parametrize(("system", "platform"), [("Linux", "linux"), ("Darwin", "darwin")])
@pytest.mark.parametrize("machine", ["x86_64", "aarch64", "arm64"])
def test_lock_is_complete_on_each_python_and_system(version, system, platform, machine):
    """Each requirement of a locked package is locked, too."""
    environment = default_environment() | {
        "platform_machine": machine,
        "platform_system": system,
        "python_full_version": f"{version}.0",
        "python_version": version,
        "sys_platform": platform,
    }
    locked = read_locked(environment)
    required = {
        canonicalize_name(requirement.name)
        for name in locked
        for requirement in map(Requirement, distribution(name).requires or ())
        if requirement.marker is None or requirement.marker.evaluate(environment | {"extra": ""})
    }
    assert required - locked - NOT_LOCKED == set()


def read_locked(environment) -> set[str]:
    """Return the names that the lock installs in an environment."""
    lines = re.findall(r"^([\w.-]+==[^\\\n]+)", (ROOT / "requirements.lock").read_text(), re.M)
    requirements = [Requirement(line) for line in lines]
    return {
        canonicalize_name(requirement.name)
        for requirement in requirements
        if requirement.marker is None or requirement.marker.evaluate(environment)
    }
