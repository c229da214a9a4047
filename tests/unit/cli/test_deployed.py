"""The commands about a deployed stack, on a state table alone."""

from __future__ import annotations

import dataclasses
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest

from cli.deployed.environment import deployed, moment
from cli.main import run
from cli.output import age, columns, iso, when
from lambdas.adapters.reports.page_object import PageObject
from lambdas.adapters.snowflake.warehouse import SnowflakeWarehouse
from lambdas.adapters.state.checks import CheckTable
from lambdas.adapters.state.incidents import IncidentTable
from lambdas.adapters.state.loads import LoadTable
from lambdas.adapters.state.posts import UserGroupTable
from lambdas.adapters.state.runs import StateTable
from lambdas.core.dataset import (
    Catalogue,
    Freshness,
    catalogue_key,
    catalogue_to_json,
)
from lambdas.core.errors import BadInput, ObjectMissing, RunErrorKind
from lambdas.core.freshness.attainment import AttainmentState, Day
from lambdas.core.freshness.watch import Watch
from lambdas.core.incidents.incident import Incident, advance
from lambdas.core.incidents.quality import quality_verdict
from lambdas.core.names import MONITOR, pulls_queue_name, state_table_name
from lambdas.core.pull.run import CursorPosition, DatasetState, Run, RunError, RunStatus
from lambdas.core.quality.result import CheckedLoad, DatasetChecks, QualityResult
from lambdas.core.slack.mentions import UserGroups
from tests.aws import a_state_table
from tests.datasets import a_dataset
from tests.unit.cli.files import folders
from tests.watched import a_verdict

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
ENVIRONMENT = """\
account: "123456789012"
region: eu-central-1
snowflake:
  account: example
  database: CATS
  warehouse: CATS
  admin: {user: ADMIN, role: ADMIN}
  reader: {user: READER, role: READER}
teams: {data-eng: {}}
check_every_minutes: 5
"""


@dataclass(frozen=True, kw_only=True)
class House:
    """A state table in AWS, and a shell beside it."""

    state: IncidentTable
    runs: StateTable
    checks: CheckTable
    options: list[str]
    capsys: pytest.CaptureFixture[str]

    def __call__(self, *arguments: str) -> tuple[int, str]:
        reads_the_project = arguments[0] != "incidents"
        options = self.options if reads_the_project else self.options[-2:]
        code = run([*arguments, *options])
        return code, self.capsys.readouterr().out

    def json(self, *arguments: str) -> tuple[int, Any]:
        code, out = self(*arguments, "--json")
        return code, json.loads(out)


@pytest.fixture
def house(
    aws: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> House:
    del aws
    monkeypatch.setenv("CATFLAP_NOW", NOW.isoformat())
    monkeypatch.setenv("LOGNAME", "mia")
    datasets, apis = folders(tmp_path)
    environments = tmp_path / "environments"
    environments.mkdir()
    (environments / "dev.yaml").write_text(ENVIRONMENT)
    # In the environment's region, which is not the shell's.
    table = state_table_name("dev")
    dynamodb = a_state_table(table)
    return House(
        state=IncidentTable(dynamodb=dynamodb, table=table),
        runs=StateTable(dynamodb=dynamodb, table=table),
        checks=CheckTable(dynamodb=dynamodb, table=table),
        options=[
            *("--datasets", str(datasets)),
            *("--apis", str(apis)),
            *("--environments", str(environments)),
        ],
        capsys=capsys,
    )


def a_watch(name: str = "cats", state: str = "pass", **more: object) -> Watch:
    fields: dict[str, object] = {
        "dataset": name,
        "checked_at": NOW - HOUR,
        "promise": "p",
        "state": state,
        "cause": None,
        "next_look_at": NOW + HOUR,
        "newest_at": NOW - 2 * HOUR,
        "newest_loaded_at": NOW - HOUR,
        "row_count": 7,
    }
    return Watch(**{**fields, **more})  # type: ignore[arg-type]  # fields by name


def an_incident(dataset: str = "cats", **changes: object) -> Incident:
    verdict = a_verdict("error", "pipe_stopped", dataset=dataset, **changes)
    incident = advance(None, verdict, now=NOW - HOUR).incident
    assert incident is not None
    return incident


def a_run(status: RunStatus, hour: int, **more: object) -> Run:
    fields: dict[str, object] = {
        "dataset": "cats",
        "run_id": f"20261123T{hour:02d}0500.000Z-0123456789ab",
        "status": status,
        "started_at": NOW.replace(hour=hour),
        "finished_at": NOW.replace(hour=hour, minute=1),
        "rows": 4,
        "size": 9,
        "objects": 1,
        "quarantined": 0,
        "pages": 1,
        "requests": 1,
        "retries": 0,
        "cursor_before": None,
        "cursor_after": "2026",
    }
    return Run(**{**fields, **more})  # type: ignore[arg-type]  # fields by name


def test_a_dataset_that_keeps_its_promise_is_well(house: House) -> None:
    house.state.remember([a_watch()])
    house.state.checked(NOW - timedelta(minutes=5))
    code, document = house.json("status")
    assert code == 0
    (cats,) = document["datasets"]
    assert cats == {
        "dataset": "cats",
        "state": "pass",
        "cause": None,
        "newest_at": "2026-11-23T07:00:00Z",
        "age_s": 7200.0,
        "checked_at": "2026-11-23T08:00:00Z",
        "paused": None,
        "next_deadline": "2026-11-23T10:00:00Z",
        "attainment": {"7d": None, "30d": None},
        "incident": None,
        "checks": {"failing": [], "unknown": [], "incident": None},
        "breaker": {"held": [], "waiting": [], "shown_until": None},
    }
    code, out = house("status")
    assert code == 0
    assert " 2 h " in out
    assert "last check: 5 min ago" in out


def test_the_newest_event_is_not_older_than_the_last_load(house: House) -> None:
    house.state.remember([a_watch()])
    fresh = house.runs.read("cats")
    pulled = dataclasses.replace(
        fresh, cursor=CursorPosition(value=(NOW - HOUR).isoformat())
    )
    run = a_run(RunStatus.COMMITTING, 8, objects=1)
    committing = house.runs.record_committing(fresh, run)
    landed = dataclasses.replace(run, status=RunStatus.LANDED, newest_key="raw/cats/x")
    house.runs.record_landed(
        committing,
        dataclasses.replace(pulled, version=committing.version),
        landed,
    )

    def newest() -> str:
        (cats,) = house.json("status")[1]["datasets"]
        return str(cats["newest_at"])

    assert newest() == "2026-11-23T07:00:00Z"
    loads = LoadTable(dynamodb=house.runs._dynamodb, table=state_table_name("dev"))
    for waiting in loads.landed():
        loads.settle(waiting, ())
    assert newest() == "2026-11-23T08:00:00Z"


def test_rows_are_those_of_the_relation_and_only_asked_for_on_request(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = {"CATS.ANALYTICS.CATS": 3}

    def query(_: object, statement: str) -> list[tuple[int]]:
        asked.append(statement)
        relation = statement.rpartition(" ")[2]
        if relation not in counts:
            raise ObjectMissing(f"{relation} does not exist")
        return [(counts[relation],)]

    asked: list[str] = []
    monkeypatch.setattr(SnowflakeWarehouse, "query", query)
    # set by the command if nobody has, as here; put back with the others
    monkeypatch.setenv("AWS_REGION", "")
    monkeypatch.delenv("AWS_REGION")
    house.state.remember([a_watch(), a_watch("dogs")])
    house.state.checked(NOW)
    house.json("status")
    assert asked == []
    _, document = house.json("status", "--rows")
    assert [one["rows"] for one in document["datasets"]] == [3, None]
    assert "not known" in house("status", "--rows")[1]


@pytest.mark.parametrize("state", ["warn", "error", "unknown"])
def test_one_that_is_not_well_is_told_by_the_exit_code(
    house: House, state: str
) -> None:
    house.state.remember([a_watch(), a_watch("dogs", state)])
    house.state.checked(NOW)
    code, document = house.json("status")
    assert code == 1
    assert [one["state"] for one in document["datasets"]] == ["pass", state]


def test_the_open_incident_stands_beside_its_dataset(house: House) -> None:
    incident = an_incident()
    watch = a_watch(state="error", incident_id=incident.incident_id)
    house.state.record(None, incident, notices=(), watch=watch)
    house.state.checked(NOW)
    _, document = house.json("status")
    shown = document["datasets"][0]["incident"]
    assert (shown["incident_id"], shown["cause"]) == (
        incident.incident_id, "pipe_stopped",
    )  # fmt: skip
    assert incident.incident_id in house("status")[1]


def test_checks_that_have_stopped_make_nothing_well(house: House) -> None:
    house.state.remember([a_watch()])
    house.state.checked(NOW - timedelta(minutes=16))
    code, document = house.json("status")
    assert (code, document["monitor_late"]) == (1, True)
    assert "checks have stopped" in house("status")[1]


def test_the_monitors_own_incident_makes_nothing_well(house: House) -> None:
    house.state.remember([a_watch()])
    house.state.checked(NOW)
    house.state.record(None, an_incident(MONITOR), notices=(), watch=None)
    code, document = house.json("status")
    assert code == 1
    assert document["monitor_incident"]["cause"] == "pipe_stopped"


def test_a_dataset_that_is_declared_and_was_never_looked_at_is_unknown(
    house: House,
) -> None:
    house.state.checked(NOW)
    code, document = house.json("status")
    assert (code, document["datasets"][0]["state"]) == (1, "unknown")
    assert "not checked yet" in house("status")[1]


@pytest.mark.parametrize(("minutes_ago", "waits"), [(0.5, True), (2, False)])
def test_a_pull_says_until_when_it_waits_behind_one_that_failed(
    house: House, minutes_ago: float, *, waits: bool
) -> None:
    boto3.client("sqs", region_name="eu-central-1").create_queue(
        QueueName=pulls_queue_name("dev"), Attributes={"FifoQueue": "true"}
    )
    failed = a_run(
        RunStatus.FAILED,
        8,
        finished_at=NOW - timedelta(minutes=minutes_ago),
        error=RunError(kind=RunErrorKind.HTTP, message="refuses connections"),
    )
    house.runs.record_started(failed)
    assert run(["pull", "cats", "--env", "dev", "--no-wait", *house.options]) == 0
    out, err = house.capsys.readouterr()
    assert "the pull is queued" in out
    assert ("is tried again at 2026-11-23 09:00Z, in 30 s" in err) == waits


def test_runs_are_told_in_the_words_of_a_pull(house: House) -> None:
    error = RunError(kind=RunErrorKind.AUTH, message="401 from \x1b[31mthe API")
    for status, hour in ((RunStatus.LANDED, 5), (RunStatus.VOIDED, 6)):
        house.runs.record_started(a_run(status, hour))
    house.runs.record_failed(a_run(RunStatus.FAILED, 7, error=error))
    house.runs.record_committing(
        DatasetState(dataset="cats"), a_run(RunStatus.COMMITTING, 8)
    )
    code, document = house.json("runs", "cats")
    assert code == 0
    assert [one["status"] for one in document["runs"]] == [
        "committing", "failed", "failed", "succeeded",
    ]  # fmt: skip
    assert document["runs"][1]["error"]["kind"] == "auth"
    assert document["committing"] == a_run(RunStatus.COMMITTING, 8).run_id
    code, out = house("runs", "cats", "--limit", "2")
    assert out.count("20261123T") == 2 + 1
    assert "\x1b" not in out


def test_a_killed_run_has_failed_though_nobody_could_write_it_down(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The alarm of the dead letters sends people here."""
    monkeypatch.setenv("CATFLAP_NOW", "2026-11-23T07:10:00+00:00")
    for hour in (5, 6, 7):
        house.runs.record_started(a_run(RunStatus.RUNNING, hour))
    code, document = house.json("runs", "cats")
    assert code == 0
    assert [one["status"] for one in document["runs"]] == [
        "running",
        "failed",
        "failed",
    ]
    assert {one["error"]["kind"] for one in document["runs"][1:]} == {"internal"}
    monkeypatch.setenv("CATFLAP_NOW", "2026-11-23T07:20:00+00:00")
    assert house.json("runs", "cats")[1]["runs"][0]["status"] == "failed"
    assert "killed" in house("runs", "cats")[1]


def test_a_dataset_without_runs_has_none_yet(house: House) -> None:
    assert house.json("runs", "cats")[1]["runs"] == []
    assert "no run yet" in house("runs", "cats")[1]


def test_open_incidents_come_first_and_a_limit_counts_the_rest(house: House) -> None:
    first = an_incident()
    house.state.record(None, first, notices=(), watch=None)
    over = an_incident("dogs")
    house.state.record(None, over, notices=(), watch=None)
    closed = advance(over, a_verdict("pass", None), now=NOW).incident
    assert closed is not None
    house.state.record(over, closed, notices=(), watch=None)
    _, document = house.json("incidents")
    assert [one["open"] for one in document["incidents"]] == [True, False]
    assert "and 1 more" in house("incidents", "--limit", "1")[1]


def test_somebody_who_was_faster_is_not_overwritten(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    incident = an_incident()
    house.state.record(None, incident, notices=(), watch=None)
    record = IncidentTable.record

    def overtaken(self: IncidentTable, *args: Any, **kwargs: Any) -> None:
        monkeypatch.setattr(IncidentTable, "record", record)
        assert run(["incident", "cats", "--note", "first", *house.options]) == 0
        record(self, *args, **kwargs)

    monkeypatch.setattr(IncidentTable, "record", overtaken)
    code, shown = house("incident", incident.incident_id, "--note", "second")
    assert code == 0
    kept = house.state.incident(incident.incident_id)
    assert kept is not None
    assert (kept.human.note, kept.version) == ("first\nsecond", 3)
    assert "second" in shown


def test_the_runbook_is_a_link_where_the_environment_says_where_it_is(
    house: House,
) -> None:
    house.state.record(None, an_incident(), notices=(), watch=None)
    with (Path(house.options[-1]) / "dev.yaml").open("a") as file:
        file.write('runbook_url: "https://wiki.example.com/{cause}"\n')
    _, out = house("incident", "cats")
    assert re.search(r"cause +(\w+): https://wiki\.example\.com/\1\n", out)


def test_what_a_person_adds_is_shown(house: House) -> None:
    house.state.record(None, an_incident(), notices=(), watch=None)
    code, out = house("incident", "cats", "--ack", "--eta", "2026-11-23T14:00:00+02:00")
    assert code == 0
    assert "acknowledged by mia at 2026-11-23 09:00Z" in out
    assert "due    2026-11-23 12:00Z" in out
    (notice,) = house.state.check_state().waiting
    assert (notice.audience.value, notice.channel) == ("stakeholders", "sns")


@pytest.mark.parametrize(
    "eta", ["tomorrow", "2026-11-23T14:00:00", "2026-11-23T08:00:00Z"]
)
def test_a_time_that_is_none_is_refused(house: House, eta: str) -> None:
    house.state.record(None, an_incident(), notices=(), watch=None)
    assert house("incident", "cats", "--eta", eta)[0] == 2
    assert list(house.state.check_state().waiting) == []


def test_the_shell_may_say_who_asks_snowflake(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(house.options[-1])
    assert deployed("dev", environments=folder).settings.snowflake_user == "READER"
    monkeypatch.setenv("SNOWFLAKE_USER", "MIA")
    monkeypatch.setenv("SNOWFLAKE_AUTHENTICATOR", "externalbrowser")
    known = deployed("dev", environments=folder).settings
    assert (known.snowflake_user, known.snowflake_role) == ("MIA", "READER")
    assert known.snowflake_authenticator == "externalbrowser"
    monkeypatch.setenv("SNOWFLAKE_AUTHENTICATOR", "password")
    with pytest.raises(BadInput, match="SNOWFLAKE_AUTHENTICATOR"):
        deployed("dev", environments=folder)


def test_times_and_columns_are_for_people() -> None:
    assert age(NOW - timedelta(minutes=3), NOW) == "3 min"
    assert age(NOW - timedelta(hours=50), NOW) == "2 days 2 h"
    assert age(NOW + timedelta(minutes=3), NOW) == "0 s"
    assert (age(None, NOW), when(None)) == ("-", "-")
    assert columns(("a", "bc"), [("\x1b[31m", "d")]).split("\n") == [
        "a           bc",
        "\\u001b[31m  d",
    ]
    assert moment("--eta", "2026-11-23T11:00:00+02:00") == NOW


def a_tally(**changes: object) -> AttainmentState:
    fields: dict[str, object] = {
        "since": NOW - timedelta(days=60),
        "until": NOW,
        "was_late": False,
        "due_share": 1.0,
        "today": Day(day="2026-11-23", ages=((3600, 900),)),
        "days": (Day(day="2026-11-20", warn_s=10_800, error_s=4_320),),
    }
    return AttainmentState(**(fields | changes))  # type: ignore[arg-type]  # fields by name


def test_an_incident_of_a_dataset_that_was_removed_is_shown_and_closed(
    house: House,
) -> None:
    house.state.record(None, an_incident("gone"), notices=(), watch=None)
    code, out = house("incident", "gone", "--note", "it moved", "--resolve", "--yes")
    assert (code, "it moved" in out) == (0, True)
    kept = house.state.incident(an_incident("gone").incident_id)
    assert kept is not None
    assert kept.ended_by == "closed"


def over(incident: Incident, minutes: int) -> Incident:
    return dataclasses.replace(
        incident,
        version=2,
        late_since=NOW - timedelta(days=3),
        resolved_at=NOW - timedelta(days=3) + timedelta(minutes=minutes),
    )


def test_status_says_how_the_promise_was_kept(house: House) -> None:
    house.state.remember([a_watch(tally=a_tally()), a_watch("dogs")])
    house.state.checked(NOW)
    code, found = house.json("status")
    cats, dogs = found["datasets"]
    assert code == 0
    assert cats["attainment"] == {"7d": 0.975, "30d": 0.99417}
    assert dogs["attainment"] == {"7d": None, "30d": None}
    _, text = house("status")
    assert "99.41 %" in text


def test_history_tells_days_incidents_and_causes(house: House) -> None:
    bad = Day(day="2026-11-20", warn_s=10_800, error_s=4_320, ages=((60, 7),))
    house.state.remember([a_watch(tally=a_tally(over=(bad,)))])
    for number, minutes in enumerate((30, 40, 90)):
        opened = dataclasses.replace(
            an_incident(), incident_id=f"cats-2026112{number}T000000Z"
        )
        house.state.record(None, opened, notices=(), watch=None)
        house.state.record(opened, over(opened, minutes), notices=(), watch=None)
    house.state.record(None, an_incident("cats_too"), notices=(), watch=None)
    code, found = house.json("history", "cats")
    assert code == 0
    assert [day["day"] for day in found["days"]] == ["2026-11-20", "2026-11-23"]
    assert found["days"][0]["error_minutes"] == 72
    assert found["usual"] == {
        "times": 3, "days": 30, "minutes": 40, "cause": "pipe_stopped",
    }  # fmt: skip
    assert found["attainment"]["30d"]["error_budget_left"] == 0.8333
    assert found["causes"] == [{"cause": "pipe_stopped", "times": 3}]
    assert len(found["incidents"]) == 3
    _, text = house("history", "cats")
    assert "late 3 times in the last 30 days, usually for 40 min" in text


def test_history_without_a_name_ranks_the_causes_of_all(house: House) -> None:
    house.state.record(None, an_incident("cats"), notices=(), watch=None)
    house.state.record(None, an_incident("dogs"), notices=(), watch=None)
    quiet = an_incident("ants")
    quiet = dataclasses.replace(quiet, cause="upstream_quiet")
    house.state.record(None, quiet, notices=(), watch=None)
    _, found = house.json("history")
    ranked = [(one["cause"], one["times"], one["datasets"]) for one in found["causes"]]
    assert ranked == [
        ("pipe_stopped", 2, ["cats", "dogs"]),
        ("upstream_quiet", 1, ["ants"]),
    ]
    assert (found["days"], found["total"]["incidents"]) == (90, 3)
    _, text = house("history")
    assert "Comes back, and has no fix:\n- pipe_stopped: 2 incidents" in text
    _, text = house("history", "--days", "1")
    assert "no incident" not in text


def test_history_of_an_unknown_dataset_is_bad_input(house: House) -> None:
    assert house("history", "nobody")[0] == 2


def test_what_is_late_is_not_closed_without_a_second_thought(house: House) -> None:
    house.state.record(None, an_incident(), notices=(), watch=None)
    code, _ = house("incident", "cats", "--resolve")
    assert code == 2
    assert house.state.open_incident("cats") is not None
    code, closed = house.json("incident", "cats", "--resolve", "--yes")
    assert (code, closed["ended_by"], closed["open"]) == (0, "closed", False)
    assert closed["causes"] == [{"code": "pipe_stopped", "seconds": 3600}]
    kinds = {one["kind"] for one in closed["notices"]}
    assert kinds == {"resolved"}


def test_an_incident_is_snoozed_and_promised_in_plain_times(house: House) -> None:
    house.state.record(None, an_incident(), notices=(), watch=None)
    plain = ("--snooze", "2h", "--eta", "tomorrow 09:00")
    _, shown = house.json("incident", "cats", *plain)
    assert shown["snoozed_until"] == "2026-11-23T11:00:00+00:00"
    assert shown["promised_for"] == "2026-11-24T09:00:00+00:00"


@pytest.mark.parametrize(
    ("watch", "incident", "state"),
    [
        ({}, None, "pass"),
        ({"is_promised": False}, None, "no promise"),
        ({}, {"state": "pass", "kind": "at_risk"}, "at risk"),
        ({}, {}, "error"),
        ({"state": "unknown"}, None, "unknown"),
    ],
)
def test_nothing_passes_beside_an_open_incident_of_its_own(
    house: House,
    watch: dict[str, object],
    incident: dict[str, object] | None,
    state: str,
) -> None:
    incident_id = None
    if incident is not None:
        opened = dataclasses.replace(an_incident(), **incident)  # type: ignore[arg-type]  # fields by name
        incident_id = opened.incident_id
        house.state.record(None, opened, notices=(), watch=None)
    house.state.remember([a_watch(**{**watch, "incident_id": incident_id})])  # type: ignore[arg-type]  # fields by name
    house.state.checked(NOW)
    _, shown = house.json("status")
    (row,) = [one for one in shown["datasets"] if one["dataset"] == "cats"]
    assert row["state"] == state


def test_the_page_shows_what_is_late_and_names_what_is_not_on_it(
    house: House, tmp_path: Path
) -> None:
    (Path(house.options[1]) / "dogs.yaml").write_text("nonsense: 1\n")
    incident = an_incident()
    watch = a_watch(state="error", incident_id=incident.incident_id)
    house.state.record(None, incident, notices=[], watch=watch)
    house.runs.record_started(a_run(RunStatus.RUNNING, 8))
    house.state.checked(NOW - timedelta(minutes=5))
    file = tmp_path / "page.html"
    code, out = house("page", "--to", str(file))
    assert code == 0
    assert "dogs is not on it: its file has faults" in out
    html = file.read_text()
    assert '<h1 id="headline" class="bad">cats is late</h1>' in html
    assert incident.incident_id in html
    assert "Simulated" not in html


def test_a_page_that_cannot_be_written_is_bad_input(
    house: House, tmp_path: Path
) -> None:
    code, _ = house("page", "--to", str(tmp_path / "no" / "page.html"))
    assert code == 2


def test_a_link_is_given_to_the_page_that_is_there(
    house: House, aws: None, capsys: pytest.CaptureFixture[str]
) -> None:
    del aws
    settings = deployed("dev", environments=Path(house.options[-1])).settings
    s3 = boto3.client("s3", region_name="eu-central-1")
    s3.create_bucket(
        Bucket=settings.landing_bucket,
        CreateBucketConfiguration={"LocationConstraint": "eu-central-1"},
    )
    assert run(["page", "--link", *house.options]) == 3
    assert "writes one every 15 minutes" in capsys.readouterr().err
    kept = PageObject(s3=s3, bucket=settings.landing_bucket)
    kept.put("<!doctype html>", made_at=NOW - timedelta(minutes=4))
    code, out = house("page", "--link")
    assert code == 0
    assert f"{settings.landing_bucket}" in out
    assert "pages/status.html" in out
    assert "X-Amz-Expires=3600" in out or "Expires=" in out


def test_the_page_is_either_written_or_linked_to(house: House) -> None:
    assert house("page")[0] == 2
    assert house("page", "--link", "--to", "page.html")[0] == 2


def test_a_silence_is_begun_listed_and_ended(house: House) -> None:
    env = house.options[-2:]

    def silence(*arguments: str) -> tuple[int, Any]:
        code = run(["silence", *arguments, *env, "--env", "dev", "--json"])
        return code, json.loads(house.capsys.readouterr().out or "null")

    code, begun = silence(
        "--dataset", "cats", "--until", "2h", "--why", "an <!channel> upgrade"
    )
    (one,) = begun["silences"]
    assert (code, one["dataset"], one["holds_until"]) == (
        0,
        "cats",
        (NOW + 2 * HOUR).isoformat(),
    )
    kept = house.state.check_state().silences[0]
    assert (kept.why, kept.members) == ("an <!channel> upgrade", ())
    (shown,) = house.json("status")[1]["silences"]
    assert shown["of"] == "dataset cats"
    assert "silenced until" in house("status")[1]
    assert silence("--end", one["silence_id"]) == (0, {"silences": []})
    for wrong in (
        ["--until", "2h", "--why", "of nothing"],
        ["--dataset", "cats", "--until", "2h"],
        ["--end", "s9"],
        ["--cause", "gremlins", "--until", "2h", "--why", "x"],
    ):
        assert silence(*wrong)[0] == 2


def test_a_silence_knows_what_was_late_when_it_began(house: House) -> None:
    options = ["silence", "--team", "data-eng", "--until", "2h", "--why", "x"]
    house.state.record(None, an_incident(), notices=(), watch=None)
    watch = a_watch(state="error", incident_id=an_incident().incident_id)
    house.state.remember([watch, a_watch("dogs")])
    settings = deployed("dev", environments=Path(house.options[-1])).settings
    s3 = boto3.client("s3", region_name="eu-central-1")
    s3.create_bucket(
        Bucket=settings.landing_bucket,
        CreateBucketConfiguration={"LocationConstraint": "eu-central-1"},
    )
    datasets = {
        name: a_dataset(name=name, owner={"team": "data-eng"})
        for name in ("cats", "dogs")
    }
    s3.put_object(
        Bucket=settings.landing_bucket,
        Key=catalogue_key(),
        Body=catalogue_to_json(Catalogue(datasets=datasets)),
    )
    assert run([*options, *house.options[-2:]]) == 0
    (begun,) = house.state.check_state().silences
    assert begun.members == ("cats",)


def test_slacks_manifest_has_the_address_that_the_deploy_gave(house: House) -> None:
    assert house("slack-manifest")[0] == 2  # no Slack is declared
    folder = Path(house.options[house.options.index("--environments") + 1])
    (folder / "dev.yaml").write_text(ENVIRONMENT + "slack: {secret: catflap/slack}\n")
    assert house("slack-manifest")[0] == 2  # not deployed yet
    output = {"SlackUrl": {"Value": "https://abc.lambda-url.eu-central-1.on.aws/"}}
    topic = {"T": {"Type": "AWS::SNS::Topic"}}
    boto3.client("cloudformation", region_name="eu-central-1").create_stack(
        StackName="catflap-dev-people",
        TemplateBody=json.dumps({"Resources": topic, "Outputs": output}),
    )
    code, out = house("slack-manifest")
    assert code == 0
    assert "https://api.slack.com/apps?new_app=1&manifest_json=" in out
    code, document = house.json("slack-manifest")
    assert (code, document["settings"]["interactivity"]["request_url"]) == (
        0,
        output["SlackUrl"]["Value"],
    )


def test_check_tells_whom_a_page_would_not_mention(house: House) -> None:
    environments = Path(house.options[-1])
    (environments / "dev.yaml").write_text(f"{ENVIRONMENT}slack: {{secret: slack}}\n")
    cats = Path(house.options[1]) / "cats.yaml"
    written = cats.read_text()
    owned = re.sub(
        r"^owner: .*$",
        'owner: {team: data-eng, mention: "@duty @typo"}',
        written,
        flags=re.MULTILINE,
    )
    assert owned != written
    cats.write_text(owned)

    def warnings() -> list[str]:
        code, found = house.json("check", "--env", "dev")
        assert code == 0
        return [one["message"] for one in found["warnings"] if one["key"] == "slack"]

    table = state_table_name("dev")
    groups = UserGroupTable(
        dynamodb=boto3.client("dynamodb", region_name="eu-central-1"), table=table
    )
    assert warnings() == []
    groups.keep(UserGroups(asked_at=NOW, ids={"duty": "S1"}, unknown=("typo",)))
    (said,) = warnings()
    assert said.startswith("@typo, in `owner.mention` of cats, is not a")
    groups.keep(UserGroups(asked_at=NOW, fault="the app lacks a scope"))
    assert warnings()[0].endswith("2026-11-23 09:00 UTC: the app lacks a scope")


def test_a_report_is_an_incident_that_says_how_things_stood(house: House) -> None:
    code, incident = house.json("report", "cats", "no cats since noon")
    assert (code, incident["kind"], incident["state"]) == (0, "report", "unknown")
    assert incident["headline"].endswith("reports: no cats since noon")
    assert incident["evidence"] == ["no check has seen it yet"]
    kinds = {one.kind for one in house.state.check_state().waiting}
    assert kinds == {"reported"}
    watch = house.state.watch("cats")
    assert watch is None or watch.incident_id == incident["incident_id"]
    assert house("report", "cats", " ")[0] == 2
    assert house("report", "catz", "what?")[0] == 2


RUN = "20261123T070000.000Z-0123456789ab"


def keep_checks(house: House) -> Incident:
    """One check that fails, another that could not run, and the incident of it."""
    failed, odd = (
        QualityResult(
            check=name,
            metric="nullValues",
            column="name",
            severity="error",
            state=state,  # type: ignore[arg-type]  # literals, below
            value=value,
            must="0",
            at=NOW,
            run_id=RUN,
            reason=reason,
        ).after(None)
        for name, state, value, reason in (
            ("nulls", "fail", 3.0, None),
            ("odd", "error", None, "no such column"),
        )
    )
    verdict = quality_verdict(
        "cats",
        [failed],
        promise=Freshness(),
        environment="dev",
        file="datasets/cats.yaml",
        held=[RUN],
    )
    incident = advance(None, verdict, now=NOW).incident
    assert incident is not None
    house.state.record(None, incident, notices=(), watch=None)
    house.checks.keep(
        DatasetChecks(
            dataset="cats",
            checked_at=datetime.now(UTC),
            loaded_at=NOW,
            run_id=RUN,
            results=(failed, odd),
            samples={"nulls": [{"ID": 4711}]},
        )
    )
    house.checks.remember(
        CheckedLoad(
            dataset="cats",
            checked_at=NOW,
            run_id=RUN,
            loaded_at=NOW,
            rules="",
            failing=("nulls",),
            unknown=("odd",),
            incident_id=incident.incident_id,
            held=(RUN,),
            shown_until=NOW,
        )
    )
    return incident


def test_checks_show_values_history_and_bad_rows(house: House) -> None:
    keep_checks(house)
    code, document = house.json("checks", "cats")
    assert code == 1
    nulls, odd = document["checks"]
    assert (nulls["state"], nulls["value"], nulls["must"]) == ("fail", 3, "0")
    assert nulls["sample"] == [{"ID": 4711}]
    assert [one["state"] for one in nulls["history"]] == ["fail"]
    assert (odd["state"], odd["value"]) == ("error", None)

    _, text = house("checks", "cats")
    assert "4711" in text
    assert "odd: no such column" in text
    assert "4711" not in house("checks")[1]


def test_status_names_failing_checks_and_nothing_passes_beside_them(
    house: House,
) -> None:
    house.state.remember([a_watch()])
    house.state.checked(NOW - timedelta(minutes=5))
    incident = keep_checks(house)

    code, document = house.json("status")
    (cats,) = document["datasets"]
    assert (code, cats["state"]) == (1, "error")
    assert cats["checks"]["failing"] == ["nulls"]
    assert cats["checks"]["incident"]["incident_id"] == incident.incident_id
    text = house("status")[1]
    assert "cats: failing checks: nulls" in text
    assert f"held back: {RUN}; `catflap incident cats --release {RUN} --env" in text
    assert "cats: shows data up to 2" in text
    assert cats["breaker"] == {
        "held": [RUN],
        "waiting": [],
        "shown_until": iso(NOW),
    }


def test_a_run_that_is_held_back_is_shown_by_a_person(house: House) -> None:
    incident = keep_checks(house)
    code, document = house.json("incident", "cats", "--release", RUN)
    assert code == 0
    assert (document["incident_id"], document["kind"]) == (
        incident.incident_id,
        "quality",
    )
    (wanted,) = house.checks.releases("cats")
    assert (wanted.run_id, wanted.by) == (RUN, "mia")

    assert house("incident", "cats", "--release", "another")[0] == 2
    assert len(house.checks.releases("cats")) == 1
