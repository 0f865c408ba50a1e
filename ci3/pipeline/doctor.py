"""The road of `ci3 doctor`: ask everything, then say how it stands; nothing is decided."""

from dataclasses import replace

from ci3.core.doctor.checks import diagnose
from ci3.core.doctor.facts import Aim, Examination, Unread
from ci3.core.doctor.finding import Checkup
from ci3.core.model.deployment import Target, Versioning
from ci3.engine.doctor import examine, probe
from ci3.engine.inventory.folders import find_folders
from ci3.live.reader import read_live_sources
from ci3.pipeline.context import Cleanup


def check_up(cleanup: Cleanup) -> Checkup:
    """Examine one target.

    Nothing is written unless the setting `probe-deletes` says so: then keys that nobody has are
    asked to be deleted.
    """
    settings = cleanup.settings
    bucket = cleanup.open_bucket()
    aim = Aim(
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
    seen = examine(
        bucket,
        lambda: find_folders(bucket, settings.prefix, settings.match),
        Examination(aim=aim, at=cleanup.clock()),
    )
    readings = read_live_sources(
        settings.live_from,
        bucket=bucket,
        prefix=settings.prefix,
        region=settings.region,
        github=cleanup.github,
    )
    seen = replace(seen, readings=readings)
    if settings.probe_deletes and not isinstance(seen.folders, Unread):
        seen = replace(seen, probe=probe(bucket, seen))
    return Checkup(url=settings.url, findings=diagnose(seen))
