"""The concurrency limit decreases when S3 throttles requests and recovers afterwards."""

import threading
from contextlib import suppress

from ci3.engine.workers.aimd_limit import ConcurrencyLimiter


def test_each_throttled_request_halves_the_limit_down_to_one():
    limiter = ConcurrencyLimiter(8)
    limits = []
    for _ in range(5):
        limiter.on_throttle()
        limits.append(limiter.limit)

    assert limits == [4, 2, 1, 1, 1]


def test_limit_grows_by_one_after_as_many_successes():
    limiter = ConcurrencyLimiter(8)
    limiter.on_throttle()
    limits = []
    for _ in range(16):
        limiter.on_success()
        limits.append(limiter.limit)

    assert limits == [4, 4, 4, 5, 5, 5, 5, 5, 6, 6, 6, 6, 6, 6, 7, 7]


def test_limit_never_exceeds_its_initial_value():
    limiter = ConcurrencyLimiter(2)
    for _ in range(100):
        limiter.on_success()

    assert limiter.limit == 2


def test_throttled_request_resets_the_count_of_successes():
    limiter = ConcurrencyLimiter(8)
    for _ in range(7):
        limiter.on_success()
    limiter.on_throttle()
    for _ in range(3):
        limiter.on_success()

    assert limiter.limit == 4


def test_requests_in_flight_never_exceed_the_limit():
    limiter = ConcurrencyLimiter(3)
    in_flight, maximum, lock = 0, 0, threading.Lock()
    gate = threading.Barrier(3, timeout=10)

    def hold_slot():
        nonlocal in_flight, maximum
        with limiter.acquire():
            with lock:
                in_flight += 1
                maximum = max(maximum, in_flight)
            gate.wait()
            with lock:
                in_flight -= 1

    threads = [threading.Thread(target=hold_slot) for _ in range(9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)

    assert maximum == 3


def test_slot_is_released_after_an_error():
    limiter = ConcurrencyLimiter(1)
    for _ in range(3):
        with suppress(ZeroDivisionError), limiter.acquire():
            _ = 1 / 0

    with limiter.acquire():
        assert limiter.limit == 1
