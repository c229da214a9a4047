from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import TypeAdapter, ValidationError

from lambdas.core.errors import RunErrorKind, Terminal
from lambdas.core.http.auth import BaseAuth
from lambdas.core.http.auth_registry import Auth
from lambdas.core.http.auths.oauth2_client_credentials import OAuth2ClientCredentials
from lambdas.core.http.message import HttpRequest, HttpResponse

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
STORED = {
    "secret:cats#token": "CANARY-token",
    "secret:cats#broken": "CANARY\r\nX-Evil: 1",
    "secret:cats#newline": "CANARY-token\n",
    "secret:cats#odd": 'CANARY ;,"=é',
    "secret:cats#id": "the client",
    "secret:cats#secret": "CANARY:s/cret%",
}
REQUEST = HttpRequest(
    method="GET",
    url="https://api.example.com/cats?page=2",
    params={"size": "2"},
    headers={"Accept": "application/json"},
)


def resolve(reference: str) -> str:
    return STORED.get(reference, reference)


def configured(document: dict[str, object]) -> BaseAuth:
    auth: BaseAuth = TypeAdapter(Auth).validate_python(document)
    return auth


def proven(document: dict[str, object], request: HttpRequest = REQUEST) -> HttpRequest:
    return configured(document).prove(request, resolve, None)


def test_bearer_is_a_header() -> None:
    request = proven({"type": "bearer", "token": "secret:cats#token"})
    assert request.headers["Authorization"] == "Bearer CANARY-token"
    assert request.headers["Accept"] == "application/json"


def test_a_line_break_at_the_end_of_a_secret_is_not_sent() -> None:
    request = proven({"type": "bearer", "token": "secret:cats#newline"})
    assert request.headers["Authorization"] == "Bearer CANARY-token"


@pytest.mark.parametrize(
    "document",
    [
        {"type": "bearer", "token": "secret:cats#broken"},
        {"type": "api_key", "api_key": "secret:cats#broken"},
    ],
)
def test_a_secret_that_would_begin_another_header_is_refused(
    document: dict[str, object],
) -> None:
    with pytest.raises(Terminal, match="line break") as caught:
        proven(document)
    assert caught.value.kind is RunErrorKind.AUTH
    assert "CANARY" not in str(caught.value)


def test_an_api_key_goes_into_authorization_by_default_as_in_dlt() -> None:
    request = proven({"type": "api_key", "api_key": "k"})
    assert request.headers["Authorization"] == "k"


def test_an_api_key_replaces_a_header_of_the_same_name_in_any_case() -> None:
    given = HttpRequest(
        method="GET", url="https://a/", params={}, headers={"x-KEY": "old"}
    )
    request = proven({"type": "api_key", "name": "X-Key", "api_key": "k"}, given)
    assert dict(request.headers) == {"X-Key": "k"}


def test_an_api_key_in_the_query_is_there_once_even_if_the_link_holds_it() -> None:
    given = HttpRequest(
        method="GET", url="https://a/b?key=old&page=2&ke%79=x", params={}, headers={}
    )
    auth = configured(
        {"type": "api_key", "name": "key", "api_key": "k", "location": "query"}
    )
    request = auth.prove(given, resolve, None)
    assert (request.url, dict(request.params)) == ("https://a/b?page=2", {"key": "k"})
    assert frozenset({"key"}) == auth.query_names()


def test_an_api_key_in_a_cookie_joins_the_others() -> None:
    given = HttpRequest(
        method="GET", url="https://a/", params={}, headers={"cookie": "lang=en"}
    )
    request = proven(
        {"type": "api_key", "name": "sid", "api_key": "secret:cats#odd",
         "location": "cookie"},
        given,
    )  # fmt: skip
    assert dict(request.headers) == {"Cookie": "lang=en; sid=CANARY%20%3B%2C%22=%C3%A9"}


def test_basic_is_utf_8() -> None:
    request = proven({"type": "http_basic", "username": "ü", "password": "p:w"})
    assert (
        "Basic " + base64.b64encode("ü:p:w".encode()).decode()
        == (request.headers["Authorization"])
    )


@pytest.mark.parametrize(
    "document",
    [
        {"type": "bearer"},
        {"type": "api_key", "api_key": "k", "location": "body"},
        {"type": "api_key", "api_key": "k", "name": ""},
        {"type": "http_basic", "username": "u"},
        {"type": "jwt", "token": "x"},
        {"type": "oauth2_client_credentials", "client_id": "x"},
    ],
)
def test_a_configuration_that_cannot_work_is_refused(
    document: dict[str, object],
) -> None:
    with pytest.raises(ValidationError):
        configured(document)


@pytest.mark.parametrize(
    "document",
    [
        {"type": "bearer", "token": "secret:cats#token"},
        {"type": "api_key", "api_key": "secret:cats#token"},
        {"type": "http_basic", "username": "u", "password": "secret:cats#token"},
        {"type": "oauth2_client_credentials", "access_token_url": "https://a/",
         "client_id": "x", "client_secret": "secret:cats#token"},
    ],
)  # fmt: skip
def test_each_kind_names_what_messages_must_blank_out(
    document: dict[str, object],
) -> None:
    auth = configured(document)
    assert "CANARY-token" in auth.secrets(resolve)
    assert "CANARY" not in repr(auth)


OAUTH = OAuth2ClientCredentials(
    type="oauth2_client_credentials",
    access_token_url="https://login.example.com/token",
    client_id="secret:cats#id",
    client_secret="secret:cats#secret",
    access_token_request_data={"scope": "cats.read"},
    default_token_expiration=600,
)


def answer(document: object, status: int = 200) -> HttpResponse:
    return HttpResponse(
        status=status,
        url="https://login.example.com/token",
        headers={},
        body=json.dumps(document).encode(),
    )


class TestClientCredentials:
    def test_the_client_names_itself_in_the_form(self) -> None:
        request = OAUTH.token_request(resolve)
        assert (
            request.method,
            request.url,
        ) == ("POST", "https://login.example.com/token")
        assert request.form == {
            "grant_type": "client_credentials",
            "client_id": "the client",
            "client_secret": "CANARY:s/cret%",
            "scope": "cats.read",
        }

    def test_or_by_basic_with_both_encoded_as_rfc_6749_says(self) -> None:
        request = OAUTH.token_request(resolve, client="basic")
        pair = request.headers["Authorization"].removeprefix("Basic ")
        assert base64.b64decode(pair) == b"the+client:CANARY%3As%2Fcret%25"
        assert (request.form) == {
            "grant_type": "client_credentials",
            "scope": "cats.read",
        }

    @pytest.mark.parametrize(
        ("expires_in", "life_s"),
        [(3600, 3540), ("3600", 3540), (100, 90), (None, 540), ("soon", 540), (0, 540)],
    )
    def test_it_is_replaced_before_it_ends(
        self, expires_in: object, life_s: int
    ) -> None:
        document = {"access_token": "t", "expires_in": expires_in}
        token = OAUTH.read_token(answer(document), NOW)
        end = NOW + timedelta(seconds=life_s)
        assert end == token.expires_at
        assert not token.is_due(end - timedelta(seconds=1))
        assert token.is_due(end)

    @pytest.mark.parametrize(
        "document", [{}, {"access_token": ""}, {"access_token": 7}, [], "CANARY"]
    )
    def test_an_answer_without_a_token_is_an_error_that_does_not_quote_it(
        self, document: object
    ) -> None:
        with pytest.raises(Terminal, match="access_token") as caught:
            OAUTH.read_token(answer(document), NOW)
        assert caught.value.kind is RunErrorKind.AUTH
        assert "CANARY" not in str(caught.value)

    @pytest.mark.parametrize(
        ("said", "is_shown"),
        [("invalid_client", True), ("CANARY x", False), (1, False)],
    )
    def test_the_error_code_of_an_answer_is_shown(
        self, said: object, *, is_shown: bool
    ) -> None:
        with pytest.raises(Terminal) as caught:
            OAUTH.read_token(answer({"error": said}), NOW)
        assert ("but the error `invalid_client`" in str(caught.value)) == is_shown
        assert "CANARY" not in str(caught.value)

    def test_the_token_is_in_no_repr(self) -> None:
        token = OAUTH.read_token(answer({"access_token": "CANARY"}), NOW)
        assert "CANARY" not in repr(token)
        proof = OAUTH.prove(REQUEST, resolve, token)
        assert proof.headers["Authorization"] == "Bearer CANARY"

    def test_no_request_goes_out_without_one(self) -> None:
        with pytest.raises(Terminal, match="no access token"):
            OAUTH.prove(REQUEST, resolve, None)
