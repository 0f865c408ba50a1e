"""Records all output of ci3 that users see, and compares two recordings.

    python -m tools.recorded_outputs record DIR [--checkout PATH] [--only SCENARIO ...]
    python -m tools.recorded_outputs compare BEFORE AFTER [--only SCENARIO ...]

BEFORE and AFTER are each a recording, a checkout, or a git revision of this repository. Checkouts
and revisions are recorded first. The servers, buckets and steps always come from the checkout that
this script is in, so that both recordings run the same scenarios.
"""

import argparse
import compileall
import difflib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from tools import action_scenarios, command_scenarios, usage_scenarios
from tools.normalization import reduce_schema
from tools.stage import Stage, open_stage

ROOT = Path(__file__).resolve().parents[1]
FILES = "files"
"""Folder that is recorded last: a recording that has it is complete."""

SCENARIOS: dict[str, Callable[[Stage], None]] = {
    "lifecycle": command_scenarios.record_lifecycle,
    "plans": command_scenarios.record_plans,
    "errors": usage_scenarios.record_errors,
    "cleanup": command_scenarios.record_cleanup,
    "help": usage_scenarios.record_help,
    "lists": command_scenarios.record_lists,
    "saved-plan": command_scenarios.record_saved_plan,
    "terminals": command_scenarios.record_terminals,
    "trouble": command_scenarios.record_failures,
    "iam-policies": usage_scenarios.record_iam_policies,
    "final-cleanup": command_scenarios.record_final_cleanup,
    "approval": command_scenarios.record_approval,
    "action-failures": action_scenarios.record_failures,
    "action": action_scenarios.record_action,
    "action-modes": action_scenarios.record_other_modes,
    "demo": command_scenarios.record_demo,
}
"""Longest first, so that the last scenarios end at about the same time."""


def record(checkout: Path, output: Path, scenarios: Sequence[str] = tuple(SCENARIOS)) -> None:
    """Record a checkout into a new folder.

    Raise WrongCheckoutError if the imported ci3 is not the checkout's.
    """
    checkout = checkout.resolve()
    output.mkdir(parents=True)
    # Python would use a stale .pyc if the source was edited within the same second.
    compileall.compile_dir(checkout / "ci3", quiet=1, force=True)
    with tempfile.TemporaryDirectory() as folder, open_stage(checkout, Path(folder), "x") as stage:
        print(f"Recording {stage.check_checkout()} into {output}", file=sys.stderr)

    def run_scenario(name: str) -> None:
        with open_stage(checkout, output, name) as stage:
            SCENARIOS[name](stage)

    with ThreadPoolExecutor(max(2, os.cpu_count() or 2)) as workers:
        list(workers.map(run_scenario, scenarios))
    _record_files(checkout, output / FILES)


def read_recording(folder: Path) -> dict[str, str]:
    """Return the text of each file in a recording, by its relative path."""
    return {
        str(path.relative_to(folder)): path.read_text(encoding="utf-8")
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def compare_recordings(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """Return a unified diff for each file that differs or that only one recording has."""
    return [
        "\n".join(
            difflib.unified_diff(
                _split_lines(before.get(name)),
                _split_lines(after.get(name)),
                f"before/{name}" if name in before else "/dev/null",
                f"after/{name}" if name in after else "/dev/null",
                lineterm="",
            )
        )
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    ]


def _split_lines(text: str | None) -> list[str]:
    """Split text into lines, with git's markers for an empty file and a missing final newline."""
    if text is None:
        return []
    if not text:
        return ["\\ Empty file"]
    lines = text.removesuffix("\n").split("\n")
    return lines if text.endswith("\n") else [*lines, "\\ No newline at end of file"]


def _record_files(checkout: Path, output: Path) -> None:
    output.mkdir()
    action = (checkout / "action.yml").read_text(encoding="utf-8")
    (output / "action.yml").write_text(action, encoding="utf-8")
    for path in sorted((checkout / "docs").glob("*.schema.json")):
        structure = reduce_schema(json.loads(path.read_text(encoding="utf-8")))
        text = json.dumps(structure, indent=1, sort_keys=True) + "\n"
        (output / path.name).write_text(text, encoding="utf-8")


@contextmanager
def _open_recording(source: str, scenarios: Sequence[str]) -> Iterator[dict[str, str]]:
    """Yield the recording of a recording's folder, a checkout or a git revision."""
    path = Path(source)
    is_checkout = (path / "ci3").is_dir()
    if path.is_dir() and not is_checkout:
        if not (path / FILES / "action.yml").exists():
            raise ValueError(f"{path} is neither a checkout nor a complete recording")
        yield read_recording(path)
        return
    with tempfile.TemporaryDirectory(prefix="ci3-compared-") as folder:
        output = Path(folder, "recording")
        if is_checkout:
            record(path, output, scenarios)
        else:
            with _open_worktree(source, Path(folder, "checkout")) as checkout:
                record(checkout, output, scenarios)
        yield read_recording(output)


@contextmanager
def _open_worktree(revision: str, path: Path) -> Iterator[Path]:
    git = ("git", "-C", str(ROOT), "worktree")
    subprocess.run([*git, "add", "--quiet", "--detach", str(path), revision], check=True)
    try:
        yield path
    finally:
        subprocess.run([*git, "remove", "--force", str(path)], check=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the script; return 1 if two recordings differ."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    recorder = commands.add_parser("record", help="record a checkout into a new folder")
    recorder.add_argument("directory", type=Path)
    recorder.add_argument("--checkout", type=Path, default=ROOT)
    comparer = commands.add_parser("compare", help="compare two recordings")
    comparer.add_argument("before")
    comparer.add_argument("after")
    for command in (recorder, comparer):
        command.add_argument("--only", nargs="+", choices=SCENARIOS, default=tuple(SCENARIOS))
    options = parser.parse_args(argv)
    if options.command == "record":
        record(options.checkout, options.directory, options.only)
        return 0
    with (
        _open_recording(options.before, options.only) as before,
        _open_recording(options.after, options.only) as after,
    ):
        diffs = compare_recordings(before, after)
    for diff in diffs:
        print(diff)
    print(f"{len({*before, *after})} files, {len(diffs)} differ", file=sys.stderr)
    return 1 if diffs else 0


if __name__ == "__main__":
    sys.exit(main())
