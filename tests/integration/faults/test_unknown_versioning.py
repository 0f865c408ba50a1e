"""A plan is refused if the bucket's versioning is not what it was when the plan was made."""

from dataclasses import replace

import pytest

from ci3.core.model.deployment import Versioning
from ci3.core.model.user_pattern import UserPattern
from ci3.errors import ExitCode, RefusedError
from tests.support.cleanup_run import apply, make_context, seed_site
from tests.support.s3.answers import HTML
from tests.support.s3.fault_proxy import FaultProxy
from tests.support.s3.memory_site import MemorySite

STATES = {
    Versioning.DISABLED: "<VersioningConfiguration/>",
    Versioning.ENABLED: "<VersioningConfiguration><Status>Enabled</Status>"
    "</VersioningConfiguration>",
    Versioning.SUSPENDED: "<VersioningConfiguration><Status>Suspended</Status>"
    "</VersioningConfiguration>",
    Versioning.UNKNOWN: HTML.partition("\n")[2],
}


@pytest.mark.parametrize("planned", Versioning)
@pytest.mark.parametrize("current", Versioning)
def test_plan_made_with_another_versioning_is_refused(
    site: MemorySite, proxy: FaultProxy, planned: Versioning, current: Versioning
) -> None:
    seed_site(site)
    if Versioning.ENABLED in (planned, current):
        site.enable_versioning()
    proxy.answer("GET", r"\?versioning", STATES[planned])

    def change() -> None:
        proxy.answer("GET", r"\?versioning", STATES[current])

    if planned is current:
        assert apply(site, before_approval=change).exit_code is ExitCode.DONE
        return
    with pytest.raises(RefusedError, match=f" {planned}.* {current}"):
        apply(site, before_approval=change)
    assert proxy.deletions == []


def test_plan_is_refused_if_the_match_pattern_times_out(
    site: MemorySite, proxy: FaultProxy
) -> None:
    site.deploy("a" * 60 + "!", days=1)
    context = make_context(site)
    pattern = UserPattern.compile("(a|aa)+", timeout_seconds=0.05)
    context = replace(context, settings=replace(context.settings, match=pattern))
    with pytest.raises(RefusedError, match=r"\(a\|aa\)\+"):
        context.make_plan(context.open_bucket())
    assert proxy.deletions == []
