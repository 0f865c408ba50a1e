"""`age-from: name` on buckets whose upload times are not in the order of the names."""

from collections.abc import Iterator

import pytest

from ci3.core.model.decision import ReasonCode
from ci3.core.model.issues import RefusalCode
from ci3.core.plan.plan import Plan
from ci3.errors import ExitCode, RefusedError, SettingsError
from tests.support.cleanup_run import apply, make_context
from tests.support.s3.memory_site import MemorySite, running_site

COPIED = {
    "builds": [f"build-{number}" for number in range(95, 105)],
    "versions": [f"v1.{number}" for number in range(5, 15)],
    "dates": [f"2026-{month:02}-0{day}" for month in range(9, 14) for day in (1, 2)],
    "times": [f"deploy_{1764460800 + 60**number}" for number in range(10)],
    "bare numbers": [str(number) for number in range(1, 11)],
}


@pytest.fixture
def site() -> Iterator[MemorySite]:
    with running_site() as site:
        yield site


def make_plan(site: MemorySite, **settings: str) -> Plan:
    context = make_context(site, **settings)
    return context.make_plan(context.open_bucket())


def list_folders(site: MemorySite) -> set[str]:
    return {key.partition("/")[0] for key in site.content()}


@pytest.mark.parametrize("names", COPIED.values(), ids=COPIED)
def test_newest_names_and_last_uploads_of_a_copied_bucket_are_kept(site, names):
    uploaded_names = sorted(names)  # a copy uploads in the order of keys
    for index, name in enumerate(uploaded_names):
        site.put(f"{name}/index.html", days=1 - index / 100)

    run = apply(site, age_from="name", keep_count="3")

    assert run.exit_code is ExitCode.DONE
    assert list_folders(site) == {*names[-3:], *uploaded_names[-3:]}


@pytest.mark.parametrize(
    "names",
    [
        ["30-10-26", "31-10-26", "01-11-26", "28-11-26", "29-11-26"],
        ["30.10.26", "31.10.26", "01.11.26", "28.11.26", "29.11.26"],
        ["q3-2025", "q4-2025", "q1-2026", "q2-2026"],
        ["23-nov-26", "24-nov-26", "02-nov-27", "01-nov-28"],
    ],
    ids=lambda names: names[0],
)
def test_deployments_are_kept_if_their_dates_do_not_begin_with_the_year(site, names):
    for index, name in enumerate(names):
        site.put(f"{name}/index.html", days=len(names) - index)

    apply(site, age_from="name", keep_count="1")

    assert list_folders(site) == {*names}


def test_deployment_uploaded_again_under_an_old_name_is_kept(site):
    for number in range(1, 8):
        site.put(f"build-{number}/index.html", days=10 - number)
    site.put("build-1/index.html", days=0.01)

    apply(site, age_from="name", keep_count="2")

    assert list_folders(site) == {"build-1", "build-6", "build-7"}


@pytest.mark.parametrize("name", ["ab12cd3", "main-0123abc", "v1.2-3-g2222222"])
def test_names_with_a_commit_are_refused(site, name):
    for number in range(1, 6):
        site.put(f"build-{number}/index.html", days=10 - number)
    site.put(f"{name}/index.html", days=20)

    plan = make_plan(site, age_from="name", keep_count="1")
    assert RefusalCode.HEXADECIMAL_NAMES in [refusal.code for refusal in plan.refusals]
    with pytest.raises(RefusedError):
        apply(site, age_from="name", keep_count="1")

    assert len(list_folders(site)) == 6
    assert not make_plan(site, age_from="name", keep_count="1", protect=name).refusals
    assert not make_plan(site, age_from="newest", keep_count="1").refusals


@pytest.mark.parametrize("rule", ["keep-within", "keep-daily", "keep-weekly", "keep-monthly"])
def test_rule_that_depends_on_upload_times_is_refused(site, rule):
    value = "7d" if rule == "keep-within" else "7"

    with pytest.raises(SettingsError, match=rule):
        make_context(site, age_from="name", **{rule: value})


def test_names_of_another_form_are_kept_as_incomparable(site):
    for number in range(1, 6):
        site.put(f"build-{number}/index.html", days=10 - number)
    for name in ("main", "v1.2", "build-1-hotfix", "01-12-2026"):
        site.put(f"{name}/index.html", days=30)

    plan = make_plan(site, age_from="name", keep_count="2")

    codes = {
        decision.deployment.name: [reason.code for reason in decision.reasons]
        for decision in plan.decisions
        if decision.is_keep
    }
    assert {name for name, reasons in codes.items() if ReasonCode.INCOMPARABLE_NAME in reasons} == {
        "main",
        "v1.2",
        "build-1-hotfix",
        "01-12-2026",
    }
    assert codes.keys() - {"main", "v1.2", "build-1-hotfix", "01-12-2026"} == {"build-4", "build-5"}


def test_incomplete_newest_build_is_kept_and_does_not_count(site):
    for number in range(1, 5):
        site.put(f"build-{number}/index.html", days=10 - number)
    site.put("build-5/app.js", days=0.5)

    apply(site, age_from="name", keep_count="2", required_file="index.html")

    assert list_folders(site) == {"build-3", "build-4", "build-5"}
