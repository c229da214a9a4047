"""Generators of pages, through the engine that pulls APIs."""

from __future__ import annotations

import gzip
import json
import logging
import signal
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from cli.main import run
from lambdas.adapters.sources.deadline import alarm_after
from lambdas.adapters.sources.open import ROOT, ApiSources
from lambdas.adapters.sources.python_source import records_of
from lambdas.core.errors import (
    BadInput,
    RunErrorKind,
    Terminal,
    Transient,
    UpstreamError,
)
from lambdas.core.pull.ports import Page
from lambdas.core.pull.window import Window
from tests.api_pull import CANARY, PlannedClock, PlannedSecrets
from tests.api_server import Answer, ApiServer, Asked, answer_json, serving
from tests.datasets import a_dataset

ORDERS = [
    b'{"id": %d, "updated_at": "2026-01-%02dT00:00:00Z", "price": 1.10}' % (n, n)
    for n in range(1, 29)
]


@pytest.fixture(autouse=True)
def _path_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """A source's folder is added to the path of the process that pulls from it."""
    monkeypatch.setattr(sys, "path", [*sys.path])


class Exports:
    """An API that exports on demand, as sources/exports.py knows it."""

    def __init__(self) -> None:
        self.since: list[object] = []
        self._looks = 0

    def __call__(self, asked: Asked) -> Answer:
        if asked.headers.get("authorization") != f"Bearer {CANARY}":
            return Answer(status=401)
        if asked.method == "POST":
            assert asked.json["table"] == "orders"
            self.since.append(asked.json["since"])
            self._looks = 0
            return Answer(status=202, body=b'{"id": "e1", "status": "queued"}')
        if asked.path.startswith("/exports/e1/parts/"):
            since = str(self.since[-1])
            found = [one for one in ORDERS if json.loads(one)["updated_at"] >= since]
            half = found[::2] if asked.path.endswith("1") else found[1::2]
            return Answer(body=b"\n".join(half))
        self._looks += 1
        if self._looks < 2:
            return answer_json({"id": "e1", "status": "running"})
        parts = [f"exports/e1/parts/{n}" for n in (1, 2)]
        return answer_json({"id": "e1", "status": "done", "parts": parts})


@pytest.fixture
def exports() -> Iterator[tuple[Exports, ApiServer]]:
    app = Exports()
    with serving(app) as server:
        yield app, server


def documented(server: ApiServer) -> dict[str, object]:
    """The dataset of docs/python-sources.md, asking `server`."""
    text = (ROOT / "docs/python-sources.md").read_text()
    example = text.partition("```yaml\n")[2].partition("```")[0]
    document: dict[str, object] = yaml.safe_load(example)
    source = document["source"]
    assert isinstance(source, dict)
    source["client"]["base_url"] = server.url
    source["options"]["wait_s"] = 0
    return document


def test_the_documented_example_is_pulled_by_the_command(
    exports: tuple[Exports, ApiServer],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    app, server = exports
    monkeypatch.setenv("CATFLAP_SECRET_SHOP_TOKEN", CANARY)
    (tmp_path / "datasets").mkdir()
    (tmp_path / "sources").mkdir()
    code = (ROOT / "sources/exports.py").read_text()
    (tmp_path / "sources/exports.py").write_text(code)
    (tmp_path / "datasets/orders.yaml").write_text(yaml.safe_dump(documented(server)))
    folders = ["--datasets", f"{tmp_path}/datasets", "--apis", f"{tmp_path}/apis"]
    assert run(["check", *folders]) == 0
    place = ["--to", f"{tmp_path}/landing", "--state", f"{tmp_path}/state.json"]
    capfd.readouterr()
    for _ in range(2):
        assert run(["pull", "orders", *place, *folders, "--json"]) == 0
    runs = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert [one["rows"] for one in runs] == [28, 0]
    assert runs[0]["cursor_after"] == "2026-01-28T00:00:00Z"
    assert runs[0]["requests"] == 5
    assert app.since == ["2026-01-01T00:00:00Z", "2026-01-28T00:00:00Z"]
    landed = [
        line
        for one in (tmp_path / "landing").glob("raw/**/*.gz")
        for line in gzip.decompress(one.read_bytes()).splitlines()
    ]
    assert sorted(landed) == sorted(ORDERS)
    capfd.readouterr()
    assert run(["preview", "orders", "--limit", "3", *folders]) == 0
    assert capfd.readouterr().out.splitlines() == [one.decode() for one in ORDERS[:6:2]]


class Project:
    """A folder with one source, and its pages."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.clock = PlannedClock()

    def pages(
        self, code: str, *, deadline_s: float = 900, **source: object
    ) -> list[Page]:
        (self.root / "sources").mkdir(exist_ok=True)
        (self.root / "sources/own.py").write_text(code)
        dataset = a_dataset(
            source={"python": "sources/own.py:pages", **source},
            write_disposition="append",
        )
        found = ApiSources(
            secrets=PlannedSecrets(),
            clock=self.clock,
            deadline_s=deadline_s,
            root=self.root,
        )(dataset, Window(start="a", start_text="b"))
        return list(found.pages())

    def fails(self, code: str, **more: object) -> str:
        with pytest.raises(UpstreamError) as caught:
            self.pages(code, **more)  # type: ignore[arg-type]  # as pages() has it
        return str(caught.value)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_pages_come_in_order_with_their_numbers(project: Project) -> None:
    pages = project.pages(
        "def pages(context):\n"
        "    yield [{'start': context.start, 'text': context.start_text}]\n"
        "    yield []\n"
        "    yield (b' {\"a\":\\n 1.10}',)\n"
    )
    assert [one.number for one in pages] == [1, 2, 3]
    assert [list(one.records) for one in pages] == [
        [b'{"start":"a","text":"b"}'], [], [b'{"a":  1.10}'],
    ]  # fmt: skip


def test_numbers_keep_their_digits() -> None:
    record = {
        "big": 12345678901234567890123, "text": "ü", "nested": [{"long": 2**70}],
    }  # fmt: skip
    assert json.loads(records_of([record], "here")[0]) == record
    exact = records_of([{"pi": Decimal("3.14159265358979323846")}], "here")
    assert exact == [b'{"pi":3.14159265358979323846}']


@pytest.mark.parametrize(
    ("page", "says"),
    [
        ({"id": 1}, "is a dict; yield lists"),
        (["text"], "record 1 of here is a str"),
        ([b"[1]"], "not one JSON object"),
        ([b'{"a": 1} {"b": 2}'], "not one JSON object"),
        ([{"a": object()}], "cannot be written as JSON"),
        ([{"a": "\ud800"}], "cannot be written as JSON"),
        ([{"a": 10**5_000}], "cannot be written as JSON"),
        ([{"a": "x" * 9_000_000}], "does not load as one row"),
    ],
)
def test_what_is_no_page_of_records_is_refused(page: object, says: str) -> None:
    with pytest.raises(Terminal, match=says) as caught:
        records_of(page, "here")
    assert caught.value.kind is RunErrorKind.RESPONSE


@pytest.mark.parametrize(
    "code",
    [
        "def pages(context):\n    yield []\n    raise KeyError('CANARY')\n",
        "def pages(context):\n    inner()\n    yield\ndef inner():\n    1 / 0\n",
        "\n\nimport nothing_of_this_name\ndef pages(context): yield\n",
        "def pages(context):\n    yield []\n  return\n",
        "import sys\ndef pages(context):\n    yield sys.exit(0)\n",
        "\n\nraise SystemExit\ndef pages(context): yield\n",
    ],
)
def test_a_failure_names_file_line_and_type_and_no_text(
    code: str, project: Project
) -> None:
    message = project.fails(code)
    assert message.startswith(("sources/own.py:3: ", "sources/own.py:5: "))
    assert "Error" in message or "SystemExit" in message
    assert "CANARY" not in message


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("def pages(context): return 1\n", "gave a int"),
        ("async def pages(context):\n    yield []\n", "gave a async_generator"),
        ("def pages(context):\n    while True: yield []\n", "has to end"),
        (
            "def pages(context):\n    context.sleep(1000); yield []\n",
            "would wait 1000 s",
        ),
    ],
)
def test_what_gives_no_pages_is_a_failed_run(
    code: str, says: str, project: Project
) -> None:
    assert says in project.fails(code)


def test_a_file_or_function_that_is_not_there_is_named(project: Project) -> None:
    with pytest.raises(BadInput, match="no function `pages`; there: rows"):
        project.pages("def rows(context): yield\n")


def test_without_a_client_there_is_no_http(project: Project) -> None:
    with pytest.raises(BadInput, match="name an API in source"):
        project.pages(
            "def pages(context):\n    yield context.http.get('x').records()\n"
        )


def test_secrets_are_given_resolved_and_blanked_out_of_the_log(
    project: Project, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    pages = project.pages(
        "def pages(context):\n"
        "    key = context.options['deep'][0]['key']\n"
        "    context.log.warning('the key is %s', key)\n"
        "    yield [{'length': len(key)}]\n",
        options={"deep": [{"key": "secret:cats#key"}], "plain": 1},
    )
    assert pages[0].records == [b'{"length":%d}' % len(CANARY)]
    assert "the key is ***" in caplog.text
    assert CANARY not in caplog.text


def test_requests_carry_the_apis_auth_and_stay_at_its_origin(project: Project) -> None:
    def app(asked: Asked) -> Answer:
        assert asked.headers["authorization"] == f"Bearer {CANARY}"
        assert asked.headers["x-own"] == "1"
        return answer_json({"rows": [{"q": dict(asked.query)}]})

    with serving(app) as server:
        client = {
            "base_url": server.url,
            "auth": {"type": "bearer", "token": "secret:cats#key"},
        }
        pages = project.pages(
            "def pages(context):\n"
            "    params = {'a': 1, 'none': None}\n"
            "    own = {'X-Own': '1'}\n"
            "    yield context.http.get('x', params=params, headers=own).records()\n",
            client=client,
        )
        assert json.loads(pages[0].records[0]) == {"q": {"a": "1"}}
        away = "def pages(context):\n    yield context.http.get('https://a.example/')\n"
        with pytest.raises(BadInput, match="another origin"):
            project.pages(away, client=client)
        assert len(server.asked) == 1


def test_an_apis_error_is_told_as_it_is(project: Project) -> None:
    with serving(lambda _: Answer(status=403)) as server:
        message = project.fails(
            "def pages(context):\n    yield context.http.get('x').records()\n",
            client={"base_url": server.url},
        )
    assert "403" in message
    assert "GET http://127.0.0.1:" in message


def test_the_deadline_ends_work_as_it_ends_waits(project: Project) -> None:
    code = (
        "def pages(context):\n    while True:\n        try:\n"
        "            sum(range(1000))\n        except ValueError:\n            pass\n"
        "    yield []\n"
    )
    with pytest.raises(
        Transient, match="the time given to this pull is over"
    ) as caught:
        project.pages(code, deadline_s=0.01)
    assert caught.value.kind is RunErrorKind.TIMEOUT
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_whoever_works_on_a_page_hears_of_the_deadline() -> None:
    def work() -> None:
        with alarm_after(0.01):
            while True:
                pass

    with pytest.raises(Transient):
        work()
    with alarm_after(10**9):
        assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
