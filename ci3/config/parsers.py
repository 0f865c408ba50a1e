"""Parse the text of a setting into its value.

Each parser raises ValueError with a predicate for the text, such as `is not a whole number`.

The patterns are part of the JSON Schema of policy files, which editors use: they must mean the same
in JavaScript.
"""

import re
from collections.abc import Callable
from enum import StrEnum

from ci3.constants import JOURNAL_FOLDER, MINIMUM_KEEP_COUNT
from ci3.core.live.sources import LiveKind, LiveSource
from ci3.core.model.policy import DeleteLimit
from ci3.core.model.prefix_pattern import is_pattern
from ci3.core.model.service_url import is_address
from ci3.core.model.user_pattern import UserPattern
from ci3.errors import format_suggestion

PREFIX_PATTERN = "[^/]+(/[^/]+)*/?"
FOLDER_NAME_PATTERN = """[^/]+/*['"]?"""
FILE_PATH_PATTERN = "[^/]+(/[^/]+)*"
LIMIT_PATTERN = "[0-9]{1,9}|0{0,7}(100|[0-9]{1,2})%"
LIVE_SOURCE_PATTERN = (
    """'[^']+'|"[^"]+"|"""
    "github-deployments(:.+)?|open-pull-requests|branches|cloudfront"
    r"|(ssm|object):[^#]+(#.+)?|url:https?://[^\s/@?#]+([/?][^\s#]*)?(#.+)?"
)

_FLAGS = {"true": True, "false": False, "yes": True, "no": False, "on": True, "off": False}


def parse_bucket(text: str) -> str:
    """Return the name of a general purpose bucket or the ARN of an access point."""
    if text.startswith("s3://"):
        name, _, prefix = text.removeprefix("s3://").partition("/")
        rest = f" and prefix: {prefix}" if prefix else ""
        raise ValueError(f"is a URL; write bucket: {name}{rest}")
    if text.endswith(("--x-s3", "--xa-s3")) or re.match("arn:[^:]*:s3express:", text):
        raise ValueError(
            "is a directory bucket; ci3 relies on sorted listings, which only general purpose "
            "buckets have"
        )
    if not re.fullmatch(r"arn:[\w:/.-]+|[A-Za-z0-9][A-Za-z0-9._-]{1,61}[A-Za-z0-9]", text):
        raise ValueError("is not a bucket name (3 to 63 letters, digits, dots and hyphens)")
    return text


def parse_region(text: str) -> str:
    """Return the name of a region."""
    if not re.fullmatch(r"[a-z0-9-]+", text):
        raise ValueError("is not a region name, such as eu-central-1")
    return text


def parse_role(text: str) -> str:
    """Return the ARN of an IAM role."""
    account, name = r"arn:aws(-[a-z]+)*:iam::[0-9]{12}", r"([!-~]+/)?[\w+=,.@-]{1,64}"
    if not re.fullmatch(f"{account}:role/{name}", text, re.ASCII):
        raise ValueError("is not a role ARN, such as arn:aws:iam::123456789012:role/clean-my-site")
    return text


def parse_prefix(text: str) -> str:
    """Return a prefix with a final slash; it may be a pattern, with `*` in folder names."""
    if "**" in text:
        corrected = re.sub(r"\*\*+", "*", text)
        raise ValueError(f"contains **; a * matches within one folder name, so write {corrected}")
    if is_pattern(text) and JOURNAL_FOLDER in text.split("/"):
        raise ValueError(f"is a pattern with {JOURNAL_FOLDER}/, which never contains deployments")
    if not re.fullmatch(PREFIX_PATTERN, text):
        corrected = re.sub("/+", "/", text).strip("/")
        correction = f"write {corrected}" if corrected else "leave prefix out"
        raise ValueError(f"contains an empty folder name; {correction}")
    return text if text.endswith("/") else f"{text}/"


def parse_keep_count(text: str) -> int:
    """Return a count of deployments to keep: at least MINIMUM_KEEP_COUNT."""
    if not re.fullmatch(r"[+-]?[0-9]{1,9}", text):
        raise ValueError("is not a whole number")
    if int(text) < MINIMUM_KEEP_COUNT:
        raise ValueError(f"is too low; the minimum is {MINIMUM_KEEP_COUNT}")
    return int(text)


def parse_count(text: str) -> int:
    """Return a count of 0 or more."""
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise ValueError("is not a whole number of 0 or more")
    return int(text)


def parse_concurrency(text: str) -> int:
    """Return the maximum number of concurrent requests: 1 to 999."""
    if not re.fullmatch(r"[1-9][0-9]{0,2}", text):
        raise ValueError("is not a whole number from 1 to 999")
    return int(text)


def parse_grouping(text: str) -> UserPattern:
    """Compile a regular expression with a group, by which deployments are grouped."""
    pattern = parse_regex(text)
    if not pattern.groups:
        raise ValueError(r"has no capturing group, such as (pr-\d+)-.*")
    return pattern


def parse_file_path(text: str) -> str:
    """Return the path of a file within a deployment."""
    if not re.fullmatch(FILE_PATH_PATTERN, text) or {".", ".."} & set(text.split("/")):
        raise ValueError("is not the path of a file in a deployment, such as index.html")
    return text


def parse_regex(text: str) -> UserPattern:
    """Compile a regular expression; see `UserPattern`."""
    return UserPattern.compile(text)


def parse_limit(text: str) -> DeleteLimit:
    """Return a limit: a count or a percentage of deployments."""
    if not re.fullmatch(LIMIT_PATTERN, text):
        raise ValueError("is neither a count, such as 20, nor a percentage from 0% to 100%")
    return DeleteLimit(amount=int(text.rstrip("%")), is_percent=text.endswith("%"))


def parse_live_source(text: str) -> LiveSource:
    """Return a live source; refuse a URL with credentials."""
    source = LiveSource.parse(text)
    if source.kind is LiveKind.URL:
        address, _, _ = source.argument.partition("?")
        if "@" in address.partition("://")[2].partition("/")[0]:
            raise ValueError("must not contain credentials; ci3 sends none")
        if not is_address(address) or re.search(r"\s", source.argument):
            raise ValueError("is not a URL, such as url:https://www.example.org/version.txt")
    return source


def parse_folder_name(text: str) -> str:
    """Return a folder name, or a glob of folder names, without its final slash."""
    if not re.fullmatch("[^/]+/*", text):
        raise ValueError(
            "contains a slash; protect takes folder names and globs without the prefix"
        )
    return text.rstrip("/")


def parse_flag(text: str) -> bool:
    """Return a boolean, in any spelling of YAML 1.1: true, yes, on, false, no, off."""
    lowered = text.lower()
    if lowered not in _FLAGS:
        raise ValueError("is neither true nor false")
    return _FLAGS[lowered]


def parse_choice(choices: type[StrEnum]) -> Callable[[str], StrEnum]:
    """Return a parser for the values of an enumeration."""

    def parse(text: str) -> StrEnum:
        try:
            return choices(text)
        except ValueError as exc:
            values = ", ".join(choices)
            raise ValueError(f"is not one of {values}.{format_suggestion(text, choices)}") from exc

    return parse
