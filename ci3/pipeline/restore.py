"""Restore what a run deleted, in the bucket of a target."""

from ci3.engine.restore.restore import Restoration
from ci3.engine.restore.sources import RestoreSource
from ci3.pipeline.context import TargetContext


def open_restoration(context: TargetContext, source: RestoreSource) -> Restoration:
    """Open the bucket for a restore of what the source names; nothing is written."""
    return Restoration(
        reader=context.open_bucket(),
        source=source,
        progress=context.progress,
        sleep=context.sleep,
        clock=context.clock,
        concurrency=context.settings.concurrency,
    )
