"""Read the lines of a list setting: one value per line, in quotes if it has a comma or a space.

| line of `protect`          | value, or what is wrong          |
|----------------------------|----------------------------------|
| `release-*`                | `release-*`                      |
| `v[1,2]`                   | `v[1,2]`, a glob                 |
| `'my release'`             | `my release`                     |
| `my release`               | a space                          |
| `stable, release-*`        | several values                   |
| `["stable", "release-*"]`  | several values, in a list        |
"""

import json
import re
import shlex
from collections.abc import Sequence
from contextlib import suppress
from typing import Final, assert_never

from ci3.config.fields import Setting
from ci3.core.live.sources import LiveKind
from ci3.core.model.policy import Origin

_SEPARATOR: Final = re.compile(r"[\s,;]")
_QUOTED: Final = re.compile(r"""(?P<quote>['"])(?P<value>(?:(?!(?P=quote)).)+)(?P=quote)""")
_COMMENT: Final = re.compile(r"(^|\s)#.*")
_VALUE: Final = re.compile(r"""(?:\[[^\]]*\]|\{[^}]*\}|"[^"]*"|'[^']*'|[^\s,;])+""")
_BRACES: Final = re.compile(r"([^{}]*)\{([^{}]*,[^{}]*)\}(.*)")
_BEFORE_LIVE_SOURCE: Final = re.compile(
    rf"""[\s,;"'-]+(?=["']?(?:{"|".join(LiveKind)})(?:["':\s,;]|$))"""
)
_NEXT_LIVE_SOURCE: Final = re.compile(rf"""[,;]\s*["']?(?:{"|".join(LiveKind)})(?:["':]|$)""")
_UNCHECKED: Final = {
    # A set of a glob: fnmatch takes a bracket that is first in it as a character.
    "protect": re.compile(r"()\[!?\]?[^\]]*\]"),
    # The query of a URL, and the path in a document.
    "live-from": re.compile(r"^(url:[^?#]*)\?.*|#.*"),
}
"""What may contain separators in a line of a setting; the first group stays."""
_PLAIN_YAML: Final = re.compile(r"[A-Za-z0-9_./]([\w./:*?#@=&%+-]*[\w./*?#@=&%+-])?")


def unquote_line(line: str) -> str:
    """Return the value of a line that may be in quotes."""
    match = _QUOTED.fullmatch(line)
    return match["value"] if match else line


def is_single_value(setting: Setting, line: str) -> bool:
    """Return True if a line is one value: without separators that are not in quotes."""
    if _QUOTED.fullmatch(line):
        return True
    if setting.name == "live-from" and _NEXT_LIVE_SOURCE.search(line):
        return False  # also in a URL's query: it would hide the second source
    unchecked = _UNCHECKED.get(setting.name)
    checked = unchecked.sub(r"\1", line) if unchecked else line
    return not _SEPARATOR.search(checked) and not _is_list(line)


def build_line_hint(setting: Setting, line: str, origin: Origin) -> str:
    """Return the corrected form of a line that is not a single value, ready to be pasted.

    Raises ValueError with a predicate for the line if its parts are not values either.
    """
    values = _split_values(setting, line)
    if not values:
        return "Remove that line."
    if not all(_can_parse(setting, value) for value in values):
        setting.parse(line)
    corrected = _format_values(setting, values, origin)
    if len(values) == 1:
        return f"Write it like this:\n{corrected}"
    hint = f"Write one per line:\n{corrected}"
    if _is_list(line) or not _can_parse(setting, line):
        return hint
    single = _format_values(setting, [line], origin)
    return f"{hint}\nOr, if it is a single name, put it in quotes:\n{single}"


def _can_parse(setting: Setting, value: str) -> bool:
    try:
        setting.parse(value)
    except ValueError:
        return False
    return True


def _is_list(line: str) -> bool:
    """Return True for a list as in JSON, YAML or Python: `["a"]`, `[a, b]`, `['a']`."""
    if not _is_bracketed(line):
        return False
    inner = line[1:-1].strip()
    return _parse_json_list(line) is not None or bool(
        _SEPARATOR.search(inner) or _QUOTED.fullmatch(inner)
    )


def _is_bracketed(line: str) -> bool:
    """Return True if the bracket that begins a line is closed by the one that ends it."""
    depths = [0]
    for character in line:
        depths.append(depths[-1] + {"[": 1, "]": -1}.get(character, 0))
    return line.startswith("[") and depths[-1] == 0 and all(depth > 0 for depth in depths[1:-1])


def _parse_json_list(text: str) -> list[str] | None:
    with suppress(ValueError, RecursionError):
        values = json.loads(text)
        if isinstance(values, list):
            return [value if isinstance(value, str) else json.dumps(value) for value in values]
    return None


def _split_values(setting: Setting, line: str) -> list[str]:
    if (values := _parse_json_list(line)) is not None:
        return values
    text = _COMMENT.sub("", line).strip()
    if _is_list(text):
        text = text[1:-1]
    if setting.name == "live-from":
        # A source may have spaces in it, such as those of an environment's name.
        parts = [part.strip(" \t,;") for part in _BEFORE_LIVE_SOURCE.split(f" {text}")]
        sources = [_strip_quotes(part) for part in parts if part]
        if all(_can_parse(setting, source) for source in sources):
            return sources
    return [
        value
        for part in _VALUE.findall(text)
        if part != "-"
        for value in _expand_braces(_strip_quotes(part))
    ]


def _strip_quotes(part: str) -> str:
    return unquote_line(part).strip("\"'")


def _expand_braces(text: str) -> list[str]:
    """Expand braces as shells do: `release-{1,2}` becomes `release-1` and `release-2`."""
    match = _BRACES.fullmatch(text)
    if not match:
        return [text]
    before, choices, after = match.groups()
    return [
        f"{before}{choice.strip()}{rest}"
        for choice in choices.split(",")
        for rest in _expand_braces(after)
    ]


def _format_values(setting: Setting, values: Sequence[str], origin: Origin) -> str:
    lines = [_quote_value(setting, value) for value in values]
    match origin:
        case Origin.INPUT:
            return "\n".join([f"{setting.name}: |", *(f"  {line}" for line in lines)])
        case Origin.OPTION:
            return " ".join(f"{setting.options[0]} {_quote_for_shell(line)}" for line in lines)
        case Origin.POLICY_FILE:
            return "\n".join([f"{setting.name}:", *(f"- {_format_yaml(line)}" for line in lines)])
    assert_never(origin)


def _quote_value(setting: Setting, value: str) -> str:
    if is_single_value(setting, value) and unquote_line(value) == value:
        return value
    return f'"{value}"' if "'" in value else f"'{value}'"


def _quote_for_shell(text: str) -> str:
    is_readable_in_double_quotes = "'" in text and not re.search(r'["$`\\!]', text)
    return f'"{text}"' if is_readable_in_double_quotes else shlex.quote(text)


def _format_yaml(text: str) -> str:
    return text if _PLAIN_YAML.fullmatch(text) else json.dumps(text, ensure_ascii=False)
