"""Run `ci3 doctor`: read all facts about a target, and return the findings."""

from dataclasses import replace

from ci3.core.doctor.checks import diagnose
from ci3.core.doctor.facts import Aim, Examination, Unread
from ci3.core.doctor.finding import Checkup
from ci3.core.model.deployment import Target, Versioning
from ci3.engine.doctor import examine, probe
from ci3.engine.inventory.folders import find_folders
from ci3.live.reader import read_live_sources
from ci3.pipeline.context import Cleanup


def check_up(context: Cleanup) -> Checkup:
    """Return the findings for one target.

    Nothing is written, except with the setting `probe-deletes`: it sends delete requests for keys
    that do not exist.
    """
    settings = context.settings
    bucket = context.open_bucket()
    doctor_target = Aim(
        target=Target(
            bucket=settings.bucket,
            region=bucket.region,
            prefix=settings.prefix,
            endpoint_url=bucket.endpoint_url,
            versioning=Versioning.UNKNOWN,
        ),
        match=settings.match.pattern if settings.match else "",
        required_file=settings.required_file,
        protect=settings.protect,
        delete_versions=settings.delete_versions,
    )
    facts = examine(
        bucket,
        lambda: find_folders(bucket, settings.prefix, settings.match),
        Examination(aim=doctor_target, at=context.clock()),
    )
    readings = read_live_sources(
        settings.live_from,
        bucket=bucket,
        prefix=settings.prefix,
        region=settings.region,
        github=context.github,
    )
    facts = replace(facts, readings=readings)
    if settings.probe_deletes and not isinstance(facts.folders, Unread):
        facts = replace(facts, probe=probe(bucket, facts))
    return Checkup(url=settings.url, findings=diagnose(facts))
