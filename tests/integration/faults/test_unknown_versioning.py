"""A plan is applied only where deletion means what it meant when the plan was made."""

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


@pytest.mark.parametrize("was", Versioning)
@pytest.mark.parametrize("now", Versioning)
def test_plan_made_with_another_versioning_is_refused(
    site: MemorySite, proxy: FaultProxy, was: Versioning, now: Versioning
) -> None:
    seed_site(site)
    if Versioning.ENABLED in (was, now):
        site.enable_versioning()
    proxy.answer("GET", r"\?versioning", STATES[was])

    def change() -> None:
        proxy.answer("GET", r"\?versioning", STATES[now])

    if was is now:
        assert apply(site, before_approval=change).exit_code is ExitCode.DONE
        return
    with pytest.raises(RefusedError, match=f" {was}.* {now}"):
        apply(site, before_approval=change)
    assert proxy.deletions == []


def test_slow_match_refuses(site: MemorySite, proxy: FaultProxy) -> None:
    site.deploy("a" * 60 + "!", days=1)
    context = make_context(site)
    pattern = UserPattern.compile("(a|aa)+", timeout_seconds=0.05)
    context = replace(context, settings=replace(context.settings, match=pattern))
    with pytest.raises(RefusedError, match=r"\(a\|aa\)\+"):
        context.make_plan(context.open_bucket())
    assert proxy.deletions == []
