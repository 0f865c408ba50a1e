"""The benchmark's in-memory S3 with faults, as a separate server.

`python -m tests.soak.faulty_s3 PORT_FILE SEED` serves on a free loopback port. The control request
`/-/deployments?bucket=LAYOUT` answers with the number of existing objects by deployment, and
`/-/faults` with the number of faults by kind.
"""

import asyncio
import json
import random
import sys
from collections import Counter
from enum import StrEnum
from pathlib import Path

from bench.memory_s3 import MemoryS3
from bench.wire import Connection, Request, Response

STALL_SECONDS = 2.0


class Fault(StrEnum):
    """The fault of a request."""

    NONE = "none"
    SLOW_DOWN = "503"
    RESET_BEFORE = "reset before processing"
    RESET_AFTER = "reset after processing"
    LATE = "processed late"
    STALL = "answered late"


PERCENT = {
    Fault.SLOW_DOWN: 3.0,
    Fault.RESET_BEFORE: 0.5,
    Fault.RESET_AFTER: 0.5,
    Fault.LATE: 0.5,
    Fault.STALL: 0.5,
}


class FaultyConnection(Connection):
    """A connection with random faults, except for control requests."""

    def __init__(self, server: MemoryS3, source: random.Random, counts: Counter[Fault]) -> None:
        super().__init__(server)
        self._s3 = server
        self._random = source
        self._counts = counts

    def _respond(self, request: Request) -> None:
        if request.bucket == "-":
            self._respond_to_control(request)
            return
        kinds = [Fault.NONE, *PERCENT]
        weights = [100 - sum(PERCENT.values()), *PERCENT.values()]
        (fault,) = self._random.choices(kinds, weights)
        self._counts[fault] += 1
        match fault:
            case Fault.NONE:
                super()._respond(request)
            case Fault.SLOW_DOWN:
                error = b"<Error><Code>SlowDown</Code><Message>Slow down.</Message></Error>"
                self._send_response(Response(status="503 Slow Down", body=error))
            case Fault.RESET_BEFORE:
                self._transport.abort()
            case Fault.RESET_AFTER:
                self._s3.respond(request)
                self._transport.abort()
            case Fault.LATE:
                self._is_responding = True
                asyncio.get_running_loop().call_later(STALL_SECONDS, self._respond_late, request)
            case Fault.STALL:
                response, _ = self._s3.respond(request)
                self._is_responding = True
                loop = asyncio.get_running_loop()
                loop.call_later(STALL_SECONDS, self._send_stalled, response)

    def _respond_late(self, request: Request) -> None:
        """Process a request; its client may have been killed."""
        response, _ = self._s3.respond(request)
        self._send_stalled(response)

    def _send_stalled(self, response: Response) -> None:
        self._is_responding = False
        self._send_response(response)
        self._respond_next()

    def _send_response(self, response: Response) -> None:
        head = (
            f"HTTP/1.1 {response.status}\r\nContent-Type: application/xml\r\n"
            f"Content-Length: {len(response.body)}\r\nx-amz-request-id: 0\r\n{response.headers}\r\n"
        )
        self._send(head.encode() + response.body)

    def _respond_to_control(self, request: Request) -> None:
        if request.key == "faults":
            answer: dict[str, int] = {str(fault): count for fault, count in self._counts.items()}
        elif request.key == "deployments":
            content = self._s3.content(request.query["bucket"])
            answer = {
                deployment.name: sum(
                    content.find_object(deployment.key(number)) is not None
                    for number in range(deployment.object_count)
                )
                for deployment in content.layout.deployments
            }
        else:
            super()._respond(request)
            return
        self._send_response(Response(body=json.dumps(answer).encode()))


async def serve(port_file: Path, seed: str) -> None:
    """Serve until the process is terminated."""
    state, counts = MemoryS3(), Counter[Fault]()
    source = random.Random(seed)  # noqa: S311 - reproducible
    server = await asyncio.get_running_loop().create_server(
        lambda: FaultyConnection(state, source, counts), "127.0.0.1", 0, backlog=1024
    )
    pending = port_file.with_suffix(".new")
    pending.write_text(str(server.sockets[0].getsockname()[1]))
    pending.replace(port_file)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), sys.argv[2]))
