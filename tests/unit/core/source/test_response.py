from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from lambdas.core.dataset import RateLimit, ResponseAction, Retry
from lambdas.core.errors import BadInput, RunErrorKind, Terminal, Transient
from lambdas.core.http.message import HttpRequest, HttpResponse
from lambdas.core.http.redaction import redact
from lambdas.core.http.urls import join, public_url
from lambdas.core.source.rate_limit import full, reserve
from lambdas.core.source.response import (
    Disposition,
    GiveUp,
    Wait,
    judge,
    next_try,
    redirected,
    retry_after,
)

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
URL = "https://api.example.com/v1/cats"


def answer(status: int, body: bytes = b"", **headers: str) -> HttpResponse:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return HttpResponse(status=status, url=URL, headers=named, body=body)


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (400, Terminal, RunErrorKind.HTTP),
        (401, Terminal, RunErrorKind.AUTH),
        (403, Terminal, RunErrorKind.AUTH),
        (404, Terminal, RunErrorKind.HTTP),
        (408, Transient, RunErrorKind.TIMEOUT),
        (425, Transient, RunErrorKind.HTTP),
        (429, Transient, RunErrorKind.THROTTLED),
        (500, Transient, RunErrorKind.HTTP),
        (503, Transient, RunErrorKind.HTTP),
        (504, Transient, RunErrorKind.TIMEOUT),
        (304, Terminal, RunErrorKind.HTTP),
    ],
)
def test_a_status_has_a_kind(
    status: int, error: type[Exception], kind: RunErrorKind
) -> None:
    verdict = judge(answer(status, b"why"), (), NOW)
    assert isinstance(verdict, error)
    assert isinstance(verdict, Terminal | Transient)
    assert verdict.kind is kind
    assert f"answered {status}: why" in str(verdict)


def test_a_403_that_says_when_to_come_back_is_throttling() -> None:
    verdict = judge(answer(403, retry_after="30"), (), NOW)
    assert isinstance(verdict, Transient)
    assert (verdict.kind, verdict.retry_after_s) == (RunErrorKind.THROTTLED, 30.0)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120.0),
        ("0", None),
        ("1e999", None),
        (str(int(NOW.timestamp()) + 30), 30.0),
        (str(int(NOW.timestamp()) - 1), None),
        (str(int(NOW.timestamp() * 1_000) + 30_000), 30.0),
        (str(int(NOW.timestamp() * 1_000_000) + 30_000_000), 30.0),
        ("2026-11-23T09:00:30Z", 30.0),
        ("9" * 5_000, None),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90.0),
        (format_datetime(NOW - timedelta(seconds=90), usegmt=True), None),
        ("Monday, 23-Nov-26 09:01:00 GMT", 60.0),
        ("Mon Nov 23 09:01:00 2026", 60.0),
        ("soon", None),
        ("", None),
        ("-5", None),
        ("1.5", 1.5),
        ("30, 60", 60.0),
        ("0, 60", 60.0),
        ("2s", 2.0),
        ("1m2.5s", 62.5),
        ("250ms", 0.25),
        ("0s", None),
        ("2 s", None),
        ("9" * 500 + "s", None),
    ],
)
def test_retry_after_is_read_in_each_of_its_forms(
    text: str, seconds: float | None
) -> None:
    assert seconds == retry_after(answer(429, retry_after=text), NOW)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"x_ratelimit_remaining": "0", "x_ratelimit_reset": "30"}, 30.0),
        ({"x_rate_limit_remaining": "0", "x_rate_limit_reset": "30"}, 30.0),
        ({"ratelimit_remaining": "0", "ratelimit_reset": "30"}, 30.0),
        ({"x_ratelimit_remaining": "0", "x_ratelimit_reset_after": "30.5"}, 30.5),
        ({"ratelimit": '"default";r=0;t=30'}, 30.0),
        ({"ratelimit": "limit=100, remaining=0, reset=30"}, 30.0),
        (
            {
                "x_ratelimit_remaining": "0",
                "x_ratelimit_reset": str(int(NOW.timestamp() * 1_000) + 30_000),
            },
            30.0,
        ),
        (
            {
                "x_ratelimit_remaining": "0",
                "x_ratelimit_reset": str(int(NOW.timestamp()) - 1),
            },
            None,
        ),
        ({"x_ratelimit_reset": "30"}, 30.0),
        ({"retry_after": "5", "x_ratelimit_reset": "30"}, 5.0),
        ({"x_ratelimit_reset": "later"}, None),
        ({"x_ratelimit_reset": "1m30s"}, 90.0),
        ({"retry_after_ms": "1500"}, 1.5),
        ({"retry_after": "2", "retry_after_ms": "1500"}, 2.0),
        ({"x_ms_retry_after_ms": "0"}, None),
        ({"retry_after_ms": "soon"}, None),
        ({"retry_after_ms": "\u0663"}, None),
    ],
)
def test_a_limit_that_is_used_up_says_when_it_is_filled(
    headers: dict[str, str], seconds: float | None
) -> None:
    assert seconds == retry_after(answer(429, b"", **headers), NOW)


@pytest.mark.parametrize(
    ("action", "status", "body", "expected"),
    [
        ({"status_code": 404, "action": "ignore"}, 404, b"", Disposition.IGNORE),
        ({"status_code": 404, "action": "ignore"}, 200, b"", Disposition.TAKE),
        ({"content": "try again", "action": "retry"}, 200, b"try again", Transient),
        ({"content": "try again", "action": "retry"}, 200, b"fine", Disposition.TAKE),
        ({"content": "denied", "action": "fail"}, 200, b'{"m":"denied"}', Terminal),
        ({"status_code": 500, "action": "fail"}, 500, b"", Terminal),
        (
            {"status_code": 400, "content": "no rows", "action": "ignore"},
            400, b"no rows", Disposition.IGNORE,
        ),
        (
            {"status_code": 400, "content": "no rows", "action": "ignore"},
            400, b"bad filter", Terminal,
        ),
        (
            {"status_code": 400, "content": "no rows", "action": "ignore"},
            200, b"no rows", Disposition.TAKE,
        ),
    ],
)  # fmt: skip
def test_a_response_action_decides_by_status_and_content(
    action: dict[str, object], status: int, body: bytes, expected: object
) -> None:
    actions = [ResponseAction.model_validate(action)]
    verdict = judge(answer(status, body), actions, NOW)
    if isinstance(expected, type):
        assert isinstance(verdict, expected)
    else:
        assert expected is verdict


def test_a_200_with_an_error_in_it_is_an_error_of_the_answer() -> None:
    actions = [ResponseAction(content="denied", action="fail")]
    verdict = judge(answer(200, b"denied"), actions, NOW)
    assert isinstance(verdict, Terminal)
    assert verdict.kind is RunErrorKind.RESPONSE


POST = HttpRequest(method="POST", url=URL, params={"a": "1"}, headers={}, json={"b": 2})


@pytest.mark.parametrize(
    ("status", "method", "json"),
    [
        (301, "GET", None),
        (302, "GET", None),
        (303, "GET", None),
        (307, "POST", {"b": 2}),
        (308, "POST", {"b": 2}),
    ],
)
def test_a_redirect_keeps_or_drops_the_body_as_its_status_says(
    status: int, method: str, json: object
) -> None:
    moved = redirected(
        POST, answer(status, location="/v2/cats?x=1"), "https://api.example.com:443"
    )
    assert (method, "https://api.example.com/v2/cats?x=1", json, {}) == (
        moved.method, moved.url, moved.json, dict(moved.params),
    )  # fmt: skip


@pytest.mark.parametrize(
    "location", ["https://evil.example/", "//evil.example/", "file:///etc/passwd"]
)
def test_a_redirect_to_another_origin_is_refused(location: str) -> None:
    with pytest.raises(Terminal, match="no token reaches another origin"):
        redirected(POST, answer(302, location=location), "https://api.example.com:443")


def transient(retry_after_s: float | None = None) -> Transient:
    return Transient("x", kind=RunErrorKind.HTTP, retry_after_s=retry_after_s)


class TestNextTry:
    def waits(self, error: Transient, attempt: int, *, random: float = 1.0) -> object:
        return next_try(
            error, attempt=attempt, retry=Retry(), seconds_left=900, random=random
        )

    def test_the_delay_doubles_and_jitters_by_half(self) -> None:
        assert [
            step.seconds
            for attempt in (1, 2, 3, 4)
            if isinstance(step := self.waits(transient(), attempt), Wait)
        ] == [1, 2, 4, 8]
        assert Wait(seconds=0.5) == self.waits(transient(), 1, random=0)

    def test_it_ends_after_max_attempts(self) -> None:
        assert GiveUp(why=" (after 5 tries)") == self.waits(transient(), 5)

    def test_what_the_api_asks_for_is_waited_for(self) -> None:
        assert Wait(seconds=30) == self.waits(transient(30), 1)

    def test_it_is_never_undercut(self) -> None:
        too_long = self.waits(transient(301), 1)
        assert isinstance(too_long, GiveUp)
        assert "max_delay" in too_long.why
        late = next_try(
            transient(30), attempt=1, retry=Retry(), seconds_left=20, random=0
        )
        assert isinstance(late, GiveUp)
        assert "20 s are left" in late.why

    def test_what_is_final_is_not_tried_again(self) -> None:
        error = Terminal("x", kind=RunErrorKind.AUTH)
        step = next_try(error, attempt=1, retry=Retry(), seconds_left=900, random=0)
        assert GiveUp(why="") == step


@pytest.mark.parametrize("count", [1, 2, 7, 10, 60, 100, 1000])
@pytest.mark.parametrize("period", ["second", "minute"])
def test_the_rate_budget_holds_in_every_window_and_is_used(
    count: int, period: str
) -> None:
    limit = RateLimit.model_validate({"requests": count, "period": period})
    seconds = {"second": 1.0, "minute": 60.0}[period]
    now, times, bucket = 0.0, list[float](), full(limit, 0.0)
    while len(times) < 3 * count:
        bucket, (now,) = reserve(bucket, limit, now)
        times.append(now)
    most = max(
        sum(1 for other in times if at <= other < at + seconds - 1e-6) for at in times
    )
    assert most <= count
    assert times[-1] <= 3 * seconds * 1.15


class TestUrls:
    @pytest.mark.parametrize(
        ("base", "path", "url"),
        [
            ("https://a/v1", "cats", "https://a/v1/cats"),
            ("https://a/v1/", "/cats", "https://a/v1/cats"),
            ("https://a/v1/", "", "https://a/v1/"),
            ("https://a/v1", "items:batch?x=1", "https://a/v1/items:batch?x=1"),
            ("https://a/v1/", "https://a/other", "https://a/other"),
            ("http://127.0.0.1:8001", "x", "http://127.0.0.1:8001/x"),
            ("http://[::1]:8001/", "x", "http://[::1]:8001/x"),
        ],
    )
    def test_a_path_joins_its_base(self, base: str, path: str, url: str) -> None:
        assert url == join(base, path)

    @pytest.mark.parametrize(
        ("base", "path"),
        [
            ("https://a/", "https://b/x"),
            ("https://a/", "file:///etc/passwd"),
            ("https://a/", "http://a/x"),
            ("http://a/", "x"),
            ("ftp://a/", "x"),
            ("a/v1", "x"),
        ],
    )
    def test_another_origin_or_an_open_one_is_refused(
        self, base: str, path: str
    ) -> None:
        with pytest.raises(BadInput):
            join(base, path)

    def test_a_message_shows_no_secret_of_a_url(self) -> None:
        shown = public_url(
            "https://u:CANARY1@a/CANARY2/x?api_key=CANARY3&page=2&q=CANARY%204#CANARY5",
            {"CANARY2", "CANARY 4"},
        )
        assert shown == "https://a/***/x?api_key=***&page=2&q=***"

    def test_redaction_knows_percent_encoding(self) -> None:
        assert redact("a b/c a+b%2Fc a%20b%2Fc", {"a b/c"}) == "*** *** ***"

    @pytest.mark.parametrize(
        "said",
        [
            'no CAN/ARY"<1',
            'no CAN\\/ARY\\"<1',
            "no CAN/ARY&quot;&lt;1",
            "no CAN/A…",
        ],
    )
    def test_redaction_knows_how_bodies_write_and_cut_a_secret(self, said: str) -> None:
        assert redact(said, {'CAN/ARY"<1'}).rstrip("…") == "no ***"
