"""A batch is written as botocore writes it, and its answer read as botocore reads it."""

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
from tests.unit.aws.listing.test_fast_parser import CHANGES, legible

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
ODD = f"{HEAD}<Deleted><Key>a&amp;b</Key></Deleted></DeleteResult>"
ANSWERS = (PLAIN, MARKERS, ERRORS, ODD)
KEYS = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), min_size=1
)


@pytest.fixture(scope="module")
def operation() -> botocore.model.OperationModel:
    description = botocore.loaders.Loader().load_service_model("s3", "service-2")
    return botocore.model.ServiceModel(description, "s3").operation_model("DeleteObjects")


@given(
    doomed=st.lists(
        st.builds(DeleteKey, KEYS, KEYS, st.sampled_from(["", "v1", "<&>"])), min_size=1
    ),
    is_guarded=st.booleans(),
)
def test_batch_is_what_botocore_writes(
    operation, doomed: list[DeleteKey], is_guarded: bool
) -> None:
    objects = [
        {"Key": one.key, "VersionId": one.version_id}
        if one.version_id
        else {"Key": one.key} | ({"ETag": one.etag} if is_guarded else {})
        for one in doomed
    ]
    written = botocore.serialize.create_serializer("rest-xml").serialize_to_request(
        {"Bucket": "site", "Delete": {"Objects": objects, "Quiet": False}}, operation
    )
    assert build_batch_body(doomed, is_conditional=is_guarded).content == written["body"]


def parsed(body: bytes, operation) -> dict:
    parser = botocore.parsers.create_parser("rest-xml")
    return parser.parse({"body": body, "headers": {}, "status_code": 200}, operation.output_shape)


def check(body: bytes, operation) -> bool:
    """Compare, and say whether the answer was read here."""
    found = split_response(body)
    if found is None:
        return False
    rest, read = found
    try:
        whole = parsed(body, operation)
    except botocore.parsers.ResponseParserError:
        with pytest.raises(botocore.parsers.ResponseParserError):
            parsed(rest, operation)
        return True
    answer = parsed(rest, operation)
    assert get_deleted(answer | {DELETED_KEY: read}) == get_deleted(whole)
    assert [*map(legible, answer.get("Errors", ()))] == [*map(legible, whole.get("Errors", ()))]
    assert "Deleted" not in answer
    return True


@pytest.mark.parametrize("answer", ANSWERS, ids=["plain", "markers", "errors", "odd"])
def test_answers_of_real_servers_are_read_here(operation, answer: str) -> None:
    assert check(answer.encode(), operation) is (answer is not ODD)


def test_changed_answers_are_read_as_botocore_reads_them_or_left_to_it(operation) -> None:
    chance = random.Random(2)  # noqa: S311 - the same bodies at each run
    taken = 0
    for _ in range(BODIES):
        answer = chance.choice(ANSWERS)
        for _ in range(chance.choice([1, 1, 2])):
            answer = chance.choice(CHANGES)(answer, chance)
        if chance.random() < 0.3:
            answer = re.sub("Contents|ListBucketResult", "Deleted", answer)
        taken += check(answer.encode("utf-8", "surrogatepass"), operation)
    assert BODIES / 10 < taken < BODIES * 0.9
