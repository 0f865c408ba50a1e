"""The plan file: every plan can be written, read back and validated by the schema."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci3.core.lifecycle.rule import ManagedRule
from ci3.core.lifecycle.rule_status import ExistingRule, RuleStatus
from ci3.core.model.decision import Action, Decision, Reason, ReasonCode
from ci3.core.model.deployment import (
    Deployment,
    IgnoredEntry,
    NoncurrentExpiration,
    Target,
    Versioning,
)
from ci3.core.model.issues import PlanWarning, Refusal, RefusalCode, WarningCode
from ci3.core.model.objects import VersionSummary
from ci3.core.model.policy import Origin, PolicyEntry
from ci3.core.plan.json_reader import build_plan_schema, load_plans
from ci3.core.plan.json_writer import dump_inventories, dump_objects, dump_plan
from ci3.core.plan.plan import Plan
from tests.support.builders import deployment, kept, make_object, plan, to_delete
from tests.support.paths import ROOT
from tests.unit.core.plan.plan_files import dump_edited, make_sample_plan

SCHEMA = json.loads((ROOT / "docs" / "plan.schema.json").read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(
    SCHEMA, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
)

HOSTILE = [
    "a\nb",
    "\x00\x1b[2J",
    "::error::x",
    "##[error]x",
    "###[x##[##[",
    '"},{"name":"',
    "\\u0041\\",
    "\u2028\u202e",
    "日本 🎉",
    " ",
    "__proto__",
]
texts = st.text(max_size=8) | st.sampled_from(HOSTILE)
numbers = st.integers(0, 2**63)
times = st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1)).map(  # noqa: DTZ001 - put in UTC
    lambda at: at.replace(tzinfo=UTC)
)
reasons = st.builds(Reason, code=st.sampled_from(ReasonCode), message=texts)
deployments = st.builds(
    Deployment,
    name=texts,
    prefix=texts,
    object_count=numbers,
    size_bytes=numbers,
    oldest_at=times | st.none(),
    newest_at=times | st.none(),
    is_complete=st.booleans(),
    fingerprint=st.sampled_from(["0" * 64, "f" * 64]),
    versions=st.none()
    | st.builds(VersionSummary, count=numbers, size_bytes=numbers, fingerprint=st.just("a" * 64)),
)
partial_deployments = deployments.map(
    lambda deployment: replace(
        deployment,
        object_count=0,
        size_bytes=0,
        fingerprint="",
        is_fully_listed=False,
        versions=None,
    )
)
reason_lists = st.lists(reasons, min_size=1, max_size=2).map(tuple)
decisions = st.builds(
    Decision,
    deployment=deployments,
    group=texts,
    action=st.sampled_from(Action),
    reasons=reason_lists,
    expire_days=st.none() | st.integers(1, 4000),
) | st.builds(
    Decision,
    deployment=partial_deployments,
    group=texts,
    action=st.just(Action.KEEP),
    reasons=reason_lists,
)
rules = st.builds(
    ExistingRule,
    rule=st.builds(
        ManagedRule,
        prefix=texts.map(lambda text: f"{text}/"),
        days=st.none() | st.integers(1, 4000),
        noncurrent_days=st.none() | st.integers(1, 4000),
        expires_at=times,
    ),
    name=texts,
    status=st.sampled_from(RuleStatus),
    message=texts,
)
plans = st.builds(
    Plan,
    ci3_version=texts,
    created_at=times,
    target=st.builds(
        Target,
        bucket=texts,
        region=texts,
        prefix=texts,
        endpoint_url=texts,
        versioning=st.sampled_from(Versioning),
    ),
    policy=st.dictionaries(
        texts,
        st.builds(
            PolicyEntry,
            value=st.integers() | texts | st.lists(texts, max_size=2).map(tuple),
            origin=st.sampled_from(Origin),
        ),
        max_size=2,
    ),
    decisions=st.lists(decisions, max_size=3).map(tuple),
    ignored=st.lists(st.builds(IgnoredEntry, name=texts, reason=texts), max_size=1).map(tuple),
    refusals=st.lists(
        st.builds(Refusal, code=st.sampled_from(RefusalCode), message=texts), max_size=1
    ).map(tuple),
    warnings=st.lists(
        st.builds(PlanWarning, code=st.sampled_from(WarningCode), message=texts), max_size=1
    ).map(tuple),
    restore_period=st.none()
    | st.builds(
        NoncurrentExpiration,
        days=st.none() | st.integers(min_value=1),
        is_minimum=st.booleans(),
        problem=texts,
    ),
    rules=st.lists(rules, max_size=2).map(tuple),
    engine_explanation=st.lists(texts, max_size=2).map(tuple),
)


@given(plans)
def test_saved_plan_loads_the_same(saved_plan):
    (loaded,) = load_plans(dump_plan(saved_plan), "plan.json")

    assert loaded == saved_plan
    assert loaded.plan_id == saved_plan.plan_id
    assert dump_plan(loaded) == dump_plan(saved_plan)


@given(plans)
def test_published_schema_accepts_every_plan_file(saved_plan):
    VALIDATOR.validate(json.loads(dump_plan(saved_plan)))


@given(plans)
def test_no_line_of_a_plan_file_is_a_workflow_command(saved_plan):
    lines = dump_plan(saved_plan).splitlines()

    assert not any("##[" in line for line in lines)
    assert not any(line.lstrip().startswith("::") for line in lines)
    assert all(line.isascii() and line.isprintable() for line in lines)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_name_loads_unchanged(name):
    hostile = plan(to_delete(deployment(name, 9)), kept(deployment("new", 1), message=name))

    (loaded,) = load_plans(dump_plan(hostile), "plan.json")

    assert loaded.decisions[0].deployment.name == name
    assert loaded.decisions[1].reasons[0].message == name


def test_published_schema_is_up_to_date():
    assert build_plan_schema() == json.dumps(SCHEMA, indent=2) + "\n"
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_plan_file_has_the_keys_that_are_documented():
    written = json.loads(dump_plan(make_sample_plan()))

    assert list(written) == [
        "format", "ci3_version", "plan_id", "created_at", "target", "policy", "applyable",
        "refusals", "warnings", "restore_period", "deployments", "ignored", "rules", "next_run_by",
        "choice",
        "totals",
    ]  # fmt: skip
    assert list(written["deployments"][1]) == [
        "name", "prefix", "group", "decision", "reasons", "object_count", "size_bytes",
        "oldest_at", "newest_at", "complete", "fingerprint", "versions", "expire_days",
    ]  # fmt: skip
    assert written["format"] == "ci3-plan/2"
    assert written["policy"] == {"keep-count": {"value": 1, "from": "input"}}
    assert written["created_at"] == "2026-11-23T12:00:00Z"
    assert written["deployments"][2]["newest_at"] is None


def test_schema_refuses_what_the_reader_refuses():
    invalid_texts = [
        dump_edited("format", "ci3-plan/3"),
        dump_edited("surprise", 1),
        dump_edited("deployments/0/decision", "maybe"),
        dump_edited("deployments/0/reasons", []),
        dump_edited("deployments/0/object_count", -1),
        dump_edited("deployments/0/fingerprint", "abc"),
    ]

    assert [VALIDATOR.is_valid(json.loads(text)) for text in invalid_texts] == [False] * len(
        invalid_texts
    )


def test_same_time_in_another_zone_is_no_edit():
    text = dump_edited("deployments/1/newest_at", "2026-11-14T14:00:00+02:00")

    assert load_plans(text, "plan.json") == (make_sample_plan(),)


def dump_listing(deployments, ignored):
    return dump_inventories([("s3://b/", deployments, ignored)], has_targets=False)


def test_listings_are_written_as_json_with_the_plans_keys():
    listed = json.loads(
        dump_listing([deployment("d##[x", 1)], [IgnoredEntry(name="i", reason="r")])
    )
    objects = json.loads(
        dump_objects("d", [("s3://b/", [make_object("d/##[a")])], has_targets=False)
    )

    planned = json.loads(dump_plan(plan(kept(deployment("d##[x", 1)))))["deployments"][0]
    for key in ("group", "decision", "reasons", "expire_days"):
        del planned[key]
    assert listed == {"deployments": [planned], "ignored": [{"name": "i", "reason": "r"}]}
    assert objects == {
        "name": "d",
        "objects": [
            {
                "key": "d/##[a",
                "size_bytes": 1000,
                "etag": '"e"',
                "modified_at": "2026-11-23T12:00:00Z",
            }
        ],
    }


def test_listings_have_no_workflow_command():
    at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(microseconds=1)

    assert "##[" not in dump_listing([deployment("##[error]", 1)], [])
    assert "##[" not in dump_objects(
        "##[group]", [("s3://b/", [make_object("##[x/##[error]", at=at)])], has_targets=False
    )
