"""How many requests are out at once, when S3 wants fewer and when it no longer does."""

import threading
from contextlib import suppress

from ci3.engine.workers.aimd_limit import Pace


def test_each_sign_of_too_many_halves_and_never_stops_all():
    pace = Pace(8)
    allowed = []
    for _ in range(5):
        pace.slow_down()
        allowed.append(pace.allowed)

    assert allowed == [4, 2, 1, 1, 1]


def test_as_many_as_may_be_out_must_go_well_for_one_more():
    pace = Pace(8)
    pace.slow_down()
    allowed = []
    for _ in range(16):
        pace.go_on()
        allowed.append(pace.allowed)

    assert allowed == [4, 4, 4, 5, 5, 5, 5, 5, 6, 6, 6, 6, 6, 6, 7, 7]


def test_recovery_ends_where_it_began():
    pace = Pace(2)
    for _ in range(100):
        pace.go_on()

    assert pace.allowed == 2


def test_a_sign_of_too_many_undoes_the_count_of_what_went_well():
    pace = Pace(8)
    for _ in range(7):
        pace.go_on()
    pace.slow_down()
    for _ in range(3):
        pace.go_on()

    assert pace.allowed == 4


def test_no_more_are_out_than_may_be():
    pace = Pace(3)
    out, most, lock = 0, 0, threading.Lock()
    gate = threading.Barrier(3, timeout=10)

    def work():
        nonlocal out, most
        with pace.turn():
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
    pace = Pace(1)
    for _ in range(3):
        with suppress(ZeroDivisionError), pace.turn():
            _ = 1 / 0

    with pace.turn():
        assert pace.allowed == 1
