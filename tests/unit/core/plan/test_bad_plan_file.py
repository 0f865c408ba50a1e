"""Plan files that were edited or are of another format are refused."""

import json
from dataclasses import replace

import pytest

from ci3.core.model.issues import Refusal, RefusalCode
from ci3.core.model.objects import VersionSummary
from ci3.core.plan.json_reader import load_plans
from ci3.core.plan.json_writer import dump_plan
from ci3.errors import ExitCode, SettingsError
from tests.support.builders import deployment, plan, to_delete
from tests.support.golden import assert_messages
from tests.support.messages import words_in
from tests.unit.core.plan.plan_files import dump_edited, make_sample_plan


def test_edited_number_of_versions_is_refused():
    versions = VersionSummary(count=7, size_bytes=9000, fingerprint="0" * 64)
    permanent_plan = plan(to_delete(replace(deployment("old", 9), versions=versions)))
    assert permanent_plan.totals.versions_to_delete == 7
    assert permanent_plan.totals.bytes_to_delete == 9000
    for key, value in (("count", 6), ("size_bytes", 1), ("fingerprint", "f" * 64)):
        written = json.loads(dump_plan(permanent_plan))
        written["deployments"][0]["versions"][key] = value
        check_edited(json.dumps(written))
    written = json.loads(dump_plan(permanent_plan))
    written["deployments"][0]["versions"] = None
    check_edited(json.dumps(written))


def load_refused(text):
    with pytest.raises(SettingsError) as caught:
        load_plans(text, "saved/plan.json")
    assert caught.value.exit_code is ExitCode.USAGE
    assert caught.value.message.startswith("saved/plan.json ")
    return caught.value


def check_edited(text, key="plan_id"):
    """Check that a plan is refused because a key does not fit the others."""
    error = load_refused(text)
    assert error.__cause__ is None
    assert key in words_in(error.message)


def check_invalid(text, path):
    """Check that a plan is refused because a value or key is not one of this format."""
    error = load_refused(text)
    assert isinstance(error.__cause__, ValueError)
    assert f" {path}" in error.message


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("deployments/0/decision", "delete"),
        ("deployments/1/decision", "keep"),
        ("deployments/1/name", "new"),
        ("deployments/1/prefix", ""),
        ("deployments/1/group", "g"),
        ("deployments/1/reasons/0/code", "protected"),
        ("deployments/1/object_count", 3),
        ("deployments/1/size_bytes", 0),
        ("deployments/1/oldest_at", "2026-11-01T00:00:00Z"),
        ("deployments/1/newest_at", None),
        ("deployments/1/complete", False),
        ("deployments/1/fingerprint", "0" * 64),
        ("deployments", []),
        ("target/bucket", "other-site"),
        ("target/prefix", "site/"),
        ("target/region", ""),
        ("target/endpoint_url", "https://minio.example.org"),
        ("target/versioning", "enabled"),
        ("policy/keep-count/value", 2),
        ("policy", {}),
        ("plan_id", "0" * 64),
    ],
)
def test_edited_plan_is_refused(path, value):
    check_edited(dump_edited(path, value))


@pytest.mark.parametrize(
    ("path", "value", "key"),
    [
        ("totals/delete", 0, "totals"),
        ("totals/bytes_to_delete", 1, "totals"),
        ("applyable", False, "applyable"),
        ("next_run_by", "2026-12-30T12:00:00Z", "next_run_by"),
    ],
)
def test_edited_number_is_refused(path, value, key):
    check_edited(dump_edited(path, value), key)


def test_removed_refusal_is_refused():
    refused_plan = plan(refusals=(Refusal(code=RefusalCode.MAX_DELETE, message="too many"),))
    written = json.loads(dump_plan(refused_plan)) | {"refusals": [], "applyable": True}

    check_edited(json.dumps(written))


@pytest.mark.parametrize(
    ("path", "value", "location"),
    [
        ("format", "ci3-plan/3", "format"),
        ("format", "ci3-plan/0", "format"),
        ("format", None, "format"),
        ("surprise", 1, "surprise"),
        ("target/surprise", 1, "target.surprise"),
        ("deployments/0/surprise", 1, "deployments.0.surprise"),
        ("totals/surprise", 1, "totals.surprise"),
        ("deployments/0/decision", "maybe", "deployments.0.decision"),
        ("deployments/0/reasons/0/code", "because", "deployments.0.reasons.0.code"),
        ("deployments/0/reasons", [], "deployments.0.reasons"),
        ("warnings/0/code", "careful", "warnings.0.code"),
        ("target/versioning", "perhaps", "target.versioning"),
        ("policy/keep-count/from", "hearsay", "policy.keep-count.from"),
        ("policy/keep-count/value", True, "policy.keep-count.value"),
        ("policy/keep-count/value", 1.5, "policy.keep-count.value"),
        ("deployments/0/complete", "yes", "deployments.0.complete"),
        ("deployments/0/complete", 1, "deployments.0.complete"),
        ("deployments/0/object_count", "2", "deployments.0.object_count"),
        ("deployments/0/object_count", -2, "deployments.0.object_count"),
        ("deployments/0/object_count", 2.0, "deployments.0.object_count"),
        ("deployments/0/newest_at", "yesterday", "deployments.0.newest_at"),
        ("deployments/0/newest_at", 1700000000, "deployments.0.newest_at"),
        ("deployments/0/newest_at", "2026-11-22T12:00:00", "deployments.0.newest_at"),
        ("created_at", "2026-11-23T12:00:00", "created_at"),
        ("created_at", None, "created_at"),
        ("deployments/0/fingerprint", "abc", "deployments.0.fingerprint"),
        ("deployments/0/fingerprint", "A" * 64, "deployments.0.fingerprint"),
        ("plan_id", "0" * 65, "plan_id"),
        ("plan_id", "0" * 64 + "\n", "plan_id"),
        ("deployments", {}, "deployments"),
    ],
)
def test_unknown_or_invalid_value_is_refused_with_its_location(path, value, location):
    check_invalid(dump_edited(path, value), location)


def dump_never_listed():
    """Return a plan that deletes a deployment that was not listed in full."""
    unlisted = replace(
        deployment("old", 9), object_count=0, size_bytes=0, fingerprint="", is_fully_listed=False
    )
    return dump_plan(plan(to_delete(unlisted)))


def test_plan_that_deletes_a_partly_listed_deployment_is_refused():
    check_invalid(dump_never_listed(), "deployments.0")


@pytest.mark.parametrize("key", json.loads(dump_plan(make_sample_plan())))
def test_missing_key_is_refused(key):
    written = json.loads(dump_plan(make_sample_plan()))
    del written[key]

    check_invalid(json.dumps(written), key)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "plan",
        "[" * 100_000,
        dump_plan(make_sample_plan())[:-5],
        dump_plan(make_sample_plan()) * 2,
    ],
    ids=["empty", "cut", "list", "null", "word", "deep", "cut off", "twice"],
)
def test_text_that_is_no_plan_is_refused(text):
    assert isinstance(load_refused(text).__cause__, ValueError | RecursionError)


def test_messages_are_the_golden_ones():
    cases = {
        "edited": dump_edited("deployments/1/decision", "keep"),
        "edited total": dump_edited("totals/delete", 0),
        "edited applyable": dump_edited("applyable", False),
        "never listed": dump_never_listed(),
        "not JSON": "plan",
    }
    assert_messages(__file__, [(case, load_refused(text)) for case, text in cases.items()])
