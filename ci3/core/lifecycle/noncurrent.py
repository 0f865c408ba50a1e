"""Days after which a bucket's lifecycle rules delete noncurrent versions."""

from collections.abc import Iterator

from ci3.core.lifecycle.configuration import ConfigurationText, Element
from ci3.core.model.deployment import NoncurrentExpiration


def find_noncurrent_term(configuration: ConfigurationText, prefix: str) -> NoncurrentExpiration:
    """Return after how many days noncurrent versions under a prefix may be deleted: the minimum.

    A rule counts if its prefix and this one overlap, whatever other criteria it has, such as tags
    or sizes. A rule without a readable number of days is a problem, not the absence of a rule.

    With `prefix` `site/`:

        rule prefix    NoncurrentDays    counts
        (none)         30                yes
        site/old/      10                yes: it deletes some of them
        other/         1                 no
        (any)          not a number      yes, as a problem

    The first three together return 10 days.
    """
    expirations = [
        expiration
        for rule in configuration.rules
        for expiration in _noncurrent_expirations(rule.rule, prefix)
    ]
    known = [days for days in map(_read_days, expirations) if days is not None]
    if len(known) < len(expirations):
        return NoncurrentExpiration(
            problem="a lifecycle rule deletes noncurrent versions, but has no number of days"
        )
    return NoncurrentExpiration(days=min(known, default=None))


def _noncurrent_expirations(rule: Element, prefix: str) -> Iterator[Element]:
    """Yield an enabled rule's noncurrent expirations if it may apply to keys under the prefix."""
    paths = (("Prefix",), ("Filter", "Prefix"), ("Filter", "And", "Prefix"))
    rule_prefix = next(filter(None, (rule.find_text(*path) for path in paths)), "")
    is_overlapping = prefix.startswith(rule_prefix) or rule_prefix.startswith(prefix)
    if is_overlapping and rule.find_text("Status") != "Disabled":
        yield from (child for child in rule.children if child.name == "NoncurrentVersionExpiration")


def _read_days(expiration: Element) -> int | None:
    try:
        return int(expiration.find_text("NoncurrentDays"))
    except ValueError:
        return None
