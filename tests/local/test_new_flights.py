"""`catflap new` of the flights that Datasette shows."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from local.upstream import FLIGHTS, Upstream, read_rows
from tests.unit.cli.test_new import Place


def test_datasettes_flights(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    place = Place(tmp_path, capfd)
    until = datetime(2013, 1, 3, tzinfo=UTC)
    flights = list(read_rows("flights.csv.zip", FLIGHTS, until=until))
    with closing(Upstream(tmp_path)) as upstream:
        upstream.add("flights", FLIGHTS, flights)
        upstream.release(until)
        upstream.start()
        found = place.new(f"{upstream.base_url}nycflights/flights.json")
        assert found["primary_key"] == ["id"]
        assert found["cursor_path"] == "time_hour"
        rows = place.works(len(flights))
        assert place.pulled() == rows
    ids = [row.values[0] for row in flights]
    assert [one["id"] for one in rows] == sorted(ids, key=lambda one: int(str(one)))
    endpoint = place.dataset().source.endpoint
    assert endpoint is not None
    assert endpoint.params["time_hour__gte"] == "{incremental.start_value}"
