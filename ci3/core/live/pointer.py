"""Parser of pointers: texts of a parameter, object or web page that name deployments."""

import json
from typing import Final

from ci3.core.live.sources import extract_name

POINTER_LIMIT_BYTES: Final = 4096
"""Upper limit of a pointer, which is a name or a small JSON document."""

_NAME_LIMIT: Final = 1000


class PointerError(ValueError):
    """A pointer that names no deployment. The message is a predicate, such as "is empty".

    It never quotes the text, which may be a secret.
    """


def decode_pointer(content: bytes) -> str:
    """Decode a pointer as UTF-8; raise PointerError if it is too large or not UTF-8."""
    if len(content) > POINTER_LIMIT_BYTES:
        raise PointerError(f"is larger than the {POINTER_LIMIT_BYTES} bytes that are read")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise PointerError("is not text in UTF-8") from exc


def parse_pointer(text: str, *, field: str, bucket: str, prefix: str) -> tuple[str, ...]:
    """Return the deployments that a pointer names, at least one.

    Without `field`, the entire text is one name. With `field`, such as `site.commit`, the text is
    JSON, and the value at that path is a string or a list of strings, each one a name. Raises
    PointerError for anything else.
    """
    names = _read_json_strings(text, field) if field else (text,)
    where = f" at {field}" if field else ""
    return tuple(_parse_name(name, where, bucket, prefix) for name in names)


def _read_json_strings(text: str, field: str) -> tuple[str, ...]:
    value = _parse_json(text)
    keys = field.split(".")
    for depth, key in enumerate(keys, start=1):
        if not isinstance(value, dict) or key not in value:
            raise PointerError(f"is JSON without {'.'.join(keys[:depth])}")
        value = value[key]
    strings = value if isinstance(value, list) else [value]
    if not strings:
        raise PointerError(f"has an empty list at {field}")
    if not all(isinstance(string, str) for string in strings):
        raise PointerError(f"has neither a text nor a list of texts at {field}")
    return tuple(strings)


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
        raise PointerError("is JSON that has a key twice in one object")
    return values


def _parse_name(text: str, where: str, bucket: str, prefix: str) -> str:
    stripped = text.removeprefix("\ufeff").strip()
    if problem := _find_problem(stripped):
        raise PointerError(f"{problem}{where}")
    name = extract_name(stripped, bucket, prefix)
    is_elsewhere = "://" in stripped and not stripped.startswith("s3://")
    if not name or is_elsewhere:
        raise PointerError(f"names no folder of s3://{bucket}/{prefix}{where}")
    return name


def _find_problem(stripped: str) -> str:
    """Return why a text cannot be a name in any bucket, or ""."""
    problems = {
        "is empty": not stripped,
        "has HTML or XML where a name should be": stripped.startswith("<"),
        "has JSON where a name should be (name a key of it after #, such as #commit)": (
            stripped.startswith(("{", "["))
        ),
        "has more than one line": len(stripped.splitlines()) > 1,
        f"has a name of more than {_NAME_LIMIT} characters": len(stripped) > _NAME_LIMIT,
        "has characters that can't be shown": not stripped.isprintable(),
    }
    return next((problem for problem, is_present in problems.items() if is_present), "")


def _describe_other_format(text: str) -> str:
    if not text.strip():
        return ": it is empty"
    return ", but HTML or XML" if text.lstrip().startswith("<") else ""
