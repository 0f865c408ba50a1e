"""The package: its build is reproducible, and its wheel is complete.

An editable install reads the source tree and would hide a package that is missing in the wheel.
The new environment has only the distributions that the wheel's metadata requires, linked from this
environment.
"""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from collections.abc import Collection, Iterator
from importlib.metadata import Distribution, distribution, distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.support.paths import ROOT


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the sources of the package."""
    source = tmp_path_factory.mktemp("source")
    shutil.copytree(ROOT / "ci3", source / "ci3", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("CHANGELOG.md", "LICENSE", "README.md", "pyproject.toml"):
        shutil.copy(ROOT / name, source)
    (source / "notes.txt").write_text("no part of the package\n")
    return source


@pytest.fixture(scope="module")
def package(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with an sdist and the wheel that was built from it."""
    return build(source, tmp_path_factory.mktemp("package"))


@pytest.fixture(scope="module")
def python(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the Python of a new environment that has the wheel with its demo extra."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    run_pip("--python", str(python), "install", "--no-deps", str(find_file(package, "whl")))
    (site_packages,) = folder.glob("lib/python3*/site-packages")
    link_requirements(site_packages)
    return python


def build(source: Path, folder: Path, *options: str) -> Path:
    """Build with the package's backend; return the folder."""
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), *options]
    subprocess.run([*command, str(source)], check=True, timeout=600, capture_output=True)
    return folder


def find_file(package: Path, suffix: str) -> Path:
    """Return the one file with this suffix."""
    (path,) = package.glob(f"ci3-*.{suffix}")
    return path


def link_requirements(site_packages: Path) -> None:
    """Link the requirements of ci3 and of its demo extra into this folder."""
    (ci3,) = distributions(name="ci3", path=[str(site_packages)])
    pending = list(find_requirements(ci3, {"demo"}))
    resolved = set()
    while pending:
        requirement = pending.pop()
        if str(requirement) in resolved:
            continue
        resolved.add(str(requirement))
        required = distribution(requirement.name)
        assert requirement.specifier.contains(required.version, prereleases=True), requirement
        pending += find_requirements(required, requirement.extras)
        link_files(required, site_packages)


def find_requirements(required: Distribution, extras: Collection[str]) -> Iterator[Requirement]:
    """Yield the requirements of a distribution with these extras, on this Python and system."""
    for text in required.requires or ():
        requirement = Requirement(text)
        environments = [{"extra": extra} for extra in ("", *extras)]
        if requirement.marker is None or any(map(requirement.marker.evaluate, environments)):
            yield requirement


def link_files(required: Distribution, site_packages: Path) -> None:
    """Link a distribution's packages and modules, without its commands."""
    for name in {file.parts[0] for file in required.files or ()} - {"..", "__pycache__"}:
        link = site_packages / name
        if not link.exists():
            link.symlink_to(required.locate_file(name))


def run_pip(*arguments: str) -> None:
    """Run this environment's pip, so that the new environment needs none."""
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments]
    subprocess.run(command, check=True, timeout=600)


def run_command(python: Path, folder: Path, *arguments: str) -> str:
    """Run the installed `ci3` in an empty folder, and return what it prints."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    result = subprocess.run(
        [python.with_name("ci3"), *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return result.stdout


def test_same_sources_give_the_same_files(source: Path, package: Path, tmp_path: Path) -> None:
    copy = tmp_path / "later"
    shutil.copytree(source, copy, copy_function=shutil.copyfile)  # with other times
    rebuilt = build(copy, tmp_path / "again")
    for suffix in ("tar.gz", "whl"):
        assert find_file(rebuilt, suffix).read_bytes() == find_file(package, suffix).read_bytes()


def test_wheel_of_the_checkout_equals_the_wheel_of_the_sdist(
    source: Path, package: Path, tmp_path: Path
) -> None:
    direct = build(source, tmp_path, "--wheel")
    assert find_file(direct, "whl").read_bytes() == find_file(package, "whl").read_bytes()


def test_package_contains_only_ci3_and_its_metadata(package: Path) -> None:
    with zipfile.ZipFile(find_file(package, "whl")) as wheel:
        in_wheel = {name for name in wheel.namelist() if not name.startswith("ci3/")}
    with tarfile.open(find_file(package, "tar.gz")) as sdist:
        in_sdist = {name.partition("/")[2] for name in sdist.getnames()}
    assert {name.partition("/")[2] for name in in_wheel} == {
        "METADATA",
        "RECORD",
        "WHEEL",
        "entry_points.txt",
        "licenses/LICENSE",
    }
    assert {name for name in in_sdist if not name.startswith("ci3/")} == {
        "CHANGELOG.md",
        "LICENSE",
        "PKG-INFO",
        "README.md",
        "pyproject.toml",
    }


def test_description_has_no_link_that_needs_the_repository(package: Path) -> None:
    with zipfile.ZipFile(find_file(package, "whl")) as wheel:
        (name,) = (name for name in wheel.namelist() if name.endswith("/METADATA"))
        text = wheel.read(name).decode()
    targets = re.findall(r"\]\(([^)]+)\)|(?:src|srcset)=\"([^\"]+)\"", text)
    links = [link or source for link, source in targets]
    assert len(links) > 20
    assert [link for link in links if not link.startswith(("https://", "#"))] == []
    assert all("/blob/" not in link for link in links if link.endswith((".png", ".svg")))


def test_wheel_shows_help(python: Path, tmp_path: Path) -> None:
    assert "plan-cleanup" in run_command(python, tmp_path, "--help")


def test_wheel_runs_the_demo(python: Path, tmp_path: Path) -> None:
    assert "ci3 restore" in run_command(python, tmp_path, "demo")


def test_every_module_of_the_wheel_can_be_imported(python: Path, tmp_path: Path) -> None:
    code = (
        "import importlib, pkgutil, ci3; "
        "names = [m.name for m in pkgutil.walk_packages(ci3.__path__, 'ci3.')]; "
        "[importlib.import_module(name) for name in names if name != 'ci3.__main__']; "
        "print(ci3.__file__, *names, sep='\\n')"
    )
    result = subprocess.run(
        [python, "-I", "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    path, *names = result.stdout.splitlines()
    assert Path(path).is_relative_to(python.parents[1])
    sources = sorted(
        path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")
        for path in (ROOT / "ci3").rglob("*.py")
    )
    expected = [name.removesuffix(".__init__") for name in sources]
    assert sorted(names) == sorted(set(expected) - {"ci3"})
