"""Days after which a bucket's lifecycle rules delete noncurrent versions."""

from bisect import bisect_left
from collections.abc import Collection, Iterator

from ci3.core.lifecycle.configuration import ConfigurationText, Element
from ci3.core.model.deployment import NoncurrentExpiration


def find_noncurrent_term(
    configuration: ConfigurationText, prefixes: Collection[str]
) -> NoncurrentExpiration:
    """Return after how many days noncurrent versions under the prefixes may be deleted.

    That is the minimum of all rules whose prefix overlaps one of them, whatever other criteria they
    have, such as tags or sizes. A rule without a readable number of days is a problem, not the
    absence of a rule.

    With `prefixes` `site/a/` and `site/b/`:

        rule prefix    NoncurrentDays    counts
        (none)         30                yes
        site/a/old/    10                yes: it deletes some of them
        site/logs/     1                 no
        (any)          not a number      yes, as a problem

    The first three together return 10 days.
    """
    prefix_set, sorted_prefixes = frozenset(prefixes), sorted(prefixes)
    expirations = [
        expiration
        for rule in configuration.rules
        for expiration in _noncurrent_expirations(rule.rule, prefix_set, sorted_prefixes)
    ]
    days = [_read_days(expiration) for expiration in expirations]
    known_days = [number for number in days if number is not None]
    if len(known_days) < len(expirations):
        return NoncurrentExpiration(
            problem="a lifecycle rule deletes noncurrent versions, but has no number of days"
        )
    shortest = min(known_days, default=None)
    return NoncurrentExpiration(
        days=shortest,
        is_minimum=shortest is not None
        and all(
            expiration.find_text("NewerNoncurrentVersions")
            for expiration, number in zip(expirations, days, strict=True)
            if number == shortest
        ),
    )


def _noncurrent_expirations(
    rule: Element, prefixes: frozenset[str], sorted_prefixes: list[str]
) -> Iterator[Element]:
    """Yield an enabled rule's noncurrent expirations if it may apply under one of the prefixes."""
    paths = (("Prefix",), ("Filter", "Prefix"), ("Filter", "And", "Prefix"))
    rule_prefix = next(filter(None, (rule.find_text(*path) for path in paths)), "")
    if rule.find_text("Status") == "Disabled":
        return
    if _is_beginning(rule_prefix, sorted_prefixes) or _has_beginning(rule_prefix, prefixes):
        yield from (child for child in rule.children if child.name == "NoncurrentVersionExpiration")


def _is_beginning(text: str, sorted_texts: list[str]) -> bool:
    """Return True if one of the sorted texts begins with a text."""
    index = bisect_left(sorted_texts, text)
    return index < len(sorted_texts) and sorted_texts[index].startswith(text)


def _has_beginning(text: str, beginnings: frozenset[str]) -> bool:
    """Return True if a text begins with one of the others."""
    return any(text[:length] in beginnings for length in range(len(text) + 1))


def _read_days(expiration: Element) -> int | None:
    try:
        days = int(expiration.find_text("NoncurrentDays"))
    except ValueError:
        return None
    return days if days > 0 else None
