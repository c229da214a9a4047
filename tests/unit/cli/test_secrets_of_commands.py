"""No command writes a secret: not where it prints, not where it lands or remembers."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

import pytest

from cli.main import run
from tests.api_server import Answer, App, Asked, answer_json, serving

SECRET = "CANARY/7f+3a b&c"
ISSUED = "CANARY-issued"
FORMS = (
    SECRET,
    quote(SECRET),
    quote(SECRET, safe=""),
    base64.b64encode(f"tom:{SECRET}".encode()).decode(),
    ISSUED,
    "CANARY",
)

AUTHS: dict[str, dict[str, object]] = {
    "bearer": {"type": "bearer", "token": "secret:c#k"},
    "header": {"type": "api_key", "name": "X-Key", "api_key": "secret:c#k"},
    "query": {
        "type": "api_key",
        "name": "k",
        "api_key": "secret:c#k",
        "location": "query",
    },
    "cookie": {
        "type": "api_key",
        "name": "k",
        "api_key": "secret:c#k",
        "location": "cookie",
    },
    "basic": {"type": "http_basic", "username": "tom", "password": "secret:c#k"},
    "oauth2": {
        "type": "oauth2_client_credentials",
        "access_token_url": "{origin}/token",
        "client_id": "tom",
        "client_secret": "secret:c#k",
        "access_token_request_data": {"scope": "secret:c#k"},
    },
}
PLACES: dict[str, tuple[dict[str, object], dict[str, object]]] = {
    **{name: ({"auth": auth}, {}) for name, auth in AUTHS.items()},
    "a header of the API": ({"headers": {"X-Key": "secret:c#k"}}, {}),
    "a header of the endpoint": ({}, {"headers": {"X-Key": "secret:c#k"}}),
    "a parameter": ({}, {"params": {"x": "secret:c#k"}}),
    "the body": ({}, {"method": "POST", "json": {"a": {"b": ["secret:c#k"]}}}),
}


def echoed(asked: Asked) -> str:
    """All that a server may say back of a request."""
    return f"{asked.query} {asked.headers} {asked.body.decode()} {SECRET} {ISSUED}"


def a_token(asked: Asked) -> Answer | None:
    if asked.path != "/token":
        return None
    return answer_json({"access_token": ISSUED, "expires_in": 60})


def good(asked: Asked) -> Answer:
    at = int(asked.query.get("p", 0))
    link = f"/cats?p={at + 1}&k={quote(SECRET)}&x={quote(SECRET)}" if at < 2 else None
    return answer_json({"rows": [{"id": at, "at": at}], "next": link})


ANSWERS: dict[str, App] = {
    "rows": good,
    "a refusal": lambda asked: Answer(status=401, body=echoed(asked).encode()),
    "trouble": lambda asked: Answer(status=500, body=echoed(asked).encode()),
    "a page": lambda asked: Answer(body=f"<p>{echoed(asked)}</p>".encode()),
    "an error": lambda asked: answer_json({"error": echoed(asked)}),
    "a redirect": lambda _: Answer(
        status=302, headers={"Location": f"https://evil.example/?q={quote(SECRET)}"}
    ),
    "a circle": lambda _: answer_json(
        {"rows": [{"id": 1, "at": 1}], "next": f"/cats?x={quote(SECRET)}"}
    ),
    "a cursor of no kind": lambda _: answer_json([{"id": 1, "at": {}}]),
    "a reset": lambda _: Answer(fault="reset"),
}


PULL = ["--debug", "pull", "cats", "--to", "land", "--state", "s.json"]


def written_below(folder: Path) -> str:
    """Every file, as text, names included."""
    return "".join(
        f"{path}\n{path.read_bytes().decode('latin-1')}"
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".gz"
    )


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, in which the commands run and know the secret."""
    monkeypatch.setenv("CATFLAP_SECRET_C_K", SECRET)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("answer", ANSWERS)
def test_no_command_writes_a_secret(
    place: str,
    answer: str,
    project: Path,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)

    def app(asked: Asked) -> Answer:
        return a_token(asked) or ANSWERS[answer](asked)

    with serving(app) as server:
        api, endpoint = PLACES[place]
        text = json.dumps(api).replace("{origin}", server.origin)
        _write_dataset(project, server.url, json.loads(text), endpoint)
        codes = [
            run(["--debug", "check"]),
            run(["--debug", "preview", "cats"]),
            run([*PULL, "--json"]),
            run(PULL),
        ]
        proof = "".join(map(echoed, server.asked)).replace(f"{SECRET} {ISSUED}", "")
    out, err = capfd.readouterr()
    said = out + err + caplog.text + written_below(project)
    assert codes[0] == 0
    assert codes[1:] == ([0, 0, 0] if answer == "rows" else [3, 3, 3])
    assert len(server.asked) >= 3
    assert any(form in proof for form in FORMS), "the secret was never sent"
    assert not [form for form in FORMS if form in said]


def _write_dataset(
    root: Path, url: str, api: Mapping[str, object], endpoint: Mapping[str, object]
) -> None:
    (root / "datasets").mkdir()
    client = {"base_url": url, "retry": {"max_attempts": 1}, "timeout": 5, **api}
    document = {
        "description": "cats",
        "owner": {"team": "t"},
        "source": {
            "client": client,
            "endpoint": {
                "path": "cats",
                "incremental": {"cursor_path": "at"},
                **endpoint,
            },
        },
        "schedule": {"rate": "1 day"},
    }
    (root / "datasets/cats.yaml").write_text(json.dumps(document))
