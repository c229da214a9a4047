"""What must always be true of a verdict, whatever the signals."""

from __future__ import annotations

import json
from datetime import timedelta, timezone
from random import Random
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from lambdas.core.diagnosis.assessment import assess
from lambdas.core.diagnosis.causes import ALWAYS, BY_CODE, PASSING, STUCK
from lambdas.core.diagnosis.causes.rule import Group
from lambdas.core.diagnosis.signals import signals_from_json
from lambdas.core.diagnosis.verdict import Verdict, diagnose
from tests.unit.core.diagnosis.signal_documents import (
    NOW,
    Document,
    changed,
    documents,
    leaves,
    random_document,
)

UNHURRIED = settings(deadline=None)
"""A busy machine is no fault of a verdict."""


def verdict_on(document: Document) -> Verdict:
    return diagnose(signals_from_json(json.dumps(document)))


def known(document: Document, path: str) -> bool:
    value: Any = document
    for step in path.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    return value is not None


NEEDS: dict[str, list[set[str]]] = {
    # For each code the signals, or the alternatives of signals, that it cannot be
    # shown without.
    "credentials_rejected": [{"pull.last_run.status"}],
    "quota_exhausted": [{"pull.last_run.status"}],
    "response_changed": [{"pull.last_run.status", "pull.last_run.error"}],
    "cursor_ahead": [{"pull.cursor_at"}],
    "schedule_disabled": [{"pull.schedule_enabled"}],
    "pull_running": [{"pull.last_run.status"}],
    "pull_not_run": [
        {"pull.last_due_at", "pull.last_run.status"},
    ],
    "pull_failed": [{"pull.last_run.status"}],
    "pulled_nothing": [
        {
            "upstream.probe", "upstream.newest_event_at", "pull.last_run.status",
            "pull.last_run.rows", "pull.last_run.started_at",
        }
    ],
    "pull_due": [
        {
            "upstream.probe", "upstream.newest_event_at", "pull.last_run.status",
            "pull.last_run.started_at",
        }
    ],
    "not_landed": [
        {
            "pull.last_run.status", "pull.last_run.rows",
            "pull.last_run.started_at", "landing.newest_object_at",
        },
        {"pull.last_run.status", "pull.last_run.rows", "landing.empty"},
    ],
    "name_reused": [{"landing.rewritten"}],
    "pipe_stopped": [{"pipe.state"}],
    "load_failed": [{"load.status"}],
    "load_partial": [{"load.status"}, {"load.rows_parsed", "load.rows_loaded"}],
    "load_pending": [{"landing.newest_object_at"}],
    "pipe_backlog": [{"pipe.state", "pipe.pending_files"}],
    "not_notified": [
        {
            landed, "pipe.state", "pipe.pending_files", "pipe.last_forwarded_at", extra,
        }
        for landed in ("landing.newest_object_at", "landing.overdue_at")
        for extra in ("pipe.covers_newest_key", "pipe.last_received_at")
    ],
    "not_forwarded": [
        {
            landed, "pipe.state", "pipe.pending_files", "pipe.last_forwarded_at", extra,
        }
        for landed in ("landing.newest_object_at", "landing.overdue_at")
        for extra in ("pipe.covers_newest_key", "pipe.last_received_at")
    ],
    "load_unseen": [
        {"landing.newest_object_at"},
        {"landing.unloaded"},
        {"landing.overdue_at"},
    ],
    "rows_deleted": [{"table.row_count", "table.previous_row_count"}],
    "event_time_missing": [{"table.null_event_rows"}],
    "upstream_republished": [
        {
            "pull.last_run.status", "pull.last_run.rows", "table.newest_event_at",
            "pull.last_run.started_at", "policy.warn_after_s", "pull.rereads",
        }
    ],
    "upstream_quiet": [
        {"upstream.probe", "upstream.newest_event_at", "table.newest_event_at"},
        {"upstream.probe", "upstream.empty"},
    ],
    "upstream_down": [
        {"upstream.probe"},
        {"pull.last_run.status", "pull.last_run.error"},
        {"pull.last_run.status", "pull.failures_in_row"},
    ],
    "unconfirmed": [{"pull.last_run.status", "pull.last_run.rows"}],
    "unknown": [set()],
    "monitor_blind": [set()],
    "monitor_misread": [{"policy.warn_after_s", "monitor.evaluated_newest_at"}],
    "monitor_late": [{"monitor.last_check_at", "monitor.check_every_s"}],
    "notice_undelivered": [{"monitor.undelivered_notices"}],
    "run_stuck": [{"monitor.stuck_runs"}],
    "not_checked": [{"monitor.unchecked"}],
    "future_rows": [{"table.future_rows"}],
    "upstream_ahead": [{"upstream.probe", "upstream.newest_event_at"}],
    "stale_events": [
        {"policy.clock", "policy.error_after_s", "table.newest_event_at"}
    ],
}  # fmt: skip


@UNHURRIED
@given(documents, st.data())
def test_taking_signals_away_leaves_only_what_the_rest_shows(
    document: Document, data: st.DataObject
) -> None:
    removable = [path for path in leaves(document) if path not in {"dataset", "now"}]
    gone = data.draw(st.lists(st.sampled_from(removable), max_size=6))
    less = changed(document, dict.fromkeys(gone, ...))
    verdict = verdict_on(less)

    for code in filter(None, [verdict.cause, *verdict.also]):
        assert any(
            all(known(less, path) for path in needed) for needed in NEEDS[code]
        ), code


def test_what_every_code_needs_is_written_down() -> None:
    assert set(BY_CODE) == set(NEEDS)


@UNHURRIED
@given(documents)
def test_what_cannot_be_read_is_never_late(document: Document) -> None:
    for read in ("denied", "missing", "error", "not_read", None):
        verdict = verdict_on(changed(document, {"table.read": read}))
        assert verdict.state.value == "unknown"
        assert verdict.cause == "monitor_blind"
        assert verdict.page or document.get("policy", {}).get("page_on") == "never"


@UNHURRIED
@given(documents)
def test_late_always_has_a_cause_and_tells_the_stakeholders(document: Document) -> None:
    verdict = verdict_on(document)
    assume(verdict.state.late)

    assert verdict.cause is not None
    assert "stakeholders" in verdict.tell


@UNHURRIED
@given(documents)
def test_a_page_is_always_told_to_engineers(document: Document) -> None:
    verdict = verdict_on(document)

    assert "engineers" in verdict.tell or not verdict.page


def test_a_quiet_upstream_pages_only_through_the_alerting_or_group_a() -> None:
    met = 0
    for seed in range(5_000):
        verdict = verdict_on(random_document(seed))
        codes = [verdict.cause or "", *verdict.also]
        if "upstream_quiet" in codes and verdict.page:
            met += 1
            groups = {BY_CODE[code].group for code in codes if code}
            assert groups & {Group.ALWAYS, Group.MONITOR}, f"seed {seed}"
    assert met > 50


@UNHURRIED
@given(documents, st.integers(0, 40 * 86_400))
def test_time_alone_never_turns_error_into_pass(
    document: Document, passed: int
) -> None:
    # A row that is ahead of now + skew is not believed, until its time has come: that
    # is the one way in which waiting makes a table fresh, and it is set apart here.
    signals = signals_from_json(json.dumps(document))
    skew = timedelta(seconds=signals.policy.skew_s or 0)
    times = (signals.table.newest_event_at, signals.table.newest_loaded_at)
    assume(all(time is None or time <= NOW + skew for time in times))
    before = diagnose(signals).state.value
    moved = (NOW + timedelta(seconds=passed)).isoformat()
    after = verdict_on(changed(document, {"now": moved})).state.value

    assert before != "error" or after == "error"
    assert before != "warn" or after in {"warn", "error"}


def shuffled(value: Any, random: Random) -> Any:
    if not isinstance(value, dict):
        return value
    items = [(key, shuffled(inner, random)) for key, inner in value.items()]
    random.shuffle(items)
    return dict(items)


@UNHURRIED
@given(documents, st.randoms(use_true_random=False))
def test_the_order_of_the_signals_does_not_matter(
    document: Document, random: Random
) -> None:
    assert verdict_on(document) == verdict_on(shuffled(document, random))


@UNHURRIED
@given(documents)
def test_null_and_missing_say_the_same(document: Document) -> None:
    nulls = [path for path in leaves(document) if path not in {"dataset", "now"}][::3]
    null, gone = dict.fromkeys(nulls, None), dict.fromkeys(nulls, ...)

    assert verdict_on(changed(document, null)) == verdict_on(changed(document, gone))


def test_everything_unknown_but_the_lateness_is_unknown() -> None:
    verdict = verdict_on(
        {
            "dataset": "cat_data",
            "now": "2026-11-23T09:00:00Z",
            "policy": {"clock": "event", "warn_after_s": 60},
            "table": {"read": "ok", "newest_event_at": "2026-11-23T08:00:00Z"},
        }
    )

    assert (verdict.state.value, verdict.cause, verdict.also) == ("warn", "unknown", ())
    assert verdict.stage is None


@UNHURRIED
@given(documents)
def test_no_code_is_named_twice_and_the_rest_only_alone(document: Document) -> None:
    verdict = verdict_on(document)
    codes = [verdict.cause, *verdict.also]

    assert len(set(codes)) == len(codes)
    assert not {"unconfirmed", "unknown"} & set(verdict.also)


@UNHURRIED
@given(documents)
def test_an_eta_lies_ahead_and_none_is_given_where_the_source_decides(
    document: Document,
) -> None:
    verdict = verdict_on(document)

    assert verdict.eta is None or verdict.eta > NOW
    assert verdict.next_look is None or verdict.next_look > NOW
    assert None in {verdict.eta, verdict.next_look}
    if verdict.cause is not None and verdict.cause.startswith("upstream_"):
        assert verdict.eta is None


@UNHURRIED
@given(documents)
def test_what_passes_by_itself_is_never_the_cause_beside_what_does_not(
    document: Document,
) -> None:
    verdict = verdict_on(document)

    if verdict.state.late and verdict.cause in {rule.code for rule in PASSING}:
        seen = assess(signals_from_json(json.dumps(document)))
        assert not any(rule.holds(seen) for rule in ALWAYS + STUCK)


@UNHURRIED
@given(documents, st.integers(-12, 14))
def test_the_same_moment_in_another_zone_changes_nothing(
    document: Document, hours: int
) -> None:
    elsewhere = NOW.astimezone(timezone(timedelta(hours=hours))).isoformat()

    assert verdict_on(document) == verdict_on(changed(document, {"now": elsewhere}))
