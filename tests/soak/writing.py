"""How an API writes the minutes that a cursor counts, in rows and in requests."""

from __future__ import annotations

import email.utils
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from lambdas.core.cursor.order import CursorValue
from tests.soak.world import EPOCH

_MINUTE = timedelta(minutes=1)
_KOLKATA = ZoneInfo("Asia/Kolkata")


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """One way to write a cursor: `write` from minutes, `read` back, and what a dataset
    declares of it. Of numbers nobody knows that they are times.
    """

    write: Callable[[int], CursorValue]
    read: Callable[[CursorValue], int]
    declares: Mapping[str, object] = field(default_factory=dict)
    is_time: bool = True
    lag_unit: int = 60


def _at(minutes: int) -> datetime:
    return EPOCH + minutes * _MINUTE


def _minutes(at: datetime) -> int:
    return (at - EPOCH) // _MINUTE


WRITINGS: dict[str, Writing] = {
    "a number": Writing(
        write=lambda minutes: minutes, read=int, is_time=False, lag_unit=1
    ),
    "digits in text": Writing(
        write=str, read=lambda text: int(str(text)), is_time=False, lag_unit=1
    ),
    "ISO 8601 in UTC": Writing(
        write=lambda minutes: f"{_at(minutes):%Y-%m-%dT%H:%M:%SZ}",
        read=lambda text: _minutes(datetime.fromisoformat(str(text))),
    ),
    "ISO 8601 with offsets": Writing(
        write=lambda minutes: (
            _at(minutes).astimezone(_KOLKATA if minutes % 2 else UTC).isoformat()
        ),
        read=lambda text: _minutes(datetime.fromisoformat(str(text))),
    ),
    "local times": Writing(
        write=lambda minutes: f"{_at(minutes).astimezone(_KOLKATA):%Y-%m-%d %H:%M:%S}",
        read=lambda text: _minutes(
            datetime.fromisoformat(str(text)).replace(tzinfo=_KOLKATA)
        ),
        declares={"timezone": "Asia/Kolkata"},
    ),
    "RFC 2822": Writing(
        write=lambda minutes: email.utils.format_datetime(_at(minutes)),
        read=lambda text: _minutes(email.utils.parsedate_to_datetime(str(text))),
        declares={"cursor_format": "%a, %d %b %Y %H:%M:%S %z"},
    ),
    "seconds since 1970": Writing(
        write=lambda minutes: int(_at(minutes).timestamp()),
        read=lambda number: _minutes(datetime.fromtimestamp(int(number), UTC)),
        declares={"cursor_format": "epoch"},
    ),
}


def as_json(value: CursorValue) -> bytes:
    """A cursor as it stands in a record."""
    return json.dumps(value).encode()
