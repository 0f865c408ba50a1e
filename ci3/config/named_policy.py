"""Read the policy file that an input or option names, without importing YAML if none is named."""

from collections.abc import Mapping
from pathlib import Path

from ci3.config.resolve import RawSetting, raw_text
from ci3.config.targets import PolicyFile
from ci3.core.journal.location import is_s3_url
from ci3.errors import SettingsError

FILE_SETTINGS = ("plan-file", "journal-file")
"""The settings of a policy file that name a file of this machine."""


def read_named_policy(overrides: Mapping[str, RawSetting], workspace: str = ".") -> PolicyFile:
    """Return the policy file named by a setting, or an empty one if none is named.

    Raises SettingsError as `read_policy_file` does, and for a file outside of the workspace that it
    names: a pull request may change the policy file, and ci3 would write that file.
    """
    path = raw_text(overrides, "policy-file")
    if not path:
        return PolicyFile()
    from ci3.config.policy_file import read_policy_file  # noqa: PLC0415 - yaml: few runs have a policy file

    policy = read_policy_file(path)
    for name in FILE_SETTINGS:
        if file_path := raw_text(policy.defaults, name):
            _refuse_outside(policy.defaults[name], file_path, workspace)
    return policy


def _refuse_outside(raw: RawSetting, path: str, workspace: str) -> None:
    """Raise SettingsError for a path that leads out of the workspace, also by a symbolic link."""
    if is_s3_url(path):
        return
    try:
        resolved = Path(path).resolve()
        # From Python 3.13 on, a loop of links stays unresolved instead of raising an error.
        has_loop = any(part.is_symlink() for part in (resolved, *resolved.parents))
        is_inside = not has_loop and resolved.is_relative_to(Path(workspace).resolve())
    except (OSError, ValueError, RuntimeError):  # a loop of links, or a null character
        is_inside = False
    if not is_inside:
        raise SettingsError(
            f"{raw.where}: {path!r} is outside the workspace",
            "A policy file can only name files in the working directory. For other files, use the "
            "input or option. Nothing was deleted.",
        )
