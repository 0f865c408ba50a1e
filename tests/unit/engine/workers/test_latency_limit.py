"""The concurrency limit is computed from the times of a response and of parsing it."""

import time

import pytest

from ci3.engine.workers.latency_limit import LatencyLimiter


def measure(limiter: LatencyLimiter, monkeypatch: pytest.MonkeyPatch, retries: int = 0) -> int:
    """Measure a request of 100 ms, of which 10 ms are CPU time."""
    seconds, cpu_seconds = iter((0.0, 0.1)), iter((0.0, 0.01))
    with monkeypatch.context() as patch:
        patch.setattr(time, "monotonic", lambda: next(seconds))
        patch.setattr(time, "thread_time", lambda: next(cpu_seconds))
        with limiter.measure_request() as measurement:
            measurement.retries = retries
    return limiter.limit


def test_limit_is_one_more_than_wait_divided_by_work(monkeypatch: pytest.MonkeyPatch) -> None:
    assert measure(LatencyLimiter(64), monkeypatch) == 10


def test_limit_is_at_most_the_maximum(monkeypatch: pytest.MonkeyPatch) -> None:
    limiter = LatencyLimiter(64)
    measure(limiter, monkeypatch)
    limiter.set_maximum(4)
    assert limiter.limit == 4
    assert measure(limiter, monkeypatch) == 4


def test_retry_halves_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    limiter = LatencyLimiter(64)
    assert measure(limiter, monkeypatch, retries=1) == 4
