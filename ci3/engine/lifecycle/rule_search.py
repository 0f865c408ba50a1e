"""Find managed lifecycle rules by which S3 would delete restored objects again."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate

from ci3.aws.bucket import BucketReader
from ci3.core.lifecycle.configuration import RuleText
from ci3.core.lifecycle.rule import describe_edited_rules, parse_managed_rules
from ci3.errors import AccessError, UnsupportedError, end_sentence

RULES_SHOWN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSearch:
    """The IDs of the managed rules that concern some folders.

    With `is_unreadable` they are unknown. `note` is a message for the user, if any.
    """

    rule_ids: tuple[str, ...] = ()
    is_unreadable: bool = False
    note: str = ""


def find_rule_ids(reader: BucketReader, prefixes: Iterable[str]) -> tuple[str, ...]:
    """Return the IDs of managed rules for these folders, their subfolders and their parents.

    For example, `a/b/` matches rules with the prefix `a/`, `a/b/` or `a/b/c/`, but not `a/bc/` or
    `b/`. Raises AccessError where the configuration cannot be read.
    """
    return _find_matching_ids(reader.read_lifecycle().text.rules, prefixes)


def search_rules(reader: BucketReader, prefixes: Iterable[str], *, is_required: bool) -> RuleSearch:
    """Find managed rules like `find_rule_ids`, or report why they cannot be read.

    An S3 that does not support lifecycle rules has none, so there is no note. With `is_required`,
    AccessError is raised instead.
    """
    try:
        rules = reader.read_lifecycle().text.rules
    except AccessError as exc:
        if is_required:
            raise
        is_unsupported = isinstance(exc, UnsupportedError)
        return RuleSearch(
            is_unreadable=True, note="" if is_unsupported else _make_unreadable_note(exc.message)
        )
    return RuleSearch(
        rule_ids=_find_matching_ids(rules, prefixes),
        note=describe_edited_rules(rules, RULES_SHOWN, ", and may delete restored objects"),
    )


def _find_matching_ids(rules: Iterable[RuleText], prefixes: Iterable[str]) -> tuple[str, ...]:
    folders = set(prefixes)
    with_parents = {parent for folder in folders for parent in _list_parents(folder)}
    return tuple(
        rule.rule_id
        for rule in parse_managed_rules(rules)
        if rule.prefix in with_parents or not folders.isdisjoint(_list_parents(rule.prefix))
    )


def _make_unreadable_note(problem: str) -> str:
    unreadable = end_sentence(f"the bucket's lifecycle rules could not be read: {problem}")
    return (
        f"{unreadable} If ci3 created a rule for these deployments, S3 deletes restored objects at "
        "midnight UTC. Remove the rules whose ID begins with ci3/, or allow "
        "s3:GetLifecycleConfiguration and restore again"
    )


def _list_parents(prefix: str) -> Iterable[str]:
    return accumulate(re.findall("[^/]*/", prefix))
