"""Conditional deletes: an object is deleted only with the ETag that was listed."""

import re

import pytest

from ci3.aws.deletion.writer import BucketWriter
from ci3.core.model.deployment import Versioning
from ci3.core.model.result import DeleteGuard, ObjectOutcome
from tests.support.builders import make_object
from tests.support.s3.answers import delete_result, error
from tests.support.s3.bucket import Bucket
from tests.support.s3.fault_proxy import FaultProxy
from tests.unit.aws.deletion.test_writer import open_writer


def make_guarded_writer(bucket: Bucket, proxy: FaultProxy) -> BucketWriter:
    """Return a writer whose probe showed that conditions are honored, also in batches."""
    proxy.answer_with(
        "POST", "delete", lambda request: delete_result([], [(request.batch_keys[0], "NoSuchKey")])
    )
    bucket_writer = open_writer(bucket)
    assert bucket_writer.probe_conditional_deletes("", Versioning.ENABLED).guard is DeleteGuard.ETAG
    proxy.requests.clear()
    return bucket_writer


def test_every_deletion_has_the_listed_etag_as_its_condition(
    site: Bucket, proxy: FaultProxy
) -> None:
    bucket_writer = make_guarded_writer(site, proxy)
    bucket_writer.delete_objects(
        [make_object("a/x", etag='"1"'), make_object("a/y", etag='"2-3"'), make_object("a/\x01")]
    )
    (batch,), (single,) = proxy.find_requests("POST"), proxy.find_requests("DELETE")
    named = re.findall("<Key>(.*?)</Key><ETag>(.*?)</ETag>", batch.body.decode())
    assert named == [("a/x", '"1"'), ("a/y", '"2-3"')]
    assert single.headers["If-Match"] == '"e"'


def test_changed_object_is_not_deleted_by_a_single_request(site: Bucket, proxy: FaultProxy) -> None:
    bucket_writer = make_guarded_writer(site, proxy)
    for key in ("a/\x01", "a/\x02"):
        site.put(key)
    etag = site.client.head_object(Bucket=site.name, Key="a/\x02")["ETag"]
    outcomes = bucket_writer.delete_objects(
        [make_object("a/\x01"), make_object("a/\x02", etag=etag), make_object("a/\x03")]
    )
    assert [outcome.outcome for outcome in outcomes.values()] == ["changed", "deleted", "absent"]
    assert site.keys() == {"a/\x01"}


@pytest.mark.parametrize("etag", ["", "*", '"a"\r\nx: y', '"é"', " "])
def test_object_without_a_valid_etag_is_not_deleted(
    site: Bucket, proxy: FaultProxy, etag: str
) -> None:
    site.put("a/\x01")
    bucket_writer = make_guarded_writer(site, proxy)
    outcomes = bucket_writer.delete_objects(
        [make_object("a/x", etag=etag), make_object("a/\x01", etag=etag)]
    )
    assert [outcome.outcome for outcome in outcomes.values()] == ["failed", "failed"]
    assert proxy.requests == []


@pytest.mark.parametrize("key", ["a/x", "a/\x01"])
def test_conditional_deletion_is_not_retried_after_a_lost_response(
    site: Bucket, proxy: FaultProxy, pauses: list[float], key: str
) -> None:
    bucket_writer = make_guarded_writer(site, proxy)
    site.put(key)
    etag = site.client.head_object(Bucket=site.name, Key=key)["ETag"]
    proxy.drop("DELETE", ".", nth=1)
    proxy.drop("POST", "delete", nth=1)
    assert (
        bucket_writer.delete_objects([make_object(key, etag=etag)])[key].outcome
        is ObjectOutcome.UNKNOWN
    )
    assert len(proxy.deletions) == 1
    assert pauses == []


def test_failed_condition_is_unknown_where_it_may_mean_absent(
    site: Bucket, proxy: FaultProxy
) -> None:
    proxy.answer("DELETE", ".", error("PreconditionFailed"), status=412)
    bucket_writer = make_guarded_writer(site, proxy)
    outcome = bucket_writer.delete_objects([make_object("a/\x01")])["a/\x01"]
    assert outcome.outcome is ObjectOutcome.UNKNOWN
