"""Documents of signals: the healthy one to change, and random ones."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random
from typing import Any, TypeAlias

from hypothesis import strategies as st

Document: TypeAlias = dict[str, Any]

NOW = datetime.fromisoformat("2026-11-23T09:00:00+00:00")
HOUR = 3600


def ago(seconds: float) -> str:
    """The moment so many seconds before NOW, as a document says it."""
    return (NOW - timedelta(seconds=seconds)).isoformat()


LATE = 13 * HOUR
"""Age of the newest row in `late`: over both thresholds."""

HEALTHY: Document = {
    "dataset": "cat_data",
    "now": ago(0),
    "policy": {
        "clock": "event",
        "warn_after_s": 3 * HOUR,
        "error_after_s": 6 * HOUR,
        "skew_s": 300,
        "load_grace_s": 900,
        "expected_by": None,
        "expected_since": None,
        "in_quiet_time": False,
        "page_on": "error",
        "late_at": None,
    },
    "upstream": {"probe": "ok", "newest_event_at": ago(600), "empty": None},
    "pull": {
        "cursor_at": ago(600),
        "schedule_enabled": True,
        "last_due_at": ago(300),
        "next_due_at": ago(-3300),
        "usual_run_s": 60,
        "rereads": False,
        "cursor_by": "event",
        "failures_in_row": 0,
        "last_run": {
            "status": "succeeded",
            "started_at": ago(300),
            "finished_at": ago(240),
            "rows": 120,
            "error": None,
        },
    },
    "landing": {
        "newest_object_at": ago(240),
        "newest_key": "raw/cat_data/g1/dt=2026-11-23/r1-00001.ndjson.gz",
        "rows": 120,
        "empty": False,
        "unloaded": 0,
        "rewritten": False,
    },
    "load": {
        "last_loaded_at": ago(180),
        "status": "Loaded",
        "key": "raw/cat_data/g1/dt=2026-11-23/r1-00001.ndjson.gz",
        "rows_parsed": 120,
        "rows_loaded": 120,
        "first_error": None,
    },
    "pipe": {
        "state": "RUNNING",
        "pending_files": 0,
        "oldest_pending_at": None,
        "files_per_minute": None,
        "covers_newest_key": True,
        "last_received_at": ago(235),
        "last_forwarded_at": ago(230),
    },
    "table": {
        "read": "ok",
        "newest_event_at": ago(600),
        "newest_loaded_at": ago(180),
        "row_count": 5000,
        "previous_row_count": 4880,
        "future_rows": 0,
        "null_event_rows": 0,
    },
    "monitor": {
        "last_check_at": ago(300),
        "check_every_s": 300,
        "evaluated_newest_at": ago(600),
        "undelivered_notices": 0,
    },
}


def changed(document: Document, changes: Document) -> Document:
    """A copy with `{"pull.last_run.rows": 0}` set; `...` takes the key away."""
    result = copy.deepcopy(document)
    for path, value in changes.items():
        *way, key = path.split(".")
        section = result
        for step in way:
            section = section.setdefault(step, {})
        if value is ...:
            section.pop(key, None)
        else:
            section[key] = value
    return result


QUIET = changed(
    HEALTHY,
    {
        "upstream.newest_event_at": ago(LATE),
        "pull.cursor_at": ago(LATE),
        "pull.last_run.rows": 0,
        "landing.newest_object_at": ago(LATE - 360),
        "load.last_loaded_at": ago(LATE - 420),
        "pipe.last_received_at": ago(LATE - 365),
        "pipe.last_forwarded_at": ago(LATE - 370),
        "table.newest_event_at": ago(LATE),
        "table.newest_loaded_at": ago(LATE - 420),
        "table.previous_row_count": 5000,
        "monitor.evaluated_newest_at": ago(LATE),
    },
)
"""Late, and nothing is wrong but that upstream has nothing new."""

BEHIND = changed(QUIET, {"upstream.newest_event_at": ago(600)})
"""Late, and upstream has more. Every fault of pulling starts from here: the last pull
found 0 rows although the newest record was there."""

LANDED = changed(
    BEHIND,
    {
        "pull.cursor_at": ago(600),
        "pull.last_run.rows": 120,
        "pull.last_run.started_at": ago(3900),
        "pull.last_due_at": ago(3900),
        "landing.newest_object_at": ago(3840),
        "pipe.last_received_at": ago(3835),
        "pipe.last_forwarded_at": ago(3830),
    },
)
"""Late, and a file landed an hour ago that was never loaded."""


def leaves(document: Document, way: str = "") -> Iterator[str]:
    """The dotted paths of everything that is known, sections left out."""
    for key, value in document.items():
        path = f"{way}.{key}" if way else key
        if isinstance(value, dict):
            yield from leaves(value, path)
        elif value is not None:
            yield path


# Few moments, so that equal ones and edges come up as often as different ones.
_MOMENTS = [
    -366 * 86_400, -7200, -1000, -301, -300, -1, 0, 1, 300, 899, 900, 901, 1000, 3600,
    10_800, 10_801, 21_600, 21_601, 46_800, 90 * 86_400,
]  # fmt: skip
_TIMES: list[Any] = [ago(seconds) for seconds in _MOMENTS]
_COUNTS: list[Any] = [0, 0, 1, 5, 120]
_FLAGS: list[Any] = [True, False]
_CHOICES: dict[str, list[Any]] = {
    "policy.clock": ["event", "event", "load"],
    "policy.warn_after_s": [1000, 10_800],
    "policy.error_after_s": [3600, 21_600],
    "policy.skew_s": [0, 300],
    "policy.load_grace_s": [0, 900],
    "policy.expected_by": [None, None, None, *_TIMES],
    "policy.expected_since": _TIMES,
    "policy.in_quiet_time": [False, False, False, True],
    "policy.page_on": ["error", "warn", "never"],
    "policy.late_at": _TIMES,
    "upstream.probe": [
        "ok", "ok", "ok", "unreachable", "denied", "throttled", "error_body",
        "failed", "not_probed",
    ],
    "upstream.newest_event_at": _TIMES,
    "upstream.empty": [None, None, False, True],
    "pull.cursor_at": _TIMES,
    "pull.schedule_enabled": [True, True, False],
    "pull.last_due_at": _TIMES,
    "pull.next_due_at": _TIMES,
    "pull.usual_run_s": [0, 60, 1800],
    "pull.rereads": [False, False, True],
    "pull.cursor_by": ["event", "other"],
    "pull.failures_in_row": [0, 1, 2, 3],
    "pull.last_run.status": ["succeeded", "failed", "running", "never"],
    "pull.last_run.started_at": _TIMES,
    "pull.last_run.rows": _COUNTS,
    "pull.last_run.error": [
        None, "auth", "throttled", "timeout", "http", "schema", "response", "internal",
    ],
    "landing.newest_object_at": _TIMES,
    "landing.empty": [False, False, True],
    "landing.unloaded": _COUNTS,
    "landing.overdue_at": _TIMES,
    "landing.rewritten": [False, False, True],
    "load.last_loaded_at": _TIMES,
    "load.status": [
        "Loaded", "Loaded", "Load in progress", "Load failed", "Partially loaded",
        "Load skipped", "none", "unknown",
    ],
    "load.rows_parsed": _COUNTS,
    "load.rows_loaded": _COUNTS,
    "load.first_error": ["Numeric value 'x' is not recognized"],
    "pipe.state": ["RUNNING", "RUNNING", "PAUSED", "STOPPED_X", "unreadable"],
    "pipe.pending_files": _COUNTS,
    "pipe.files_per_minute": [0, 0.5, 3],
    "pipe.covers_newest_key": _FLAGS,
    "pipe.last_received_at": _TIMES,
    "pipe.last_forwarded_at": _TIMES,
    "table.read": ["ok"] * 20 + ["missing", "denied", "error", "not_read"],
    "table.newest_event_at": _TIMES,
    "table.newest_loaded_at": _TIMES,
    "table.row_count": _COUNTS,
    "table.previous_row_count": _COUNTS,
    "table.future_rows": _COUNTS,
    "table.null_event_rows": _COUNTS,
    "monitor.last_check_at": _TIMES,
    "monitor.check_every_s": [60, 300],
    "monitor.evaluated_newest_at": _TIMES,
    "monitor.undelivered_notices": [0, 0, 3],
    "monitor.unchecked": [[], [], ["cats: its state cannot be written"]],
    "monitor.stuck_runs": [[], [], ["run r1 of cats cannot be completed: it is gone"]],
}  # fmt: skip


def random_document(seed: int) -> Document:
    """A document the contract allows: believable with a few signals changed and taken
    away, or absurd from end to end.
    """
    random = Random(seed)
    if random.random() < 0.3:
        start = {"dataset": "cat_data", "now": ago(0), "table": {"read": "ok"}}
        share = random.random()
    else:
        start = random.choice([HEALTHY, QUIET, BEHIND, LANDED])
        share = random.random() * 0.3
    changes: Document = {}
    for path, values in _CHOICES.items():
        if random.random() < share:
            changes[path] = random.choice(values)
        if random.random() < share / 5:
            changes[path] = ...
    return changed(start, changes)


documents: st.SearchStrategy[Document] = st.integers(0, 2**40).map(random_document)
