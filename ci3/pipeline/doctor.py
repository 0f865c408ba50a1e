"""Run `ci3 doctor`: read all facts about a target, and return the findings."""

from dataclasses import replace

from ci3.aws.bucket import BucketReader
from ci3.core.doctor.checks import check_bucket
from ci3.core.doctor.facts import BucketFacts, DoctorTarget, Unavailable
from ci3.core.doctor.finding import TargetFindings
from ci3.core.model.deployment import Versioning
from ci3.engine.doctor import collect_facts, probe_deletion, probe_restore
from ci3.errors import AccessError, Ci3Error
from ci3.pipeline.bucket_checks import find_bucket_issues
from ci3.pipeline.context import TargetContext
from ci3.pipeline.expansion import OpenTarget


def run_doctor(target: OpenTarget) -> TargetFindings:
    """Return the findings for one target.

    Nothing is written, except with the setting `probe-deletes`: it sends delete requests for keys
    that do not exist; and with `probe-restore`: it writes, deletes and restores one object.
    """
    context, bucket = target.context, target.bucket
    settings = context.settings
    doctor_target = DoctorTarget(
        target=bucket.describe_target(settings.prefix, Versioning.UNKNOWN),
        match=settings.match.pattern if settings.match else "",
        required_file=settings.required_file,
        protect=settings.protect,
        delete_versions=settings.delete_versions,
        engine=settings.engine,
    )
    facts = BucketFacts(
        doctor_target=doctor_target,
        read_at=context.clock(),
        target_names=context.select_target_names(),
    )
    facts = collect_facts(bucket, settings.match, facts)
    facts = _add_plan_facts(facts, context, bucket)
    if settings.probe_deletes and not isinstance(facts.folders, Unavailable):
        facts = replace(facts, probe=probe_deletion(bucket, facts))
    if settings.probe_restore and not isinstance(facts.folders, Unavailable):
        facts = replace(facts, restore_probe=probe_restore(bucket, facts))
    match = str(settings.match or "")
    return TargetFindings(url=settings.url, match=match, findings=check_bucket(facts))


def _add_plan_facts(
    facts: BucketFacts, context: TargetContext, bucket: BucketReader
) -> BucketFacts:
    """Add the readings of the live sources and, after a full listing, what a plan reports."""
    if not isinstance(facts.folders, Unavailable):
        try:
            state = context.observe(bucket)
            issues = find_bucket_issues(bucket, state, context.settings)
            return replace(facts, readings=state.readings, issues=issues)
        except Ci3Error as exc:
            is_of_access = isinstance(exc, AccessError)
            unavailable = Unavailable(problem=exc.message, hint=exc.hint, is_of_access=is_of_access)
            facts = replace(facts, issues=unavailable)
    return replace(facts, readings=context.read_live_sources(bucket))
