from __future__ import annotations

import json
import logging

import pytest

from lambdas.adapters.sources.http_api import HttpApi
from lambdas.core.dataset import Api, Endpoint
from lambdas.core.errors import BadInput, RunErrorKind, Terminal, Transient
from lambdas.core.http.destinations import Destinations
from lambdas.core.http.message import HttpRequest
from lambdas.core.http.urls import origin_of
from lambdas.core.records.documents import _EXCERPT
from lambdas.core.source.request import base_request
from tests.api_pull import (
    AUTHS,
    CANARY,
    GOOD,
    NONE_NEEDED,
    PlannedClock,
    Pull,
    failing,
)
from tests.api_server import Answer, Asked, answer_json, in_turn, serving


@pytest.mark.parametrize("how", ["redirect", "json_link", "header_link", "base"])
@pytest.mark.parametrize(
    "auth",
    ["bearer", "api_key in a header", "api_key in a cookie", "http_basic"],
)
def test_no_request_goes_to_another_origin(how: str, auth: str) -> None:
    def app(_: Asked) -> Answer:
        match how:
            case "redirect":
                return failing(302, Location=f"{other.url}steal")
            case "json_link":
                return answer_json({"rows": [{"id": 1}], "next": f"{other.url}steal"})
            case _:
                header = f'<{other.url}steal>; rel="next"'
                return answer_json([{"id": 1}], Link=header)

    with serving(in_turn(GOOD)) as other, serving(app) as server:
        path = f"{other.url}steal" if how == "base" else "cats"
        pull = Pull(server, {"path": path}, api={"auth": AUTHS[auth][0]})
        if how == "base":
            with pytest.raises(BadInput, match="another origin"):
                pull.pages()
        else:
            error = pull.fails(Terminal)
            assert "no token reaches another origin" in str(error)
            assert len(server.asked) == 1
        assert other.asked == []


@pytest.mark.parametrize("where", ["json_link", "header_link", "redirect"])
def test_no_file_is_read(where: str) -> None:
    answer = {
        "json_link": answer_json({"rows": [{"id": 1}], "next": "file:///etc/passwd"}),
        "header_link": answer_json([{}], Link='<file:///etc/passwd>; rel="next"'),
        "redirect": failing(302, Location="file:///etc/passwd"),
    }[where]
    with serving(in_turn(answer)) as server:
        assert "file:/" in str(Pull(server, {}).fails(Terminal))


def test_redirects_within_the_origin_are_followed_with_the_proof() -> None:
    def app(asked: Asked) -> Answer:
        if asked.headers.get("authorization") != f"Bearer {CANARY}":
            return failing(401)
        if asked.path == "/cats":
            return failing(307, Location="/v2/cats?x=1")
        return answer_json([{"method": asked.method, **asked.query, **asked.json}])

    auth = {"type": "bearer", "token": "secret:cats#key"}
    with serving(app) as server:
        endpoint = {"method": "POST", "json": {"b": 2}, "params": {"a": 1}}
        records = Pull(server, endpoint, api={"auth": auth}).records()
    assert records == [{"method": "POST", "x": "1", "b": 2}]


def test_an_endless_redirect_is_an_error() -> None:
    with serving(in_turn(failing(302, Location="/cats"))) as server:
        pull = Pull(server, {})
        assert "redirects more than 5 times" in str(pull.fails(Terminal))
    assert pull.source.requests == 6


@pytest.mark.parametrize("body_format", ["jsonl", "csv"])
@pytest.mark.parametrize("paginator", ["json_link", "cursor"])
def test_a_paginator_that_reads_json_is_refused_for_other_formats(
    paginator: str, body_format: str
) -> None:
    endpoint = {"paginator": {"type": paginator}, "format": body_format}
    body = {"jsonl": b'{"id":1}', "csv": b"id\n1\n"}[body_format]
    with serving(in_turn(Answer(body=body))) as server:
        assert "reads JSON" in str(Pull(server, endpoint).fails(Terminal))


LEAKS: dict[str, Answer] = {
    "401 that quotes us": Answer(status=401, body=f"no {CANARY}".encode()),
    "500 that quotes us": Answer(status=500, body=f"no {CANARY}".encode()),
    "HTML that quotes us": Answer(body=f"<p>{CANARY}</p>".encode()),
    "JSON that quotes us": Answer(body=f'{{"error": "{CANARY}"}}'.encode()),
    "a scalar that quotes us": Answer(body=f'"{CANARY}"'.encode()),
    "a redirect that quotes us": failing(302, Location=f"https://evil/?q={CANARY}"),
    "a link that quotes us": answer_json({"next": f"https://evil/{CANARY}", "a": [{}]}),
    "a circle that quotes us": answer_json({"next": f"/cats?k={CANARY}", "a": [{}]}),
    "a reset": Answer(fault="reset"),
    "a charset that quotes us": Answer(
        body=b"x", headers={"Content-Type": f"a/b; charset={CANARY}"}
    ),
}


@pytest.mark.parametrize("leak", LEAKS)
@pytest.mark.parametrize("auth", [*AUTHS, "headers, params and body"])
def test_no_secret_is_in_an_error_a_log_or_a_page(
    auth: str, leak: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    def app(asked: Asked) -> Answer:
        if asked.path == "/token":
            return answer_json({"access_token": CANARY})
        return LEAKS[leak]

    with serving(app) as server:
        api: dict[str, object] = {"retry": {"max_attempts": 2}}
        endpoint: dict[str, object] = {}
        if auth.startswith("headers"):
            api["headers"] = {"X-Key": "secret:cats#key"}
            endpoint = {
                "method": "POST",
                "params": {"x": "secret:cats#key"},
                "json": {"a": ["secret:cats#key"]},
            }
        elif auth == NONE_NEEDED:
            endpoint = {"params": {"token": "secret:cats#key"}}
        else:
            proof = AUTHS[auth][0] or {}
            api["auth"] = {
                name: str(value).replace("{origin}", server.origin)
                for name, value in proof.items()
            }
        pull = Pull(server, endpoint, api=api)
        pull.fails()
        assert len(server.asked) >= 1
    assert "CANARY" not in caplog.text


def test_no_secret_is_in_a_position_or_a_url_of_a_page() -> None:
    def app(asked: Asked) -> Answer:
        number = int(asked.query.get("p", 0))
        assert asked.query["key"] == CANARY
        link = f"/cats?p={number + 1}&key={asked.query['key'].replace('+', '%2B')}"
        return answer_json(
            {"rows": [{"n": number}], "next": link if number < 2 else ""}
        )

    with serving(app) as server:
        auth = AUTHS["api_key in the query"][0]
        pages = Pull(server, {}, api={"auth": auth}).pages()
        again = Pull(
            server, {}, api={"auth": auth}, position=pages[0].next_position
        ).pages()
    assert len(pages) == 3
    assert [page.records for page in pages[1:]] == [page.records for page in again]
    assert "CANARY" not in "".join(f"{page.url}{page.next_position}" for page in pages)


def test_a_secret_parameter_of_the_dataset_is_sent_with_every_link() -> None:
    def app(asked: Asked) -> Answer:
        number = int(asked.query.get("p", 0))
        if asked.query.get("k") != CANARY:
            return failing(401)
        link = f"/cats?p={number + 1}&k=x" if number < 2 else ""
        return answer_json({"rows": [{"n": number}], "next": link})

    with serving(app) as server:
        pull = Pull(server, {"params": {"k": "secret:cats#key", "size": 5}})
        pages = pull.pages()
    assert len(pages) == 3
    assert "CANARY" not in "".join(f"{page.url}{page.next_position}" for page in pages)


def test_a_position_of_another_origin_is_refused() -> None:
    with serving(in_turn(GOOD)) as other, serving(in_turn(GOOD)) as server:
        endpoint = {"paginator": {"type": "json_link"}}
        pull = Pull(server, endpoint, position=f"{other.url}cats")
        assert "outside base_url" in str(pull.fails(Terminal))
        assert other.asked == server.asked == []


def test_a_probe_sees_the_whole_document() -> None:
    body = answer_json({"rows": [{"time": "2013-01-01"}], "total": 9})
    with serving(in_turn(body, Answer(status=204), Answer(body=b"<p>"))) as server:
        first, second = Pull(server, {}), Pull(server, {})
        document = first.source.document()
        assert document is not None
        assert document.value("rows[0].time") == "2013-01-01"
        assert second.source.document() is None
        with pytest.raises(Terminal, match=r"page 1 of .*HTML"):
            first.source.document()


def test_nothing_is_sent_when_the_time_is_over() -> None:
    with serving(in_turn(GOOD)) as server:
        error = Pull(server, {}, deadline_s=0).fails(Transient)
        assert server.asked == []
    assert error.kind is RunErrorKind.TIMEOUT


def test_an_unknown_secret_is_an_auth_error_that_names_the_reference() -> None:
    auth = {"type": "bearer", "token": "secret:dogs#key"}
    with serving(in_turn(GOOD)) as server:
        error = Pull(server, {}, api={"auth": auth}).fails(Terminal)
        assert server.asked == []
    assert error.kind is RunErrorKind.AUTH
    assert "secret:dogs#key" in str(error)


def test_the_request_can_be_made_without_pages_as_a_probe_does() -> None:
    with serving(in_turn(GOOD)) as server:
        http = Pull(server, {}).http
        request = HttpRequest(
            method="GET", url=f"{server.url}newest", params={"_size": "1"}, headers={}
        )
        response = http.fetch(request)
    assert response is not None
    assert (response.status, response.body) == (200, b'[{"id": 1}]')
    assert response.headers["content-type"] == "application/json"


class TwoSecrets:
    def value(self, reference: str) -> str:
        return f"CANARY-{reference}" if reference.startswith("secret:") else reference


def asking(base_url: str, token_url: str, allowed: dict[str, str]) -> HttpApi:
    auth = {
        "type": "oauth2_client_credentials",
        "access_token_url": token_url,
        "client_id": "x",
        "client_secret": "secret:door#secret",
    }
    headers = {"X-Key": "secret:cats#key"}
    document = {"base_url": base_url, "auth": auth, "headers": headers}
    return HttpApi(
        api=Api.model_validate_json(json.dumps(document)),
        secrets=TwoSecrets(),
        clock=PlannedClock(),
        random=lambda: 0.0,
        deadline_s=900,
        destinations=Destinations(
            allowed_origins={k: frozenset({origin_of(v)}) for k, v in allowed.items()}
        ),
    )


def fetched(http: HttpApi) -> None:
    base = base_request(
        http.api, Endpoint(path="cats"), values={}, resolve=http.secrets.value
    )
    http.fetch(base)


@pytest.mark.parametrize("fits", [True, False])
@pytest.mark.parametrize("secret", ["door", "cats"])
def test_a_secret_is_sent_to_the_origins_that_its_environment_allows(
    secret: str, *, fits: bool
) -> None:
    token = answer_json({"access_token": "CANARY-a"})
    with serving(in_turn(token)) as door, serving(in_turn(GOOD)) as api:
        right = {"door": door.url, "cats": api.url}
        wrong = {"door": api.url, "cats": door.url}
        http = asking(
            api.url,
            f"{door.url}token",
            {secret: right[secret]} if fits else {secret: wrong[secret]},
        )
        if fits:
            fetched(http)
            assert (len(door.asked), len(api.asked)) == (1, 1)
            return
        with pytest.raises(Terminal, match=f"the secret {secret} is not sent") as no:
            fetched(http)
        assert no.value.kind is RunErrorKind.AUTH
        assert api.asked == []
        assert len(door.asked) == (0 if secret == "door" else 1)


@pytest.mark.parametrize("cut_at", range(1, len(CANARY) + 1))
def test_a_secret_that_a_quote_would_cut_is_blanked_out_whole(cut_at: int) -> None:
    body = b"x" * (_EXCERPT - cut_at) + CANARY.encode() + b"y" * 500
    with serving(in_turn(Answer(status=400, body=body))) as server:
        pull = Pull(server, {}, api={"auth": AUTHS["bearer"][0]})
        assert CANARY[:3] not in str(pull.fails(Terminal))
