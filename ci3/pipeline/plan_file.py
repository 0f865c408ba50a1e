"""Read and write plan files."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from ci3.config.from_plan import find_plan_file, resolve_plan_settings
from ci3.config.resolve import RawSetting
from ci3.config.settings import Settings
from ci3.config.targets import PolicyFile, resolve_targets
from ci3.core.plan.plan import Plan
from ci3.errors import SettingsError, add_workspace_note

MAXIMUM_BYTES = 100_000_000


def resolve_saved_plans(
    fallbacks: Mapping[str, RawSetting], policy: PolicyFile, overrides: Mapping[str, RawSetting]
) -> tuple[tuple[Plan, ...], tuple[Settings, ...]]:
    """Return the plans in the plan file that the settings name, and the settings of each target.

    Without a plan file there are no plans, and the targets are those of the settings. Raises
    SettingsError as `read_saved_plans` and `resolve_plan_settings` do.
    """
    path = find_plan_file(policy, overrides)
    if not path:
        return (), resolve_targets(fallbacks, policy, overrides)
    plans = read_saved_plans(path)
    return plans, resolve_plan_settings(plans, path, fallbacks, policy, overrides)


def read_saved_plans(path: str) -> tuple[Plan, ...]:
    """Return the plans in a plan file.

    Raises SettingsError if it cannot be read, was edited, or was written in another format version.
    """
    try:
        with Path(path).open("rb") as file:
            content = file.read(MAXIMUM_BYTES + 1)
    except OSError as exc:
        raise SettingsError(
            f"the plan file {path} cannot be read: {exc.strerror}",
            add_workspace_note(
                "Nothing was deleted. Create it with ci3 plan-cleanup --plan-file, or mode: plan.",
                path,
            ),
        ) from exc
    if len(content) > MAXIMUM_BYTES:
        raise SettingsError(f"{path} is too large for a plan", "Nothing was deleted.")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as exc:
        raise SettingsError(f"{path} is not a ci3 plan: it is not UTF-8", "") from exc
    from ci3.core.plan.json_reader import load_plans  # noqa: PLC0415 - pydantic: few runs read a plan

    plans = load_plans(text, path)
    for plan in plans:
        _refuse_inconsistent_names(plan, path)
    return plans


def write_plan_file(text: str, path: str) -> None:
    """Write a plan file.

    Raises SettingsError if that fails, or would overwrite a file that is not a plan.
    """
    try:
        if Path(path).is_file() and not _starts_like_plan(path):
            raise SettingsError(
                f"the plan file {path} already exists and is not a plan, so it is not overwritten",
                "Name another plan-file, or remove that file. Nothing was deleted.",
            )
        Path(path).write_text(text, encoding="utf-8")
    except OSError as exc:
        raise SettingsError(
            f"the plan file {path} cannot be written: {exc.strerror}",
            add_workspace_note("Name a plan-file in a writable folder. Nothing was deleted.", path),
        ) from exc


def _starts_like_plan(path: str) -> bool:
    """Return True for a plan's beginning; an empty file may be there for another purpose."""
    with Path(path).open("rb") as file:
        return b'"format": "ci3-plan/' in file.read(100)


def _refuse_inconsistent_names(plan: Plan, path: str) -> None:
    names = Counter(decision.deployment.name for decision in plan.decisions)
    for decision in plan.decisions:
        name, prefix = decision.deployment.name, decision.deployment.prefix
        is_own_folder = prefix == f"{plan.target.prefix}{name}/"
        if not is_own_folder or not name or "/" in name or names[name] > 1:
            raise SettingsError(
                f"{path}: {prefix!r} is not the only folder of the deployment {name!r}",
                "Nothing was deleted. Create a new plan.",
            )
