"""Batches are written, and their responses parsed, exactly as botocore does it."""

import random
import re

import botocore.loaders
import botocore.model
import botocore.parsers
import botocore.serialize
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci3.aws.deletion.delete_xml import (
    DELETED_KEY,
    DeleteKey,
    build_batch_body,
    get_deleted,
    split_response,
)
from tests.unit.aws.listing.test_fast_parser import CHANGES, to_comparable

BODIES = 10_000
HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<DeleteResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
)
PLAIN = (
    f"{HEAD}<Deleted><Key>4f2a9c1/a b/é+%20.js</Key></Deleted><Deleted><Key>x</Key></Deleted>"
    "</DeleteResult>"
)
MARKERS = (
    f"{HEAD}<Deleted><Key>a</Key><DeleteMarker>true</DeleteMarker>"
    "<DeleteMarkerVersionId>3HL4kqtJ</DeleteMarkerVersionId></Deleted>"
    "<Deleted><Key>b</Key><VersionId>null</VersionId></Deleted>"
    "<Deleted><Key>c</Key><VersionId>v1</VersionId><DeleteMarker>true</DeleteMarker>"
    "<DeleteMarkerVersionId>v1</DeleteMarkerVersionId></Deleted></DeleteResult>"
)
ERRORS = (
    f"{HEAD}<Deleted><Key>a</Key></Deleted><Error><Key>b&amp;</Key><Code>AccessDenied</Code>"
    "<Message>Access &quot;Denied&quot;</Message></Error><Deleted><Key>c</Key></Deleted>"
    "<Error><Key>d</Key><VersionId>v</VersionId><Code>InternalError</Code><Message/></Error>"
    "</DeleteResult>"
)
UNUSUAL = f"{HEAD}<Deleted><Key>a&amp;b</Key></Deleted></DeleteResult>"
ANSWERS = (PLAIN, MARKERS, ERRORS, UNUSUAL)
KEYS = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), min_size=1
)


@pytest.fixture(scope="module")
def operation() -> botocore.model.OperationModel:
    description = botocore.loaders.Loader().load_service_model("s3", "service-2")
    return botocore.model.ServiceModel(description, "s3").operation_model("DeleteObjects")


@given(
    keys=st.lists(st.builds(DeleteKey, KEYS, KEYS, st.sampled_from(["", "v1", "<&>"])), min_size=1),
    is_conditional=st.booleans(),
)
def test_batch_body_is_what_botocore_writes(
    operation, keys: list[DeleteKey], is_conditional: bool
) -> None:
    objects = [
        {"Key": key.key, "VersionId": key.version_id}
        if key.version_id
        else {"Key": key.key} | ({"ETag": key.etag} if is_conditional else {})
        for key in keys
    ]
    expected = botocore.serialize.create_serializer("rest-xml").serialize_to_request(
        {"Bucket": "site", "Delete": {"Objects": objects, "Quiet": False}}, operation
    )
    assert build_batch_body(keys, is_conditional=is_conditional).content == expected["body"]


def parse_with_botocore(body: bytes, operation) -> dict:
    parser = botocore.parsers.create_parser("rest-xml")
    return parser.parse({"body": body, "headers": {}, "status_code": 200}, operation.output_shape)


def compare_with_botocore(body: bytes, operation) -> bool:
    """Compare with botocore; return whether `split_response` could parse the body."""
    parts = split_response(body)
    if parts is None:
        return False
    rest, deleted = parts
    try:
        expected = parse_with_botocore(body, operation)
    except botocore.parsers.ResponseParserError:
        with pytest.raises(botocore.parsers.ResponseParserError):
            parse_with_botocore(rest, operation)
        return True
    actual = parse_with_botocore(rest, operation)
    assert get_deleted(actual | {DELETED_KEY: deleted}) == get_deleted(expected)
    assert [*map(to_comparable, actual.get("Errors", ()))] == [
        *map(to_comparable, expected.get("Errors", ()))
    ]
    assert "Deleted" not in actual
    return True


@pytest.mark.parametrize("answer", ANSWERS, ids=["plain", "markers", "errors", "odd"])
def test_responses_of_real_servers_are_parsed(operation, answer: str) -> None:
    assert compare_with_botocore(answer.encode(), operation) is (answer is not UNUSUAL)


def test_mutated_responses_are_parsed_as_by_botocore_or_left_to_it(operation) -> None:
    rng = random.Random(2)  # noqa: S311 - the same bodies in each run
    parsed_count = 0
    for _ in range(BODIES):
        answer = rng.choice(ANSWERS)
        for _ in range(rng.choice([1, 1, 2])):
            answer = rng.choice(CHANGES)(answer, rng)
        if rng.random() < 0.3:
            answer = re.sub("Contents|ListBucketResult", "Deleted", answer)
        parsed_count += compare_with_botocore(answer.encode("utf-8", "surrogatepass"), operation)
    assert BODIES / 10 < parsed_count < BODIES * 0.9
