"""From the text of a pointer (a parameter, an object, a page) to the deployments that it names."""

import json
from typing import Final

from ci3.core.live.sources import pointed_name

POINTER_LIMIT_BYTES: Final = 4096
"""A pointer holds a name or a small JSON text: nothing larger is read."""

_LONGEST_NAME: Final = 1000


class PointerError(ValueError):
    """A pointer's text names no deployment; the words follow what the text was read from.

    They never quote the text: it may be a secret.
    """


def pointer_text(content: bytes) -> str:
    """Read a pointer's bytes as UTF-8; raises PointerError for any that are not."""
    if len(content) > POINTER_LIMIT_BYTES:
        raise PointerError(f"is larger than the {POINTER_LIMIT_BYTES} bytes that are read")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise PointerError("is not text in UTF-8") from exc


def pointed_names(text: str, *, field: str, bucket: str, prefix: str) -> tuple[str, ...]:
    """Name the deployments that a pointer's text means, at least one.

    Without a field the whole text is one name. With one it is JSON, and the field leads to a text
    or to a list of texts, each of which is a name. Raises PointerError for everything else.
    """
    pointers = _json_texts(text, field) if field else (text,)
    where = f" at {field}" if field else ""
    return tuple(_name(one, where, bucket, prefix) for one in pointers)


def _json_texts(text: str, field: str) -> tuple[str, ...]:
    value = _json(text)
    steps = field.split(".")
    for depth, step in enumerate(steps, start=1):
        if not isinstance(value, dict) or step not in value:
            raise PointerError(f"is JSON without {'.'.join(steps[:depth])}")
        value = value[step]
    texts = value if isinstance(value, list) else [value]
    if not texts:
        raise PointerError(f"has an empty list at {field}")
    if not all(isinstance(one, str) for one in texts):
        raise PointerError(f"has neither a text nor a list of texts at {field}")
    return tuple(texts)


def _json(text: str) -> object:
    try:
        value: object = json.loads(text, object_pairs_hook=_unambiguous)
    except PointerError:
        raise
    except (ValueError, RecursionError) as exc:
        raise PointerError(f"is not JSON{_kind(text)}") from exc
    return value


def _unambiguous(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Make an object of its pairs; which of two equal keys counts would be a guess."""
    named = dict(pairs)
    if len(named) != len(pairs):
        raise PointerError("is JSON that has a key twice in one object")
    return named


def _name(text: str, where: str, bucket: str, prefix: str) -> str:
    stripped = text.removeprefix("\ufeff").strip()
    if problem := _no_name(stripped):
        raise PointerError(f"{problem}{where}")
    name = pointed_name(stripped, bucket, prefix)
    is_elsewhere = "://" in stripped and not stripped.startswith("s3://")
    if not name or is_elsewhere:
        raise PointerError(f"names no folder of s3://{bucket}/{prefix}{where}")
    return name


def _no_name(stripped: str) -> str:
    """Say what is wrong with a text that can be no name, whatever the bucket."""
    wrongs = {
        "is empty": not stripped,
        "has HTML or XML where a name should be": stripped.startswith("<"),
        "has JSON where a name should be (name a key of it after #, such as #commit)": (
            stripped.startswith(("{", "["))
        ),
        "has more than one line": len(stripped.splitlines()) > 1,
        f"has a name of more than {_LONGEST_NAME} characters": len(stripped) > _LONGEST_NAME,
        "has characters that can't be shown": not stripped.isprintable(),
    }
    return next((words for words, is_so in wrongs.items() if is_so), "")


def _kind(text: str) -> str:
    if not text.strip():
        return ": it is empty"
    return ", but HTML or XML" if text.lstrip().startswith("<") else ""
