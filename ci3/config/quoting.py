"""Suggest quotes for a value of a policy file that YAML does not read as the text it is."""

import re
from typing import Final

from ci3.core.model.user_pattern import UserPattern

_PATTERN_KEYS: Final = ("match", "group-by")
_ENTRY: Final = re.compile(
    r"""\s*(?P<dash>-\s+)?(?:(?P<quote>['"]?)(?P<name>match|group-by|protect)(?P=quote)\s*:\s+)?"""
    r"""(?P<value>"[^"]*"|[^\s'"].*?)(?:\s+\#.*)?\s*"""
)
_PATTERN_IN_MAPPING: Final = re.compile(r"""[{,]\s*['"]?(match|group-by)['"]?\s*:""")
_YAML_INDICATORS: Final = "*[!&%@`"
"""Characters with which a glob may begin, and which mean something else at the start in YAML."""
SUGGESTION: Final = "Put it in quotes: "
"""The beginning of a hint; the corrected entry follows."""
_EXAMPLE: Final = "Write a regular expression in single quotes, such as match: '[0-9a-f]{40}'"


def suggest_quotes(line: str) -> str:
    """Return how to quote the pattern or glob in a line that could not be read, or "".

    | line                              | suggestion              |
    |-----------------------------------|-------------------------|
    | `match: [0-9a-f]{40}`             | `match: '[0-9a-f]{40}'` |
    | `match: "\\d+"`                    | `match: '\\d+'`          |
    | `- *-stable`                      | `- '*-stable'`          |
    | `match: *`, not a pattern at all  | an example              |
    """
    entry = _ENTRY.fullmatch(line)
    if entry is None or not (entry["dash"] or entry["name"]):
        return _EXAMPLE if _PATTERN_IN_MAPPING.search(line) else ""
    name, value = entry["name"], entry["value"]
    if value.startswith('"'):
        value = value[1:-1]
        if "\\" not in value:
            return ""
    elif name not in _PATTERN_KEYS and value[0] not in _YAML_INDICATORS:
        return _EXAMPLE if _PATTERN_IN_MAPPING.search(line) else ""
    elif name not in _PATTERN_KEYS and "," in value:
        return "Put each value in quotes."  # a list, such as [stable, *-rc]
    if name in _PATTERN_KEYS:
        try:
            UserPattern.compile(value)
        except ValueError:
            return _EXAMPLE
    quoted = value.replace("'", "''")
    return f"{SUGGESTION}{f'{name}: ' if name else '- '}'{quoted}'"
