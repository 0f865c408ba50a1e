"""Runs the action on the runner's Python: installs its dependencies, then calls the entry point.

The step starts it as `python -I -S`, with nothing but the standard library. It adds this checkout
and the folder of the dependencies to the import path; packages of the job's Python stay out of it.
"""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Mapping, MutableMapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT))  # before the imports below

from ci3.errors import AccessError, Ci3Error, ExitCode, SettingsError  # noqa: E402 - see above
from entrypoint import main as run_entrypoint  # noqa: E402 - as above

LOCK = ROOT / "requirements.lock"
INPUTS_VARIABLE = "CI3_INPUTS"
"""All inputs as a JSON object: some shells drop variables with a hyphen, as in `INPUT_KEEP-COUNT`.

The runner's context `inputs` has unknown inputs too, so that ci3 can refuse them. Source:
https://github.com/actions/runner/blob/main/src/Runner.Worker/Handlers/CompositeActionHandler.cs
"""

_USAGE = "Run ci3 as a step of a workflow: uses: OWNER/ci3/python@v0"


def main(environ: MutableMapping[str, str]) -> int:
    """Run the action in the environment of a workflow's step; return the exit code."""
    try:
        inputs = read_inputs(environ.pop(INPUTS_VARIABLE, ""))
        sys.path.append(str(prepare_dependencies(environ)))
    except Ci3Error as exc:
        return _report_failure(environ, exc.full_message, exc.exit_code)
    except KeyboardInterrupt:
        message = "interrupted before anything was deleted"
        return _report_failure(environ, message, ExitCode.INTERRUPTED)
    environ.update(inputs)
    return run_entrypoint((), environ)


def read_inputs(text: str) -> dict[str, str]:
    """Return the inputs as the variables that a container action gets, such as `INPUT_KEEP-COUNT`.

    Raises SettingsError unless the text is a JSON object of strings.
    """
    try:
        inputs = json.loads(text)
    except ValueError:
        inputs = None
    if not isinstance(inputs, dict) or not all(isinstance(text, str) for text in inputs.values()):
        raise SettingsError(f"{INPUTS_VARIABLE} is not a JSON object of inputs", _USAGE)
    return {f"INPUT_{name.replace(' ', '_').upper()}": value for name, value in inputs.items()}


def prepare_dependencies(environ: Mapping[str, str]) -> Path:
    """Return the folder of the dependencies; install them if no earlier step of the job did.

    Raises AccessError if they cannot be installed.
    """
    temp = environ.get("RUNNER_TEMP", "")
    if not temp:
        raise SettingsError("RUNNER_TEMP is not set", _USAGE)
    try:
        platform = f"{sys.implementation.cache_tag} {sysconfig.get_platform()} "
        digest = sha256(platform.encode() + LOCK.read_bytes()).hexdigest()
        folder = Path(temp, f"ci3-{digest[:16]}")
        if not folder.is_dir():
            _install(folder, environ)
    except OSError as exc:
        raise AccessError(
            f"cannot install ci3's dependencies in {temp}: {exc.strerror}",
            "Check the permissions and free space of RUNNER_TEMP. Nothing was deleted.",
        ) from exc
    return folder


def _install(folder: Path, environ: Mapping[str, str]) -> None:
    """Create the folder with all dependencies in it, or not at all."""
    started_at = time.monotonic()
    partial = Path(tempfile.mkdtemp(prefix=f"{folder.name}-", dir=folder.parent))
    try:
        _run_pip(partial, environ)
        try:
            partial.rename(folder)
        except OSError:
            if not folder.is_dir():  # another step that runs at the same time was faster
                raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    _print(f"Installed ci3's dependencies in {time.monotonic() - started_at:.1f} s.")


def _run_pip(target: Path, environ: Mapping[str, str]) -> None:
    # -I: no `pip` of the workspace. Bytecode is written when a module is imported first.
    command = (
        *(sys.executable, "-I", "-m", "pip", "install", "--target", str(target)),
        *("--requirement", str(LOCK), "--require-hashes", "--no-deps", "--only-binary", ":all:"),
        *("--no-compile", "--no-input", "--quiet", "--disable-pip-version-check"),
        *("--root-user-action", "ignore"),
    )
    # What the job sets for its own pip, and what `--target` contradicts.
    overrides = {"PIP_USER": "0", "PIP_REQUIRE_VIRTUALENV": "0"}
    if subprocess.run(command, env={**environ, **overrides}, check=False).returncode:
        raise AccessError(
            "pip cannot install ci3's dependencies: see its error in the log",
            "If PyPI is blocked, set PIP_INDEX_URL to a mirror in the step's env. "
            "Nothing was deleted.",
        )


def _report_failure(environ: Mapping[str, str], message: str, exit_code: ExitCode) -> ExitCode:
    """Annotate the step, set its outcome and write the summary; return the exit code."""
    text = message.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    _print(f"::error title=ci3::{text}")
    _append(environ.get("GITHUB_OUTPUT", ""), "outcome=failed\n")
    _append(environ.get("GITHUB_STEP_SUMMARY", ""), f"### ❌ ci3 stopped\n\n{message}\n")
    return exit_code


def _append(path: str, text: str) -> None:
    """Append to a file of the runner, if there is one."""
    with suppress(OSError), Path(path).open("a", encoding="utf-8") as file:
        file.write(text)


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main(os.environ))
