"""The status page as one HTML file, which asks nobody for anything.

Its script and style stand in it, and a policy admits those two by their hashes alone.
Texts reach the page escaped by Jinja, or as JSON that the script writes as text.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from lambdas.core.freshness.attainment import Attainment
from lambdas.core.quality.result import QualityResult, shown
from lambdas.core.reports.page.page_row import (
    EngineerDetails,
    OpenIncident,
    PageRow,
    run_said,
    took,
)
from lambdas.core.reports.page.row_state import SAID, RowState
from lambdas.core.reports.page.status_page import StatusPage
from lambdas.core.reports.page.strip import KEPT, STRIP_DAYS
from lambdas.core.reports.text import plain_text
from lambdas.core.text.duration import lasting

MOST_BYTES = 300_000
"""Of the file, with 1,000 datasets."""
_DATA = '<script type="application/json" id="data">'


_CLIPS = (160, 80, 40, 0)
"""Characters of a description, the less the less room there is."""
_CARDS = 12
"""Late datasets that are told of above the table."""
_ROOM = 70_000
"""Bytes that are kept for the details of what is not well."""
_WELL = {RowState.ON_TIME, RowState.NO_PROMISE}


def as_html(page: StatusPage, *, written_at: datetime) -> str:
    """The page. `written_at` is the real time, by which a browser reckons its age."""
    data = _data(page, written_at)
    full = {
        at: _full(row.details)
        for at, row in enumerate(page.rows)
        if row.details is not None
    }
    ill = [at for at in full if page.rows[at].state not in _WELL]
    needed = min(_ROOM, sum(_size(_json(full[at])) for at in ill))
    before, after, room = "", "", 0
    for clip in _CLIPS:
        before, after = _around(page, clip)
        room = MOST_BYTES - _size(before, after, _json(data)) - len('"full":{},')
        if room >= needed:
            break
    return before + _json(data | {"full": dict(_fitting(full, room))}) + after


def _around(page: StatusPage, clip: int) -> tuple[str, str]:
    """What stands before the page's data, and after it."""
    style, script = _text("page.css"), _text("page.js")
    html: str = _template().render(
        page=page,
        said=SAID,
        tone=_tone(page),
        clip=clip,
        cards=_CARDS,
        style=Markup(style),  # noqa: S704 - our own file
        script=Markup(script),  # noqa: S704 - our own file
        style_hash=_hash(style),
        script_hash=_hash(script),
    )
    before, _, after = html.partition(_DATA)
    return before + _DATA, after


def _fitting(full: Mapping[int, object], room: int) -> Iterator[tuple[int, object]]:
    """Details by row, the worst first, as many as there is room for."""
    for at, details in full.items():
        room -= _size(_json({at: details})) + 1
        if room < 0:
            break
        yield at, details


def _size(*texts: str) -> int:
    return sum(len(text.encode()) for text in texts)


@cache
def _template() -> Any:  # noqa: ANN401 - Jinja's own type says no more
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "moment": _moment,
        "clip": plain_text,
        "minutes": lambda minutes: lasting(60 * minutes),
    }
    return environment.from_string(_text("page.html"))


@cache
def _text(name: str) -> str:
    return files(__package__ or "").joinpath(name).read_text()


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


def _json(value: object) -> str:
    """JSON that ends no script and opens no comment."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%MZ}"


def _tone(page: StatusPage) -> str:
    if page.late:
        return "bad"
    is_well = set(page.counts) <= _WELL | {RowState.AT_RISK}
    return "ok" if page.rows and is_well else "none"


class _Numbered:
    """Texts that many rows share, each once."""

    def __init__(self) -> None:
        self._known: dict[Any, int] = {}

    def __call__(self, value: object) -> int:
        return self._known.setdefault(value, len(self._known))

    @property
    def all(self) -> list[Any]:
        return list(self._known)


def _data(page: StatusPage, written_at: datetime) -> dict[str, object]:
    """What the script needs of every row; texts that rows share stand once."""
    zones, promises, owners, whys = (_Numbered() for _ in range(4))
    rows = [
        [
            zones(row.timezone),
            promises(row.promise),
            owners((row.team, row.engineers_at, row.stakeholders_at)),
            _share(row.month),
            _newest_run(row, page.made_at),
            whys(row.why or ""),
            0 if row.strip == KEPT * STRIP_DAYS else row.strip,
            *([row.remarks] if row.remarks else []),
        ]
        for row in page.rows
    ]
    return {
        "made": _epoch(page.made_at),
        "written": _epoch(written_at),
        "checked": None if page.checked_at is None else _epoch(page.checked_at),
        "stale": round(page.stale_after.total_seconds()),
        "tone": _tone(page),
        "zones": zones.all,
        "promises": promises.all,
        "owners": owners.all,
        "whys": whys.all,
        "rows": rows,
    }


def _newest_run(row: PageRow, now: datetime) -> list[object] | None:
    run = row.newest_run
    if run is None:
        return None
    return [round((now - run.started_at).total_seconds() / 60), run_said(run)]


def _full(details: EngineerDetails) -> Mapping[str, object]:
    return {
        "week": _share(details.week),
        "incident": _incident(details.incident),
        "runs": [
            [_epoch(run.started_at), run_said(run), run.rows, took(run), run.requests]
            for run in details.runs
        ],
        "lag": [[_epoch(at), age] for at, age in _thinned(details.lag)],
        "bad": [
            [day.day, round(day.warn_s), round(day.error_s)] for day in details.bad
        ],
        "lates": [
            [_epoch(late.at), round(late.seconds), late.cause] for late in details.lates
        ],
        "checks": [_check(one) for one in details.checks[:_CHECKS]],
        "from": details.made_from,
        "by": details.used_by,
        **({"cost": details.cost} if details.cost else {}),
        **({"personal": details.personal} if details.personal else {}),
    }


def _incident(one: OpenIncident | None) -> Mapping[str, object] | None:
    if one is None:
        return None
    return {
        "id": one.incident_id,
        "headline": one.headline,
        "stage": one.stage,
        "cause": one.cause,
        "evidence": one.evidence,
        "next": one.next_step,
        "opened": _epoch(one.opened_at),
        "acknowledged": one.acknowledged_by,
        "promised": one.promised_by,
        "note": one.note,
        "fix": one.fix_url,
        "runbook": one.runbook,
    }


_CHECKS = 30
_MARKS = {"pass": "✓", "fail": "✗", "error": "?"}


def _check(one: QualityResult) -> list[object]:
    """Name, state, what it is, what it must be, since when, and its newest results."""
    told = "".join(_MARKS[past.state] for past in one.history[-15:])
    value = shown(one.value) if one.state != "error" else one.reason or ""
    return [
        plain_text(one.check, 80),
        f"{_MARKS[one.state]} {one.state} ({one.severity})",
        plain_text(value, 120),
        plain_text(one.must, 120),
        None if one.since is None else _epoch(one.since),
        told,
    ]


_POINTS = 60


def _thinned(points: Iterable[tuple[datetime, int]]) -> list[tuple[datetime, int]]:
    """Points enough for a plot of this size."""
    known = list(points)
    return known[:: -(-len(known) // _POINTS)] if known else []


def _share(one: Attainment | None) -> float | None:
    return None if one is None else round(one.share, 4)


def _epoch(at: datetime) -> int:
    return int(at.timestamp())
