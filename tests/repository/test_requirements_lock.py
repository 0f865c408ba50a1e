"""The image installs the requirements of pyproject.toml, all with hashes."""

import re
import tomllib

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.paths import ROOT

LOCK = (ROOT / "requirements.lock").read_text()


def read_locked_versions():
    pins = re.findall(r"^([\w.-]+)==([\w.]+)", LOCK, flags=re.MULTILINE)
    return {canonicalize_name(name): version for name, version in pins}


def test_each_dependency_of_pyproject_is_locked_at_a_version_it_allows():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    versions = read_locked_versions()
    required = map(Requirement, project["dependencies"])
    refused = [
        str(requirement)
        for requirement in required
        if versions.get(canonicalize_name(requirement.name), "none") not in requirement.specifier
    ]
    assert refused == [], "run `make lock`"


def test_each_locked_requirement_has_hashes_and_no_address():
    requirements = re.sub(r"^\s*#.*$", "", LOCK, flags=re.MULTILINE).replace("\\\n", "")
    hashed = re.compile(r"[\w.-]+==[\w.]+( ;[^@]+?)?( +--hash=sha256:[0-9a-f]{64})+")
    for requirement in filter(None, map(str.strip, requirements.splitlines())):
        assert hashed.fullmatch(requirement)
    assert "://" not in LOCK
