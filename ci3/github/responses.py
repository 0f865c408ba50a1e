"""What GitHub answered, read by name and type; what it means is said elsewhere."""

import re
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

import requests

from ci3.errors import GitHubError

OTHER_HINT: Final = "Check `github-api-url`."


class Fields:
    """A JSON object of an answer, read by name and type; `GitHubError` where it is another."""

    def __init__(self, response: requests.Response, fields: dict[str, object]) -> None:
        self._response = response
        self._fields = fields

    def text(self, name: str) -> str:
        """Read a text."""
        value = self._fields.get(name)
        if not isinstance(value, str):
            raise unexpected(self._response, f"`{name}` is not a text")
        return value

    def number(self, name: str) -> int:
        """Read a whole number."""
        value = self._fields.get(name)
        if not isinstance(value, int) or isinstance(value, bool):
            raise unexpected(self._response, f"`{name}` is not a number")
        return value

    def commit(self, name: str) -> str:
        """Read a commit's whole hash."""
        value = self.text(name)
        if not re.fullmatch("[0-9a-f]{40}|[0-9a-f]{64}", value):
            raise self.unexpected(f"`{name}` is not a commit")
        return value

    def moment(self, name: str) -> datetime:
        """Read a time."""
        try:
            value = datetime.fromisoformat(self.text(name))
        except ValueError as exc:
            raise self.unexpected(f"`{name}` is not a time") from exc
        if value.tzinfo is None:
            raise self.unexpected(f"`{name}` has no time zone")
        return value

    def unexpected(self, what: str) -> GitHubError:
        """Make the error that says what is wrong with this object."""
        return unexpected(self._response, what)

    def fields(self, name: str) -> "Fields | None":
        """Read an object within this one, or None where it is null or not there."""
        value = self._fields.get(name)
        if value is not None and not isinstance(value, dict):
            raise unexpected(self._response, f"`{name}` is not an object")
        return None if value is None else Fields(self._response, value)

    def inner(self, name: str) -> "Fields":
        """Read an object within this one that must be there."""
        found = self.fields(name)
        if found is None:
            raise self.unexpected(f"`{name}` is not there")
        return found

    def message(self) -> str:
        """What an error answer says, with the details of a 422."""
        said = self.text("message")
        errors = self._fields.get("errors")
        for error in errors if isinstance(errors, list) else ():
            detail = error.get("message") if isinstance(error, dict) else error
            if isinstance(detail, str):
                said += f"; {detail}"
        return said


def where(response: requests.Response) -> str:
    """Name what was asked, without its query."""
    return f"{response.request.method} {urlsplit(response.url).path}"


def unexpected(response: requests.Response, what: str) -> GitHubError:
    """Make the error that says what is wrong with an answer."""
    return GitHubError(f"GitHub's answer to {where(response)} can't be read: {what}", OTHER_HINT)


def _json(response: requests.Response) -> object:
    try:
        content: object = response.json()
    except ValueError as exc:
        raise unexpected(response, "it is not JSON") from exc
    return content


def read_object(response: requests.Response) -> Fields:
    """Read an answer that is one object."""
    content = _json(response)
    if not isinstance(content, dict):
        raise unexpected(response, "it is not an object")
    return Fields(response, content)


def read_objects(response: requests.Response) -> tuple[Fields, ...]:
    """Read an answer that is a list of objects."""
    content = _json(response)
    if not isinstance(content, list):
        raise unexpected(response, "it is not a list")
    if not all(isinstance(entry, dict) for entry in content):
        raise unexpected(response, "an entry is not an object")
    return tuple(Fields(response, entry) for entry in content)
