"""Whatever AWS answers, a person reads a sentence and the next step."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.main import run
from tests.api_server import Answer, serving
from tests.unit.cli.files import folders
from tests.unit.cli.test_deployed import ENVIRONMENT

XML = b"""<?xml version="1.0" encoding="UTF-8"?>
<Error><Code>InvalidAccessKeyId</Code><Message>The AWS Access Key Id you provided does
not exist in our records.</Message><AWSAccessKeyId>AKIA</AWSAccessKeyId></Error>"""
COMMANDS = (
    ["status"], ["runs", "cats"], ["history"], ["incidents"], ["incident", "cats"],
    ["quarantine", "cats"], ["pull", "cats", "--env", "dev"],
)  # fmt: skip


def refused(code: str, message: str, status: int = 400) -> Answer:
    kind = {"__type": f"com.amazonaws.dynamodb#{code}", "message": message}
    return Answer(
        status=status,
        body=json.dumps(kind).encode(),
        headers={"Content-Type": "application/x-amz-json-1.0"},
    )


ANSWERS = {
    "an unknown key": (
        refused("UnrecognizedClientException", "The security token is invalid."),
        "credentials",
    ),
    "an expired one": (refused("ExpiredTokenException", "It has expired"), "expired"),
    "no permission": (
        refused("AccessDeniedException", "User: x is not authorized to perform: y"),
        "may not",
    ),
    "something else": (refused("ValidationException", "<b>odd</b>"), "refused"),
    "a document": (Answer(status=403, body=XML), ""),
    "a page that refuses": (Answer(status=403, body=b"<html>proxy</html>"), ""),
}


@pytest.fixture
def options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    datasets, apis = folders(tmp_path)
    environments = tmp_path / "environments"
    environments.mkdir()
    (environments / "dev.yaml").write_text(ENVIRONMENT)
    folder = ["--environments", str(environments)]
    return ["--datasets", str(datasets), "--apis", str(apis), *folder]


def said_of(
    command: list[str], options: list[str], capsys: pytest.CaptureFixture[str]
) -> str:
    given = options if command[0] != "incidents" else options[-2:]
    capsys.readouterr()
    assert run([*command, *given]) == 3
    out, err = capsys.readouterr()
    assert out == ""
    for sign in ("<", "Traceback", "unexpectedly"):
        assert sign not in err, err
    assert 1 <= len(err.splitlines()) <= 2
    return err


@pytest.mark.parametrize("answer", ANSWERS)
def test_what_aws_answers_is_a_sentence(
    answer: str,
    options: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given, word = ANSWERS[answer]
    with serving(lambda _: given) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.origin)
        for command in COMMANDS:
            err = said_of(command, options, capsys)
            if command[0] in ("status", "runs", "history", "incidents", "incident"):
                assert word in err


def test_without_credentials_the_next_step_is_to_sign_in(
    options: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    for command in COMMANDS:
        err = said_of(command, options, capsys)
        assert "set AWS_PROFILE, or sign in with `aws sso login`" in err


def test_where_nothing_answers_the_next_step_is_the_network(
    options: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    for command in COMMANDS:
        assert "check AWS_ENDPOINT_URL" in said_of(command, options, capsys)
