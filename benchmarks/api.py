"""A loopback API that costs next to nothing: every page is rendered before it starts.

``python -m benchmarks.api [copies]`` prints its port and serves all 336,776 flights
of 2013, `copies` times over, in pages of 1,000, until its standard input closes.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

import orjson

from local.upstream import FLIGHTS, read_rows
from local.upstream import Row as Flight

PAGE_ROWS = 1000
END = datetime(2014, 2, 1, tzinfo=UTC)
NAMES = ("id", *(column.name for column in FLIGHTS))


def records(copies: int) -> list[bytes]:
    """Every flight as JSON, `copies` times with ids of their own."""
    flights: Sequence[Flight] = list(read_rows("flights.csv.zip", FLIGHTS, until=END))
    found = []
    for copy in range(copies):
        for flight in flights:
            values = (flight.values[0] + copy * len(flights), *flight.values[1:])  # type: ignore[operator]  # an id is a number
            found.append(orjson.dumps(dict(zip(NAMES, values, strict=True))))
    return found


def pages(port: int, rows: Sequence[bytes]) -> list[bytes]:
    """Whole HTTP answers, one a page; each names the next by `next_url`."""
    count = -(-len(rows) // PAGE_ROWS)
    answers = []
    for number in range(count):
        part = b", ".join(rows[number * PAGE_ROWS : (number + 1) * PAGE_ROWS])
        url = (
            f'"http://127.0.0.1:{port}/flights?page={number + 1}"'
            if number + 1 < count
            else "null"
        )
        body = b'{"rows": [%b], "next_url": %b}' % (part, url.encode())
        answers.append(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
        )
    return answers


class Server(asyncio.Protocol):
    """Answers `GET …?page=N` on a connection that stays open."""

    def __init__(self, answers: Sequence[bytes]) -> None:
        self._answers = answers
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - for mypy
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer every whole request in the buffer."""
        self._buffer += data
        while b"\r\n\r\n" in self._buffer and self._transport is not None:
            head, self._buffer = self._buffer.split(b"\r\n\r\n", 1)
            target = head.split(b" ", 2)[1]
            _, found, number = target.partition(b"page=")
            page = int(number.split(b"&", 1)[0]) if found else 0
            self._transport.write(self._answers[page])


async def serve(copies: int) -> None:
    """Serve until standard input ends."""
    answers: list[bytes] = []
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Server(answers), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    answers += pages(port, records(copies))
    print(port, sum(map(len, answers)), flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]) if len(sys.argv) > 1 else 1))
