import pytest

from tests.support.s3.fault_proxy import FaultProxy


@pytest.fixture
def proxy(proxy: FaultProxy) -> FaultProxy:
    """The proxy, whose rules apply to probes, too."""
    proxy.ignores_probes = False
    return proxy
