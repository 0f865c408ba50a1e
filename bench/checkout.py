"""The measured ci3 checkouts: this one and, with `--also`, a second one.

Each has its own virtual environment. ci3 is started as `python -m ci3` or by `entrypoint.py`, which
do not depend on the layout of a checkout's modules.
"""

import json
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

_PROBE = """
import importlib.metadata, importlib.util, json, platform
try:
    main = importlib.util.find_spec("ci3.__main__").origin
except ModuleNotFoundError:
    main = None
packages = {item.name: item.version for item in importlib.metadata.distributions()}
print(json.dumps({"main": main, "packages": {"Python": platform.python_version(), **packages}}))
"""
_INSTALLERS = ("pip", "setuptools")
ENVIRONMENT = ".venv-{}.{}".format(*sys.version_info)
"""The folder of a checkout's environment for this Python; the Makefile uses the same name."""


class CheckoutError(Exception):
    """A checkout cannot be measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkout:
    """A ci3 checkout, and the Python of its environment."""

    root: Path
    python: Path

    @property
    def command(self) -> list[str]:
        """The command line that starts `ci3`, without the installed script: it names a module."""
        return [str(self.python), "-m", "ci3"]

    @property
    def action(self) -> list[str]:
        """The command line that starts the action."""
        return [str(self.python), str(self.root / "entrypoint.py")]


THIS = Checkout(
    root=Path(__file__).resolve().parent.parent, python=Path(sys.executable).parent / "python"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """The packages of a checkout's environment; `commit` ends in `-dirty` if files were changed."""

    commit: str
    packages: Mapping[str, str]
    """Version of each package and of Python."""

    @property
    def version(self) -> str:
        """The version of ci3 and its commit, such as `0.1.0 (1234567)`."""
        return f"{self.packages.get('ci3', 'unknown')} ({self.commit})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """This checkout and the second checkout."""

    second_checkout: Checkout
    this: Installed
    second: Installed

    def differing_packages(self) -> Iterator[str]:
        """Yield a description of each package, or Python, whose versions differ."""
        this_packages, second_packages = self.this.packages, self.second.packages
        for name in sorted({*this_packages} & {*second_packages} - {"ci3", *_INSTALLERS}):
            if this_packages[name] != second_packages[name]:
                yield f"{name} {this_packages[name]} and {second_packages[name]}"


def compare_with(folder: Path) -> Comparison:
    """Return the checkout in a folder; create its virtual environment if there is none.

    Raise CheckoutError if the folder is not a ci3 checkout or if an environment has another ci3.
    """
    root = folder.resolve()
    if not _is_ci3_checkout(root):
        raise CheckoutError(f"{folder} is not a ci3 checkout")
    checkout = Checkout(root=root, python=root / ENVIRONMENT / "bin/python")
    if not checkout.python.exists():
        print(f"Creating {root / ENVIRONMENT}", file=sys.stderr)
        _run_command([sys.executable, "-m", "venv", str(root / ENVIRONMENT)])
    if _probe(checkout)["main"] is None:
        print(f"Installing {root} into {ENVIRONMENT}", file=sys.stderr)
        _install(checkout)
    return Comparison(
        second_checkout=checkout, this=inspect_checkout(THIS), second=inspect_checkout(checkout)
    )


def inspect_checkout(checkout: Checkout) -> Installed:
    """Return the installed packages, and compile ci3 so that no measured run has to.

    Raise CheckoutError if the environment imports ci3 from elsewhere.
    """
    probe_result = _probe(checkout)
    expected = checkout.root / "ci3/__main__.py"
    if probe_result["main"] is None or Path(probe_result["main"]).resolve() != expected.resolve():
        raise CheckoutError(
            f"{checkout.python} -m ci3 runs {probe_result['main']}, not {expected}. "
            "Run pip install -e in that environment, or remove it to have it created."
        )
    _run_command([str(checkout.python), "-m", "compileall", "-q", str(checkout.root / "ci3")])
    return Installed(commit=_describe_commit(checkout.root), packages=probe_result["packages"])


def _is_ci3_checkout(root: Path) -> bool:
    try:
        project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    except (OSError, KeyError, ValueError):
        return False
    files = (root / "entrypoint.py", root / "ci3/__main__.py")
    return project.get("name") == "ci3" and all(file.exists() for file in files)


def _probe(checkout: Checkout) -> dict[str, Any]:
    # Like the measured runs: ignore PYTHONPATH and modules in the current folder.
    probe_result: dict[str, Any] = json.loads(
        _run_command([str(checkout.python), "-P", "-c", _PROBE], env={})
    )
    return probe_result


def _install(checkout: Checkout) -> None:
    """Install a checkout with this environment's package versions, so that only ci3 differs."""
    with tempfile.NamedTemporaryFile("w", prefix="ci3-bench-", suffix=".txt") as constraints:
        constraints.writelines(
            f"{distribution.name}=={distribution.version}\n"
            for distribution in distributions()
            if distribution.name != "ci3"
        )
        constraints.flush()
        pip = [str(checkout.python), "-m", "pip", "--disable-pip-version-check"]
        _run_command([*pip, "install", "--quiet", "-c", constraints.name, "-e", str(checkout.root)])


def _describe_commit(root: Path) -> str:
    describe = ["git", "-C", str(root), "describe", "--always", "--dirty", "--exclude", "*"]
    try:
        return _run_command(describe).strip()
    except (CheckoutError, OSError):
        return "no commit"


def _run_command(argv: list[str], env: Mapping[str, str] | None = None) -> str:
    process = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
    if process.returncode:
        raise CheckoutError(
            f"{' '.join(argv)} ended with {process.returncode}:\n{process.stderr[-2000:]}"
        )
    return process.stdout
