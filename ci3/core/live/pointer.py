"""Parser of pointers: texts of a parameter, object or web page that name deployments."""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from ci3.core.live.commit_names import extract_commit
from ci3.core.live.sources import extract_name

POINTER_LIMIT_BYTES: Final = 1 << 20
"""Upper limit of a pointer: a name, several names, or a JSON document."""

_NAME_LIMIT: Final = 1000
_EACH: Final = "[]"
_STEP: Final = re.compile(r"(?P<key>.*?)(?P<each>(\[\])*)", re.DOTALL)
_COMMA: Final = re.compile("[,;]")
_SEPARATOR: Final = re.compile(r"[\s,;|]+")


class PointerError(ValueError):
    """A pointer that names no deployment. The message is a predicate, such as "is empty".

    It never quotes the text, which may be a secret.
    """


def decode_pointer(content: bytes) -> str:
    """Decode a pointer as UTF-8; raise PointerError if it is too large or not UTF-8."""
    if len(content) > POINTER_LIMIT_BYTES:
        raise PointerError(f"is larger than {POINTER_LIMIT_BYTES:,} bytes")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise PointerError("is not UTF-8 text") from exc


def parse_pointer(text: str, *, field: str, bucket: str, prefix: str) -> tuple[str, ...]:
    """Return the deployments that a pointer names, at least one.

    Without `field`, the text has one name, or several, one per line. With `field`, the text is
    JSON, and each string at that path, or in a list there, has names, one per line:

    | field               | document                                              | names    |
    |---------------------|-------------------------------------------------------|----------|
    | `site.commit`       | `{"site": {"commit": "a"}}`, `{"site.commit": "a"}`   | `a`      |
    | `live`              | `{"live": ["a", "b"]}`                                | `a`, `b` |
    | `releases[].commit` | `{"releases": [{"commit": "a"}, {"commit": "b"}]}`    | `a`, `b` |
    | `[].commit`         | `[{"commit": "a"}, {"commit": "b"}]`                  | `a`, `b` |

    Raises PointerError for anything else, such as a single element without the key.
    """
    where = f" at {field}" if field else ""
    texts = _read_json_strings(text, field) if field else [text]
    lines = [line for text in texts for line in _split_lines(text)]
    # As text, a line is one name for sure only if it is the only one or has no white space.
    separator = None if field else _COMMA if len(lines) == 1 else _SEPARATOR
    return tuple(
        _parse_name(name, where, bucket, prefix)
        for line in lines
        for name in _split_names(line, where, separator)
    )


def _split_lines(text: str) -> list[str]:
    """Return the lines of a text that are not empty; at least one."""
    lines = text.removeprefix("\ufeff").splitlines()
    return [line.strip() for line in lines if line.strip()] or [""]


def _split_names(line: str, where: str, separator: re.Pattern[str] | None) -> list[str]:
    """Return the names in a line: one, or commits with separators between them.

    A line that may have several names is refused: as one name, `ab12cd3 stable` would match the
    folder of the commit, and `stable` would not be protected. Names that have a comma can be given
    in JSON, which needs no separators:

    | line                 | as text              | in JSON              |
    |----------------------|----------------------|----------------------|
    | `ab12cd3, 9c41e07`   | two commits          | two commits          |
    | `v1-2-gab12cd3, 9c41e07` | two commits      | two commits          |
    | `ab12cd3 stable`     | refused              | refused              |
    | `v1,2`               | refused              | one name             |
    | `my release`         | one name, if alone   | one name             |
    """
    parts = [part for part in _SEPARATOR.split(line) if part]
    commits = [part for part in parts if extract_commit(part)]
    if len(parts) == 1 or _find_problem(line):
        return [line]
    if len(commits) == len(parts):
        return parts
    if commits or (separator and separator.search(line)):
        raise PointerError(f"has several names in one line{where}; write one per line")
    return [line]


def _read_json_strings(text: str, field: str) -> list[str]:
    strings: list[Any] = []
    for value in _select_values(_parse_json(text), _parse_path(field), 0):
        if value == []:
            raise PointerError(f"has an empty list at {field}")
        strings += value if isinstance(value, list) else [value]
    if not all(isinstance(string, str) for string in strings):
        raise PointerError(f"has neither a string nor a list of strings at {field}")
    return strings


def _parse_path(field: str) -> list[str]:
    """Split `releases[].commit` into `releases`, `[]`, `commit`."""
    steps = []
    for part in field.split("."):
        match = _STEP.fullmatch(part)
        key, each = (match["key"], match["each"]) if match else (part, "")
        steps += ([key] if key or not each else []) + [_EACH] * (len(each) // len(_EACH))
    return steps


def _format_path(steps: Sequence[str]) -> str:
    return ".".join(steps).replace(f".{_EACH}", _EACH)


def _select_values(value: Any, steps: Sequence[str], depth: int) -> Iterator[Any]:  # noqa: ANN401 - JSON
    """Yield the values at a path, of which `depth` steps have been taken; raises PointerError."""
    if depth == len(steps):
        yield value
    elif steps[depth] == _EACH:
        where = f"at {_format_path(steps[:depth]) or 'the top level'}"
        if not isinstance(value, list):
            raise PointerError(f"is JSON without a list {where}")
        if not value:
            raise PointerError(f"has an empty list {where}")
        for element in value:
            yield from _select_values(element, steps, depth + 1)
    else:
        end = _find_key_end(value, steps, depth)
        yield from _select_values(value[".".join(steps[depth:end])], steps, end)


def _find_key_end(value: Any, steps: Sequence[str], depth: int) -> int:  # noqa: ANN401 - JSON
    """Return the depth after the next key; the key may have dots in it, and so take several steps.

    Raises PointerError without such a key, and for two: which one is meant would be a guess.
    """
    ends = [
        end
        for end in range(depth + 1, len(steps) + 1)
        if isinstance(value, dict)
        and _EACH not in steps[depth:end]
        and ".".join(steps[depth:end]) in value
    ]
    if not ends:
        raise PointerError(f"is JSON without the key {_format_path(steps[: depth + 1])}")
    if len(ends) > 1:
        keys = " and ".join(".".join(steps[depth:end]) for end in ends)
        raise PointerError(f"has the keys {keys}, so {_format_path(steps)} is ambiguous")
    return ends[0]


def _parse_json(text: str) -> object:
    try:
        value: object = json.loads(text, object_pairs_hook=_reject_duplicate_keys)
    except PointerError:
        raise
    except (ValueError, RecursionError) as exc:
        raise PointerError(f"is not JSON{_describe_other_format(text)}") from exc
    return value


def _reject_duplicate_keys(pairs: list[tuple[str, object]]) -> dict[str, object]:
    values = dict(pairs)
    if len(values) != len(pairs):  # which of the two values is meant would be a guess
        raise PointerError("is JSON with a duplicate key in one object")
    return values


def _parse_name(text: str, where: str, bucket: str, prefix: str) -> str:
    stripped = text.removeprefix("\ufeff").strip()
    if problem := _find_problem(stripped):
        raise PointerError(f"{problem}{where}")
    name = extract_name(stripped, bucket, prefix)
    is_url = "://" in stripped
    is_elsewhere = is_url and not stripped.startswith("s3://")
    if not is_url and not stripped.endswith(name) and extract_commit(stripped):
        return stripped  # `release/1.2-3-gab12cd3`, of a tag with a slash: not the folder `release`
    if not name or is_elsewhere:
        raise PointerError(f"does not name a folder in s3://{bucket}/{prefix}{where}")
    return name


def _find_problem(stripped: str) -> str:
    """Return why a text cannot be a name in any bucket, or ""."""
    problems = {
        "is empty": not stripped,
        "contains HTML or XML instead of a name": stripped.startswith("<"),
        "contains JSON instead of a name (add a JSON key to the source, such as #commit)": (
            stripped.startswith(("{", "["))
        ),
        f"contains a name of more than {_NAME_LIMIT:,} characters": len(stripped) > _NAME_LIMIT,
        "contains unprintable characters": not stripped.isprintable(),
    }
    return next((problem for problem, is_present in problems.items() if is_present), "")


def _describe_other_format(text: str) -> str:
    if not text.strip():
        return ": it is empty"
    return ", but HTML or XML" if text.lstrip().startswith("<") else ""
