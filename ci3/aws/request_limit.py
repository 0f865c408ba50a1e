"""A limit on the S3 requests in flight, shared by every client of a bucket."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from threading import BoundedSemaphore, local
from typing import Any


class RequestLimit:
    """Limits how many S3 requests are in flight at once, whichever thread and client sends them.

    A thread that holds slots sends its requests within them: nested calls cannot deadlock.
    """

    def __init__(self, maximum: int) -> None:
        self.maximum = maximum
        self._slots = BoundedSemaphore(maximum)
        self._thread = local()

    @contextmanager
    def hold(self, count: int = 1) -> Iterator[None]:
        """Wait for `count` slots, and hold them.

        Only one thread at a time may ask for more than one: two could wait for each other.
        """
        if getattr(self._thread, "is_holding", False):
            yield
            return
        with ExitStack() as held:
            for _ in range(count):
                held.enter_context(self._slots)
            self._thread.is_holding = True
            try:
                yield
            finally:
                self._thread.is_holding = False

    def apply_to(self, client: Any) -> None:  # noqa: ANN401 - boto3 generates client classes at run time
        """Have every call of a client hold a slot, from the request to the last retry.

        A streamed body is read after the call: its reader holds a slot around both.
        """
        # The one method that every operation of a botocore client goes through. Events do not
        # suffice: botocore emits none after a call that an interrupt has ended.
        call = client._make_api_call  # noqa: SLF001

        def call_in_slot(*args: object, **kwargs: object) -> object:
            with self.hold():
                return call(*args, **kwargs)

        client._make_api_call = call_in_slot  # noqa: SLF001
