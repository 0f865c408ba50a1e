"""Checks requests and answers against GitHub's OpenAPI description."""

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
    """A request or an answer violates GitHub's OpenAPI description."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A received request; `path` is without the base path, header names are in lower case."""

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
    description = f"{received.method} {received.path}"
    errors = tuple(_description().iter_request_errors(_as_described(received)))
    for error in errors:
        yield f"{description}: {error}"
    if errors:
        return
    # The validator accepts unknown query parameters, and the limit is described in prose only.
    if unknown := received.query.keys() - _query_parameters(received):
        yield f"{description}: unknown query parameters {sorted(unknown)}"
    if int(received.query.get("per_page", "30")) > MAX_PAGE_SIZE:
        yield f"{description}: per_page is over {MAX_PAGE_SIZE}"


def answer_violations(received: Received, answer: Answer) -> Iterator[str]:
    description = f"{answer.status} to {received.method} {received.path}"
    response = MockResponse(
        answer.body,
        status_code=answer.status,
        headers=dict(answer.headers),
        content_type=answer.content_type.partition(";")[0],
    )
    for error in _description().iter_response_errors(_as_described(received), response):
        if not isinstance(error, ResponseNotFound):
            yield f"{description}: {error}"
            continue
        # Most errors are not declared; they have the shape of the declared ones.
        shape = _schema()["components"]["schemas"]["basic-error"]
        for schema_error in OAS30Validator(shape).iter_errors(json.loads(answer.body)):
            yield f"{description}: {schema_error.message}"


def sample(schema_name: str, /, *properties: str, **chosen: object) -> dict[str, object]:
    """Return the smallest object that a schema allows, with the chosen values.

    `properties` are the path from the named schema to a nested one.
    """
    schema = _schema()["components"]["schemas"][schema_name]
    for name in properties:
        schema = _resolve(schema["properties"][name])
    return {
        name: _smallest_value(schema["properties"][name]) for name in schema["required"]
    } | chosen


def _smallest_value(schema: dict[str, Any]) -> object:
    schema = _resolve(schema)
    if schema.get("nullable"):
        return None
    if "enum" in schema or "example" in schema:
        return schema["enum"][0] if "enum" in schema else schema["example"]
    if "oneOf" in schema:
        return _smallest_value(schema["oneOf"][0])
    if schema["type"] == "object":
        properties = schema.get("properties", {})
        return {name: _smallest_value(properties[name]) for name in schema.get("required", ())}
    formats = {"uri": f"{PUBLIC_API}/x", "date-time": "2026-01-02T03:04:05Z"}
    text = formats.get(schema.get("format", ""), "x")
    return {"array": [], "string": text, "boolean": False}.get(schema["type"], 1)


def _resolve(node: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in node:
        return node
    kind, name = node["$ref"].removeprefix("#/components/").split("/")
    return _schema()["components"][kind][name]


def _query_parameters(received: Received) -> set[str]:
    """Return the query parameters that the description declares for a request."""
    described = urlsplit(_as_described(received).path).path
    for template, operations in _schema()["paths"].items():
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), described):
            parameters = operations[received.method.lower()].get("parameters", ())
            return {
                _resolve(parameter)["name"]
                for parameter in parameters
                if _resolve(parameter)["in"] == "query"
            }
    return set()


@functools.cache
def _schema() -> dict[str, Any]:
    return json.loads(SLICE.read_text(encoding="utf-8"))


@functools.cache
def _description() -> OpenAPI:
    return OpenAPI.from_dict(_schema())


def _as_described(received: Received) -> MockRequest:
    # A file's path is a single parameter in the description; GitHub accepts its slashes.
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
