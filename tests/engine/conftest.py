"""Fixtures of the engine's tests."""

import pytest

from ci3.engine import fork


@pytest.fixture
def forks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this Python be copied, though the tests have threads, and the machine may have one core.

    Who uses it has the warning ignored that newer Pythons give of it.
    """
    monkeypatch.setattr(fork, "_is_alone", lambda: True)
    monkeypatch.setattr(fork, "_count_cores", lambda: 2)
