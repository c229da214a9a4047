"""A loopback API that costs next to nothing: every page is rendered before it starts.

``python -m benchmarks.api [copies]`` prints its port and serves all 336,776 flights
of 2013, `copies` times over, in pages of 1,000, until its standard input closes.
"""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime

import orjson

from local.upstream import FLIGHTS, read_rows

PAGE_ROWS = 1000
END = datetime(2014, 2, 1, tzinfo=UTC)
NAMES = ("id", *(column.name for column in FLIGHTS))


class AnswerPages:
    """Whole HTTP answers, one a page; each names the next by `next_url`.

    Pages of the first copy are rendered before the start. Those of further copies are
    made when they are asked for, with ids of their own: ten copies in memory would
    weigh gigabytes.
    """

    def __init__(self, port: int, copies: int) -> None:
        flights = list(read_rows("flights.csv.zip", FLIGHTS, until=END))
        self._port = port
        self._count = len(flights)
        self._ids = [int(str(flight.values[0])) for flight in flights]
        self._rests = [
            orjson.dumps(dict(zip(NAMES[1:], flight.values[1:], strict=True)))[1:]
            for flight in flights
        ]
        self._a_copy = -(-self._count // PAGE_ROWS)
        self.total = self._a_copy * copies
        self._rendered = [self._render(number) for number in range(self._a_copy)]
        self.size = sum(map(len, self._rendered)) * copies

    def __getitem__(self, number: int) -> bytes:
        """The answer to `?page=number`."""
        if number < self._a_copy:
            return self._rendered[number]
        return self._render(number)

    def _render(self, number: int) -> bytes:
        copy, page = divmod(number, self._a_copy)
        part = slice(page * PAGE_ROWS, (page + 1) * PAGE_ROWS)
        rows = b", ".join(
            b'{"id":%d,%b' % (key + copy * self._count, rest)
            for key, rest in zip(self._ids[part], self._rests[part], strict=True)
        )
        url = (
            f'"http://127.0.0.1:{self._port}/flights?page={number + 1}"'
            if number + 1 < self.total
            else "null"
        )
        body = b'{"rows": [%b], "next_url": %b}' % (rows, url.encode())
        return (
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
        )


class Server(asyncio.Protocol):
    """Answers `GET …?page=N` on a connection that stays open."""

    def __init__(self, answers: list[AnswerPages]) -> None:
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
            self._transport.write(self._answers[0][page])


async def serve(copies: int) -> None:
    """Serve until standard input ends."""
    answers: list[AnswerPages] = []
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Server(answers), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    answers.append(AnswerPages(port, copies))
    print(port, answers[0].size, flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]) if len(sys.argv) > 1 else 1))
