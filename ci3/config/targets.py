"""The targets of one run: what a policy file says of each, and that none is in another's way."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

from ci3.config.resolve import Given, resolve
from ci3.config.settings import Settings
from ci3.core.formatting import visible
from ci3.core.journal.location import is_address
from ci3.errors import SettingsError

_PLACE = ("bucket", "prefix", "endpoint-url")


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyTarget:
    """One target as a policy file writes it, and the line where it begins."""

    line: int
    given: Mapping[str, Given]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A policy file as it is written: the keys of every target, and of each where it names some."""

    where: str = ""
    defaults: Mapping[str, Given] = field(default_factory=dict)
    targets: Sequence[PolicyTarget] = ()


def resolve_targets(
    before: Mapping[str, Given], policy: Policy, given: Mapping[str, Given]
) -> tuple[Settings, ...]:
    """Make the settings of every target, in the policy file's order; one where it names none.

    A later one goes before an earlier one: `before`, the file's defaults, the target's own keys,
    `given`. Raises SettingsError as `resolve` does, and where two targets are the same folder or
    one lies in what another one takes for a deployment.
    """
    if not policy.targets:
        return (resolve(before, policy.defaults, given),)
    found = []
    for number, target in enumerate(policy.targets, 1):
        where = f"{policy.where}, line {target.line}, target {number}"
        _refuse_other_place(where, {**policy.defaults, **target.given}, given)
        settings = resolve(before, policy.defaults, target.given, given, where=where)
        journal_file = settings.journal_file
        if len(policy.targets) > 1:
            journal_file = numbered(journal_file, number)
        found.append(replace(settings, journal_file=journal_file, has_targets=True))
    _refuse_same_folders(policy, found)
    _refuse_nested_folders(policy, found)
    return tuple(found)


def _refuse_other_place(
    where: str, written: Mapping[str, Given], given: Mapping[str, Given]
) -> None:
    """Refuse an input or option that moves a target: its rules were not written for that place."""
    for name in _PLACE:
        if name in written and name in given:
            was, now = (_place_text(one[name]) for one in (written, given))
            if was and now and was != now:
                raise SettingsError(
                    f"{where} has another {name} than {given[name].where}",
                    "Leave it out there: it would have this target's rules clean another place.",
                )


def _place_text(given: Given) -> str:
    return " ".join(given.texts).strip().rstrip("/")


def numbered(text: str, number: int) -> str:
    """Put a number before a file's suffix; an address in S3, where runs have folders, stays.

    What names no file is left for the writer to refuse.
    """
    path = Path(text)
    if is_address(text) or path.name in ("", "..") or text.endswith("/"):
        return text
    return str(path.with_name(f"{path.stem}-{number}{path.suffix}"))


def _refuse_same_folders(policy: Policy, found: Sequence[Settings]) -> None:
    first: dict[tuple[str, ...], int] = {}
    for index, settings in enumerate(found):
        earlier = first.setdefault((*_bucket(settings), settings.prefix), index)
        if earlier != index:
            raise SettingsError(
                f"{policy.where}: {_named(policy, found, earlier)} and "
                f"{_named(policy, found, index)} are the same folder",
                "Leave one of them out, or give it another bucket or prefix.",
            )


def _refuse_nested_folders(policy: Policy, found: Sequence[Settings]) -> None:
    """Refuse a target in what another one takes for a deployment: it would go with that one."""
    places = {(*_bucket(one), one.prefix): index for index, one in enumerate(found)}
    for inner, settings in enumerate(found):
        parts = settings.prefix.split("/")[:-1]
        for depth, folder in enumerate(parts):
            above = "".join(f"{part}/" for part in parts[:depth])
            outer = places.get((*_bucket(settings), above))
            if outer is None:
                continue
            match = found[outer].match
            if match is None or match.fullmatch(folder):
                raise SettingsError(
                    f"{policy.where}: {_named(policy, found, inner)} lies in the folder "
                    f"{folder!r}, which {_named(policy, found, outer)} takes for a deployment",
                    f"Set match in target {outer + 1} so that it leaves {folder!r} out: "
                    f"deleting that folder would delete target {inner + 1}.",
                )


def _bucket(settings: Settings) -> tuple[str, ...]:
    """Tell buckets apart: what is only another way to write an endpoint makes no other bucket."""
    parts = urlsplit(settings.endpoint_url)
    host, port = parts.hostname or "", parts.port
    if host.endswith(".amazonaws.com"):
        return settings.bucket, "", ""
    return settings.bucket, host if port in (None, 80, 443) else f"{host}:{port}", parts.path


def _named(policy: Policy, found: Sequence[Settings], index: int) -> str:
    address = visible(f"s3://{found[index].bucket}/{found[index].prefix}")
    return f"target {index + 1} (line {policy.targets[index].line}, {address})"
