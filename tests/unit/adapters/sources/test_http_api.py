from __future__ import annotations

import gzip
import itertools
import zlib
from datetime import timedelta
from email.utils import format_datetime

import pytest

from lambdas.core.errors import RunErrorKind, Terminal, Transient
from tests.api_pull import CANARY, GOOD, LONG, NOW, ROWS, SIZE, Pull, failing
from tests.api_server import (
    Answer,
    ApiServer,
    Asked,
    answer_json,
    in_turn,
    serving,
    zipped,
)
from tests.unit.adapters.sources.paged_apis import by_offset


@pytest.mark.parametrize(
    ("fault", "slept"),
    [
        (failing(500), [0.5]),
        (failing(503, Retry_After="7"), [7]),
        (failing(429, Retry_After="120"), [120]),
        (
            failing(
                429,
                Retry_After=format_datetime(NOW + timedelta(seconds=90), usegmt=True),
            ),
            [90],
        ),
        (failing(403, Retry_After="3"), [3]),
        (failing(408), [0.5]),
        (Answer(fault="reset"), [0.5]),
        (Answer(body=b"[" + b" " * 5000, fault="reset_mid_body"), [0.5]),
        (Answer(body=b'[{"id":1}]', fault="truncate"), [0.5]),
        (Answer(body=b'[{"id":1}]', fault="truncate", chunked=True), [0.5]),
        (
            Answer(
                body=gzip.compress(b'[{"id":1}]')[:-6],
                headers={"Content-Encoding": "gzip"},
            ),
            [0.5],
        ),
    ],
)  # fmt: skip
def test_what_passes_is_tried_again(fault: Answer, slept: list[float]) -> None:
    with serving(in_turn(fault, GOOD)) as server:
        pull = Pull(server, {})
        assert pull.records() == [{"id": 1}]
    assert pull.clock.slept == slept
    assert (pull.source.requests, pull.source.retries) == (2, 1)


def test_a_fault_in_the_middle_of_a_pull_costs_one_request() -> None:
    failed: list[str] = []

    def app(asked: Asked) -> Answer:
        at = asked.query["offset"]
        if at == "10" and not failed:
            failed.append(at)
            return Answer(body=b"x" * 100, fault="truncate")
        return answer_json(by_offset(asked, "")[0])

    with serving(app) as server:
        pull = Pull(server, {"paginator": {"type": "offset", "limit": SIZE}})
        assert pull.records() == ROWS
        asked = [one.query["offset"] for one in server.asked]
    assert asked == ["0", "10", "10", "20", "25"]


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (failing(500), RunErrorKind.HTTP),
        (failing(429), RunErrorKind.THROTTLED),
        (failing(504), RunErrorKind.TIMEOUT),
        (Answer(fault="reset"), RunErrorKind.HTTP),
        (Answer(body=b"[]" * 50, fault="truncate"), RunErrorKind.HTTP),
    ],
)
def test_what_does_not_pass_fails_after_max_attempts(
    fault: Answer, kind: RunErrorKind
) -> None:
    with serving(in_turn(fault)) as server:
        pull = Pull(server, {}, api={"retry": {"max_attempts": 3}})
        error = pull.fails(Transient)
    assert error.kind is kind
    assert "after 3 tries" in str(error)
    assert (pull.source.requests, pull.source.retries) == (3, 2)
    assert pull.clock.slept == [0.5, 1]


def test_no_wait_reaches_past_the_deadline() -> None:
    with serving(in_turn(failing(429, Retry_After="60"))) as server:
        pull = Pull(server, {}, deadline_s=100)
        error = pull.fails(Transient)
    assert pull.clock.slept == [60]
    assert (error.kind, error.retry_after_s) == (RunErrorKind.THROTTLED, 60)
    assert "40 s are left" in str(error)


def test_a_wait_longer_than_max_delay_is_not_undercut() -> None:
    with serving(in_turn(failing(429, Retry_After="4000"))) as server:
        pull = Pull(server, {}, deadline_s=9000)
        assert "max_delay" in str(pull.fails(Transient))
    assert (pull.clock.slept, pull.source.requests) == ([], 1)


@pytest.mark.parametrize("fault", ["hang", "dribble"])
def test_a_request_takes_no_longer_than_its_timeout(fault: str) -> None:
    with serving(in_turn(Answer(body=b"[" + b" " * 200, fault=fault))) as server:
        pull = Pull(server, {}, api={"timeout": 0.2, "retry": {"max_attempts": 1}})
        assert pull.fails(Transient).kind is RunErrorKind.TIMEOUT


def test_a_server_that_is_not_there_is_an_http_error() -> None:
    with serving(in_turn(GOOD)) as server:
        pass
    pull = Pull(server, {}, api={"retry": {"max_attempts": 1}})
    error = pull.fails(Transient)
    assert error.kind is RunErrorKind.HTTP
    assert "refuses connections" in str(error)


@pytest.mark.parametrize(
    ("answer", "kind", "message"),
    [
        (failing(401), RunErrorKind.AUTH, "answered 401"),
        (failing(403), RunErrorKind.AUTH, "answered 403"),
        (failing(404), RunErrorKind.HTTP, "check base_url and path"),
        (failing(400), RunErrorKind.HTTP, "answered 400: sorry"),
        (failing(304), RunErrorKind.HTTP, "answered 304"),
        (
            Answer(body=b"<html>Sign in</html>", headers={"Content-Type": "text/html"}),
            RunErrorKind.RESPONSE,
            "HTML",
        ),
        (Answer(body=b"<html>Sign in</html>"), RunErrorKind.RESPONSE, "Sign in"),
        (Answer(body=b'[{"id":1},{"i'), RunErrorKind.RESPONSE, "cut off"),
        (Answer(body=b""), RunErrorKind.RESPONSE, "no body"),
        (Answer(body=b'[{"a":NaN}]'), RunErrorKind.RESPONSE, "NaN"),
        (Answer(body=b'[{"a":"\xff"}]'), RunErrorKind.RESPONSE, "utf-8"),
        (Answer(body=b"[1]"), RunErrorKind.RESPONSE, "number"),
        (
            Answer(body=b"\x0b\x02\x80[]\x03", headers={"Content-Encoding": "br"}),
            RunErrorKind.RESPONSE,
            "'br'",
        ),
        (Answer(body=LONG), RunErrorKind.RESPONSE, "more than"),
        (
            zipped(Answer(body=LONG)),
            RunErrorKind.RESPONSE,
            "more than",
        ),
    ],
)  # fmt: skip
def test_what_is_final_is_not_tried_again(
    answer: Answer, kind: RunErrorKind, message: str
) -> None:
    with serving(in_turn(answer)) as server:
        pull = Pull(server, {})
        error = pull.fails(Terminal)
    assert error.kind is kind
    assert message in str(error)
    assert str(error).startswith(("page 1: GET http", "page 1 of http"))
    assert str(error).count(server.url) == 1
    assert (pull.source.requests, pull.clock.slept) == (1, [])


def test_an_error_on_a_later_page_names_that_page() -> None:
    answers = [answer_json({"rows": [{"id": 1}], "next": "?p=2"}), Answer(body=b"<p>")]
    with serving(in_turn(*answers)) as server:
        assert str(Pull(server, {}).fails()).startswith(f"page 2 of {server.url}cats: ")


def test_a_page_that_is_a_list_where_an_object_was_is_an_error() -> None:
    answers = [answer_json({"rows": [{"id": 1}], "next": "?p=2"}), answer_json([{}])]
    with serving(in_turn(*answers)) as server:
        error = Pull(server, {}).fails(Terminal)
    assert "`rows` on the first page" in str(error)
    assert "an array of 1 elements" in str(error)


@pytest.mark.parametrize("status", [204, 205])
def test_no_content_is_no_records(status: int) -> None:
    with serving(in_turn(Answer(status=status))) as server:
        assert [list(page.records) for page in Pull(server, {}).pages()] == [[]]


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (gzip.compress(b'[{"id":1}]'), "gzip"),
        (gzip.compress(b'[{"id":1}]'), "x-gzip"),
        (gzip.compress(b'[{"id"') + gzip.compress(b":1}]"), "gzip"),
        (gzip.compress(gzip.compress(b'[{"id":1}]')), "gzip"),
        (zlib.compress(b'[{"id":1}]'), "deflate"),
        (zlib.compress(b'[{"id":1}]', wbits=-15), "deflate"),
        (b'[{"id":1}]', "identity"),
    ],
    # a gzip header holds the time: an id made of the bytes differs between workers
    ids=["gzip", "x-gzip", "members", "twice", "zlib", "raw-deflate", "identity"],
)
@pytest.mark.parametrize("chunked", [False, True])
def test_compressed_answers_are_read(body: bytes, encoding: str, chunked: bool) -> None:  # noqa: FBT001 - parametrized
    answer = Answer(body=body, headers={"Content-Encoding": encoding}, chunked=chunked)
    with serving(in_turn(answer)) as server:
        assert Pull(server, {}).records() == [{"id": 1}]
        assert server.asked[0].headers["accept-encoding"] == "gzip"


def test_an_ignored_answer_ends_the_pages_without_an_error() -> None:
    answers = [answer_json([{"id": 1}]), failing(404)]
    endpoint = {
        "paginator": {"type": "page_number"},
        "response_actions": [{"status_code": 404, "action": "ignore"}],
    }
    with serving(in_turn(*answers)) as server:
        assert Pull(server, endpoint).records() == [{"id": 1}]


def test_a_200_that_says_try_again_is_tried_again() -> None:
    endpoint = {"response_actions": [{"content": "try again", "action": "retry"}]}
    with serving(in_turn(answer_json({"m": "try again"}), GOOD)) as server:
        pull = Pull(server, endpoint)
        assert pull.records() == [{"id": 1}]
    assert pull.source.retries == 1


def test_a_200_that_says_no_fails() -> None:
    endpoint = {"response_actions": [{"content": "quota", "action": "fail"}]}
    with serving(in_turn(answer_json([{"m": "quota exceeded"}]))) as server:
        assert Pull(server, endpoint).fails(Terminal).kind is RunErrorKind.RESPONSE


def oauth(server: ApiServer, **more: object) -> dict[str, object]:
    return {
        "auth": {
            "type": "oauth2_client_credentials",
            "access_token_url": f"{server.url}token",
            "client_id": "tom",
            "client_secret": "secret:cats#key",
            **more,
        }
    }


def test_a_token_is_fetched_once_and_replaced_once_after_a_401() -> None:
    issued = itertools.count(1)

    def app(asked: Asked) -> Answer:
        if asked.path == "/token":
            return answer_json({"access_token": f"CANARY-{next(issued)}"})
        # the first token dies after two pages
        served = sum(1 for one in server.asked if one.path == "/cats")
        if asked.headers["authorization"] == "Bearer CANARY-1" and served > 2:
            return failing(401)
        return answer_json(by_offset(asked, "")[0])

    with serving(app) as server:
        endpoint = {"paginator": {"type": "offset", "limit": SIZE}}
        pull = Pull(server, endpoint, api=oauth(server))
        assert pull.records() == ROWS
        asked = [one.path for one in server.asked]
    assert asked == ["/token", *["/cats"] * 3, "/token", "/cats", "/cats"]
    assert pull.clock.slept == []


def test_a_token_that_is_never_good_fails_after_one_renewal() -> None:
    def app(asked: Asked) -> Answer:
        if asked.path == "/token":
            return answer_json({"access_token": "CANARY-t"})
        said = asked.headers["authorization"].encode()
        return Answer(status=401, body=b"rejected " + said)

    with serving(app) as server:
        error = Pull(server, {}, api=oauth(server)).fails(Terminal)
        assert len(server.asked) == 4
    assert error.kind is RunErrorKind.AUTH
    assert "rejected Bearer ***" in str(error)


def test_a_token_is_replaced_before_it_ends() -> None:
    def app(asked: Asked) -> Answer:
        if asked.path == "/token":
            return answer_json({"access_token": "CANARY-t", "expires_in": 100})
        if asked.query["offset"] == "10" and len(server.asked) < 4:
            return failing(429, Retry_After="95")
        return answer_json(by_offset(asked, "")[0])

    with serving(app) as server:
        endpoint = {"paginator": {"type": "offset", "limit": SIZE}}
        assert Pull(server, endpoint, api=oauth(server)).records() == ROWS
        asked = [one.path for one in server.asked]
    assert asked == ["/token", "/cats", "/cats", "/token", "/cats", "/cats", "/cats"]


def test_a_token_server_that_wants_basic_gets_it() -> None:
    def app(asked: Asked) -> Answer:
        if asked.path == "/token":
            if not asked.headers.get("authorization", "").startswith("Basic "):
                return Answer(status=401, body=b'{"error":"invalid_client"}')
            return answer_json({"access_token": "CANARY-t"})
        return GOOD

    with serving(app) as server:
        assert Pull(server, {}, api=oauth(server)).records() == [{"id": 1}]


@pytest.mark.parametrize(
    ("answer", "kind", "message"),
    [
        (
            Answer(status=401, body=f'{{"error":"bad {CANARY}"}}'.encode()),
            RunErrorKind.AUTH,
            "the token request to http",
        ),
        (answer_json({"token": "CANARY"}), RunErrorKind.AUTH, "no `access_token`"),
        (failing(302, Location="/elsewhere"), RunErrorKind.AUTH, "was redirected"),
        (failing(404), RunErrorKind.AUTH, "answered 404"),
    ],
)
def test_a_token_request_that_fails_is_an_auth_error(
    answer: Answer, kind: RunErrorKind, message: str
) -> None:
    with serving(in_turn(answer)) as server:
        error = Pull(server, {}, api=oauth(server)).fails(Terminal)
    assert error.kind is kind
    assert message in str(error)


def test_a_token_server_in_trouble_is_asked_again() -> None:
    def app(asked: Asked) -> Answer:
        if asked.path == "/token":
            many = sum(1 for one in server.asked if one.path == "/token")
            return failing(503) if many == 1 else answer_json({"access_token": "C"})
        return GOOD

    with serving(app) as server:
        pull = Pull(server, {}, api=oauth(server))
        assert pull.records() == [{"id": 1}]
    assert pull.clock.slept == [0.5]


def test_whoever_waits_says_so_and_holds_others_back_no_longer_than_it_waits(
    caplog: pytest.LogCaptureFixture,
) -> None:
    answers = [failing(429, Retry_After="30"), failing(503, Retry_After="0"), GOOD]
    with serving(in_turn(*answers)) as server:
        pull = Pull(server, {})
        assert pull.records() == [{"id": 1}]
    assert pull.clock.slept == [30.0, 1.0]
    said = [record.getMessage() for record in caplog.records]
    assert said[0].startswith("waiting 30 s before try 2 of 5: GET http://127.0.0.1")
    assert said[0].endswith("answered 429: sorry")
    assert said[1].startswith("waiting 1 s before try 3 of 5")


@pytest.mark.parametrize("split", ["", " " * 300])
def test_no_prefix_of_a_secret_is_left_where_a_body_is_cut(split: str) -> None:
    for room in range(60, 81):
        body = (split + "x" * room + CANARY + "y" * 400).encode()
        with serving(in_turn(Answer(status=400, body=body))) as server:
            api = {"auth": {"type": "bearer", "token": "secret:cats#key"}}
            said = str(Pull(server, {}, api=api).fails(Terminal))
        assert CANARY[:3] not in said


def test_what_an_api_says_moves_no_cursor_of_a_terminal() -> None:
    body = b"\x1b[2J\x07gone\xc2\x9b1m" + "\u202e".encode()
    with serving(in_turn(Answer(status=400, body=body))) as server:
        assert str(Pull(server, {}).fails(Terminal)).isprintable()
