"""The lifecycle rules of ours by which S3 would delete again what an undo brings back."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate

from ci3.aws.bucket import BucketReader
from ci3.core.formatting import counted, listed
from ci3.core.lifecycle.configuration import RuleText
from ci3.core.lifecycle.rule import only_looks_ours, read_rule
from ci3.errors import AccessError, LackingError

RULES_SHOWN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class InTheWay:
    """The IDs of the rules that stand on some folders; or, with `is_unread`, none is known.

    A `note` says what of that somebody should know.
    """

    rules: tuple[str, ...] = ()
    is_unread: bool = False
    note: str = ""


def find_rules(reader: BucketReader, prefixes: Iterable[str]) -> tuple[str, ...]:
    """Name our rules on these folders, on what is in them and on what they are in.

    Raises AccessError where the configuration can't be read.
    """
    return _touching(reader.read_lifecycle().text.rules, prefixes)


def look_for_rules(
    reader: BucketReader, prefixes: Iterable[str], *, must_be_read: bool
) -> InTheWay:
    """Find them where they can be read, and say so where they can't.

    An S3 without such rules has none of ours, so there is nothing to say. Where they `must_be_read`
    it raises AccessError instead.
    """
    try:
        rules = reader.read_lifecycle().text.rules
    except AccessError as exc:
        if must_be_read:
            raise
        is_lacking = isinstance(exc, LackingError)
        return InTheWay(is_unread=True, note="" if is_lacking else _unread(exc.message))
    return InTheWay(rules=_touching(rules, prefixes), note=_left_alone(rules))


def _touching(rules: Iterable[RuleText], prefixes: Iterable[str]) -> tuple[str, ...]:
    asked = set(prefixes)
    above = {folder for prefix in asked for folder in _folders(prefix)}
    own = (read_rule(one.rule) for one in rules)
    return tuple(
        one.rule_id
        for one in own
        if one is not None and (one.prefix in above or not asked.isdisjoint(_folders(one.prefix)))
    )


def _unread(problem: str) -> str:
    return (
        f"lifecycle rules of ci3's may stand on this, and could not be looked for: {problem}. By "
        "one that stands S3 deletes at midnight UTC what comes back. Take away those whose ID "
        "begins with ci3/, or allow s3:GetLifecycleConfiguration and restore again"
    )


def _left_alone(rules: Iterable[RuleText]) -> str:
    """Name those that only look like ours: whoever has changed them may have had a reason."""
    odd = [one.rule_id for one in rules if only_looks_ours(one.rule)]
    if not odd:
        return ""
    return (
        f"{counted(len(odd), 'lifecycle rule')} called as if it were ci3's, and not as ci3 writes "
        f"it, is left alone, and may delete what comes back: {listed(odd, RULES_SHOWN)}"
    )


def _folders(prefix: str) -> Iterable[str]:
    """Give a folder and all that it is in."""
    return accumulate(re.findall("[^/]*/", prefix))
