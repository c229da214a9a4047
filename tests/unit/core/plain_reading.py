"""A second, flat reading of the decision, to hold the rules against.

One function, from the JSON document, with nothing in common with `lambdas`: what it
finds in a table of lines, the rules have to find by their own composition.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

# code: (pages, tells), in the order of the page
TABLE = {
    "credentials_rejected": ("yes", "both"),
    "quota_exhausted": ("on error", "both"),
    "response_changed": ("yes", "both"),
    "cursor_ahead": ("yes", "both"),
    "schedule_disabled": ("yes", "both"),
    "pull_not_run": ("yes", "both"),
    "pull_failed": ("yes", "both"),
    "pulled_nothing": ("yes", "both"),
    "not_landed": ("yes", "both"),
    "name_reused": ("yes", "both"),
    "pipe_stopped": ("yes", "both"),
    "load_failed": ("yes", "both"),
    "load_partial": ("yes", "both"),
    "pipe_backlog": ("on error", "both"),
    "not_notified": ("yes", "both"),
    "not_forwarded": ("yes", "both"),
    "load_unseen": ("yes", "both"),
    "rows_deleted": ("yes", "both"),
    "event_time_missing": ("yes", "both"),
    "pull_running": ("on error", "both"),
    "load_pending": ("no", "stakeholders"),
    "pull_due": ("no", "stakeholders"),
    "upstream_republished": ("no", "both"),
    "upstream_quiet": ("no", "stakeholders"),
    "upstream_down": ("on error", "both"),
    "unconfirmed": ("on error", "both"),
    "unknown": ("yes", "both"),
}
ORDER = list(TABLE)
A, B1 = ORDER[:4], ORDER[4:19]
B2 = ["pull_running", "load_pending", "pull_due"]
STAGES = {
    **dict.fromkeys([*ORDER[:8], "pull_running", "pull_due"], "pull"),
    **dict.fromkeys([*ORDER[9:17], "load_pending"], "load"),
    "not_landed": "landing",
    "rows_deleted": "table",
    "event_time_missing": "table",
    "upstream_republished": "upstream",
    "upstream_quiet": "upstream",
    "upstream_down": "upstream",
    "monitor_blind": "monitor",
    "monitor_misread": "monitor",
    "monitor_late": "monitor",
    "notice_undelivered": "monitor",
    "run_stuck": "landing",
    "not_checked": "monitor",
}


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def read(document: Any) -> dict[str, Any]:  # noqa: C901, PLR0912, PLR0915 - flat on purpose
    """Everything of a verdict but its sentences."""

    def get(section: str, key: str, default: Any = None) -> Any:
        value = (document.get(section) or {}).get(key)
        return default if value is None else value

    def at(section: str, key: str) -> datetime | None:
        return _time(get(section, key))

    def gt(left: Any, right: Any) -> bool:
        return left is not None and right is not None and bool(left > right)

    def ge(left: Any, right: Any) -> bool:
        return left is not None and right is not None and bool(left >= right)

    now = datetime.fromisoformat(document["now"])

    def since(moment: datetime | None) -> float | None:
        return None if moment is None else (now - moment).total_seconds()

    clock, page_on = get("policy", "clock", "event"), get("policy", "page_on", "error")
    skew = timedelta(seconds=get("policy", "skew_s", 300))
    grace = get("policy", "load_grace_s", 900)
    warn, error = get("policy", "warn_after_s"), get("policy", "error_after_s")

    # Words
    probe, empty = get("upstream", "probe"), get("upstream", "empty") is True
    raw_u = at("upstream", "newest_event_at")
    nothing_upstream = probe == "ok" and empty and raw_u is None
    u = raw_u if probe == "ok" and not empty and not gt(raw_u, now + skew) else None
    c = at("pull", "cursor_at")
    run = (document.get("pull") or {}).get("last_run") or {}
    r, r_error, r_rows = run.get("status"), run.get("error"), run.get("rows")
    start = _time(run.get("started_at"))
    no_objects = get("landing", "empty") is True
    m = None if no_objects else at("landing", "newest_object_at")
    loaded, status = at("load", "last_loaded_at"), get("load", "status")
    te, tl = at("table", "newest_event_at"), at("table", "newest_loaded_at")
    te = None if gt(te, now + skew) else te
    tl = None if gt(tl, now + skew) else tl
    t = tl if clock == "load" else te
    rows = get("table", "row_count")
    unloaded = get("landing", "unloaded", 0) > 0
    behind = at("landing", "overdue_at")
    in_row = get("pull", "failures_in_row", 0)

    caught_up = nothing_upstream or ge(te, u)
    wait = gt(m, loaded) or (m is not None and status == "none") or unloaded
    none_wait = not wait and (ge(loaded, m) or no_objects)
    more = False
    if u is not None and not caught_up:
        if c is not None and get("pull", "cursor_by") != "other":
            more = u > c
        else:
            more = not wait and (gt(u, te) or rows == 0)
    unsure = u is None and not nothing_upstream
    old = gt(since(m), grace)
    past = old or behind is not None or unloaded
    overdue = m if old else behind
    failing = r == "running" and in_row >= 2
    pipe = get("pipe", "state")
    stopped = pipe is not None and pipe not in {"RUNNING", "unreadable"}

    # State
    by, bound = at("policy", "expected_by"), at("policy", "expected_since")
    if get("table", "read") != "ok" or (t is None and rows is None):
        state = "unknown"
    elif by is not None:
        state = "error" if now >= by and (t is None or gt(bound, t)) else "pass"
    elif get("policy", "in_quiet_time"):
        state = "pass"
    elif error is not None and (t is None or gt(since(t), error)):
        state = "error"
    elif warn is not None and (t is None or gt(since(t), warn)):
        state = "warn"
    else:
        state = "pass"

    # The table
    failed, ended_well = r == "failed", r == "succeeded"
    speaks_against = r in {"failed", "running", "never"}
    plain_failure = failed and r_error not in {
        "auth", "throttled", "schema", "response",
    }  # fmt: skip
    off = get("pull", "schedule_enabled") is False
    due = at("pull", "last_due_at")
    not_run = gt(since(due), grace) and (
        r == "never" or (r in {"failed", "succeeded"} and gt(due, start))
    )
    fails = plain_failure or failing
    partial = status == "Partially loaded" or gt(
        get("load", "rows_parsed"), get("load", "rows_loaded")
    )
    fewer = gt(get("table", "previous_row_count"), rows)
    undated = clock == "event" and get("table", "null_event_rows", 0) > 0
    rewritten = get("landing", "rewritten") is True
    a = {
        "credentials_rejected": (failed and r_error == "auth")
        or (probe == "denied" and speaks_against),
        "quota_exhausted": (failed and r_error == "throttled")
        or (probe == "throttled" and speaks_against),
        "response_changed": failed and r_error in {"schema", "response"},
        "cursor_ahead": gt(c, now + skew),
    }
    runs = pipe == "RUNNING"
    pending = get("pipe", "pending_files")
    untouched = (
        wait
        and past
        and runs
        and pending == 0
        and gt(overdue, at("pipe", "last_forwarded_at"))
    )
    covers, heard = get("pipe", "covers_newest_key"), at("pipe", "last_received_at")
    b1 = dict.fromkeys(B1, False)
    if not caught_up:
        b1 = {
            "schedule_disabled": more and off,
            "pull_not_run": more and not_run,
            "pull_failed": more and fails,
            "pulled_nothing": more and ended_well and r_rows == 0 and ge(start, u),
            "not_landed": ended_well
            and (r_rows or 0) > 0
            and (gt(start, m) or no_objects),
            "name_reused": rewritten,
            "pipe_stopped": wait and stopped,
            "load_failed": status == "Load failed",
            "load_partial": partial,
            "pipe_backlog": wait and past and runs and (pending or 0) > 0,
            "not_notified": untouched
            and (covers is True or (covers is None and gt(overdue, heard))),
            "not_forwarded": untouched
            and (covers is False or (covers is None and ge(heard, overdue))),
        }
        named = any(b1[code] for code in ORDER[9:16])
        b1["load_unseen"] = wait and past and not named
        b1["rows_deleted"] = fewer and none_wait
        b1["event_time_missing"] = undated and none_wait
    b2 = {}
    if not caught_up and not any(a.values()) and not any(b1.values()):
        b2 = {
            "pull_running": more and r == "running" and not failing,
            "load_pending": wait
            and m is not None
            and (now - m).total_seconds() <= grace,
            "pull_due": more and gt(u, start) and ended_well,
        }
    part_c = {}
    if unsure and not any(b1.values()) and not any(b2.values()):
        internal = failed and r_error == "internal"
        part_c = {
            "schedule_disabled": off,
            "pull_not_run": not_run,
            "pull_failed": internal or (probe == "ok" and fails),
        }
        part_c["pull_running"] = (
            r == "running" and not failing and not any(part_c.values())
        )
    again = (
        caught_up
        and get("pull", "rereads") is False
        and ended_well
        and (r_rows or 0) > 0
        and start is not None
        and te is not None
        and gt((start - te).total_seconds(), warn)
    )
    silent = (failed and r_error in {"timeout", "http"}) or failing
    d = {
        "upstream_republished": again,
        "upstream_quiet": caught_up and not again,
        "upstream_down": probe in {"unreachable", "error_body"}
        or (probe in {None, "failed", "not_probed"} and silent),
    }
    beside = {
        "schedule_disabled": caught_up and off,
        "pull_not_run": caught_up and not_run,
        "pull_failed": caught_up and fails,
        "name_reused": caught_up and rewritten,
        "pipe_stopped": stopped and (caught_up or not wait),
        "load_failed": caught_up and status == "Load failed",
        "load_partial": caught_up and partial,
        "rows_deleted": caught_up and fewer,
        "event_time_missing": caught_up and undated,
    }

    # The monitor
    t_age, judged = since(t), since(at("monitor", "evaluated_newest_at"))
    every = get("monitor", "check_every_s")
    late_check = every is not None and gt(
        since(at("monitor", "last_check_at")), 3 * every
    )
    fresh = t_age is not None and warn is not None and t_age <= warn
    monitor = {
        "monitor_blind": state == "unknown",
        "monitor_misread": state == "pass" and fresh and gt(judged, warn),
        "monitor_late": late_check,
        "notice_undelivered": get("monitor", "undelivered_notices", 0) > 0,
        "run_stuck": bool(get("monitor", "stuck_runs")),
        "not_checked": bool(get("monitor", "unchecked")),
    }
    wrong = [code for code, holds in monitor.items() if holds]

    # One verdict
    codes: list[str] = []
    holding: list[str] = []
    late = state in {"warn", "error"}
    if late:
        parts = (a, b1, b2, part_c, d)
        holding = [x for x in ORDER if any(part.get(x) for part in parts)]
        if not holding:
            quiet = unsure and ended_well and r_rows == 0
            holding = ["unconfirmed" if quiet else "unknown"]
        stands_by = {code for code, holds in beside.items() if holds}
        codes = holding[:1] + [
            x for x in ORDER if x in stands_by | set(holding[1:]) and x != holding[0]
        ]
    risk: list[str] = []
    if state == "pass" and not wrong:
        no_risk = {
            "quota_exhausted", "pulled_nothing", "pipe_backlog", "rows_deleted",
            "event_time_missing",
        }  # fmt: skip
        if in_row < 3:
            no_risk.add("pull_failed")
        risk = [x for x in A + B1 if (a | b1)[x] and x not in no_risk]
    codes += risk + wrong
    cause = codes[0] if codes else None
    also = codes[1:]
    if get("table", "future_rows", 0) > 0:
        also.append("future_rows")
    if probe == "ok" and gt(raw_u, now + skew):
        also.append("upstream_ahead")
    stale = error is not None and gt(since(te), error)
    if clock == "load" and state == "pass" and ge(error, since(tl)) and stale:
        also.append("stale_events")

    # When it is expected
    usual, upcoming = get("pull", "usual_run_s"), at("pull", "next_due_at")
    finishing = None
    if start is not None and usual is not None:
        finishing = start + timedelta(seconds=usual) + timedelta(seconds=grace)
    rate = get("pipe", "files_per_minute")
    eta: datetime | None = None
    if cause == "pull_running" and b2.get("pull_running"):
        eta = finishing
    elif cause == "pull_due" and upcoming is not None and not off:
        eta = upcoming + timedelta(seconds=(usual or 0) + grace)
    elif cause == "load_pending" and m is not None:
        eta = m + timedelta(seconds=grace)
    elif cause == "pipe_backlog" and rate:
        eta = now + timedelta(minutes=pending / rate)
    eta = eta if gt(eta, now) else None
    asks = {"upstream_republished", "upstream_quiet", "upstream_down", "unconfirmed"}
    next_look = upcoming if cause in asks and not off and gt(upcoming, now) else None

    # Whom it wakes
    def wakes(code: str) -> bool:
        pages = TABLE[code][0]
        if code == "pull_running" and gt(finishing, now):
            return False
        if state == "error":
            return pages in {"yes", "on error"}
        return pages == "yes" and page_on == "warn"

    counting = {*holding[:1], *(x for x in holding if (a | b1 | part_c).get(x))}
    page = page_on != "never" and (
        any(wakes(code) for code in counting)
        or bool(set(wrong) & {*monitor} - {"monitor_misread"})
    )
    tell: set[str] = set()
    if late:
        tell = {"stakeholders"}
        if TABLE[holding[0]][1] == "both" or any(beside.values()):
            tell.add("engineers")
    elif cause == "monitor_misread":
        tell = {"engineers", "stakeholders"}
    elif cause is not None:
        tell = {"engineers"}
    if page:
        tell.add("engineers")
    return {
        "state": state,
        "cause": cause,
        "stage": STAGES.get(cause or ""),
        "page": page,
        "tell": sorted(tell),
        "also": also,
        "eta": None if eta is None else eta.isoformat(),
        "next_look": None if next_look is None else next_look.isoformat(),
        "at_risk": bool(risk),
        "late_at": get("policy", "late_at") if risk else None,
    }
