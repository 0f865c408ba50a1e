"""Says what in a request or an answer GitHub's own OpenAPI description does not allow."""

import functools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from openapi_core import OpenAPI
from openapi_core.templating.responses.exceptions import ResponseNotFound
from openapi_core.testing import MockRequest, MockResponse
from openapi_schema_validator import OAS30Validator

from tests.github.cut_openapi import SLICE

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
    if unknown := received.query.keys() - {"per_page", "page", "since"}:
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


@functools.cache
def _schema() -> dict[str, Any]:
    return json.loads(SLICE.read_text(encoding="utf-8"))


@functools.cache
def _description() -> OpenAPI:
    return OpenAPI.from_dict(_schema())


def _as_described(received: Received) -> MockRequest:
    return MockRequest(
        PUBLIC_API,
        received.method,
        received.path,
        args=dict(received.query),
        headers=dict(received.headers),
        data=received.body,
        content_type=received.headers.get("content-type", ""),
    )
