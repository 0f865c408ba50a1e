"""When the bucket's own lifecycle rules remove old versions, as its configuration says it."""

from collections.abc import Iterator

from ci3.core.lifecycle.configuration import ConfigurationText, Element
from ci3.core.model.deployment import NoncurrentTerm


def noncurrent_term(configuration: ConfigurationText, prefix: str) -> NoncurrentTerm:
    """Say after how many days old versions under a prefix may be gone; the shortest rule counts.

    A rule counts if its prefix holds this one or lies in it, whatever else it asks for, such as
    tags or sizes. One that does not say when is a problem, never "no rule".
    """
    terms = [term for one in configuration.rules for term in _terms(one.rule, prefix)]
    known = [days for days in map(_days, terms) if days is not None]
    if len(known) < len(terms):
        return NoncurrentTerm(
            problem="a lifecycle rule expires old versions, and does not say when"
        )
    return NoncurrentTerm(days=min(known, default=None))


def _terms(rule: Element, prefix: str) -> Iterator[Element]:
    """Give what a rule says of old versions, where it may touch the prefix."""
    of_rule = _prefix(rule)
    is_near = prefix.startswith(of_rule) or of_rule.startswith(prefix)
    if is_near and _text(rule.find("Status")) != "Disabled":
        yield from (one for one in rule.children if one.name == "NoncurrentVersionExpiration")


def _prefix(rule: Element) -> str:
    where = rule.find("Filter")
    both = where.find("And") if where else None
    texts = [_text(one.find("Prefix")) for one in (rule, where, both) if one is not None]
    return next((text for text in texts if text), "")


def _days(term: Element) -> int | None:
    try:
        return int(_text(term.find("NoncurrentDays")))
    except ValueError:
        return None


def _text(element: Element | None) -> str:
    return element.text if element is not None else ""
