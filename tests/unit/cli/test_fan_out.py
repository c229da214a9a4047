"""Children on the command line: parents are pulled first, asked for in a preview, and
judged together by `check`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.main import run
from cli.one_machine import parents_first
from lambdas.adapters.environment import SystemClock
from tests.api_pull import PlannedClock
from tests.api_server import Answer, ApiServer, Asked, answer_json, serving
from tests.unit.cli.files import changed, folders

CARRIERS = ["UA", "AA", "DL"]
PARENT = """\
description: Every airline
owner: {team: data-eng}
source:
  client: api
  endpoint: {path: airlines, data_selector: rows}
primary_key: [carrier]
write_disposition: merge
schedule: {rate: 1 hour}
"""
CHILD = """\
description: The planes of each airline
owner: {team: data-eng}
source:
  client: api
  parent: {dataset: airlines, fields: {carrier: carrier}}
  endpoint: {path: "planes/{parent.carrier}", data_selector: rows}
primary_key: [id]
write_disposition: merge
schedule: {rate: 1 hour}
"""
GRANDCHILD = (
    CHILD.replace("airlines", "planes")
    .replace("carrier: carrier", "id: id")
    .replace("planes/{parent.carrier}", "seats/{parent.id}")
)


def app(asked: Asked) -> Answer:
    kind, _, rest = asked.path.lstrip("/").partition("/")
    if kind == "airlines":
        return answer_json({"rows": [{"carrier": one} for one in CARRIERS]})
    if kind == "planes":
        return answer_json({"rows": [{"id": f"{rest}{n}"} for n in range(2)]})
    return answer_json({"rows": [{"id": f"{rest}-{n}"} for n in range(2)]})


@pytest.fixture
def server() -> Iterator[ApiServer]:
    with serving(app) as running:
        yield running


def options(
    root: Path, server: ApiServer, datasets: dict[str, str] | None = None
) -> list[str]:
    written = datasets or {
        "airlines.yaml": PARENT, "planes.yaml": CHILD, "seats.yaml": GRANDCHILD,
    }  # fmt: skip
    api = f"base_url: {server.url}\nretry: {{max_attempts: 1}}\n"
    made = folders(root, datasets=written, apis={"api.yaml": api})
    return ["--datasets", str(made[0]), "--apis", str(made[1])]


def pull(
    name: str, tmp_path: Path, files: list[str], capfd: pytest.CaptureFixture[str]
) -> tuple[int, dict[str, object], str]:
    place = ["--to", f"file://{tmp_path}/landing", "--state", f"{tmp_path}/state.json"]
    capfd.readouterr()
    code = run(["pull", name, *place, "--json", *files])
    out, err = capfd.readouterr()
    return code, json.loads(out), err


def test_parents_that_never_landed_are_pulled_first_into_the_same_zone(
    tmp_path: Path, server: ApiServer, capfd: pytest.CaptureFixture[str]
) -> None:
    files = options(tmp_path, server)
    code, document, err = pull("seats", tmp_path, files, capfd)
    assert code == 0
    assert (document["dataset"], document["status"], document["rows"]) == (
        "seats", "succeeded", 12,
    )  # fmt: skip
    assert "airlines has never landed in file://" in err
    assert "planes has never landed in file://" in err
    assert err.index("airlines has") < err.index("planes has")
    asked = len(server.asked)
    assert asked == 1 + 3 + 6
    code, document, err = pull("seats", tmp_path, files, capfd)
    assert (code, document["rows"], err) == (0, 0, "")
    assert document["cursor_before"] == document["cursor_after"]
    assert len(server.asked) == asked
    code, document, err = pull("planes", tmp_path, files, capfd)
    assert (document["rows"], err) == (0, "")
    pull("airlines", tmp_path, files, capfd)
    code, document, err = pull("planes", tmp_path, files, capfd)
    assert (code, document["rows"], err) == (0, 6, "")


def test_pulls_keep_the_rate_limit_beside_the_state(
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, times = PlannedClock(), list[float]()
    for name in ("now", "sleep", "monotonic"):
        monkeypatch.setattr(SystemClock, name, staticmethod(getattr(clock, name)))

    def timed(asked: Asked) -> Answer:
        times.append(clock.monotonic())
        return app(asked)

    with serving(timed) as server:
        files = options(tmp_path, server)
        api = tmp_path / "apis" / "api.yaml"
        api.write_text(f"{api.read_text()}rate_limit: {{requests: 8}}\n")
        assert pull("planes", tmp_path, files, capfd)[0] == 0
        assert pull("seats", tmp_path, files, capfd)[0] == 0
    assert len(times) == 10
    # time passes only for who waits: the second command did before its first request
    assert times[3] < times[4]
    assert len(list((tmp_path / ".catflap-rates").iterdir())) == 1


def test_a_parent_that_fails_fails_the_childs_run_by_name(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with serving(lambda _: Answer(status=500)) as server:
        files = options(tmp_path, server)
        code, document, err = pull("planes", tmp_path, files, capfd)
    assert (code, document["dataset"], document["status"]) == (3, "planes", "failed")
    error = document["error"]
    assert isinstance(error, dict)
    assert error["kind"] == "http"
    assert "its parent airlines could not be pulled" in error["message"]
    assert "500" in error["message"]
    assert "airlines has never landed" in err


def test_a_preview_asks_for_the_parents_rows_and_only_as_far_as_needed(
    tmp_path: Path, server: ApiServer, capfd: pytest.CaptureFixture[str]
) -> None:
    files = options(tmp_path, server)
    assert run(["preview", "seats", "--limit", "3", *files]) == 0
    out, _ = capfd.readouterr()
    assert [json.loads(line)["id"] for line in out.splitlines()] == [
        "UA0-0", "UA0-1", "UA1-0",
    ]  # fmt: skip
    assert [one.path for one in server.asked] == [
        "/airlines", "/planes/UA", "/seats/UA0", "/seats/UA1",
    ]  # fmt: skip
    assert not list(tmp_path.rglob("*.gz"))


def test_a_preview_of_a_child_without_rows_ends(
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(parents_first, "PREVIEWED", 2)

    def empty(asked: Asked) -> Answer:
        return app(asked) if asked.path == "/airlines" else answer_json({"rows": []})

    with serving(empty) as server:
        assert run(["preview", "planes", *options(tmp_path, server)]) == 0
        assert len(server.asked) == 3
    out, err = capfd.readouterr()
    assert out == ""
    assert "only the first 2 rows of airlines" in err


REPLACED = changed(CHILD, "write_disposition: merge", "write_disposition: replace")
CIRCLE = changed(
    PARENT,
    "  endpoint: {path: airlines",
    "  parent: {dataset: seats, fields: {id: id}}\n"
    '  endpoint: {path: "airlines/{parent.id}"',
)


@pytest.mark.parametrize(
    ("file", "text", "line", "key", "words"),
    [
        ("planes", REPLACED, 8, "write_disposition", "asks only for what is new"),
        ("airlines", CIRCLE, 5, "source.parent.dataset",
         "airlines -> seats -> planes -> airlines"),
        ("seats", CIRCLE, 5, "source.parent.dataset",
         "seats -> planes -> airlines -> seats"),
        ("planes", changed(CHILD, "dataset: airlines", "dataset: airline"), 5,
         "source.parent.dataset", "there is no `airline`"),
        ("planes", changed(CHILD, "dataset: airlines", "dataset: planes"), 5,
         "source.parent.dataset", "cannot be its own parent"),
        ("planes", changed(CHILD, "carrier: carrier", "carrier: 'a[*].b'"), 5,
         "source.parent.fields.carrier", "a wildcard finds many"),
        ("planes", changed(CHILD, "{parent.carrier}", "{parent.carier}"), 6,
         "source.endpoint.path", "{parent.carrier}"),
    ],
)  # fmt: skip
def test_check_judges_children_with_their_parents(
    tmp_path: Path,
    server: ApiServer,
    capfd: pytest.CaptureFixture[str],
    *,
    file: str,
    text: str,
    line: int,
    key: str,
    words: str,
) -> None:
    written = {
        "airlines.yaml": PARENT, "planes.yaml": CHILD, "seats.yaml": GRANDCHILD,
    }  # fmt: skip
    if text is CIRCLE:
        written["airlines.yaml"] = CIRCLE
    else:
        written[f"{file}.yaml"] = text
    files = options(tmp_path, server, written)
    assert run(["check", *files]) == 2
    _, err = capfd.readouterr()
    told = [one for one in err.splitlines() if f"/{file}.yaml:{line}: {key}: " in one]
    assert told
    assert any(words in one and "; accepted: " in one for one in told)


def test_a_family_of_three_is_valid(tmp_path: Path, server: ApiServer) -> None:
    assert run(["check", *options(tmp_path, server)]) == 0


def test_a_replaced_child_of_a_replaced_parent_is_valid(
    tmp_path: Path, server: ApiServer
) -> None:
    parent = changed(PARENT, "write_disposition: merge", "write_disposition: replace")
    written = {"airlines.yaml": parent, "planes.yaml": REPLACED}
    assert run(["check", *options(tmp_path, server, written)]) == 0
