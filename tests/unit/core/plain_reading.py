"""A second, flat reading of the decision, to hold the rules against.

One function, from the JSON document, with nothing in common with `lambdas`: what it
finds in a table of lines, the rules have to find by their own composition.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

YES = {
    "credentials_rejected", "response_changed", "cursor_ahead", "schedule_disabled",
    "pull_not_run", "pull_failed", "pulled_nothing", "not_landed", "name_reused",
    "pipe_stopped", "load_failed", "load_partial", "not_notified", "not_forwarded",
    "load_unseen", "rows_deleted", "event_time_missing", "unknown", "monitor_blind",
    "monitor_late", "notice_undelivered", "run_stuck",
}  # fmt: skip
ON_ERROR = {
    "quota_exhausted", "pull_running", "pipe_backlog", "upstream_down", "unconfirmed",
}  # fmt: skip
ONLY_STAKEHOLDERS = {"pull_due", "load_pending", "upstream_quiet"}
ORDER = [
    "credentials_rejected", "quota_exhausted", "response_changed", "cursor_ahead",
    "schedule_disabled", "pull_running", "pull_not_run", "pull_failed",
    "pulled_nothing", "pull_due", "not_landed", "name_reused", "pipe_stopped",
    "load_failed", "load_partial", "load_pending", "pipe_backlog", "not_notified",
    "not_forwarded", "load_unseen", "rows_deleted", "event_time_missing",
    "upstream_republished", "upstream_quiet", "upstream_down",
]  # fmt: skip


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def read(document: Any) -> dict[str, Any]:  # noqa: C901, PLR0912, PLR0915 - flat on purpose
    """State, cause, page, tell, also and eta."""

    def get(section: str, key: str) -> Any:
        return (document.get(section) or {}).get(key)

    def at(section: str, key: str) -> datetime | None:
        return _time(get(section, key))

    now = datetime.fromisoformat(document["now"])
    skew = timedelta(seconds=get("policy", "skew_s") or 0)
    warn, error = get("policy", "warn_after_s"), get("policy", "error_after_s")
    clock, grace = get("policy", "clock"), get("policy", "load_grace_s")

    def age(moment: datetime | None) -> float | None:
        return None if moment is None else (now - moment).total_seconds()

    def gt(left: Any, right: Any) -> bool:
        return left is not None and right is not None and bool(left > right)

    te, tl = at("table", "newest_event_at"), at("table", "newest_loaded_at")
    te = None if gt(te, now + skew) else te
    tl = None if gt(tl, now + skew) else tl
    t = {"event": te, "load": tl, None: None}[clock]
    rows = get("table", "row_count")

    # state
    by = at("policy", "expected_by")
    no_clock = clock is None and (te or tl) is not None
    if get("table", "read") != "ok" or (t is None and rows is None) or no_clock:
        state = "unknown"
    elif by is not None:
        since = at("policy", "expected_since")
        state = "error" if now >= by and (t is None or gt(since, t)) else "pass"
    elif get("policy", "in_quiet_time"):
        state = "pass"
    elif error is not None and (t is None or gt(age(t), error)):
        state = "error"
    elif warn is not None and (t is None or gt(age(t), warn)):
        state = "warn"
    else:
        state = "pass"

    # words
    probe, empty = get("upstream", "probe"), get("upstream", "empty") is True
    u = at("upstream", "newest_event_at") if probe == "ok" else None
    c, m, last = at("pull", "cursor_at"), at("landing", "newest_object_at"), None
    last = (document.get("pull") or {}).get("last_run") or {}
    r, r_error, r_rows = last.get("status"), last.get("error"), last.get("rows")
    started = _time(last.get("started_at"))
    due, status = at("pull", "last_due_at"), get("load", "status")
    unloaded = (get("landing", "unloaded") or 0) > 0
    caught = empty or (u is not None and te is not None and u <= te)
    new = gt(u, te) or (u is not None and rows == 0)
    passes = gt(u, c) if c is not None else new
    more = passes and not caught
    no_source = u is None and not empty
    wait = gt(m, at("load", "last_loaded_at")) or unloaded
    wait = wait or (m is not None and status == "none")
    in_time = gt(grace, age(m)) or (grace is not None and age(m) == grace)
    past = gt(age(m), grace) or (unloaded and (m is None or grace is None))
    # A signal of ours, not of the page: what waits behind a newest object that is young
    behind = at("landing", "overdue_at")
    held = m if past and m is not None else behind
    past = past or behind is not None
    pipe = get("pipe", "state")
    stopped = pipe is not None and pipe not in {"RUNNING", "unreadable"}
    pending = get("pipe", "pending_files")
    stuck = wait and past and pipe == "RUNNING"
    idle = stuck and pending == 0 and gt(held, at("pipe", "last_forwarded_at"))
    covers, heard = get("pipe", "covers_newest_key"), at("pipe", "last_received_at")
    blocked = r in {"failed", "running", "never"}

    fault = {
        "schedule_disabled": get("pull", "schedule_enabled") is False,
        "pull_not_run": (r == "never" or gt(due, started)) and gt(age(due), grace),
        "pull_failed": r == "failed" and r_error in {"timeout", "http", "internal"},
        "name_reused": get("landing", "rewritten") is True,
        "pipe_stopped": stopped,
        "load_failed": status == "Load failed",
        "load_partial": status == "Partially loaded"
        or gt(get("load", "rows_parsed"), get("load", "rows_loaded")),
        "rows_deleted": gt(get("table", "previous_row_count"), rows),
        "event_time_missing": clock == "event"
        and (get("table", "null_event_rows") or 0) > 0,
    }
    a = {
        "credentials_rejected": (r == "failed" and r_error == "auth")
        or (probe == "denied" and blocked),
        "quota_exhausted": (r == "failed" and r_error == "throttled")
        or (probe == "throttled" and blocked),
        "response_changed": r == "failed" and r_error in {"schema", "response"},
        "cursor_ahead": get("policy", "skew_s") is not None and gt(c, now + skew),
    }
    b: dict[str, bool] = {}
    if not caught:
        b = {
            **fault,
            "not_landed": r == "succeeded"
            and (r_rows or 0) > 0
            and (gt(started, m) or get("landing", "empty") is True),
            "pipe_stopped": wait and stopped,
            "rows_deleted": fault["rows_deleted"] and not wait,
            "event_time_missing": fault["event_time_missing"] and not wait,
            "load_pending": wait and in_time and not stopped,
            "pipe_backlog": stuck and (pending or 0) > 0,
            "not_notified": idle
            and (covers is True or (covers is None and gt(held, heard))),
            "not_forwarded": idle
            and (
                covers is False
                or (
                    covers is None
                    and heard is not None
                    and held is not None
                    and heard >= held
                )
            ),
        }
        load = ORDER[ORDER.index("name_reused") : ORDER.index("load_unseen")]
        b["load_unseen"] = wait and past and not any(b[code] for code in load)
        later_codes = ORDER[
            ORDER.index("not_landed") : ORDER.index("event_time_missing") + 1
        ]
        b |= {
            "schedule_disabled": more and fault["schedule_disabled"],
            "pull_running": more
            and r == "running"
            and not any(b[x] for x in later_codes),
            "pull_not_run": more and fault["pull_not_run"],
            "pull_failed": more and fault["pull_failed"],
            "pulled_nothing": more
            and r == "succeeded"
            and r_rows == 0
            and started is not None
            and u is not None
            and u <= started,
            "pull_due": more
            and r == "succeeded"
            and gt(u, started)
            and not fault["pull_not_run"],
        }
    unsure: dict[str, bool] = {}
    if no_source and not any(b.values()):
        unsure = {
            "schedule_disabled": fault["schedule_disabled"],
            "pull_running": r == "running",
            "pull_not_run": fault["pull_not_run"],
            "pull_failed": r == "failed" and r_error == "internal",
        }
    d = {
        "upstream_republished": caught
        and r == "succeeded"
        and (r_rows or 0) > 0
        and started is not None
        and te is not None
        and gt((started - te).total_seconds(), warn),
        "upstream_quiet": caught,
        "upstream_down": probe in {"unreachable", "error_body"}
        or (
            probe in {None, "failed", "not_probed"}
            and r == "failed"
            and r_error in {"timeout", "http"}
        ),
    }

    causes: list[str] = []
    also: list[str] = []
    paging: set[str] = set()
    if state in {"warn", "error"}:
        holding = [x for x in ORDER if any(g.get(x) for g in (a, b, unsure, d))]
        if not holding:
            quiet_run = no_source and r == "succeeded" and r_rows == 0
            holding = ["unconfirmed" if quiet_run else "unknown"]
        beside = {x for x, holds in fault.items() if holds and caught}
        if stopped and not wait:
            beside.add("pipe_stopped")
        causes = holding[:1]
        # What row 23 names stands behind row 22, though its codes stand in rows 5 to 8.
        behind_b = ORDER.index("event_time_missing") + 0.5
        also = sorted(
            {*holding[1:], *beside},
            key=lambda x: (
                behind_b if unsure.get(x) else ORDER.index(x),
                ORDER.index(x),
            ),
        )
        paging = {x for x in holding if a.get(x) or b.get(x)} | {causes[0]}
    checked, every = at("monitor", "last_check_at"), get("monitor", "check_every_s")
    monitor = {
        "monitor_blind": state == "unknown",
        "monitor_misread": state == "pass"
        and t is not None
        and warn is not None
        and (now - t).total_seconds() <= warn
        and gt(age(at("monitor", "evaluated_newest_at")), warn),
        "monitor_late": every is not None and gt(age(checked), 3 * every),
        "notice_undelivered": (get("monitor", "undelivered_notices") or 0) > 0,
        "run_stuck": bool(get("monitor", "stuck_runs")),
    }
    wrong = [code for code, holds in monitor.items() if holds]
    paging |= set(wrong)
    if not causes and wrong:
        causes, wrong = wrong[:1], wrong[1:]
    also += wrong
    if (get("table", "future_rows") or 0) > 0:
        also.append("future_rows")
    if clock == "load" and state == "pass" and gt(age(te), error):
        also.append("stale_events")

    cause = causes[0] if causes else None
    page = any(x in YES or (x in ON_ERROR and state == "error") for x in paging)
    tell = set()
    if state in {"warn", "error"}:
        tell.add("stakeholders")
        if cause not in ONLY_STAKEHOLDERS:
            tell.add("engineers")
    if cause == "monitor_misread":
        tell |= {"engineers", "stakeholders"}
    if page:
        tell.add("engineers")

    eta: datetime | None = None
    usual, upcoming = get("pull", "usual_run_s"), at("pull", "next_due_at")
    rate = get("pipe", "files_per_minute")
    match cause:
        case "pull_running" if started and None not in {usual, grace}:
            eta = started + timedelta(seconds=usual) + timedelta(seconds=grace)
        case "pull_due" | "upstream_quiet" | "upstream_republished" if (
            upcoming is not None and grace is not None
        ):
            eta = upcoming + timedelta(seconds=(usual or 0) + grace)
        case "load_pending" if m is not None:
            eta = m + timedelta(seconds=grace)
        case "pipe_backlog" if rate:
            eta = now + timedelta(minutes=pending / rate)
    return {
        "state": state,
        "cause": cause,
        "page": page,
        "tell": sorted(tell),
        "also": also,
        "eta": eta.isoformat() if eta is not None and eta > now else None,
    }
