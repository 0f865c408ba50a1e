"""An S3 that throttles every deletion, and a count of the requests in flight."""

import time
from threading import Barrier

from tests.support.concurrency_meter import ConcurrencyMeter
from tests.support.s3.answers import delete_result
from tests.support.s3.fault_proxy import FaultProxy, Request


class ThrottlingS3:
    """Answers SlowDown for each key; `pause` blocks each sender until all are throttled.

    `most_in_flight` is the highest number of requests at once, for each round of retries.
    """

    def __init__(self, proxy: FaultProxy, *, senders: int) -> None:
        self.most_in_flight: list[int] = []
        self._meter = ConcurrencyMeter()
        self._all_paused = Barrier(senders, action=self._end_round, timeout=30)
        proxy.answer_with("POST", r"\?delete", self._throttle)

    def pause(self, _seconds: float) -> None:
        self._all_paused.wait()

    def _throttle(self, request: Request) -> str:
        with self._meter.counted():
            time.sleep(0.01)  # requests overlap unless the sender prevents it
        return delete_result(errors=[(key, "SlowDown") for key in request.batch_keys])

    def _end_round(self) -> None:
        self.most_in_flight.append(self._meter.maximum)
        self._meter.maximum = 0
