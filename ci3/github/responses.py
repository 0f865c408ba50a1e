"""Typed access to the JSON of GitHub's responses."""

import re
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

import requests

from ci3.errors import GitHubError

API_URL_HINT: Final = "Check `github-api-url`."
MOVED_HINT: Final = "The repository was renamed or transferred. Use its current name."
HINTS_BY_STATUS: Final = {
    301: MOVED_HINT,
    307: MOVED_HINT,
    308: MOVED_HINT,
    401: "Check `github-token`: it is invalid or has expired.",
    403: "Check that `github-token` has permission to read this.",
    404: "Check the repository and the number, and that `github-token` can read them.",
    410: "It was deleted, or the feature is disabled: see the repository's settings, Features.",
    422: "See GitHub's message for what is invalid.",
}


class JsonObject:
    """A JSON object of a response; raises `GitHubError` for a field of another type."""

    def __init__(self, response: requests.Response, fields: dict[str, object]) -> None:
        self._response = response
        self._fields = fields

    def get_text(self, name: str) -> str:
        """Return a string field."""
        value = self._fields.get(name)
        if not isinstance(value, str):
            raise make_response_error(self._response, f"`{name}` is not a string")
        return value

    def get_optional_text(self, name: str) -> str:
        """Return a string field, or an empty text where it is null or missing."""
        return "" if self._fields.get(name) is None else self.get_text(name)

    def get_int(self, name: str) -> int:
        """Return an integer field."""
        value = self._fields.get(name)
        if not isinstance(value, int) or isinstance(value, bool):
            raise make_response_error(self._response, f"`{name}` is not a number")
        return value

    def get_commit_hash(self, name: str) -> str:
        """Return a field that is a full commit hash."""
        value = self.get_text(name)
        if not re.fullmatch("[0-9a-f]{40}|[0-9a-f]{64}", value):
            raise self.make_error(f"`{name}` is not a commit")
        return value

    def get_time(self, name: str) -> datetime:
        """Return a field that is a time with a time zone."""
        try:
            value = datetime.fromisoformat(self.get_text(name))
        except ValueError as exc:
            raise self.make_error(f"`{name}` is not a time") from exc
        if value.tzinfo is None:
            raise self.make_error(f"`{name}` has no time zone")
        return value

    def make_error(self, problem: str) -> GitHubError:
        """Return the error for a problem with this object."""
        return make_response_error(self._response, problem)

    def get_optional_object(self, name: str) -> "JsonObject | None":
        """Return an object field, or None where it is null or missing."""
        value = self._fields.get(name)
        if value is not None and not isinstance(value, dict):
            raise make_response_error(self._response, f"`{name}` is not an object")
        return None if value is None else JsonObject(self._response, value)

    def get_object(self, name: str) -> "JsonObject":
        """Return an object field that must exist."""
        inner_object = self.get_optional_object(name)
        if inner_object is None:
            raise self.make_error(f"`{name}` is missing")
        return inner_object

    def get_error_message(self) -> str:
        """Return the message of an error response, with the details of a 422."""
        message = self.get_text("message")
        errors = self._fields.get("errors")
        for error in errors if isinstance(errors, list) else ():
            detail = error.get("message") if isinstance(error, dict) else error
            if isinstance(detail, str):
                message += f"; {detail}"
        return message


def describe_request(response: requests.Response) -> str:
    """Return the method and path of the request, without the query."""
    return f"{response.request.method} {urlsplit(response.url).path}"


def make_response_error(response: requests.Response, problem: str) -> GitHubError:
    """Return the error for an invalid response."""
    return GitHubError(
        f"GitHub's response to {describe_request(response)} is invalid: {problem}", API_URL_HINT
    )


def _parse_json(response: requests.Response) -> object:
    try:
        content: object = response.json()
    except ValueError as exc:
        raise make_response_error(response, "it is not JSON") from exc
    return content


def read_object(response: requests.Response) -> JsonObject:
    """Parse a response that must be a JSON object."""
    content = _parse_json(response)
    if not isinstance(content, dict):
        raise make_response_error(response, "it is not an object")
    return JsonObject(response, content)


def read_objects(response: requests.Response) -> tuple[JsonObject, ...]:
    """Parse a response that must be a list of JSON objects."""
    content = _parse_json(response)
    if not isinstance(content, list):
        raise make_response_error(response, "it is not a list")
    if not all(isinstance(entry, dict) for entry in content):
        raise make_response_error(response, "an entry is not an object")
    return tuple(JsonObject(response, entry) for entry in content)
