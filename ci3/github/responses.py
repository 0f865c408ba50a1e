"""Typed access to the JSON of GitHub's responses."""

import re
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

import requests

from ci3.errors import GitHubError

OTHER_HINT: Final = "Check `github-api-url`."


class Fields:
    """A JSON object of a response; raises `GitHubError` for a field of another type."""

    def __init__(self, response: requests.Response, fields: dict[str, object]) -> None:
        self._response = response
        self._fields = fields

    def text(self, name: str) -> str:
        """Return a string field."""
        value = self._fields.get(name)
        if not isinstance(value, str):
            raise unexpected(self._response, f"`{name}` is not a text")
        return value

    def number(self, name: str) -> int:
        """Return an integer field."""
        value = self._fields.get(name)
        if not isinstance(value, int) or isinstance(value, bool):
            raise unexpected(self._response, f"`{name}` is not a number")
        return value

    def commit(self, name: str) -> str:
        """Return a field that is a full commit hash."""
        value = self.text(name)
        if not re.fullmatch("[0-9a-f]{40}|[0-9a-f]{64}", value):
            raise self.unexpected(f"`{name}` is not a commit")
        return value

    def moment(self, name: str) -> datetime:
        """Return a field that is a time with a time zone."""
        try:
            value = datetime.fromisoformat(self.text(name))
        except ValueError as exc:
            raise self.unexpected(f"`{name}` is not a time") from exc
        if value.tzinfo is None:
            raise self.unexpected(f"`{name}` has no time zone")
        return value

    def unexpected(self, problem: str) -> GitHubError:
        """Return the error for a problem with this object."""
        return unexpected(self._response, problem)

    def fields(self, name: str) -> "Fields | None":
        """Return an object field, or None where it is null or missing."""
        value = self._fields.get(name)
        if value is not None and not isinstance(value, dict):
            raise unexpected(self._response, f"`{name}` is not an object")
        return None if value is None else Fields(self._response, value)

    def inner(self, name: str) -> "Fields":
        """Return an object field that must exist."""
        inner_object = self.fields(name)
        if inner_object is None:
            raise self.unexpected(f"`{name}` is not there")
        return inner_object

    def message(self) -> str:
        """Return the message of an error response, with the details of a 422."""
        message = self.text("message")
        errors = self._fields.get("errors")
        for error in errors if isinstance(errors, list) else ():
            detail = error.get("message") if isinstance(error, dict) else error
            if isinstance(detail, str):
                message += f"; {detail}"
        return message


def where(response: requests.Response) -> str:
    """Return the method and path of the request, without the query."""
    return f"{response.request.method} {urlsplit(response.url).path}"


def unexpected(response: requests.Response, problem: str) -> GitHubError:
    """Return the error for a response that can't be read."""
    return GitHubError(f"GitHub's answer to {where(response)} can't be read: {problem}", OTHER_HINT)


def _parse_json(response: requests.Response) -> object:
    try:
        content: object = response.json()
    except ValueError as exc:
        raise unexpected(response, "it is not JSON") from exc
    return content


def read_object(response: requests.Response) -> Fields:
    """Parse a response that must be a JSON object."""
    content = _parse_json(response)
    if not isinstance(content, dict):
        raise unexpected(response, "it is not an object")
    return Fields(response, content)


def read_objects(response: requests.Response) -> tuple[Fields, ...]:
    """Parse a response that must be a list of JSON objects."""
    content = _parse_json(response)
    if not isinstance(content, list):
        raise unexpected(response, "it is not a list")
    if not all(isinstance(entry, dict) for entry in content):
        raise unexpected(response, "an entry is not an object")
    return tuple(Fields(response, entry) for entry in content)
