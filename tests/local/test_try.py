"""`catflap try`, as a person runs it: a project of their own, and nothing else."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from local.upstream import FLIGHTS as UPSTREAM_FLIGHTS
from local.upstream import Upstream, read_rows

DATASET = """
description: {name}
owner: {{team: felines}}
source:
  client:
    base_url: {base_url}
    retry: {{max_attempts: 1}}
    {auth}
  endpoint: {{path: {path}, data_selector: items}}
primary_key: [id]
write_disposition: replace
schedule: {{rate: 1 hour}}
freshness: {{warn_after: {{count: 3, period: hour}}}}
"""
CATS = [{"id": n, "name": f"cat {n}", "at": "2026-11-28T07:00:00Z"} for n in range(30)]
WHOLE = {"items": CATS}
BEARER = 'auth: {type: bearer, token: "secret:cats#token"}'


PAGED = 'auth: {type: bearer, token: "secret:paged#token"}'
CURSOR = "paginator: {type: cursor, cursor_path: next, cursor_param: after}"
FROZEN = """
columns: {id: integer, name: string}
contract: {columns: freeze}
"""
FLIGHTS = """
description: What Datasette has
owner: {team: felines}
source:
  client: {base_url: "BASE"}
  endpoint:
    path: nycflights/flights.json
    params: {_shape: objects, _size: "7"}
    data_selector: rows
    paginator: {type: json_link, next_url_path: next_url}
primary_key: [id]
write_disposition: merge
schedule: {rate: 1 hour}
quality: [{metric: rowCount, mustBeGreaterThan: 1000}]
"""


def page_after(query: str) -> dict[str, object]:
    start = int(query.removeprefix("after=") or 0)
    more = start + 10 < len(CATS)
    return {
        "items": CATS[start : start + 10],
        "next": str(start + 10) if more else None,
    }


class Api(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        wanted = {"/cats": None, "/pages": "Bearer paged"}.get(path, "Bearer right")
        is_allowed = wanted is None or self.headers["Authorization"] == wanted
        body = json.dumps(page_after(query) if path == "/pages" else WHOLE).encode()
        self.send_response(200 if is_allowed else 401)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """No access log."""


@pytest.fixture(scope="module")
def base_url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def datasette(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Upstream]:
    until = datetime(2013, 1, 2, tzinfo=UTC)
    read = read_rows("flights.csv.zip", UPSTREAM_FLIGHTS, until=until)
    rows = list(islice(read, 20))
    with closing(Upstream(tmp_path_factory.mktemp("datasette"))) as upstream:
        upstream.add("flights", UPSTREAM_FLIGHTS, rows)
        upstream.start()
        upstream.release(until)
        yield upstream


def a_project(folder: Path, base_url: str, *names: str) -> Path:
    written = {
        "cats": DATASET.format(name="cats", base_url=base_url, path="cats", auth=""),
        "secret_cats": DATASET.format(
            name="secret cats", base_url=base_url, path="secret", auth=BEARER
        ),
        "lost_cats": DATASET.format(
            name="lost cats", base_url="http://127.0.0.1:9/", path="cats", auth=""
        ),
    }
    paged = DATASET.format(name="paged", base_url=base_url, path="pages", auth=PAGED)
    written["paged_cats"] = paged.replace("items}", "items, " + CURSOR + "}")
    written["frozen_cats"] = written["cats"] + FROZEN
    (folder / "datasets").mkdir(parents=True)
    for name in names:
        (folder / "datasets" / f"{name}.yaml").write_text(written[name])
    return folder


QUALITY = """\
quality:
  - {metric: rowCount, mustBe: 30}
  - {metric: duplicateValues, column: name, mustBe: 0}
  - {metric: invalidValues, column: id, arguments: {max: 28}, name: ids}
  - {query: "select nosuch from {table}", mustBe: 0, name: odd}
"""
MODEL = """\
-- {"quality": [{"metric": "rowCount", "mustBe": 10}]}
select id, name from {{ ref('cats') }} where id < 10
"""


def with_checks_and_a_model(project: Path) -> None:
    with (project / "datasets/cats.yaml").open("a") as file:
        file.write(QUALITY)
    (project / "models").mkdir()
    (project / "models/few_cats.sql").write_text(MODEL)


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "cli", *arguments]


def environment(**variables: str) -> dict[str, str]:
    path = str(Path(__file__).parents[2])
    kept = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    return {**kept, "PYTHONPATH": path, **variables}


def descendants(pid: int) -> set[int]:
    children: dict[int, set[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        children.setdefault(int(fields[1]), set()).add(int(stat.parent.name))
    found: set[int] = set()
    queue = [pid]
    while queue:
        new = children.get(queue.pop(), set()) - found
        found |= new
        queue += new
    return found


def wait_until_gone(pids: set[int]) -> set[int]:
    for _ in range(2_400):
        pids = {pid for pid in pids if Path(f"/proc/{pid}/cmdline").exists()}
        if not pids:
            break
        time.sleep(0.05)
    return pids


def test_a_project_of_ones_own_is_tried_and_told_as_a_document(
    tmp_path: Path, base_url: str, datasette: Upstream
) -> None:
    project = a_project(
        tmp_path, base_url, "cats", "secret_cats", "lost_cats", "paged_cats",
        "frozen_cats",
    )  # fmt: skip
    (project / "datasets/flights.yaml").write_text(
        FLIGHTS.replace("BASE", datasette.base_url)
    )
    with_checks_and_a_model(project)
    query = "select count(*) as cats from analytics.cats"
    done = subprocess.run(  # noqa: S603 - our own command
        command("try", "--json", "--sql", query),
        cwd=project,
        env=environment(
            CATFLAP_SECRET_CATS_TOKEN="wrong", CATFLAP_SECRET_PAGED_TOKEN="paged"
        ),
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1, done.stderr
    document = json.loads(done.stdout)
    assert document["environment"] == "local"
    assert document["ok"] is False
    by_name: dict[str, Any] = {one["dataset"]: one for one in document["datasets"]}
    cats = by_name["cats"]
    assert (cats["state"], cats["rows_landed"]) == ("pass", 30)
    assert (cats["rows_in_table"], cats["rows_in_relation"]) == (30, 30)
    (run,) = cats["runs"]
    assert (run["status"], run["rows"], run["error"]) == ("succeeded", 30, None)
    assert [one["rows"] for one in run["objects"]] == [30]
    assert by_name["secret_cats"]["runs"][0]["error"]["kind"] == "auth"
    assert by_name["lost_cats"]["runs"][0]["error"]["kind"] == "http"
    assert by_name["lost_cats"]["at_risk"] is True
    assert cats["at_risk"] is False
    assert by_name["frozen_cats"]["runs"][0]["error"]["kind"] == "schema"
    (paged,) = by_name["paged_cats"]["runs"]
    assert (paged["status"], paged["rows"], paged["pages"]) == ("succeeded", 30, 3)
    (flown,) = by_name["flights"]["runs"]
    assert (flown["rows"], by_name["flights"]["rows_in_relation"]) == (20, 20)
    assert by_name["flights"]["state"] == "no_promise"
    checks = {(one["dataset"], one["check"]): one for one in document["checks"]}
    (check,) = (one for one in checks.values() if one["dataset"] == "flights")
    assert (check["state"], check["value"]) == ("fail", 20)
    assert set(document) == {
        "environment", "started_at", "ended_at", "ok", "datasets", "models", "checks",
        "incidents", "messages", "sql", "files",
    }  # fmt: skip
    assert {key for one in document["datasets"] for key in one} == {
        "dataset", "state", "cause", "at_risk", "rows_landed", "rows_in_table",
        "rows_in_relation", "newest_at", "runs",
    }  # fmt: skip
    for name in document["files"].values():
        assert (project / name).read_text().startswith("<!doctype html>")
    assert document["sql"] == [{"query": query, "columns": ["CATS"], "rows": [[30]]}]
    (model,) = document["models"]
    assert (model["model"], model["rows"], model["state"]) == ("few_cats", 10, "pass")
    ours = {name: one for name, one in checks.items() if "cats" in name[0]}
    assert {name: one["state"] for name, one in ours.items()} == {
        ("cats", "rowCount"): "pass",
        ("cats", "duplicateValues_name"): "pass",
        ("cats", "ids"): "fail",
        ("cats", "odd"): "error",
        ("few_cats", "rowCount"): "pass",
    }
    ids = checks["cats", "ids"]
    assert (ids["metric"], ids["column"], ids["severity"]) == (
        "invalidValues",
        "id",
        "error",
    )
    assert (ids["value"], ids["must"]) == (1, "0")
    assert [row["NAME"] for row in ids["sample"]] == ["cat 29"]
    kinds = {one["kind"] for one in document["incidents"]}
    assert "quality" in kinds
    assert "wrong" not in done.stdout + done.stderr
    assert list((project / ".catflap").glob("try-*")) == []


@pytest.mark.long
def test_what_a_killed_one_left_goes_at_the_next_start(
    tmp_path: Path, base_url: str
) -> None:
    project = a_project(tmp_path, base_url, "cats")
    with subprocess.Popen(  # noqa: S603 - our own command
        command("try", "--stay"),
        cwd=project,
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
    ) as held:
        assert held.stdout is not None
        for line in held.stdout:
            if "Ctrl-C ends it" in line:
                break
        status = subprocess.run(  # noqa: S603 - our own command
            command("status", "--env", "local", "--json"),
            cwd=project,
            env=environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        left = descendants(held.pid)
        held.send_signal(signal.SIGKILL)
        held.wait()

    assert status.returncode == 0, status.stderr
    assert wait_until_gone(left) == set()
    refused = subprocess.run(  # noqa: S603 - our own command
        command("status", "--env", "local"),
        cwd=project,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert refused.returncode == 2
    assert "`catflap try --stay` in another terminal starts one" in refused.stderr
    after = subprocess.run(  # noqa: S603 - our own command
        command("try", "cats"),
        cwd=project,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert after.returncode == 0, after.stderr
    assert f"process {held.pid}, started" in after.stdout
    assert list((project / ".catflap").glob("try-*")) == []


@pytest.mark.long
@pytest.mark.parametrize(
    ("arguments", "until", "code"),
    [
        (("cats",), "synthesize and deploy", 130),
        (("cats", "--stay"), "Ctrl-C ends it", 0),
    ],
)
def test_ctrl_c_ends_it_and_all_that_it_started(
    arguments: tuple[str, ...], until: str, code: int, tmp_path: Path, base_url: str
) -> None:
    project = a_project(tmp_path, base_url, "cats")
    with (
        (tmp_path / "said").open("w+") as said,
        subprocess.Popen(  # noqa: S603 - our own command
            command("try", *arguments),
            cwd=project,
            env=environment(),
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as process,
    ):
        while until not in (tmp_path / "said").read_text() and process.poll() is None:
            time.sleep(0.1)
        started = descendants(process.pid)
        # a terminal sends it to all that run in it
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(300) == code
    assert started
    assert wait_until_gone(started) == set()
    assert "Traceback" not in (tmp_path / "said").read_text()
    assert list((project / ".catflap").glob("try-*")) == []
