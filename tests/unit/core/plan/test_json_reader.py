"""The plan file: what is written is read back whole, and what does not fit is refused."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci3.core.lifecycle.rule import ManagedRule
from ci3.core.lifecycle.rule_status import ExistingRule, Fate
from ci3.core.model.decision import Action, Decision, Reason, ReasonCode
from ci3.core.model.deployment import Deployment, IgnoredEntry, Target, Versioning
from ci3.core.model.issues import PlanWarning, Refusal, RefusalCode, WarningCode
from ci3.core.model.objects import VersionSummary
from ci3.core.model.policy import Origin, PolicyEntry
from ci3.core.plan.json_reader import build_plan_schema, load_plans
from ci3.core.plan.json_writer import dump_inventories, dump_objects, dump_plan
from ci3.core.plan.plan import Plan
from ci3.errors import ExitCode, SettingsError
from tests.support.builders import deployment, empty_deployment, kept, make_object, plan, to_delete
from tests.support.paths import ROOT

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
    lambda one: replace(
        one, object_count=0, size_bytes=0, fingerprint="", is_fully_listed=False, versions=None
    )
)
some_reasons = st.lists(reasons, min_size=1, max_size=2).map(tuple)
decisions = st.builds(
    Decision,
    deployment=deployments,
    group=texts,
    action=st.sampled_from(Action),
    reasons=some_reasons,
    expire_days=st.none() | st.integers(1, 4000),
) | st.builds(
    Decision,
    deployment=partial_deployments,
    group=texts,
    action=st.just(Action.KEEP),
    reasons=some_reasons,
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
    status=st.sampled_from(Fate),
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
    rules=st.lists(rules, max_size=2).map(tuple),
    engine_explanation=st.lists(texts, max_size=2).map(tuple),
)


@given(plans)
def test_what_was_saved_loads_the_same(one):
    (loaded,) = load_plans(dump_plan(one), "plan.json")

    assert loaded == one
    assert loaded.plan_id == one.plan_id
    assert dump_plan(loaded) == dump_plan(one)


@given(plans)
def test_published_schema_accepts_what_is_written(one):
    VALIDATOR.validate(json.loads(dump_plan(one)))


@given(plans)
def test_no_line_of_a_plan_file_is_a_command_to_a_runner(one):
    lines = dump_plan(one).splitlines()

    assert not any("##[" in line for line in lines)
    assert not any(line.lstrip().startswith("::") for line in lines)
    assert all(line.isascii() and line.isprintable() for line in lines)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_name_comes_back_as_it_was(name):
    hostile = plan(to_delete(deployment(name, 9)), kept(deployment("new", 1), message=name))

    (loaded,) = load_plans(dump_plan(hostile), "plan.json")

    assert loaded.decisions[0].deployment.name == name
    assert loaded.decisions[1].reasons[0].message == name


def test_published_schema_is_the_readers():
    assert build_plan_schema() == json.dumps(SCHEMA, indent=2) + "\n"
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def usual():
    return plan(
        kept(deployment("new", 1)),
        to_delete(deployment("old", 9)),
        kept(empty_deployment("gone"), ReasonCode.NO_OBJECTS),
        policy={"keep-count": PolicyEntry(value=1, origin=Origin.INPUT)},
        ignored=(IgnoredEntry(name="robots.txt", reason="a file"),),
        warnings=(PlanWarning(code=WarningCode.VERSIONING_UNKNOWN, message="m"),),
    )


def test_plan_file_has_the_keys_that_are_documented():
    written = json.loads(dump_plan(usual()))

    assert ", ".join(written) == (
        "format, ci3_version, plan_id, created_at, target, policy, applyable, refusals, warnings, "
        "deployments, ignored, rules, choice, totals"
    )
    assert ", ".join(written["deployments"][1]) == (
        "name, prefix, group, decision, reasons, object_count, size_bytes, oldest_at, newest_at, "
        "complete, fingerprint, versions, expire_days"
    )
    assert written["format"] == "ci3-plan/1"
    assert written["policy"] == {"keep-count": {"value": 1, "from": "input"}}
    assert written["created_at"] == "2026-11-23T12:00:00Z"
    assert written["deployments"][2]["newest_at"] is None


def edited(path, value):
    """A saved plan's text with one value, told by its path, put in place of another."""
    written = json.loads(dump_plan(usual()))
    *parents, last = path.split("/")
    inner = written
    for step in parents:
        inner = inner[int(step) if step.isdigit() else step]
    if isinstance(inner, list):
        inner[int(last)] = value
    else:
        inner[last] = value
    return json.dumps(written)


def test_edited_number_of_versions_is_refused():
    versions = VersionSummary(count=7, size_bytes=9000, fingerprint="0" * 64)
    final = plan(to_delete(replace(deployment("old", 9), versions=versions)))
    assert final.totals.versions_to_delete == 7
    assert final.totals.bytes_to_delete == 9000
    for key, value in (("count", 6), ("size_bytes", 1), ("fingerprint", "f" * 64)):
        written = json.loads(dump_plan(final))
        written["deployments"][0]["versions"][key] = value
        assert "was edited: its plan_id" in refusal(json.dumps(written))
    written = json.loads(dump_plan(final))
    written["deployments"][0]["versions"] = None
    assert "was edited: its plan_id" in refusal(json.dumps(written))


def refusal(text):
    with pytest.raises(SettingsError) as caught:
        load_plans(text, "saved/plan.json")
    assert caught.value.exit_code is ExitCode.USAGE
    assert caught.value.message.startswith("saved/plan.json ")
    assert "Make the plan again" in caught.value.hint
    return caught.value.message


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
    assert refusal(edited(path, value)).endswith("was edited: its plan_id no longer fits")


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        ("totals/delete", 0, "totals"),
        ("totals/bytes_to_delete", 1, "totals"),
        ("applyable", False, "applyable"),
    ],
)
def test_edited_number_is_refused(path, value, told):
    assert refusal(edited(path, value)).endswith(f"was edited: its {told} no longer fits")


def test_refusal_struck_out_is_noticed():
    refused = plan(refusals=(Refusal(code=RefusalCode.MAX_DELETE, message="too many"),))
    written = json.loads(dump_plan(refused)) | {"refusals": [], "applyable": True}

    assert "was edited: its plan_id" in refusal(json.dumps(written))


@pytest.mark.parametrize(
    ("path", "value", "where"),
    [
        ("format", "ci3-plan/2", "format"),
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
def test_what_this_version_does_not_know_is_refused_and_the_place_named(path, value, where):
    assert f"is no plan of ci3: {where}" in refusal(edited(path, value))


def test_plan_that_deletes_what_was_never_listed_in_full_is_refused():
    unknown = replace(
        deployment("old", 9), object_count=0, size_bytes=0, fingerprint="", is_fully_listed=False
    )

    told = refusal(dump_plan(plan(to_delete(unknown))))

    assert "what is to be deleted must have been listed in full" in told


@pytest.mark.parametrize("key", json.loads(dump_plan(usual())))
def test_missing_key_is_refused(key):
    written = json.loads(dump_plan(usual()))
    del written[key]

    assert f"is no plan of ci3: {key}: " in refusal(json.dumps(written))


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", "plan", "[" * 100_000, dump_plan(usual())[:-5], dump_plan(usual()) * 2],
    ids=["empty", "cut", "list", "null", "word", "deep", "cut off", "twice"],
)
def test_what_is_no_plan_at_all_is_refused(text):
    assert " is no plan of ci3: " in refusal(text)


def test_schema_refuses_what_the_reader_refuses():
    bad = [
        edited("format", "ci3-plan/2"),
        edited("surprise", 1),
        edited("deployments/0/decision", "maybe"),
        edited("deployments/0/reasons", []),
        edited("deployments/0/object_count", -1),
        edited("deployments/0/fingerprint", "abc"),
    ]

    assert [VALIDATOR.is_valid(json.loads(text)) for text in bad] == [False] * len(bad)


def test_same_moment_in_another_zone_is_no_edit():
    text = edited("deployments/1/newest_at", "2026-11-14T14:00:00+02:00")

    assert load_plans(text, "plan.json") == (usual(),)


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


def test_listings_hold_no_command_to_a_runner():
    at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(microseconds=1)

    assert "##[" not in dump_listing([deployment("##[error]", 1)], [])
    assert "##[" not in dump_objects(
        "##[group]", [("s3://b/", [make_object("##[x/##[error]", at=at)])], has_targets=False
    )
