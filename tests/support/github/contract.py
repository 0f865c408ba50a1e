"""Says what in a request or an answer GitHub's own OpenAPI description does not allow."""

import functools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from openapi_core import OpenAPI
from openapi_core.templating.responses.exceptions import ResponseNotFound
from openapi_core.testing import MockRequest, MockResponse
from openapi_schema_validator import OAS30Validator

from tests.support.github.cut_openapi import SLICE

PUBLIC_API: Final = "https://api.github.com"
MAX_PAGE_SIZE: Final = 100


class ContractViolationError(AssertionError):
    """A request or an answer that GitHub's own description does not allow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One request as it came in; `path` is without the base path, header names in lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json; charset=utf-8"


def request_violations(received: Received) -> Iterator[str]:
    where = f"{received.method} {received.path}"
    errors = tuple(_description().iter_request_errors(_as_described(received)))
    for error in errors:
        yield f"{where}: {error}"
    if errors:
        return
    # The description does not refuse a query it does not know, and names the limit in prose only.
    if unknown := received.query.keys() - _query_parameters(received):
        yield f"{where}: unknown query parameters {sorted(unknown)}"
    if int(received.query.get("per_page", "30")) > MAX_PAGE_SIZE:
        yield f"{where}: per_page is over {MAX_PAGE_SIZE}"


def answer_violations(received: Received, answer: Answer) -> Iterator[str]:
    where = f"{answer.status} to {received.method} {received.path}"
    response = MockResponse(
        answer.body,
        status_code=answer.status,
        headers=dict(answer.headers),
        content_type=answer.content_type.partition(";")[0],
    )
    for error in _description().iter_response_errors(_as_described(received), response):
        if not isinstance(error, ResponseNotFound):
            yield f"{where}: {error}"
            continue
        # The description leaves most errors out: they have the shape of those it declares.
        shape = _schema()["components"]["schemas"]["basic-error"]
        for wrong in OAS30Validator(shape).iter_errors(json.loads(answer.body)):
            yield f"{where}: {wrong.message}"


def sample(schema_name: str, /, *properties: str, **chosen: object) -> dict[str, object]:
    """Make the smallest object that a schema allows, but for what is chosen.

    `properties` lead from the named schema to one within it.
    """
    schema = _schema()["components"]["schemas"][schema_name]
    for one in properties:
        schema = _resolved(schema["properties"][one])
    return {one: _smallest(schema["properties"][one]) for one in schema["required"]} | chosen


def _smallest(schema: dict[str, Any]) -> object:
    schema = _resolved(schema)
    if schema.get("nullable"):
        return None
    if "enum" in schema or "example" in schema:
        return schema["enum"][0] if "enum" in schema else schema["example"]
    if "oneOf" in schema:
        return _smallest(schema["oneOf"][0])
    if schema["type"] == "object":
        properties = schema.get("properties", {})
        return {one: _smallest(properties[one]) for one in schema.get("required", ())}
    formats = {"uri": f"{PUBLIC_API}/x", "date-time": "2026-01-02T03:04:05Z"}
    text = formats.get(schema.get("format", ""), "x")
    return {"array": [], "string": text, "boolean": False}.get(schema["type"], 1)


def _resolved(node: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in node:
        return node
    kind, name = node["$ref"].removeprefix("#/components/").split("/")
    return _schema()["components"][kind][name]


def _query_parameters(received: Received) -> set[str]:
    """The names that the description knows for what is asked."""
    described = urlsplit(_as_described(received).path).path
    for template, operations in _schema()["paths"].items():
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), described):
            parameters = operations[received.method.lower()].get("parameters", ())
            return {_resolved(one)["name"] for one in parameters if _resolved(one)["in"] == "query"}
    return set()


@functools.cache
def _schema() -> dict[str, Any]:
    return json.loads(SLICE.read_text(encoding="utf-8"))


@functools.cache
def _description() -> OpenAPI:
    return OpenAPI.from_dict(_schema())


def _as_described(received: Received) -> MockRequest:
    # A file's path is one parameter of the description; GitHub takes it with its slashes.
    before, contents, file = received.path.partition("/contents/")
    return MockRequest(
        PUBLIC_API,
        received.method,
        f"{before}{contents}{file.replace('/', '%2F')}",
        args=dict(received.query),
        headers=dict(received.headers),
        data=received.body,
        content_type=received.headers.get("content-type", ""),
    )
