"""A proxy for a container engine's socket that puts each new container on the host's network.

When jobs run on the host, act cannot choose the network of an action's container. From the default
network, the tests' servers on loopback cannot be reached.
`python -m tests.system.workflows.host_network LISTEN ENGINE` forwards from LISTEN to ENGINE.
"""

import asyncio
import sys
from asyncio import StreamReader, StreamWriter

_DEFAULT = b'"NetworkMode":"default"'
_HOST = b'"NetworkMode":"host"'.ljust(len(_DEFAULT))
"""Padded to the same length: the request's Content-Length stays valid."""

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
            target.write(chunk.replace(_DEFAULT, _HOST))
            await target.drain()
        target.write_eof()
    except ConnectionError:
        target.close()


if __name__ == "__main__":
    asyncio.run(serve(*sys.argv[1:]))
