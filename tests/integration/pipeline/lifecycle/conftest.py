from collections.abc import Iterator

import pytest

from ci3.core.model.result import RunOutcome
from tests.integration.pipeline.lifecycle.lifecycle_run import FOREIGN, OLD_NAMES, LifecycleRun
from tests.support.s3.memory_site import MemorySite, intercept_requests


@pytest.fixture
def site() -> Iterator[MemorySite]:
    """A bucket with one deployment to keep, three old enough for a rule, and a foreign rule."""
    site = MemorySite()
    site.deploy("new", days=1)
    for days, name in enumerate(OLD_NAMES, start=20):
        site.deploy(name, days=days)
    site.lifecycle = FOREIGN
    with intercept_requests(site.proxy.handle):
        yield site


@pytest.fixture
def site_with_rules(site: MemorySite) -> MemorySite:
    """The site with a rule for each old deployment, and a pointer to the new one."""
    site.put("current", body=b"new")
    assert LifecycleRun(site, live_from="object:current").outcome is RunOutcome.APPLIED
    return site
