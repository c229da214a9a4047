"""The API that can be down, and comes up where it was."""

from __future__ import annotations

import socket
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
import urllib3

from local.upstream import Upstream, new_york_flights


def test_while_it_is_down_its_port_refuses_and_belongs_to_nobody_else(
    tmp_path: Path,
) -> None:
    until = datetime(2013, 1, 1, 12, tzinfo=UTC)
    with closing(new_york_flights(tmp_path, until=until)) as upstream:
        for _ in range(2):
            upstream.start()
            port = upstream.port
            answer = urllib3.request("GET", f"{upstream.base_url}-/versions.json")
            assert answer.status == 200
            upstream.stop()
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", port))
            with socket.socket() as other, pytest.raises(OSError, match="in use"):
                other.bind(("127.0.0.1", port))
        # what was answered a moment ago lingers on the port, and hinders nothing
        upstream.start()
        assert upstream.port == port


class Watched(Upstream):
    """Looks, each time that it is not up yet, whether somebody else could be there."""

    looks = 0

    def _answers(self) -> bool:
        with socket.socket() as other, pytest.raises(OSError, match="in use"):
            other.bind(("127.0.0.1", self.port))
        self.looks += 1
        return super()._answers()


def test_while_it_comes_up_its_port_belongs_to_nobody_else(tmp_path: Path) -> None:
    with closing(Watched(tmp_path)) as upstream:
        upstream.start()
        assert upstream.looks > 1
