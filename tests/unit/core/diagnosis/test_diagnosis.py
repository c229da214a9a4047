"""One case for each row of the decision, its pairs, and what it must never say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lambdas.core.diagnosis.assessment import assess
from lambdas.core.diagnosis.causes import BY_CODE, RULES, STUCK
from lambdas.core.diagnosis.causes.rule import HEADLINE, Group
from lambdas.core.diagnosis.signals import signals_from_json
from lambdas.core.diagnosis.verdict import Verdict, diagnose
from tests.unit.core.diagnosis.signal_documents import (
    BEHIND,
    HEALTHY,
    HOUR,
    LANDED,
    LATE,
    QUIET,
    Document,
    ago,
    changed,
    random_document,
)
from tests.unit.core.plain_reading import read

CASES = Path(__file__).parents[3] / "cases" / "diagnosis"
YEAR = 365 * 86_400


def verdict_on(document: Document, changes: Document | None = None) -> Verdict:
    return diagnose(signals_from_json(json.dumps(changed(document, changes or {}))))


@pytest.mark.parametrize("path", sorted(CASES.glob("*.json")), ids=lambda p: p.stem)
def test_each_case_file_gets_the_verdict_it_expects(path: Path) -> None:
    case = json.loads(path.read_text())
    verdict = verdict_on(case["signals"]).to_json()

    assert case["expect"]
    assert case["expect"] == {key: verdict[key] for key in case["expect"]}


NO_PROBE: Document = {"upstream": {"probe": "not_probed"}}

ROWS: list[tuple[str, Document, Document]] = [
    (
        "credentials_rejected",
        BEHIND,
        {"pull.last_run.status": "failed", "pull.last_run.error": "auth"},
    ),
    (
        "credentials_rejected",
        BEHIND,
        {"upstream.probe": "denied", "pull.last_run.status": "never"},
    ),
    (
        "quota_exhausted",
        BEHIND,
        {"pull.last_run.status": "failed", "pull.last_run.error": "throttled"},
    ),
    (
        "quota_exhausted",
        BEHIND,
        {"upstream.probe": "throttled", "pull.last_run.status": "running"},
    ),
    (
        "response_changed",
        BEHIND,
        {"pull.last_run.status": "failed", "pull.last_run.error": "schema"},
    ),
    (
        "response_changed",
        QUIET,
        {"pull.last_run.status": "failed", "pull.last_run.error": "response"},
    ),
    ("cursor_ahead", BEHIND, {"pull.cursor_at": ago(-301)}),
    ("schedule_disabled", BEHIND, {"pull.schedule_enabled": False}),
    ("pull_running", BEHIND, {"pull.last_run": {"status": "running"}}),
    (
        "pull_not_run",
        BEHIND,
        {"pull.last_run": {"status": "never"}, "pull.last_due_at": ago(901)},
    ),
    (
        "pull_not_run",
        BEHIND,
        {"pull.last_run.started_at": ago(5000), "pull.last_due_at": ago(1000)},
    ),
    *(
        (
            "pull_failed",
            BEHIND,
            {"pull.last_run.status": "failed", "pull.last_run.error": kind},
        )
        for kind in ("timeout", "http", "internal")
    ),
    ("pulled_nothing", BEHIND, {}),
    ("pulled_nothing", BEHIND, {"upstream.newest_event_at": ago(300)}),
    ("pull_due", BEHIND, {"upstream.newest_event_at": ago(299)}),
    ("not_landed", LANDED, {"landing.newest_object_at": ago(3901)}),
    (
        "not_landed",
        LANDED,
        {"landing.newest_object_at": None, "landing.empty": True},
    ),
    ("name_reused", LANDED, {"landing.rewritten": True}),
    ("pipe_stopped", LANDED, {"pipe.state": "PAUSED"}),
    ("pipe_stopped", LANDED, {"pipe.state": "STALLED_STAGE_PERMISSION_ERROR"}),
    ("pipe_stopped", LANDED, {"pipe.state": "READ_ONLY"}),
    ("load_failed", LANDED, {"load.status": "Load failed"}),
    ("load_partial", LANDED, {"load.status": "Partially loaded"}),
    ("load_partial", LANDED, {"load.rows_loaded": 119}),
    ("load_pending", LANDED, {"landing.newest_object_at": ago(900)}),
    ("pipe_backlog", LANDED, {"pipe.pending_files": 12}),
    ("not_notified", LANDED, {"pipe.last_forwarded_at": ago(3841)}),
    (
        "not_notified",
        LANDED,
        {
            "pipe.covers_newest_key": None,
            "pipe.last_forwarded_at": ago(3841),
            "pipe.last_received_at": ago(3841),
        },
    ),
    (
        "not_forwarded",
        LANDED,
        {"pipe.covers_newest_key": False, "pipe.last_forwarded_at": ago(3841)},
    ),
    (
        "not_forwarded",
        LANDED,
        {
            "pipe.covers_newest_key": None,
            "pipe.last_forwarded_at": ago(3841),
            "pipe.last_received_at": ago(3840),
        },
    ),
    ("load_unseen", LANDED, {}),
    ("load_unseen", LANDED, {"pipe": ...}),
    (
        "load_unseen",
        LANDED,
        {"landing.newest_object_at": None, "landing.unloaded": 2},
    ),
    (
        "load_unseen",
        LANDED,
        {"load.last_loaded_at": None, "load.status": "none"},
    ),
    (
        "rows_deleted",
        LANDED,
        {"load.last_loaded_at": ago(60), "table.row_count": 4999},
    ),
    (
        "event_time_missing",
        LANDED,
        {"load.last_loaded_at": ago(60), "table.null_event_rows": 1},
    ),
    ("schedule_disabled", BEHIND, {**NO_PROBE, "pull.schedule_enabled": False}),
    ("pull_running", BEHIND, {**NO_PROBE, "pull.last_run": {"status": "running"}}),
    (
        "pull_not_run",
        BEHIND,
        {
            **NO_PROBE,
            "pull.last_run": {"status": "never"},
            "pull.last_due_at": ago(901),
        },
    ),
    (
        "pull_failed",
        BEHIND,
        {
            **NO_PROBE,
            "pull.last_run.status": "failed",
            "pull.last_run.error": "internal",
        },
    ),
    (
        "upstream_republished",
        QUIET,
        {
            "pull.last_run.rows": 120,
            "landing.newest_object_at": ago(240),
            "load.last_loaded_at": ago(200),
        },
    ),
    ("upstream_quiet", QUIET, {}),
    (
        "upstream_quiet",
        QUIET,
        {
            "upstream": {"probe": "ok", "empty": True},
            "table.newest_event_at": None,
            "table.row_count": 0,
            "table.previous_row_count": 0,
        },
    ),
    ("upstream_down", BEHIND, {"upstream.probe": "unreachable"}),
    ("upstream_down", BEHIND, {"upstream.probe": "error_body"}),
    *(
        (
            "upstream_down",
            BEHIND,
            {
                "upstream": {} if probe is None else {"probe": probe},
                "pull.last_run.status": "failed",
                "pull.last_run.error": kind,
            },
        )
        for probe in (None, "failed", "not_probed")
        for kind in ("timeout", "http")
    ),
    ("unconfirmed", BEHIND, NO_PROBE),
    ("unknown", BEHIND, {**NO_PROBE, "pull": ...}),
    ("monitor_blind", HEALTHY, {"table.read": "denied"}),
    ("monitor_blind", HEALTHY, {"table": ...}),
    ("monitor_misread", HEALTHY, {"monitor.evaluated_newest_at": ago(3 * HOUR + 1)}),
    ("monitor_late", HEALTHY, {"monitor.last_check_at": ago(901)}),
    ("notice_undelivered", HEALTHY, {"monitor.undelivered_notices": 1}),
    ("not_checked", HEALTHY, {"monitor.unchecked": ["cats: no"]}),
    ("run_stuck", HEALTHY, {"monitor.stuck_runs": ["run r1 of cats is half there"]}),
]


@pytest.mark.parametrize(
    ("code", "start", "changes"),
    ROWS,
    ids=[f"{number}-{row[0]}" for number, row in enumerate(ROWS)],
)
def test_each_row_is_the_cause_when_it_holds(
    code: str, start: Document, changes: Document
) -> None:
    document = changed(start, changes)
    verdict = verdict_on(document)
    expected = read(document)

    assert verdict.cause == code
    assert {key: verdict.to_json()[key] for key in expected} == expected
    assert verdict.headline.startswith("cat_data ")
    assert all(verdict.evidence)
    assert verdict.next_step


def test_every_cause_has_a_row_of_its_own_in_this_file() -> None:
    causes = {rule.code for rule in RULES if rule.group is not Group.NOTE}

    assert causes == {code for code, _, _ in ROWS}


@pytest.mark.parametrize(
    "seeds",
    [range(2_000), pytest.param(range(2_000, 20_000), marks=pytest.mark.long)],
    ids=["some", "many"],
)
def test_random_documents_read_the_same_by_a_flat_reading(seeds: range) -> None:
    for seed in seeds:
        document = random_document(seed)
        verdict, expected = verdict_on(document).to_json(), read(document)
        assert {key: verdict[key] for key in expected} == expected, f"seed {seed}"


NEARLY: list[tuple[str, Document, Document, str]] = [
    ("cursor at now + skew", BEHIND, {"pull.cursor_at": ago(-300)}, "unknown"),
    (
        "the probe is denied, the pull succeeded",
        BEHIND,
        {"upstream.probe": "denied"},
        "unconfirmed",
    ),
    (
        "the probe is denied, nothing is known of pulls",
        BEHIND,
        {"upstream.probe": "denied", "pull": ...},
        "unknown",
    ),
    (
        "whether the schedule is on is not known",
        BEHIND,
        {"pull.schedule_enabled": None},
        "pulled_nothing",
    ),
    (
        "due within the grace",
        BEHIND,
        {"pull.last_run": {"status": "never"}, "pull.last_due_at": ago(900)},
        "unknown",
    ),
    (
        "not known when it was due",
        BEHIND,
        {"pull.last_run": {"status": "never"}, "pull.last_due_at": None},
        "unknown",
    ),
    (
        "rows of the run are not known",
        BEHIND,
        {"pull.last_run.rows": None},
        "unknown",
    ),
    (
        "the newest object landed as the run began",
        LANDED,
        {"landing.newest_object_at": ago(3900)},
        "load_unseen",
    ),
    (
        "an unreadable pipe is not a stopped one",
        LANDED,
        {"pipe.state": "unreadable"},
        "load_unseen",
    ),
    (
        "when anything was forwarded is not known",
        LANDED,
        {"pipe.last_forwarded_at": None},
        "load_unseen",
    ),
    (
        "neither coverage nor the last message is known",
        LANDED,
        {
            "pipe.covers_newest_key": None,
            "pipe.last_received_at": None,
            "pipe.last_forwarded_at": ago(9000),
        },
        "load_unseen",
    ),
    (
        "pending files are not known",
        LANDED,
        {"pipe.pending_files": None, "pipe.last_forwarded_at": ago(9000)},
        "load_unseen",
    ),
    (
        "fewer rows while files wait",
        LANDED,
        {"table.row_count": 1},
        "load_unseen",
    ),
    (
        "the row count before is not known",
        LANDED,
        {
            "load.last_loaded_at": ago(60),
            "table.row_count": 1,
            "table.previous_row_count": None,
        },
        "unknown",
    ),
    (
        "an unknown source and a timeout are not `internal`",
        BEHIND,
        {
            "upstream.probe": "denied",
            "pull.last_run.status": "failed",
            "pull.last_run.error": "timeout",
        },
        "credentials_rejected",
    ),
    (
        "the probe says not ok, so its time is not believed",
        QUIET,
        {"upstream.probe": "failed"},
        "unconfirmed",
    ),
]


@pytest.mark.parametrize(
    ("start", "changes", "code"),
    [row[1:] for row in NEARLY],
    ids=[row[0] for row in NEARLY],
)
def test_a_condition_that_is_not_shown_does_not_hold(
    start: Document, changes: Document, code: str
) -> None:
    assert verdict_on(start, changes).cause == code


def found(verdict: Verdict) -> list[str | None]:
    return [verdict.cause, *verdict.also]


PAIRS: list[tuple[Document, Document, list[str], bool]] = [
    (
        LANDED,
        {"pipe.state": "PAUSED", "load.status": "Load failed"},
        ["pipe_stopped", "load_failed"],
        True,
    ),
    (
        BEHIND,
        {
            "pull.schedule_enabled": False,
            "pull.last_run.status": "failed",
            "pull.last_run.error": "auth",
        },
        ["credentials_rejected", "schedule_disabled"],
        True,
    ),
    # On a warning nothing pages, unless the policy asks for it.
    (
        BEHIND,
        {
            "policy.error_after_s": None,
            "pull.last_run.status": "failed",
            "pull.last_run.error": "throttled",
            "load.status": "Load failed",
        },
        ["quota_exhausted", "load_failed"],
        False,
    ),
    (
        BEHIND,
        {
            "policy.error_after_s": None,
            "policy.page_on": "warn",
            "pull.last_run.status": "failed",
            "pull.last_run.error": "throttled",
            "load.status": "Load failed",
        },
        ["quota_exhausted", "load_failed"],
        True,
    ),
    # A code of group C pages beside its cause, as those of A and B1 do.
    (
        BEHIND,
        {
            "policy.error_after_s": None,
            "policy.page_on": "warn",
            "upstream.probe": "not_probed",
            "pull.schedule_enabled": False,
            "pull.last_run.status": "failed",
            "pull.last_run.error": "throttled",
        },
        ["quota_exhausted", "schedule_disabled"],
        True,
    ),
    (
        BEHIND,
        {"policy.page_on": "never", "monitor.undelivered_notices": 1},
        ["pulled_nothing", "notice_undelivered"],
        False,
    ),
    # Group C is silent while anything of B holds.
    (
        BEHIND,
        {**NO_PROBE, "pull.schedule_enabled": False, "load.status": "Load failed"},
        ["load_failed"],
        True,
    ),
    (
        BEHIND,
        {
            "pull.last_run": {"status": "running", "started_at": ago(60)},
            "load.status": "Load failed",
        },
        ["load_failed"],
        True,
    ),
    # What passes by itself is not said while something is stuck.
    (
        BEHIND,
        {"upstream.newest_event_at": ago(100), "load.rows_loaded": 1},
        ["load_partial"],
        True,
    ),
    (
        LANDED,
        {"landing.newest_object_at": ago(600), "landing.rewritten": True},
        ["name_reused"],
        True,
    ),
    (
        LANDED,
        {
            "landing.newest_object_at": ago(600),
            "pull.last_run.status": "failed",
            "pull.last_run.error": "auth",
        },
        ["credentials_rejected"],
        True,
    ),
    # A hides B2, not C.
    (
        BEHIND,
        {
            "upstream.probe": "denied",
            "pull.last_run": {"status": "running", "started_at": ago(60)},
        },
        ["credentials_rejected", "pull_running"],
        True,
    ),
    # An API that hangs is "running" most of the time.
    (
        BEHIND,
        {"pull.last_run": {"status": "running"}, "pull.failures_in_row": 2},
        ["pull_failed"],
        True,
    ),
    (
        BEHIND,
        {
            **NO_PROBE,
            "pull.last_run": {"status": "running"},
            "pull.failures_in_row": 2,
        },
        ["upstream_down"],
        True,
    ),
    (
        BEHIND,
        {"upstream.probe": "unreachable", "landing.rewritten": True},
        ["name_reused", "upstream_down"],
        True,
    ),
    (
        BEHIND,
        {**NO_PROBE, "pipe.state": "PAUSED"},
        ["unconfirmed", "pipe_stopped"],
        True,
    ),
    (QUIET, {"pipe.state": "PAUSED"}, ["upstream_quiet", "pipe_stopped"], False),
    (
        QUIET,
        {
            "pull.schedule_enabled": False,
            "pull.last_run.status": "failed",
            "pull.last_run.error": "internal",
            "pull.last_run.started_at": ago(9000),
            "pull.last_due_at": ago(1000),
            "landing.rewritten": True,
            "load.status": "Load failed",
            "load.rows_loaded": 1,
            "table.row_count": 1,
            "table.null_event_rows": 1,
        },
        [
            "upstream_quiet",
            "schedule_disabled",
            "pull_not_run",
            "pull_failed",
            "name_reused",
            "load_failed",
            "load_partial",
            "rows_deleted",
            "event_time_missing",
        ],
        False,
    ),
    (
        QUIET,
        {"pull.last_run.status": "failed", "pull.last_run.error": "auth"},
        ["credentials_rejected", "upstream_quiet"],
        True,
    ),
    (
        QUIET,
        {"monitor.last_check_at": ago(9000), "table.future_rows": 2},
        ["upstream_quiet", "monitor_late", "future_rows"],
        True,
    ),
    (
        HEALTHY,
        {
            "monitor.evaluated_newest_at": ago(9 * HOUR),
            "monitor.undelivered_notices": 2,
        },
        ["monitor_misread", "notice_undelivered"],
        True,
    ),
    (
        HEALTHY,
        {"table.read": "error", "monitor.last_check_at": ago(9000)},
        ["monitor_blind", "monitor_late"],
        True,
    ),
]


@pytest.mark.parametrize(("start", "changes", "codes", "page"), PAIRS)
def test_of_several_faults_the_first_is_the_cause_and_the_rest_are_named(
    start: Document,
    changes: Document,
    codes: list[str],
    page: bool,  # noqa: FBT001 - a column of the table
) -> None:
    verdict = verdict_on(start, changes)

    assert codes == found(verdict)
    assert verdict.page is page


# state and words ---------------------------------------------------------------------
@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({"table.newest_event_at": ago(3 * HOUR)}, "pass"),
        ({"table.newest_event_at": ago(3 * HOUR + 1)}, "warn"),
        ({"table.newest_event_at": ago(6 * HOUR)}, "warn"),
        ({"table.newest_event_at": ago(6 * HOUR + 1)}, "error"),
        ({"policy.warn_after_s": None, "table.newest_event_at": ago(LATE)}, "error"),
        ({"policy.error_after_s": None, "table.newest_event_at": ago(LATE)}, "warn"),
        (
            {
                "policy.warn_after_s": None,
                "policy.error_after_s": None,
                "table.newest_event_at": ago(LATE),
            },
            "pass",
        ),
        ({"table.newest_event_at": None, "table.row_count": None}, "unknown"),
        ({"table.newest_event_at": None, "table.row_count": 0}, "error"),
        (
            {"table.newest_event_at": ago(LATE), "policy.in_quiet_time": True},
            "pass",
        ),
        ({"policy.clock": None}, "pass"),
        ({"policy.expected_by": ago(0), "policy.expected_since": ago(600)}, "pass"),
        ({"policy.expected_by": ago(0), "policy.expected_since": ago(599)}, "error"),
        ({"policy.expected_by": ago(-1), "policy.expected_since": ago(0)}, "pass"),
        (
            {
                "policy.expected_by": ago(1),
                "policy.expected_since": ago(0),
                "policy.in_quiet_time": True,
            },
            "error",
        ),
        ({"policy.expected_by": ago(1), "table.newest_event_at": None}, "error"),
        ({"policy.expected_by": ago(1), "policy.expected_since": None}, "pass"),
    ],
)
def test_the_state_follows_the_promise(changes: Document, state: str) -> None:
    assert verdict_on(HEALTHY, changes).state.value == state


def test_headline_and_evidence_hold_the_values() -> None:
    verdict = verdict_on(QUIET)

    assert verdict.headline == "cat_data 10 h late: the source has nothing newer"
    assert verdict.evidence[0] == (
        "newest row 2026-11-22 20:00 UTC, 13 h old; promised within 3 h"
    )
    assert any("0 rows" in sentence for sentence in verdict.evidence)


def test_an_unknown_coverage_names_both_explanations_in_the_headline() -> None:
    lost = {"pipe.covers_newest_key": None, "pipe.last_forwarded_at": ago(9000)}
    for received in (ago(9000), ago(60)):
        headline = verdict_on(LANDED, {**lost, "pipe.last_received_at": received})
        for word in ("event", "prefix"):
            assert word in headline.headline


@pytest.mark.parametrize(
    ("start", "changes", "eta"),
    [
        (
            BEHIND,
            {
                "pull.last_run": {"status": "running", "started_at": ago(60)},
                "pull.usual_run_s": 120,
            },
            ago(60 - 120 - 900),
        ),
        (BEHIND, {"upstream.newest_event_at": ago(100)}, ago(-3300 - 60 - 900)),
        (
            BEHIND,
            {"upstream.newest_event_at": ago(100), "pull.usual_run_s": None},
            ago(-3300 - 900),
        ),
        (
            BEHIND,
            {"upstream.newest_event_at": ago(100), "pull.schedule_enabled": None},
            ago(-3300 - 60 - 900),
        ),
        (
            BEHIND,
            {
                **NO_PROBE,
                "pull.last_run": {"status": "running", "started_at": ago(60)},
                "pull.usual_run_s": 120,
            },
            None,
        ),
        (QUIET, {}, None),
        (LANDED, {"landing.newest_object_at": ago(600)}, ago(-300)),
        (LANDED, {"landing.newest_object_at": ago(900)}, None),
        (LANDED, {"pipe.pending_files": 12, "pipe.files_per_minute": 3}, ago(-240)),
        (LANDED, {"pipe.pending_files": 12, "pipe.files_per_minute": 0}, None),
        (LANDED, {"pipe.pending_files": 12}, None),
        (LANDED, {}, None),
    ],
)
def test_an_eta_is_given_only_where_a_signal_carries_it(
    start: Document, changes: Document, eta: str | None
) -> None:
    assert verdict_on(start, changes).to_json()["eta"] == eta


@pytest.mark.parametrize(
    ("start", "changes", "next_look"),
    [
        (QUIET, {}, ago(-3300)),
        (QUIET, {"pull.next_due_at": None}, None),
        (QUIET, {"pull.next_due_at": ago(2 * HOUR)}, None),
        (QUIET, {"pull.schedule_enabled": False}, None),
        (BEHIND, NO_PROBE, ago(-3300)),
        (BEHIND, {"upstream.probe": "unreachable"}, ago(-3300)),
        (BEHIND, {}, None),
        (HEALTHY, {}, None),
    ],
)
def test_when_we_ask_again_is_said_where_the_source_decides(
    start: Document, changes: Document, next_look: str | None
) -> None:
    verdict = verdict_on(start, changes).to_json()

    assert verdict["next_look"] == next_look
    assert verdict["eta"] is None


@pytest.mark.parametrize(
    ("started", "usual", "page"),
    [(60, 120, False), (1020, 120, True), (1019, 120, False), (60, None, True)],
)
def test_a_pull_that_runs_wakes_nobody_before_its_usual_time_is_over(
    started: int,
    usual: int | None,
    page: bool,  # noqa: FBT001 - a column of the table
) -> None:
    running = {
        "pull.last_run": {"status": "running", "started_at": ago(started)},
        "pull.usual_run_s": usual,
    }
    for source in ({}, NO_PROBE):
        verdict = verdict_on(BEHIND, {**running, **source})
        assert (verdict.cause, verdict.page) == ("pull_running", page)


# at risk -----------------------------------------------------------------------------
FRESH_AND_FAILED = {"pull.last_run.status": "failed", "pull.last_run.error": "http"}
BEHIND_IN_TIME = changed(
    HEALTHY,
    {"upstream.newest_event_at": ago(30), "policy.late_at": ago(-2 * HOUR)},
)


@pytest.mark.parametrize(
    ("changes", "codes"),
    [
        ({"pull.last_run.status": "failed", "pull.last_run.error": "auth"}, True),
        ({"pull.last_run.status": "failed", "pull.last_run.error": "throttled"}, False),
        ({**FRESH_AND_FAILED, "pull.failures_in_row": 2}, False),
        ({**FRESH_AND_FAILED, "pull.failures_in_row": 3}, True),
        ({"pull.schedule_enabled": False}, True),
        ({"pull.schedule_enabled": False, "policy.in_quiet_time": True}, True),
        ({"load.status": "Load failed"}, True),
        ({"load.status": "Load failed", "upstream.newest_event_at": ago(600)}, False),
        ({"table.row_count": 1}, False),
        ({**NO_PROBE, "pull.schedule_enabled": False}, False),
        ({"pipe.state": "PAUSED"}, False),
        ({"load.status": "Load failed", "monitor.undelivered_notices": 1}, False),
    ],
)
def test_what_is_broken_is_told_before_it_is_late(
    changes: Document,
    codes: bool,  # noqa: FBT001 - a column of the table
) -> None:
    verdict = verdict_on(BEHIND_IN_TIME, changes)

    assert verdict.state.value == "pass"
    assert verdict.at_risk is codes
    if codes:
        assert [*verdict.tell] == ["engineers"]
        assert not verdict.page
        assert verdict.to_json()["late_at"] == ago(-2 * HOUR)
        assert verdict.headline.startswith("cat_data at risk: ")


# what others get wrong ---------------------------------------------------------------
def test_one_row_a_year_ahead_does_not_make_an_old_table_fresh() -> None:
    ahead = {"table.newest_event_at": ago(-YEAR), "table.future_rows": 1}
    verdict = verdict_on(BEHIND, ahead)

    assert verdict.state.value == "error"
    assert "no row with a usable time" in verdict.headline
    assert verdict.also[-1] == "future_rows"


def test_an_empty_table_has_no_rows_yet_and_no_age() -> None:
    verdict = verdict_on(BEHIND, {"table.newest_event_at": None, "table.row_count": 0})

    assert verdict.state.value == "error"
    assert "no rows yet" in verdict.headline
    assert " old" not in verdict.headline
    assert "2,0" not in verdict.headline


def test_a_reload_of_old_events_is_noted_though_it_looks_fresh() -> None:
    verdict = verdict_on(
        HEALTHY,
        {"policy.clock": "load", "table.newest_event_at": ago(90 * 86_400)},
    )

    assert verdict.state.value == "pass"
    assert verdict.cause is None
    assert verdict.also == ("stale_events",)
    assert not verdict.page


def test_a_missing_privilege_is_unknown_and_not_late() -> None:
    for read_result in ("denied", "missing", "error", "not_read"):
        verdict = verdict_on(QUIET, {"table.read": read_result})
        assert verdict.state.value == "unknown"
        assert "late" not in verdict.headline


def test_an_error_in_a_200_answer_is_not_taken_for_no_data() -> None:
    verdict = verdict_on(
        QUIET,
        {"upstream": {"probe": "error_body", "newest_event_at": ago(LATE)}},
    )

    assert verdict.cause == "upstream_down"
    assert "upstream_quiet" not in verdict.also


def test_the_same_data_again_is_not_taken_for_an_empty_answer() -> None:
    again = {"pull.last_run.rows": 120, "landing.newest_object_at": ago(240),
             "load.last_loaded_at": ago(200)}  # fmt: skip

    assert verdict_on(QUIET, again).cause == "upstream_republished"
    for asked_for in (True, None):
        verdict = verdict_on(QUIET, {**again, "pull.rereads": asked_for})
        assert verdict.cause == "upstream_quiet"
    assert verdict_on(QUIET).cause == "upstream_quiet"


def test_a_quiet_night_pages_nobody() -> None:
    verdict = verdict_on(QUIET, {"policy.in_quiet_time": True})

    assert (verdict.state.value, verdict.page, [*verdict.tell]) == ("pass", False, [])


# the rules themselves ----------------------------------------------------------------
def test_a_verdict_has_the_keys_of_the_contract_in_their_order() -> None:
    verdict = verdict_on(QUIET).to_json()

    assert list(verdict) == [
        "dataset", "state", "cause", "stage", "page", "tell", "headline", "evidence",
        "next_step", "also", "eta", "next_look", "at_risk", "late_at",
    ]  # fmt: skip
    assert json.loads(json.dumps(verdict)) == verdict


def test_every_code_says_its_reason_in_plain_words() -> None:
    for rule in BY_CODE.values():
        assert rule.plain.endswith(".")
        assert "\n" not in rule.plain
        assert rule.condition


def test_no_sentence_pastes_a_value_that_is_not_known() -> None:
    for seed in range(3_000):
        verdict = verdict_on(random_document(seed))
        said = [verdict.headline, verdict.next_step, *verdict.evidence]
        assert all(said), f"seed {seed}"
        assert "None" not in " ".join(said), f"seed {seed}"


LONGEST = "a" * 30


def test_no_headline_is_cut_before_its_cause() -> None:
    """`[page] `, the longest name, how late, and the cause, in 90 characters."""
    shown = set()
    for _, start, changes in ROWS:
        document = changed(start, {**changes, "dataset": LONGEST})
        if start is not HEALTHY and document["table"]["newest_event_at"]:
            document["policy"]["warn_after_s"] = 0
        verdict = verdict_on(document)
        shown.add(verdict.cause)
        assert len(f"[page] {verdict.headline}") <= 90, verdict.headline
        for count, note in ((0, ""), (5, " (no row with a usable time)")):
            timeless = {"table.newest_event_at": None, "table.row_count": count}
            of_none = verdict_on(changed(document, timeless))
            if of_none.state.late:
                assert of_none.headline.endswith(note)
                whole = f"[page] {of_none.headline.removesuffix(note)}"
                assert len(whole) <= 90, whole
    assert shown == {rule.code for rule in RULES if rule.group is not Group.NOTE}


def test_each_cause_says_another_thing_in_few_characters() -> None:
    said: dict[str, set[str]] = {}
    for seed in range(6_000):
        seen = assess(signals_from_json(json.dumps(random_document(seed))))
        for rule in RULES:
            if rule.holds(seen):
                said.setdefault(rule.code, set()).add(rule.headline(seen))
    for code, headlines in said.items():
        assert max(map(len, headlines)) <= HEADLINE, (code, max(headlines, key=len))
        for other, others in said.items():
            either = {code, other} == {"not_notified", "not_forwarded"}
            assert code == other or either or not headlines & others, (code, other)


def test_a_hostile_name_never_gets_into_a_command() -> None:
    for _, start, changes in ROWS:
        verdict = verdict_on(start, {**changes, "dataset": "x'; DROP TABLE y; --"})
        assert "DROP" not in verdict.next_step


def test_group_b_stands_in_the_order_of_the_stages() -> None:
    stages = list(dict.fromkeys(rule.stage.value for rule in STUCK if rule.stage))

    assert stages == ["pull", "landing", "load", "table"]


FREQUENT = changed(
    LANDED,
    {
        "landing.newest_object_at": ago(60),
        "landing.unloaded": 9,
        "pipe.pending_files": 0,
        "pipe.covers_newest_key": True,
        "pipe.last_forwarded_at": ago(7200),
    },
)
"""Pulled every few minutes: the newest object is always within its grace."""


def test_wiring_that_died_pages_though_the_newest_object_is_always_young() -> None:
    overdue = verdict_on(changed(FREQUENT, {"landing.overdue_at": ago(3600)}))
    assert (overdue.cause, overdue.page) == ("not_notified", True)
    assert "the pipe was not notified" in overdue.headline
    astray = {"landing.overdue_at": ago(3600), "pipe.covers_newest_key": False}
    assert verdict_on(changed(FREQUENT, astray)).cause == "not_forwarded"
    behind = {"landing.overdue_at": ago(3600), "pipe.pending_files": 3}
    assert verdict_on(changed(FREQUENT, behind)).cause == "pipe_backlog"
    unsaid = verdict_on(FREQUENT)
    assert (unsaid.cause, unsaid.page) == ("load_unseen", True)


def test_what_was_forwarded_after_it_landed_was_not_left_unsaid() -> None:
    told = verdict_on(
        changed(
            FREQUENT,
            {"landing.overdue_at": ago(3600), "pipe.last_forwarded_at": ago(3599)},
        )
    )
    assert (told.cause, told.page) == ("load_unseen", True)
