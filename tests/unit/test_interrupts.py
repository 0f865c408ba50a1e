"""A signal never interrupts the standard library between taking a lock and its release."""

import concurrent.futures.thread
import importlib._bootstrap
import logging
import queue
import signal
import tempfile
import threading
import time
from types import SimpleNamespace

import pytest

from ci3.interrupts import raise_interrupt

POOL_FILE = concurrent.futures.thread.__file__
IMPORT_FILE = importlib._bootstrap._find_and_load.__code__.co_filename


@pytest.fixture(autouse=True)
def _alarm():
    """Stop the timer and restore its handler."""
    handler = signal.getsignal(signal.SIGALRM)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, handler)


def make_frame(filename, function):
    return SimpleNamespace(f_code=SimpleNamespace(co_filename=filename, co_name=function))


@pytest.mark.parametrize(
    "frame",
    [
        None,
        make_frame(__file__, "submit"),
        make_frame(threading.__file__, "wait"),
        make_frame(threading.__file__, "join"),
        make_frame(threading.__file__, "_wait_for_tstate_lock"),
        make_frame(logging.__file__, "emit"),
    ],
)
def test_interrupt_is_raised_at_once_in_own_code_and_while_waiting(frame):
    with pytest.raises(KeyboardInterrupt):
        raise_interrupt(signal.SIGTERM, frame)


@pytest.mark.parametrize(
    "frame",
    [
        make_frame(threading.__file__, "__enter__"),
        make_frame(threading.__file__, "release"),
        make_frame(queue.__file__, "put"),
        make_frame(POOL_FILE, "submit"),
        make_frame(IMPORT_FILE, "_get_module_lock"),
        make_frame(logging.__file__, "acquire"),
        make_frame(tempfile.__file__, "_get_candidate_names"),
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


def test_interrupt_in_a_finalizer_is_raised_after_it():
    class Interrupted:
        def __del__(self):
            raise_interrupt(signal.SIGTERM, None)

    def finalize_and_wait():
        interrupted = Interrupted()
        del interrupted
        time.sleep(10)

    with pytest.raises(KeyboardInterrupt):
        finalize_and_wait()


def test_other_exceptions_in_finalizers_are_still_reported(capsys):
    class Failing:
        def __del__(self):
            raise ValueError("reported")

    with pytest.raises(KeyboardInterrupt):
        raise_interrupt(signal.SIGTERM, None)
    failing = Failing()
    del failing
    assert "ValueError: reported" in capsys.readouterr().err
