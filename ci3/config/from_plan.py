"""What an apply starts from: a saved plan or a journal, with its settings where none are given."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ci3.config.resolve import Given, refuse_unknown, resolve, text_of
from ci3.config.settings import BY_NAME, Settings
from ci3.config.targets import Policy, numbered, resolve_targets
from ci3.core.journal.location import is_address
from ci3.core.live.sources import LiveSource
from ci3.core.model.decision import Engine
from ci3.core.model.deployment import Target
from ci3.core.model.policy import DELETE_VERSIONS, ENGINE, Origin, PolicyEntry
from ci3.core.plan.plan import Plan
from ci3.errors import SettingsError

if TYPE_CHECKING:
    from ci3.core.journal.header import JournalHeader

JOURNAL_TARGET_SETTINGS = ("bucket", "region", "prefix", "endpoint-url")
"""The settings that a journal's header records of its target."""


def named_plan_file(policy: Policy, given: Mapping[str, Given]) -> str:
    """Give the path of the plan file that is named, or nothing."""
    return text_of(given, "plan-file") or text_of(policy.defaults, "plan-file")


def settings_of_plans(
    plans: Sequence[Plan],
    path: str,
    before: Mapping[str, Given],
    policy: Policy,
    given: Mapping[str, Given],
) -> tuple[Settings, ...]:
    """Make the settings that each plan is applied with: its own, and before them what is given.

    Raises SettingsError as `resolve_targets` does, and where the plans' targets are others.
    """
    if policy.targets:
        settings = resolve_targets(before, policy, given)
    else:
        layers = [
            _recorded_layer(plan.target, plan.policy, path, (policy.defaults, given))
            for plan in plans
        ]
        settings = tuple(resolve(before, one, policy.defaults, given) for one in layers)
        if len(plans) > 1:
            settings = tuple(
                replace(one, journal_file=numbered(one.journal_file, number), has_targets=True)
                for number, one in enumerate(settings, 1)
            )
    planned = [plan.target.url for plan in plans]
    if [one.url for one in settings] != planned:
        raise SettingsError(
            f"{path} is a plan for {', '.join(planned)}, and the settings name "
            f"{', '.join(one.url for one in settings)}",
            "Nothing was deleted. Apply it where it was made for.",
        )
    pairs = zip(plans, settings, strict=True)
    settings = tuple(one.with_engine(plan.engine) for plan, one in pairs)
    for plan, one in zip(plans, settings, strict=True):
        _refuse_other_end(one, plan.policy, f"{path} is a plan")
    return settings


def settings_of_journal(
    header: "JournalHeader",
    path: str,
    before: Mapping[str, Given],
    policy: Policy,
    given: Mapping[str, Given],
) -> Settings:
    """Make the settings that a run is gone on with: its journal's, and before them what is given.

    Raises SettingsError where another place is given, or another file.
    """
    if policy.targets:
        raise SettingsError(
            f"{policy.where} has targets, and {path} is the journal of one",
            "Leave the policy file out: the journal knows the settings. Resume targets one by one.",
        )
    place = {"bucket": header.target.bucket, "prefix": header.target.prefix}
    place["endpoint-url"] = header.target.endpoint_url
    for layer in (policy.defaults, given):
        for name, told in (place | {"journal-file": path}).items():
            wanted = text_of(layer, name).rstrip("/")
            if name == "journal-file" and is_address(wanted) and is_address(told):
                continue
            if wanted and wanted != told.rstrip("/"):
                raise SettingsError(
                    f"{layer[name].where} is {wanted!r}, the run to resume has {told or 'none'}",
                    "Leave it out: it is the one that the journal names. Nothing was deleted.",
                )
        if text_of(layer, "plan-file"):
            raise SettingsError(
                f"{layer['plan-file'].where} and a journal to resume exclude each other",
                "Leave the plan file out: the journal names what was approved.",
            )
    if ENGINE in header.policy:
        raise SettingsError(
            f"{path} is the journal of a run with engine: {header.policy[ENGINE].value}, which is "
            "not gone on with",
            "Run it again without: it finds the rules that stand, and what is left to do.",
        )
    layer = _recorded_layer(header.target, header.policy, path, (policy.defaults, given))
    settings = resolve(before, layer, policy.defaults, given).with_engine(Engine.DIRECT)
    _refuse_other_end(settings, header.policy, f"{path} is the journal of a run")
    return settings


def settings_of_journal_target(target: Target, path: str) -> dict[str, Given]:
    """Return the target of a journal's header as settings, to be parsed and checked like others."""
    return {
        name: Given(texts=(text,), origin=Origin.OPTION, where=f"the journal {path}")
        for name in JOURNAL_TARGET_SETTINGS
        if (text := getattr(target, name.replace("-", "_")))
    }


def _refuse_other_end(settings: Settings, recorded: Mapping[str, PolicyEntry], what: str) -> None:
    """Raise SettingsError where versions were to stay and now would go, or the other way round."""
    had = DELETE_VERSIONS in recorded
    if settings.delete_versions is not had:
        was, now = ("with", "without") if had else ("without", "with")
        raise SettingsError(
            f"{what} {was} {DELETE_VERSIONS}, and the settings are {now} it",
            "Nothing was deleted. Go on as it was begun, or make a new plan.",
        )
    was_engine = recorded[ENGINE].value if ENGINE in recorded else Engine.DIRECT
    if settings.engine != was_engine:
        raise SettingsError(
            f"{what} with engine: {was_engine}, and the settings have engine: {settings.engine}",
            "Nothing was deleted. Go on as it was begun, or make a new plan.",
        )


def _recorded_layer(
    of: Target,
    policy: Mapping[str, PolicyEntry],
    path: str,
    others: Sequence[Mapping[str, Given]],
) -> dict[str, Given]:
    """Give a target and a policy as settings; what could not be saved must be given again."""
    target = {
        "bucket": of.bucket,
        "region": of.region,
        "prefix": of.prefix,
        "endpoint-url": of.endpoint_url,
    }
    entries: dict[str, tuple[str, ...]] = {name: (text,) for name, text in target.items()}
    for name, entry in policy.items():
        if name not in BY_NAME or not BY_NAME[name].is_recorded:
            refuse_unknown(name, f"{path}, policy", BY_NAME)
        value = entry.value
        entries[name] = value if isinstance(value, tuple) else (str(value),)
    entries["live-from"] = _whole_sources(entries.get("live-from", ()), path, others)
    origins = {name: entry.origin for name, entry in policy.items()}
    return {
        name: Given(texts=texts, origin=origins.get(name, Origin.OPTION), where=f"{path}, {name}")
        for name, texts in entries.items()
    }


def _whole_sources(
    texts: Sequence[str], path: str, others: Sequence[Mapping[str, Given]]
) -> tuple[str, ...]:
    """Pass over sources whose query was not saved, where they are given again; else refuse."""
    given = [text for layer in others if "live-from" in layer for text in layer["live-from"].texts]
    lines = [line.strip() for text in given for line in text.splitlines() if line.strip()]
    again = {_written(line) for line in lines}
    lacking = [text for text in texts if "?…" in text and text not in again]
    if lacking:
        raise SettingsError(
            f"{path} does not hold all of live-from {lacking[0]}: what follows the ? is not saved",
            "Nothing was deleted. Give that live-from again, with its query.",
        )
    return tuple(text for text in texts if "?…" not in text)


def _written(text: str) -> str:
    try:
        return str(LiveSource.parse(text))
    except ValueError:  # it is refused, with its place, when the settings are resolved
        return text
