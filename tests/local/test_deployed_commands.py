"""The commands about a deployed stack, asked of the embedded one as a person would."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.local.embedded_world import World
from tests.local.shell import Shell


def by_name(document: dict[str, Any]) -> dict[str, Any]:
    return {one["dataset"]: one for one in document["datasets"]}


def live(world: World, *, hours: int) -> None:
    """Let time pass with a check every half hour, as the environment has it."""
    for _ in range(2 * hours):
        world.advance(timedelta(minutes=30))
        world.check()


def messages(world: World) -> list[str]:
    """The subjects of all that was told since the last look."""
    return [mail.subject for mail in world.stack.topics.read()]


# The tests below are one story, in their order: a stack's first day.


def test_before_the_first_check_nothing_is_known(shell: Shell) -> None:
    code, document = shell.json("status")
    assert code == 1
    assert {name: one["state"] for name, one in by_name(document).items()} == {
        "flights": "unknown",
        "weather": "unknown",
    }
    assert document["last_check_at"] is None
    assert document["monitor_late"] is True


def test_the_first_check_after_a_deploy_tells_nobody_anything(shell: Shell) -> None:
    world = shell.world
    answer = world.check()
    assert (answer["suspects"], answer["unknown"], answer["notices"]) == (0, 0, 0)
    assert messages(world) == []
    code, document = shell.json("status")
    assert code == 0
    flights = by_name(document)["flights"]
    assert (flights["state"], flights["newest_at"]) == ("pass", None)
    assert flights["next_deadline"] > document["now"]
    _, out, _ = shell("status")
    assert "waiting for its first rows" in out


def test_a_dataset_without_rows_is_diagnosed_as_waiting(shell: Shell) -> None:
    code, document = shell.json("diagnose", "flights")
    assert (code, document["verdict"]["state"]) == (0, "pass")
    assert document["signals"]["table"]["row_count"] == 0
    # Its schedule was made minutes ago: no tick was missed.
    assert document["signals"]["pull"]["last_due_at"] is None
    assert document["signals"]["pull"]["schedule_enabled"] is True


def test_the_first_look_asks_each_role_and_keeps_what_is_refused(
    shell: Shell,
) -> None:
    code, out, _ = shell("first-look")
    assert code == 0
    told = json.loads(out)
    refused = [one for one in told if "error" in one]
    # what stands may be made again by whoever could make it, as far as is known
    assert [(one["role"], one["statement"][:12]) for one in refused] == [
        ("CATFLAP_DEV_REPAIRER", "CREATE TABLE")
    ]
    assert {one["role"] for one in told} == {
        "CATFLAP_DEV_ADMIN", "CATFLAP_DEV_READER", "CATFLAP_DEV_REPAIRER"
    }  # fmt: skip
    assert all(one["seconds"] >= 0 for one in told)


def test_after_some_pulls_all_is_well_and_the_runs_are_there(shell: Shell) -> None:
    world = shell.world
    live(world, hours=3)
    assert messages(world) == []
    code, document = shell.json("status")
    assert code == 0
    flights = by_name(document)["flights"]
    assert flights["incident"] is None
    assert flights["newest_at"].startswith("2013-01-01T")
    assert 0 < flights["age_s"] < 4 * 3600

    code, history = shell.json("runs", "flights")
    assert code == 0
    assert [one["status"] for one in history["runs"]] == ["succeeded"] * 3
    assert sum(one["rows"] for one in history["runs"]) == len(
        world.upstream.tables["flights"].released()
    )
    code, out, _ = shell("runs", "flights", "--limit", "1")
    assert code == 0
    assert out.count("succeeded") == 1

    assert shell.json("incidents") == (0, {"incidents": []})


def test_a_dataset_that_is_well_is_diagnosed_in_words(shell: Shell) -> None:
    code, out, _ = shell("diagnose", "flights")
    assert code == 0
    assert "flights is on time" in out
    assert "succeeded" in out


def test_signals_of_a_dataset_are_what_the_decision_alone_takes(
    shell: Shell, tmp_path: Path
) -> None:
    _, document = shell.json("diagnose", "flights")
    signals = document["signals"]
    assert signals["upstream"]["probe"] == "ok"
    assert signals["landing"]["empty"] is False
    assert signals["load"]["status"] == "Loaded"
    assert signals["pipe"]["state"] == "RUNNING"
    file = tmp_path / "signals.json"
    file.write_text(json.dumps(signals))
    code, out, _ = shell("diagnose", "--signals", str(file), "--json")
    assert code == 0
    assert json.loads(out) == document["verdict"]


def test_a_late_dataset_is_found_by_every_command(shell: Shell) -> None:
    world = shell.world
    world.stack.set_pipe_paused("flights", is_paused=True)
    live(world, hours=5)
    code, document = shell.json("status")
    assert code == 1
    flights = by_name(document)["flights"]
    assert flights["state"] in {"warn", "error"}
    incident_id = flights["incident"]["incident_id"]

    code, document = shell.json("diagnose", "flights")
    assert code == 1
    assert "pipe_stopped" in {
        document["verdict"]["cause"],
        *document["verdict"]["also"],
    }
    assert document["signals"]["pipe"]["state"] == "PAUSED"

    code, document = shell.json("incidents")
    assert code == 0
    (incident,) = document["incidents"]
    assert (incident["incident_id"], incident["open"]) == (incident_id, True)

    code, shown = shell.json("incident", incident_id)
    assert (code, shown) == (0, incident)
    # A dataset's name finds its open incident.
    assert shell.json("incident", "flights") == (0, incident)
    messages(world)


def test_what_a_person_promises_reaches_the_stakeholders(shell: Shell) -> None:
    world = shell.world
    eta = world.now + timedelta(hours=2)
    code, out, _ = shell(
        "incident", "flights", "--ack", "--eta", eta.isoformat(), "--note", "on it",
        "--cause", "pipe_stopped", "--fix", "https://example.com/1",
    )  # fmt: skip
    assert code == 0
    assert "The next check notifies stakeholders" in out
    assert messages(world) == []
    world.check()
    (subject,) = messages(world)
    assert subject.startswith("flights is late and expected by 2013-01-0")
    _, shown = shell.json("incident", "flights")
    human = shown["human"]
    assert human["promised_for"].startswith(f"{eta:%Y-%m-%dT%H:%M}")
    assert human["acknowledged_at"] is not None
    assert (human["note"], human["cause"], human["fix_url"]) == (
        "on it", "pipe_stopped", "https://example.com/1",
    )  # fmt: skip
    _, document = shell.json("status")
    assert by_name(document)["flights"]["incident"]["expected_at"].startswith("2013")


def test_a_closed_incident_is_told_and_opened_anew_while_it_is_still_late(
    shell: Shell,
) -> None:
    world = shell.world
    code, shown = shell.json(
        "incident", "flights", "--resolve", "--yes", "--note", "a drill"
    )
    assert (code, shown["open"]) == (0, False)
    assert shown["human"]["note"] == "on it\na drill"
    world.stack.set_pipe_paused("flights", is_paused=False)
    world.move(world.now + timedelta(minutes=1))
    world.fabric.drain(world.now)
    world.check()
    told = messages(world)
    assert any("was closed by" in subject for subject in told)
    code, document = shell.json("status")
    assert by_name(document)["flights"]["state"] == "pass"
    _, document = shell.json("incidents")
    assert [one["open"] for one in document["incidents"]] == [False]
    # What it really was can still be added; that somebody has it cannot.
    code, shown = shell.json("incident", shown["incident_id"], "--note", "done")
    assert (code, shown["human"]["note"][-4:]) == (0, "done")
    assert shell("incident", shown["incident_id"], "--ack")[0] == 2


FAULTS: list[tuple[list[str], int, str]] = [
    (["runs", "fligths"], 2, "the nearest name is `flights`"),
    (["diagnose", "fligths"], 2, "the nearest name is `flights`"),
    (["diagnose"], 2, "neither came"),
    (["diagnose", "flights", "--signals", "-"], 2, "both came"),
    (["incident", "nothing"], 2, "there is no incident 'nothing'"),
    (["status", "--env", "staging"], 2, "there is no environment `staging`"),
    (["status", "--env", "prod"], 3, "there is no table catflap-prod-state"),
]


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"), FAULTS, ids=[" ".join(one[0]) for one in FAULTS]
)
def test_what_cannot_be_answered_says_why(
    shell: Shell, arguments: list[str], code: int, sentence: str
) -> None:
    ended, out, err = shell(*arguments)
    assert (ended, out) == (code, "")
    assert sentence in err


def test_aws_that_does_not_answer_is_the_outside_that_failed(shell: Shell) -> None:
    shell.monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    shell.monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    code, out, err = shell("status")
    assert (code, out) == (3, "")
    assert "AWS was not reached" in err


def test_snowflake_that_does_not_let_us_in_is_unknown_never_late(shell: Shell) -> None:
    # The reader's user is bound to the function's role.
    shell.monkeypatch.setenv("SNOWFLAKE_USER", "CATFLAP_DEV_READER")
    code, document = shell.json("diagnose", "flights")
    assert code == 1
    assert document["verdict"]["state"] == "unknown"
    assert document["verdict"]["cause"] == "monitor_blind"


def test_access_follows_roles_to_their_users_and_tells_what_a_hand_granted(
    shell: Shell, tmp_path: Path
) -> None:
    code, before = shell.json("access", "flights")
    assert (code, before["not_seen"]) == (0, [])
    (flights,) = before["datasets"]
    readers = {one["name"] for one in flights["snowflake"] if "read" in one["can"]}
    assert shell.world.stack.project.environment.snowflake.reader.user in readers
    changers = {one["name"] for one in flights["aws"] if "change" in one["can"]}
    assert {one.rsplit("-", 1)[-1] for one in changers} >= {"freshness", "repair"}
    kept = tmp_path / "before.json"
    kept.write_text(json.dumps(before))
    database = shell.world.stack.project.environment.snowflake.database
    shell.world.stack.snowflake.administer(
        [
            "USE ROLE USERADMIN",
            "CREATE ROLE CURIOUS",
            "CREATE USER EVE",
            "GRANT ROLE CURIOUS TO USER EVE",
            "USE ROLE SYSADMIN",
            f"GRANT DATABASE ROLE {database}.ANALYTICS_READER TO ROLE CURIOUS",
        ]
    )
    _, after = shell.json("access", "flights", "--since", str(kept))
    granted = after["changes"]["flights"]["granted"]
    assert {(one["kind"], one["name"]) for one in granted} == {
        ("user", "EVE"),
        ("role", "CURIOUS"),
    }
    assert after["changes"]["flights"]["removed"] == []
    _, out, _ = shell("access", "flights", "--since", str(kept))
    assert "granted since: user EVE may read" in out
