"""How a request proves who we are: configuration and behaviour together.

All of it is pure: a request goes in with resolved secrets, and comes out proven. What
a request is proven with is named by `secrets`, so that messages can blank it out.
"""

from __future__ import annotations

import base64
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Annotated, Literal, TypeAlias
from urllib.parse import quote, quote_plus

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from lambdas.core.errors import RunErrorKind, Terminal
from lambdas.core.http.message import HttpRequest, HttpResponse
from lambdas.core.http.urls import public_url, without_params

Resolve: TypeAlias = Callable[[str], str]
"""What a `secret:` reference stands for; any other text is itself."""

_MARGIN = timedelta(seconds=60)
_LONGEST = timedelta(days=1)
"""A token that claims to live longer is asked for anew: no pull is that long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessToken:
    """A token, and when it has to be replaced. Its value is in no `repr`."""

    value: str = field(repr=False)
    expires_at: datetime

    def is_due(self, now: datetime) -> bool:
        """Whether to fetch another one before the next request."""
        return now >= self.expires_at


class BaseAuth(BaseModel, ABC):
    """Frozen, strict configuration, and how it proves a request."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, defer_build=True
    )

    @abstractmethod
    def prove(
        self, request: HttpRequest, resolve: Resolve, token: AccessToken | None
    ) -> HttpRequest:
        """`request` with the proof. `token` is what a token request gave, if this
        kind of auth makes one.
        """

    @abstractmethod
    def secrets(self, resolve: Resolve) -> frozenset[str]:
        """Every text that must not be in a message."""

    def query_names(self) -> frozenset[str]:
        """Query parameters that hold a secret."""
        return frozenset()


class BearerAuth(BaseAuth):
    """`Authorization: Bearer …` (RFC 6750)."""

    type: Literal["bearer"]
    token: str

    def prove(
        self, request: HttpRequest, resolve: Resolve, token: AccessToken | None
    ) -> HttpRequest:
        """With the token in a header."""
        del token
        return _with_header(
            request, "Authorization", f"Bearer {_clean(resolve(self.token))}"
        )

    def secrets(self, resolve: Resolve) -> frozenset[str]:
        """The token."""
        return frozenset({_clean(resolve(self.token))})


class ApiKeyAuth(BaseAuth):
    """A key in a header, the query or a cookie."""

    type: Literal["api_key"]
    name: str = Field(default="Authorization", min_length=1)
    api_key: str
    location: Literal["header", "query", "cookie"] = "header"

    def prove(
        self, request: HttpRequest, resolve: Resolve, token: AccessToken | None
    ) -> HttpRequest:
        """With the key where it belongs; one that the URL has already is replaced."""
        del token
        key = _clean(resolve(self.api_key))
        match self.location:
            case "header":
                return _with_header(request, self.name, key)
            case "query":
                return replace(
                    request,
                    url=without_params(request.url, {self.name}),
                    params={**request.params, self.name: key},
                )
            case "cookie":
                cookie = f"{self.name}={quote(key, safe=_COOKIE_OCTETS)}"
                others = next(
                    (v for k, v in request.headers.items() if k.lower() == "cookie"), ""
                )
                return _with_header(
                    request, "Cookie", f"{others}; {cookie}" if others else cookie
                )

    def secrets(self, resolve: Resolve) -> frozenset[str]:
        """The key."""
        return frozenset({_clean(resolve(self.api_key))})

    def query_names(self) -> frozenset[str]:
        """The key's own parameter, if it is in the query."""
        return frozenset({self.name}) if self.location == "query" else frozenset()


_COOKIE_OCTETS = "!#$&'()*+-./:<=>?@[]^_`{|}~%"
"""RFC 6265, 4.1.1, beside letters and digits; a percent sign is left as it is."""


class HttpBasicAuth(BaseAuth):
    """User and password (RFC 7617)."""

    type: Literal["http_basic"]
    username: str
    password: str

    def prove(
        self, request: HttpRequest, resolve: Resolve, token: AccessToken | None
    ) -> HttpRequest:
        """With both in a header, as UTF-8."""
        del token
        return _with_header(
            request,
            "Authorization",
            f"Basic {_basic(resolve(self.username), resolve(self.password))}",
        )

    def secrets(self, resolve: Resolve) -> frozenset[str]:
        """The password, and both as the header holds them."""
        user, password = resolve(self.username), resolve(self.password)
        return frozenset({password, _basic(user, password)})


class OAuth2ClientCredentials(BaseAuth):
    """A token fetched with client credentials (RFC 6749, section 4.4)."""

    type: Literal["oauth2_client_credentials"]
    access_token_url: str
    client_id: str
    client_secret: str
    access_token_request_data: dict[str, str] = {}
    default_token_expiration: int = Field(default=3600, gt=0, description="seconds")

    def prove(
        self, request: HttpRequest, resolve: Resolve, token: AccessToken | None
    ) -> HttpRequest:
        """With the token that was fetched."""
        del resolve
        if token is None:
            raise Terminal(
                "no access token was fetched before the request",
                kind=RunErrorKind.AUTH,
            )
        return _with_header(request, "Authorization", f"Bearer {token.value}")

    def secrets(self, resolve: Resolve) -> frozenset[str]:
        """The client's secret in each form that a token request gives it, and what
        `access_token_request_data` takes from secrets.
        """
        user, password = resolve(self.client_id), resolve(self.client_secret)
        data = {
            resolve(value)
            for value in self.access_token_request_data.values()
            if value.startswith("secret:")
        }
        return frozenset(
            {
                password,
                _basic(quote_plus(user), quote_plus(password)),
                *data,
            }
        )

    def token_request(
        self, resolve: Resolve, *, client: Literal["body", "basic"] = "body"
    ) -> HttpRequest:
        """The request for a token.

        The client names itself in the body, as dlt and most servers do, or by HTTP
        Basic, which is the way that RFC 6749, 2.3.1, obliges servers to know.
        """
        form = {
            "grant_type": "client_credentials",
            **{k: resolve(v) for k, v in self.access_token_request_data.items()},
        }
        user, password = resolve(self.client_id), resolve(self.client_secret)
        headers = {"Accept": "application/json"}
        if client == "body":
            form |= {"client_id": user, "client_secret": password}
        else:
            pair = _basic(quote_plus(user), quote_plus(password))
            headers["Authorization"] = f"Basic {pair}"
        return HttpRequest(
            method="POST",
            url=self.access_token_url,
            params={},
            headers=headers,
            form=form,
        )

    def read_token(self, response: HttpResponse, now: datetime) -> AccessToken:
        """The token in a token answer; it is replaced a minute, or a tenth of its
        life, before it ends, whichever is shorter.

        Raises Terminal(kind=auth) if there is none.
        """
        try:
            answer: object = msgspec.json.decode(response.body)
        except msgspec.DecodeError:
            answer = None
        value = answer.get("access_token") if isinstance(answer, Mapping) else None
        if not isinstance(answer, Mapping) or not isinstance(value, str) or not value:
            raise Terminal(
                f"{public_url(response.url)} gave no `access_token` in a JSON object; "
                "check access_token_url and access_token_request_data",
                kind=RunErrorKind.AUTH,
            )
        seconds = self._seconds(answer.get("expires_in"))
        life = timedelta(seconds=min(seconds, _LONGEST.total_seconds()))
        return AccessToken(
            value=_clean(value), expires_at=now + life - min(_MARGIN, life / 10)
        )

    def _seconds(self, expires_in: object) -> float:
        if isinstance(expires_in, str) and expires_in.strip().isdecimal():
            expires_in = int(expires_in)
        if isinstance(expires_in, int | float) and expires_in > 0:
            return float(expires_in)
        return float(self.default_token_expiration)


Auth = Annotated[
    BearerAuth | ApiKeyAuth | HttpBasicAuth | OAuth2ClientCredentials,
    Field(discriminator="type"),
]


def _clean(secret: str) -> str:
    """Without the line break that files and consoles add.

    Raises Terminal(kind=auth) for one inside, which would begin another header.
    """
    value = secret.strip("\r\n")
    if any(character in value for character in "\r\n\0"):
        raise Terminal(
            "a secret for auth holds a line break inside; store it on one line",
            kind=RunErrorKind.AUTH,
        )
    return value


def _with_header(request: HttpRequest, name: str, value: str) -> HttpRequest:
    kept = {k: v for k, v in request.headers.items() if k.lower() != name.lower()}
    return replace(request, headers={**kept, name: value})


def _basic(user: str, password: str) -> str:
    return base64.b64encode(f"{user}:{password}".encode()).decode()
