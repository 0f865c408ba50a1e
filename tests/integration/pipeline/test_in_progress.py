"""An incomplete deployment that may still be uploading is kept, and its uploads are not aborted."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from ci3.core.model.decision import ReasonCode
from ci3.core.plan.plan import Plan
from ci3.errors import ExitCode
from tests.support.cleanup_run import apply, make_context
from tests.support.s3.memory_site import MemorySite, running_site

RULES = {"required_file": "index.html", "keep_count": "1"}
UPLOADS = r"[?]uploads"
ROOT = "ListMultipartUploadsResult"
HTML = "<!DOCTYPE html><html><body>Sign in</body></html>"


@pytest.fixture
def site() -> Iterator[MemorySite]:
    """A complete deployment, and an older one, `slow`, without its required file."""
    with running_site() as site:
        site.put("new/index.html", days=1)
        site.put("slow/app.js", days=2)
        yield site


def make_plan(site: MemorySite, **settings) -> Plan:
    context = make_context(site, **{**RULES, **settings})
    return context.make_plan(context.open_bucket())


def find_action(plan: Plan, name: str = "slow") -> tuple[str, list[ReasonCode]]:
    (decision,) = (decision for decision in plan.decisions if decision.deployment.name == name)
    return decision.action.value, [reason.code for reason in decision.reasons]


KEPT = ("keep", [ReasonCode.IN_PROGRESS])
DELETED = ("delete", [ReasonCode.SUPERSEDED])


@pytest.mark.parametrize(
    ("key", "days", "expected"),
    [
        ("slow/video.mp4", 1 / 24, KEPT),
        ("slow/video.mp4", 0.99, KEPT),
        ("slow/video.mp4", -0.1, KEPT),  # S3's clock is ahead
        ("slow/video.mp4", 1.1, DELETED),
        ("slow-2/video.mp4", 0, DELETED),
        ("new/video.mp4", 0, DELETED),
    ],
)
def test_incomplete_deployment_with_an_upload_of_the_last_day_is_kept(site, key, days, expected):
    site.begin_upload(key, days=days)

    assert find_action(make_plan(site)) == expected


@pytest.mark.parametrize(
    ("minutes", "expected"),
    [(1, KEPT), (80, KEPT), (-30, KEPT), (24 * 60 + 10, KEPT), (24 * 60 + 20, DELETED)],
    ids=["young", "within the day", "of the future", "clocks differ", "older"],
)
def test_incomplete_deployment_outside_aws_with_an_object_of_the_last_day_is_kept(
    site, minutes, expected
):
    """MinIO does not list uploads by prefix, so an empty list does not prove anything."""
    # Newer than the young object, so that the deployment is superseded.
    site.put("newest/index.html", days=-1)
    site.put("slow/app.js", days=minutes / 24 / 60)

    assert find_action(make_plan(site)) == expected


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (403, "<Error><Code>AccessDenied</Code><Message>no</Message></Error>"),
        (501, "<Error><Code>NotImplemented</Code><Message>no</Message></Error>"),
        (404, "<Error><Code>NoSuchKey</Code><Message>no</Message></Error>"),
        (200, HTML),
        (200, ""),
        (200, "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>"),
        (200, f"<{ROOT}><IsTruncated>true</IsTruncated></{ROOT}>"),
        (200, f"<{ROOT}></{ROOT}>"),
    ],
    ids=[
        "denied",
        "unsupported",
        "missing",
        "html",
        "empty",
        "other root",
        "truncated",
        "no truncation flag",
    ],
)
def test_incomplete_deployment_is_kept_if_uploads_cannot_be_listed(site, status, body):
    site.proxy.answer("GET", UPLOADS, status=status, body=body)

    plan = make_plan(site)

    assert find_action(plan) == KEPT
    assert plan.is_applyable


def test_uploads_are_listed_once_and_only_if_an_incomplete_deployment_would_be_deleted(site):
    make_plan(site)
    assert len(site.proxy.find_requests("GET", UPLOADS)) == 1

    site.put("slow/index.html", days=2)
    assert find_action(make_plan(site)) == DELETED
    assert len(site.proxy.find_requests("GET", UPLOADS)) == 1


def test_upload_that_begins_after_the_plan_keeps_its_incomplete_deployment(site):
    run = apply(site, **RULES, before_approval=lambda: site.begin_upload("slow/video.mp4"))

    assert run.exit_code is ExitCode.PARTIAL
    assert "slow/app.js" in site.content()
    assert site.uploads() == {"slow/video.mp4"}


def test_upload_that_begins_right_before_the_deletion_keeps_its_incomplete_deployment(site):
    """The plan is applied at once, so no second plan lists the uploads."""
    site.proxy.call_before("GET", UPLOADS, nth=2, act=lambda: site.begin_upload("slow/video.mp4"))

    run = apply(site, **RULES)

    assert run.exit_code is ExitCode.PARTIAL
    assert "slow/app.js" in site.content()
    assert site.uploads() == {"slow/video.mp4"}


def test_incomplete_deployment_is_kept_if_uploads_cannot_be_listed_before_the_deletion(site):
    site.proxy.answer(
        "GET",
        UPLOADS,
        nth=2,
        status=403,
        body="<Error><Code>AccessDenied</Code><Message>no</Message></Error>",
    )

    run = apply(site, **RULES)

    assert run.exit_code is ExitCode.PARTIAL
    assert "slow/app.js" in site.content()


def test_upload_of_the_last_day_under_a_complete_deployment_is_not_aborted(site):
    """The same name is deployed again: old objects are deleted, the new upload is kept."""
    site.put("slow/index.html", days=2)
    site.begin_upload("slow/video.mp4", days=1 / 24 / 60)
    site.begin_upload("slow/broken.mp4", days=3)

    run = apply(site, **RULES)

    assert run.exit_code is ExitCode.DONE
    assert site.uploads() == {"slow/video.mp4"}
    assert run.result.uploads_aborted == 1


def test_saved_plan_applied_days_later_aborts_no_upload_of_the_day_before_it(site):
    site.put("slow/index.html", days=9)
    site.begin_upload("slow/video.mp4", days=1 / 24)
    start = datetime.now(UTC)
    times = iter([start - timedelta(days=2)])
    run = apply(site, **RULES, clock=lambda: next(times, start))

    assert run.exit_code is ExitCode.DONE
    assert site.uploads() == {"slow/video.mp4"}


def test_explanation_shows_that_the_deployment_may_be_uploading(site, assert_screen):
    site.begin_upload("slow/video.mp4")
    context = make_context(site, **RULES)

    explanation = context.explain(context.open_bucket(), "slow")

    assert [check.code for check in explanation.evaluation.keeping_checks] == [
        ReasonCode.IN_PROGRESS
    ]
    assert_screen(explanation.outlook)
