"""Drills: things broken for real, told as they are, and well again afterwards."""

from __future__ import annotations

import dataclasses
import gzip
import json
import re
import shlex
from collections.abc import Iterator
from datetime import timedelta

import pytest

from cli import main
from cli.one_machine.environment_secrets import variable_of
from local.drills.project import SECRETS
from local.drills.registry import drills
from local.drills.report import page
from local.drills.runner import Outcome, run
from local.drills.source import FIRST_TOKEN
from local.drills.stage import Stage
from local.scenarios.drill import HEALTHY
from local.stack import PERSON

QUICK = ("pipe_paused", "schedule_off", "grant_revoked", "wrong_column")
DEMANDED = frozenset(
    {
        "cursor_ahead", "credentials_rejected", "event_time_missing", "load_failed",
        "load_partial", "monitor_blind", "monitor_late", "monitor_misread",
        "name_reused", "not_forwarded", "not_notified", "notice_undelivered",
        "pipe_stopped", "pull_failed", "pull_not_run", "quota_exhausted",
        "response_changed", "rows_deleted", "schedule_disabled", "upstream_down",
        "upstream_quiet",
    }
)  # fmt: skip


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with Stage(tmp_path_factory.mktemp("drills")) as made:
        made.live(HEALTHY)
        assert made.told == []
        yield made


def printed_commands(outcome: Outcome) -> list[list[str]]:
    """The commands that the messages tell to type, as words."""
    text = "\n".join(one.mail.body for one in outcome.told)
    found = sorted(set(re.findall(r"`catflap ([^`]+)`", text)))
    return [shlex.split(" ".join(one.split())) for one in found]


@pytest.fixture
def at_the_terminal(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever reads the messages, in the folder of the project."""
    access_key, secret_key = stage.stack.cloud.administrator_keys()
    variables = {
        "AWS_ENDPOINT_URL": stage.stack.cloud.endpoint_url,
        "AWS_ACCESS_KEY_ID": access_key,
        "AWS_SECRET_ACCESS_KEY": secret_key,
        "AWS_REGION": stage.stack.cloud.region,
        "SNOWFLAKE_USER": PERSON,
        **stage.stack.snowflake.environment(),
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    for secret in SECRETS.values():
        monkeypatch.setenv(variable_of(secret, "token"), FIRST_TOKEN)
    monkeypatch.chdir(stage.project)


@pytest.mark.usefixtures("at_the_terminal")
@pytest.mark.parametrize("name", QUICK)
def test_what_is_broken_is_found_told_and_well_again(
    stage: Stage,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    (drill,) = (one for one in drills() if one.name == name)
    outcome = run(stage, drill)
    assert outcome.faults == ()
    assert outcome.noticed is not None
    assert outcome.noticed < timedelta(hours=3)
    assert drill.cause in {*outcome.found, *outcome.also}
    monkeypatch.setenv("CATFLAP_NOW", stage.now.isoformat())
    commands = printed_commands(outcome)
    assert commands
    for words in commands:
        # nobody lets the stage's time pass while a command waits
        added = ["--no-wait"] if words[0] == "pull" else []
        code = main.run([*words, *added])
        assert code in {0, 1}, (words, capfd.readouterr())


def test_a_drill_that_expects_another_cause_fails(stage: Stage) -> None:
    (quiet,) = (one for one in drills() if one.name == "api_quiet")
    mistaken = dataclasses.replace(
        quiet, cause="pipe_stopped", pages=True, lasts=timedelta()
    )
    outcome = run(stage, mistaken)
    assert "nobody was paged" in outcome.faults
    assert any("pipe_stopped was expected" in fault for fault in outcome.faults)


def test_every_cause_is_drilled() -> None:
    assert {one.cause for one in drills()} >= DEMANDED
    names = [one.name for one in drills()]
    assert len(names) == len(set(names))


def test_the_page_names_what_went_wrong() -> None:
    drill = drills()[0]
    outcome = Outcome(
        drill=drill,
        found=("unknown",),
        also=(),
        noticed=None,
        recovered=timedelta(minutes=70),
        told=(),
        faults=("nobody was paged",),
    )
    text = page([outcome])
    assert f"| {drill.name} |" in text
    assert "| never |" in text
    assert "1 h 10 min" in text
    assert "**not ok**" in text
    assert "- nothing" in text


def test_no_secret_stands_in_anything_that_was_written(stage: Stage) -> None:
    hidden = (FIRST_TOKEN, stage.stack.slack.webhook_url)
    assert stage.stack.slack.posts, "the webhook was never used"
    written = {
        "a message": "".join(
            f"{one.mail.subject}{one.mail.body}" for one in stage.told
        ),
        "a post to Slack": json.dumps(stage.stack.slack.posts),
        "the state": repr(_state(stage)),
        **_objects(stage),
        **{
            str(path): path.read_bytes().decode("latin-1")
            for path in stage._folder.rglob("*")
            if path.is_file()
        },
    }
    assert len(written["a message"]) > 1_000
    assert any("logs" in place and text for place, text in written.items())
    assert any(place.startswith("raw/") for place in written)
    assert not [
        place for place, text in written.items() if any(one in text for one in hidden)
    ]


def _state(stage: Stage) -> list[object]:
    pages = stage.client("dynamodb").get_paginator("scan")
    return [
        item
        for scanned in pages.paginate(TableName=stage.state_table)
        for item in scanned["Items"]
    ]


def _objects(stage: Stage) -> dict[str, str]:
    """The text of every object of the bucket, by its key."""
    s3, bucket = stage.client("s3"), stage.stack.bucket()
    texts = {}
    for listed in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for item in listed["Contents"]:
            body = s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].read()
            plain = gzip.decompress(body) if item["Key"].endswith(".gz") else body
            texts[item["Key"]] = plain.decode("latin-1")
    return texts
