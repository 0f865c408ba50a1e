"""A limit on the S3 requests in flight, shared by every client of a bucket."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from threading import BoundedSemaphore, local
from typing import Any

from ci3.errors import AccessError


class RequestLimit:
    """Limits how many S3 requests are in flight at once, whichever thread and client sends them.

    A thread that holds slots sends its requests within them: nested calls cannot deadlock.
    """

    def __init__(self, maximum: int) -> None:
        self.maximum = maximum
        self._slots = BoundedSemaphore(maximum)
        self._thread = local()
        self._is_stopped = False

    def stop_requests(self) -> None:
        """Let every request that has not been sent fail, also the next page of a listing."""
        self._is_stopped = True

    def allow_requests(self) -> None:
        """Send requests again."""
        self._is_stopped = False

    @contextmanager
    def hold(self, count: int = 1) -> Iterator[None]:
        """Wait for `count` slots, and hold them.

        Only one thread at a time may ask for more than one: two could wait for each other. Raises
        AccessError while requests are stopped.
        """
        if getattr(self._thread, "is_holding", False):
            self._refuse_when_stopped()
            yield
            return
        with ExitStack() as held:
            for _ in range(count):
                held.enter_context(self._slots)
            self._refuse_when_stopped()
            self._thread.is_holding = True
            try:
                yield
            finally:
                self._thread.is_holding = False

    def _refuse_when_stopped(self) -> None:
        if self._is_stopped:
            raise AccessError("the request was not sent: the run is stopping", "Run again.")

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
