"""The built wheel, installed in a fresh environment, holds every package that the command needs.

An editable install reads the source tree and would hide a package that the wheel lacks.
"""

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from tests.support.paths import ROOT


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the Python of a new environment that has the wheel with its demo extra."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"  # building writes into its source folder
    shutil.copytree(ROOT / "ci3", source / "ci3", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    build = ("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(source))
    run_pip(*build)
    (wheel,) = folder.glob("ci3-*.whl")
    venv.create(folder / "environment", symlinks=True)
    python = folder / "environment" / "bin" / "python"
    # Compiling all of botocore takes longer than what the tests import of it.
    run_pip("--python", str(python), "install", "--no-compile", f"{wheel}[demo]")
    return python


def run_pip(*arguments: str) -> None:
    """Run this environment's pip, so that the new one needs none."""
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


def test_wheel_shows_help(python: Path, tmp_path: Path) -> None:
    assert "plan-cleanup" in run_command(python, tmp_path, "--help")


def test_wheel_runs_the_demo(python: Path, tmp_path: Path) -> None:
    assert "deployments deleted" in run_command(python, tmp_path, "demo")


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
    where, *names = result.stdout.splitlines()
    assert Path(where).is_relative_to(python.parents[1])
    sources = sorted(
        path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")
        for path in (ROOT / "ci3").rglob("*.py")
    )
    expected = [name.removesuffix(".__init__") for name in sources]
    assert sorted(names) == sorted(set(expected) - {"ci3"})
