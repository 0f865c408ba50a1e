import pytest

from tests.support.s3.fault_proxy import FaultProxy


@pytest.fixture
def proxy(proxy: FaultProxy) -> FaultProxy:
    """Return the proxy, with rules that also apply to probes."""
    proxy.ignores_probes = False
    return proxy
