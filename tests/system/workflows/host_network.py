"""A socket in front of a container engine's, which puts every new container on the host's network.

act has no say in the network of an action's container when the jobs run on the host themselves; on
the default one the tests' servers, which listen on loopback, could not be reached.
`python -m tests.system.workflows.host_network LISTEN ENGINE` serves the second socket at the first.
"""

import asyncio
import sys
from asyncio import StreamReader, StreamWriter

_ASKED = b'"NetworkMode":"default"'
_GIVEN = b'"NetworkMode":"host"'.ljust(len(_ASKED))
"""Of the same length, so that nothing else of the request changes."""

_CHUNK_BYTES = 1 << 20


async def serve(listen: str, engine: str) -> None:
    async def connect(client: StreamReader, to_client: StreamWriter) -> None:
        server, to_server = await asyncio.open_unix_connection(engine, limit=_CHUNK_BYTES)
        await asyncio.gather(_forward(client, to_server), _forward(server, to_client))
        to_server.close()
        to_client.close()

    server = await asyncio.start_unix_server(connect, listen, limit=_CHUNK_BYTES)
    await server.serve_forever()


async def _forward(source: StreamReader, target: StreamWriter) -> None:
    try:
        while chunk := await source.read(_CHUNK_BYTES):
            target.write(chunk.replace(_ASKED, _GIVEN))
            await target.drain()
        target.write_eof()
    except ConnectionError:
        target.close()


if __name__ == "__main__":
    asyncio.run(serve(*sys.argv[1:]))
