"""A signal never interrupts the standard library between taking a lock and its release."""

import concurrent.futures.thread
import queue
import signal
import threading
import time
from types import SimpleNamespace

import pytest

from ci3.interrupts import raise_interrupt

POOL_FILE = concurrent.futures.thread.__file__


@pytest.fixture(autouse=True)
def _alarm():
    """Stop the timer and restore its handler."""
    handler = signal.getsignal(signal.SIGALRM)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, handler)


def frame_of(filename, function):
    return SimpleNamespace(f_code=SimpleNamespace(co_filename=filename, co_name=function))


@pytest.mark.parametrize(
    "frame",
    [
        None,
        frame_of(__file__, "submit"),
        frame_of(threading.__file__, "wait"),
        frame_of(threading.__file__, "join"),
        frame_of(threading.__file__, "_wait_for_tstate_lock"),
    ],
)
def test_interrupt_is_raised_at_once_in_own_code_and_while_waiting(frame):
    with pytest.raises(KeyboardInterrupt):
        raise_interrupt(signal.SIGTERM, frame)


@pytest.mark.parametrize(
    "frame",
    [
        frame_of(threading.__file__, "__enter__"),
        frame_of(threading.__file__, "release"),
        frame_of(queue.__file__, "put"),
        frame_of(POOL_FILE, "submit"),
    ],
)
def test_interrupt_is_raised_later_while_a_lock_is_taken(frame):
    raise_interrupt(signal.SIGTERM, frame)
    with pytest.raises(KeyboardInterrupt):
        time.sleep(10)


def test_waiting_for_another_thread_is_interrupted():
    signal.signal(signal.SIGALRM, raise_interrupt)
    is_over = threading.Event()
    thread = threading.Thread(target=is_over.wait)
    thread.start()
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    try:
        with pytest.raises(KeyboardInterrupt):
            thread.join(10)
    finally:
        is_over.set()
        thread.join()
