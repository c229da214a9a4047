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
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

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
BEARER = 'auth: {type: bearer, token: "secret:cats#token"}'


class Api(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        is_allowed = self.path == "/cats" or (
            self.headers["Authorization"] == "Bearer right"
        )
        body = json.dumps({"items": CATS}).encode()
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
    (folder / "datasets").mkdir(parents=True)
    for name in names:
        (folder / "datasets" / f"{name}.yaml").write_text(written[name])
    return folder


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
    for _ in range(200):
        pids = {pid for pid in pids if Path(f"/proc/{pid}/cmdline").exists()}
        if not pids:
            break
        time.sleep(0.05)
    return pids


def test_a_project_of_ones_own_is_tried_and_told_as_a_document(
    tmp_path: Path, base_url: str
) -> None:
    project = a_project(tmp_path, base_url, "cats", "secret_cats", "lost_cats")
    query = "select count(*) as cats from analytics.cats"
    done = subprocess.run(  # noqa: S603 - our own command
        command("try", "--json", "--sql", query),
        cwd=project,
        env=environment(CATFLAP_SECRET_CATS_TOKEN="wrong"),
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
    assert document["sql"] == [{"query": query, "columns": ["CATS"], "rows": [[30]]}]
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
