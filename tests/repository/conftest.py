"""Fixtures for the tests of the benchmark."""

import pytest

from bench.servers import running_memory_server


@pytest.fixture(scope="module")
def memory():
    """Start the benchmark's server."""
    with running_memory_server() as server:
        yield server
