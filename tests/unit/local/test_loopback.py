"""The HTTP server that stand-ins are made of."""

from __future__ import annotations

import threading
from http.client import HTTPConnection

import pytest

from local.loopback import Answer, Asked, KeepingHandler, LoopbackServer


def answer(_: Asked) -> Answer:
    return Answer(body=b"{}")


def test_a_server_that_stopped_keeps_no_connection_and_no_thread() -> None:
    before = {*threading.enumerate()}
    server = LoopbackServer(answer, handler=KeepingHandler)
    server.start()
    client = HTTPConnection("127.0.0.1", server.port, timeout=60)
    for _ in range(2):
        client.request("GET", "/")
        assert client.getresponse().read() == b"{}"
    serving = [one for one in threading.enumerate() if one not in before]
    assert len(serving) == 2
    server.stop()
    for thread in serving:
        thread.join(60)
        assert not thread.is_alive()
    client.close()


def test_an_answer_that_is_on_its_way_arrives_though_the_server_stops() -> None:
    is_asked, has_stopped = threading.Event(), threading.Event()

    def slow(_: Asked) -> Answer:
        is_asked.set()
        has_stopped.wait(60)
        return Answer(body=b"late")

    server = LoopbackServer(slow, handler=KeepingHandler)
    server.start()
    client = HTTPConnection("127.0.0.1", server.port, timeout=60)
    client.request("GET", "/")
    assert is_asked.wait(60)
    server.stop()
    has_stopped.set()
    assert client.getresponse().read() == b"late"
    client.close()
    with pytest.raises(ConnectionRefusedError):
        HTTPConnection("127.0.0.1", server.port, timeout=60).connect()
