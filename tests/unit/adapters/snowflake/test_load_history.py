from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from lambdas.adapters.snowflake import load_history
from lambdas.adapters.snowflake.load_history import load_records
from lambdas.core.sql.freshness import HISTORY_COLUMNS

START = datetime(2013, 1, 1, tzinfo=UTC)


class History:
    """Loads, a few a second, of which one question is answered a page."""

    def __init__(self, moments: Sequence[datetime]) -> None:
        self.moments = sorted(moments, reverse=True)
        self.asked = 0

    def query(
        self, statement: str, parameters: Sequence[object] = (), **_: object
    ) -> list[tuple[object, ...]]:
        assert not parameters
        self.asked += 1
        end = re.search(r"END_TIME => '([^']+)'", statement)
        until = datetime.fromisoformat(end[1]) if end else self.moments[0]
        limit = int(statement.rpartition(" ")[2])
        rows = [
            (f"raw/f/{number}.gz", "Loaded", 1, 1, None, at, None)
            for number, at in enumerate(self.moments)
            if at <= until
        ]
        return [self._in_order(row) for row in rows[:limit]]

    def _in_order(self, row: tuple[object, ...]) -> tuple[object, ...]:
        values = dict(
            zip(
                ("FILE_NAME", "STATUS", "ROW_COUNT", "ROW_PARSED",
                 "FIRST_ERROR_MESSAGE", "LAST_LOAD_TIME", "FIRST_ERROR_LINE_NUMBER"),
                row,
                strict=True,
            )
        )  # fmt: skip
        return tuple(values.get(name) for name in HISTORY_COLUMNS)


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load_history, "PAGE", 10)


def test_a_history_of_many_pages_is_read_whole() -> None:
    history = History([START + timedelta(seconds=n // 3) for n in range(95)])
    found = load_records(history, "D", "flights", START, limit=1000)
    assert len({one.file for one in found}) == len(found) == 95
    assert [one.loaded_at for one in found] == history.moments


def test_a_page_of_one_moment_ends_and_asks_no_longer() -> None:
    history = History([START] * 30)
    assert len(load_records(history, "D", "flights", START, limit=1000)) == 10
    assert history.asked == 2


def test_no_more_is_read_than_is_asked_for() -> None:
    history = History([START + timedelta(seconds=n) for n in range(95)])
    assert len(load_records(history, "D", "flights", START, limit=25)) == 25
    assert history.asked == 3
