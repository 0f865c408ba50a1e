"""How many requests are out at once, when S3 wants fewer and when it no longer does."""

import threading
from contextlib import suppress

from ci3.engine.workers.aimd_limit import ConcurrencyLimiter


def test_each_sign_of_too_many_halves_and_never_stops_all():
    limiter = ConcurrencyLimiter(8)
    allowed = []
    for _ in range(5):
        limiter.on_throttle()
        allowed.append(limiter.limit)

    assert allowed == [4, 2, 1, 1, 1]


def test_as_many_as_may_be_out_must_go_well_for_one_more():
    limiter = ConcurrencyLimiter(8)
    limiter.on_throttle()
    allowed = []
    for _ in range(16):
        limiter.on_success()
        allowed.append(limiter.limit)

    assert allowed == [4, 4, 4, 5, 5, 5, 5, 5, 6, 6, 6, 6, 6, 6, 7, 7]


def test_recovery_ends_where_it_began():
    limiter = ConcurrencyLimiter(2)
    for _ in range(100):
        limiter.on_success()

    assert limiter.limit == 2


def test_a_sign_of_too_many_undoes_the_count_of_what_went_well():
    limiter = ConcurrencyLimiter(8)
    for _ in range(7):
        limiter.on_success()
    limiter.on_throttle()
    for _ in range(3):
        limiter.on_success()

    assert limiter.limit == 4


def test_no_more_are_out_than_may_be():
    limiter = ConcurrencyLimiter(3)
    out, most, lock = 0, 0, threading.Lock()
    gate = threading.Barrier(3, timeout=10)

    def work():
        nonlocal out, most
        with limiter.acquire():
            with lock:
                out += 1
                most = max(most, out)
            gate.wait()
            with lock:
                out -= 1

    threads = [threading.Thread(target=work) for _ in range(9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)

    assert most == 3


def test_turn_is_given_back_after_an_error():
    limiter = ConcurrencyLimiter(1)
    for _ in range(3):
        with suppress(ZeroDivisionError), limiter.acquire():
            _ = 1 / 0

    with limiter.acquire():
        assert limiter.limit == 1
