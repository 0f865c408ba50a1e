"""How a setting's text becomes its value.

Each parser raises ValueError with words that follow the text, such as `is not a whole number`.
"""

import re
from collections.abc import Callable
from enum import StrEnum
from urllib.parse import urlsplit

from ci3.constants import MINIMUM_KEEP_COUNT
from ci3.core.plan import DeleteLimit
from ci3.errors import nearest


def parse_bucket(text: str) -> str:
    """Check a general purpose bucket's name or an access point's ARN."""
    if text.startswith("s3://"):
        name, _, prefix = text.removeprefix("s3://").partition("/")
        rest = f" and prefix: {prefix}" if prefix else ""
        raise ValueError(f"is an address; write bucket: {name}{rest}")
    if text.endswith(("--x-s3", "--xa-s3")) or text.startswith("arn:aws:s3express:"):
        raise ValueError(
            "is a directory bucket; its listings have no order to rely on, "
            "so ci3 works on general purpose buckets only"
        )
    if not re.fullmatch(r"arn:[\w:/.-]+|[A-Za-z0-9][A-Za-z0-9._-]{1,61}[A-Za-z0-9]", text):
        raise ValueError("is no bucket's name (3 to 63 letters, digits, dots and hyphens)")
    return text


def parse_region(text: str) -> str:
    """Check a region's name."""
    if not re.fullmatch(r"[a-z0-9-]+", text):
        raise ValueError("is no region's name, such as eu-central-1")
    return text


def parse_prefix(text: str) -> str:
    """Check a prefix; give it with a slash at its end."""
    if text.startswith("/") or "//" in text:
        shown = re.sub("/+", "/", text).strip("/")
        raise ValueError(f"has an empty folder name in it; write {shown or 'no prefix at all'}")
    return text if text.endswith("/") else f"{text}/"


def parse_url(text: str) -> str:
    """Check the address of a service; nothing in it may be a secret."""
    if "@" in text:
        raise ValueError("has credentials in it; hand them over as AWS_ACCESS_KEY_ID and so on")
    if not _is_address(text):
        raise ValueError("is no address, such as https://minio.example.org:9000")
    return text.rstrip("/")


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        has_place = bool(parts.hostname) and parts.port != 0
    except ValueError:  # the port is no number, or the brackets of an IPv6 address do not match
        return False
    return has_place and parts.scheme in ("http", "https") and not re.search(r"[\s?#]", text)


def parse_keep_count(text: str) -> int:
    """Read a count that leaves something."""
    if not re.fullmatch(r"[+-]?[0-9]{1,9}", text):
        raise ValueError("is not a whole number")
    if int(text) < MINIMUM_KEEP_COUNT:
        raise ValueError(f"is too few: at least {MINIMUM_KEEP_COUNT} must stay")
    return int(text)


def parse_regex(text: str) -> re.Pattern[str]:
    """Compile a regular expression."""
    try:
        return re.compile(text)
    except (re.error, OverflowError, RecursionError) as exc:
        raise ValueError(f"is no regular expression: {exc}") from exc


def parse_limit(text: str) -> DeleteLimit:
    """Read a count or a percentage of deployments."""
    found = re.fullmatch(r"([0-9]{1,9})(%?)", text)
    if not found or (found[2] and int(found[1]) > 100):  # noqa: PLR2004 - a percentage's end
        raise ValueError("is neither a count, such as 20, nor a percentage from 0% to 100%")
    return DeleteLimit(amount=int(found[1]), is_percent=bool(found[2]))


def parse_folder_name(text: str) -> str:
    """Check a folder's name or a glob of such names, without its slash."""
    name = text.rstrip("/")
    if not name or "/" in name:
        raise ValueError("has a slash in it: protect takes folder names and globs, without prefix")
    return name


def parse_choice(choices: type[StrEnum]) -> Callable[[str], StrEnum]:
    """Make a parser that takes one of an enumeration's values."""

    def parse(text: str) -> StrEnum:
        try:
            return choices(text)
        except ValueError as exc:
            known = ", ".join(choices)
            raise ValueError(f"is none of {known}.{nearest(text, choices)}") from exc

    return parse
