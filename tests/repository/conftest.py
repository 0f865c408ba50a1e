"""Fixtures for the tests of the benchmark."""

import pytest

from bench.servers import running_memory_server


@pytest.fixture(scope="module")
def memory():
    """The bench's server."""
    with running_memory_server() as server:
        yield server
