"""The ci3 checkouts that are measured: this one and, with `--also`, a second one.

Each has an environment of its own. ci3 is started as `python -m ci3` or by `entrypoint.py`, so that
a checkout may arrange its modules in any way.
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
packages = {found.name: found.version for found in importlib.metadata.distributions()}
print(json.dumps({"main": main, "packages": {"Python": platform.python_version(), **packages}}))
"""
_INSTALLERS = ("pip", "setuptools")
ENVIRONMENT = ".venv-{}.{}".format(*sys.version_info)
"""The folder of a checkout's environment for this Python; `make` names it in the same way."""


class CheckoutError(Exception):
    """A checkout cannot be measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkout:
    """A ci3 checkout, and the Python of its environment."""

    root: Path
    python: Path

    @property
    def command(self) -> list[str]:
        """The command line that starts `ci3`; the installed script imports a module by its path."""
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
    """What a checkout's environment holds; `commit` ends in `-dirty` when files were changed."""

    commit: str
    packages: Mapping[str, str]
    """Version of each package, and of Python."""

    @property
    def version(self) -> str:
        """The version of ci3 and its commit, such as `0.1.0 (1234567)`."""
        return f"{self.packages.get('ci3', 'unknown')} ({self.commit})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """This checkout and the second one, `also`."""

    also: Checkout
    this: Installed
    other: Installed

    def differing_packages(self) -> Iterator[str]:
        """Describe each package, and Python, that both have in different versions."""
        this, other = self.this.packages, self.other.packages
        for name in sorted({*this} & {*other} - {"ci3", *_INSTALLERS}):
            if this[name] != other[name]:
                yield f"{name} {this[name]} and {other[name]}"


def compare_with(folder: Path) -> Comparison:
    """Return the checkout in a folder; create its environment if it has none.

    Raises CheckoutError if the folder is not a ci3 checkout or an environment has another ci3.
    """
    root = folder.resolve()
    if not _is_ci3(root):
        raise CheckoutError(f"{folder} is not a ci3 checkout")
    also = Checkout(root=root, python=root / ENVIRONMENT / "bin/python")
    if not also.python.exists():
        print(f"Creating {root / ENVIRONMENT}", file=sys.stderr)
        _run([sys.executable, "-m", "venv", str(root / ENVIRONMENT)])
    if _probe(also)["main"] is None:
        print(f"Installing {root} into {ENVIRONMENT}", file=sys.stderr)
        _install(also)
    return Comparison(also=also, this=inspect_checkout(THIS), other=inspect_checkout(also))


def inspect_checkout(checkout: Checkout) -> Installed:
    """Return what is installed; compile ci3, so that no measured run has to.

    Raises CheckoutError if the environment imports ci3 from elsewhere.
    """
    probed = _probe(checkout)
    expected = checkout.root / "ci3/__main__.py"
    if probed["main"] is None or Path(probed["main"]).resolve() != expected.resolve():
        raise CheckoutError(
            f"{checkout.python} -m ci3 runs {probed['main']}, not {expected}. "
            "Run pip install -e in that environment, or remove it to have it created."
        )
    _run([str(checkout.python), "-m", "compileall", "-q", str(checkout.root / "ci3")])
    return Installed(commit=_commit(checkout.root), packages=probed["packages"])


def _is_ci3(root: Path) -> bool:
    try:
        project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    except (OSError, KeyError, ValueError):
        return False
    files = (root / "entrypoint.py", root / "ci3/__main__.py")
    return project.get("name") == "ci3" and all(file.exists() for file in files)


def _probe(checkout: Checkout) -> dict[str, Any]:
    # Like the measured runs: without PYTHONPATH, and without modules in the current folder.
    probed: dict[str, Any] = json.loads(_run([str(checkout.python), "-P", "-c", _PROBE], env={}))
    return probed


def _install(checkout: Checkout) -> None:
    """Install a checkout with the versions of this environment, so that only ci3 differs."""
    with tempfile.NamedTemporaryFile("w", prefix="ci3-bench-", suffix=".txt") as constraints:
        constraints.writelines(
            f"{found.name}=={found.version}\n" for found in distributions() if found.name != "ci3"
        )
        constraints.flush()
        pip = [str(checkout.python), "-m", "pip", "--disable-pip-version-check"]
        _run([*pip, "install", "--quiet", "-c", constraints.name, "-e", str(checkout.root)])


def _commit(root: Path) -> str:
    describe = ["git", "-C", str(root), "describe", "--always", "--dirty", "--exclude", "*"]
    try:
        return _run(describe).strip()
    except (CheckoutError, OSError):
        return "no commit"


def _run(words: list[str], env: Mapping[str, str] | None = None) -> str:
    run = subprocess.run(words, env=env, capture_output=True, text=True, check=False)
    if run.returncode:
        raise CheckoutError(f"{' '.join(words)} ended with {run.returncode}:\n{run.stderr[-2000:]}")
    return run.stdout
