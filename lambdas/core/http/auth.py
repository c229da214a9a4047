"""How a request proves who we are: configuration and behaviour together.

All of it is pure: a request goes in with resolved secrets, and comes out proven. What
a request is proven with is named by `secrets`, so that messages can blank it out.

To add an auth is to write one class here: its keys, what they mean and how it proves a
request. Schema, reference, rules and redaction follow from it.
"""

from __future__ import annotations

import base64
import inspect
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import (
    TYPE_CHECKING,
    Annotated,
    Literal,
    Protocol,
    TypeAlias,
    Union,
    runtime_checkable,
)
from urllib.parse import quote, quote_plus

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from lambdas.core.errors import RunErrorKind, Terminal
from lambdas.core.http.message import HttpRequest, HttpResponse
from lambdas.core.http.urls import public_url, without_params
from lambdas.core.ports import Clock

Resolve: TypeAlias = Callable[[str], str]
"""What a `secret:` reference stands for; any other text is itself."""

_MARGIN = timedelta(seconds=60)
_LONGEST = timedelta(days=1)
"""A token that claims to live longer is asked for anew: no pull is that long."""

SECRET = "secret:"  # noqa: S105 - the prefix of a reference
PROOF = "proof"
Proof: TypeAlias = Annotated[
    str, Field(description="a secret: `secret:NAME#KEY`"), PROOF
]
"""The value of a key that nobody else may know."""

# https://www.rfc-editor.org/rfc/rfc9110#name-field-names
HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessToken:
    """A token, and when it has to be replaced. Its value is in no `repr`."""

    value: str = field(repr=False)
    expires_at: datetime
    refresh_token: str | None = field(default=None, repr=False)
    """The refresh token that takes the place of the one that was sent."""

    def is_due(self, now: datetime) -> bool:
        """Whether to fetch another one before the next request."""
        return now >= self.expires_at


class BaseAuth(BaseModel, ABC):
    """Frozen, strict configuration, and how it proves a request."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, defer_build=True
    )

    type: str

    @abstractmethod
    def prove(
        self, request: HttpRequest, resolve: Resolve, token: AccessToken | None
    ) -> HttpRequest:
        """`request` with the proof. `token` is what a token request gave, if this
        kind of auth makes one.
        """

    def secrets(self, resolve: Resolve) -> frozenset[str]:
        """Every text that must not be in a message: the proofs, and what else is
        taken from secrets, at any depth.
        """
        texts = {*self.proofs().values(), *self.references()}
        return frozenset(resolve(text).strip("\r\n") for text in texts)

    def query_names(self) -> frozenset[str]:
        """Query parameters that hold a secret."""
        return frozenset()

    def urls(self) -> Mapping[str, str]:
        """Where else than to base_url secrets are sent, by key."""
        return {}

    def faults(self) -> Iterator[tuple[str, str]]:
        """What is wrong beyond the types: a key and a sentence, each."""
        return iter(())

    def proofs(self) -> dict[str, str]:
        """The values that nobody else may know, by key."""
        fields = type(self).model_fields
        return {
            key: getattr(self, key)
            for key, one in fields.items()
            if PROOF in one.metadata
        }

    def references(self) -> frozenset[str]:
        """Every `secret:` reference in the configuration."""
        return frozenset(references_in(self.model_dump(mode="json")))


def references_in(value: object) -> Iterator[str]:
    """Every `secret:` reference in mappings and lists."""
    match value:
        case str() if value.startswith(SECRET):
            yield value
        case dict():
            for below in value.values():
                yield from references_in(below)
        case list():
            for below in value:
                yield from references_in(below)


class BearerAuth(BaseAuth):
    """`Authorization: Bearer …` (RFC 6750)."""

    type: Literal["bearer"]
    token: Proof

    def prove(
        self, request: HttpRequest, resolve: Resolve, token: AccessToken | None
    ) -> HttpRequest:
        """With the token in a header."""
        del token
        return _with_header(
            request, "Authorization", f"Bearer {_clean(resolve(self.token))}"
        )


class ApiKeyAuth(BaseAuth):
    """A key in a header, the query or a cookie."""

    type: Literal["api_key"]
    name: str = Field(
        default="Authorization",
        min_length=1,
        description="the header, parameter or cookie that takes the key",
    )
    api_key: Proof
    location: Literal["header", "query", "cookie"] = Field(
        default="header", description="where the key goes"
    )

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

    def query_names(self) -> frozenset[str]:
        """The key's own parameter, if it is in the query."""
        return frozenset({self.name}) if self.location == "query" else frozenset()

    def faults(self) -> Iterator[tuple[str, str]]:
        """A name that cannot be sent."""
        if not HEADER_NAME.fullmatch(self.name):
            sentence = "is no name of a header, parameter or cookie; accepted: letters"
            yield "name", f"{sentence}, digits and -"


_COOKIE_OCTETS = "!#$&'()*+-./:<=>?@[]^_`{|}~%"
"""RFC 6265, 4.1.1, beside letters and digits; a percent sign is left as it is."""


class HttpBasicAuth(BaseAuth):
    """User and password (RFC 7617)."""

    type: Literal["http_basic"]
    username: str = Field(description="the user")
    password: Proof

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
        return super().secrets(resolve) | {password, _basic(user, password)}


class TokenAuth(BaseAuth, ABC):
    """A token that a server gives (RFC 6749), sent as `Authorization: Bearer …`."""

    access_token_url: str = Field(description="where tokens are given")
    client_id: str = Field(description="who asks")
    client_secret: Proof
    access_token_request_data: dict[str, str] = Field(
        default={}, description="sent beside the grant: scope, audience"
    )
    default_token_expiration: int = Field(
        default=3600,
        gt=0,
        description="seconds a token lasts if its answer does not say",
    )

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
        """The client's secret in each form that a token request gives it as well."""
        user, password = resolve(self.client_id), resolve(self.client_secret)
        return super().secrets(resolve) | {
            password,
            _basic(quote_plus(user), quote_plus(password)),
        }

    def urls(self) -> Mapping[str, str]:
        """Where tokens are given."""
        return {"access_token_url": self.access_token_url}

    @abstractmethod
    def grant(self, refresh_token: str | None) -> Mapping[str, str]:
        """What a token is asked for by, as a form."""

    @property
    def kept_in(self) -> str | None:
        """The secret that holds the refresh token; None where there is none."""
        return None

    @property
    def token_member(self) -> str:
        """The member of a token answer that holds the access token."""
        return "access_token"

    def token_request(
        self,
        resolve: Resolve,
        *,
        client: Literal["body", "basic"] = "body",
        refresh_token: str | None = None,
    ) -> HttpRequest:
        """The request for a token.

        The client names itself in the body, as dlt and most servers do, or by HTTP
        Basic, which is the way that RFC 6749, 2.3.1, obliges servers to know.
        """
        form = {
            **self.grant(refresh_token),
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
        member = self.token_member
        value = answer.get(member) if isinstance(answer, Mapping) else None
        if not isinstance(answer, Mapping) or not isinstance(value, str) or not value:
            raise Terminal(
                f"{public_url(response.url)} gave no `{member}` in a JSON object; "
                "check access_token_url and access_token_request_data",
                kind=RunErrorKind.AUTH,
            )
        seconds = self._seconds(answer.get("expires_in"))
        life = timedelta(seconds=min(seconds, _LONGEST.total_seconds()))
        rotated = answer.get("refresh_token")
        return AccessToken(
            value=_clean(value),
            expires_at=now + life - min(_MARGIN, life / 10),
            refresh_token=rotated if isinstance(rotated, str) and rotated else None,
        )

    def _seconds(self, expires_in: object) -> float:
        if isinstance(expires_in, str) and expires_in.strip().isdecimal():
            expires_in = int(expires_in)
        if isinstance(expires_in, int | float) and expires_in > 0:
            return float(expires_in)
        return float(self.default_token_expiration)


class OAuth2ClientCredentials(TokenAuth):
    """A token fetched with client credentials (RFC 6749, section 4.4)."""

    type: Literal["oauth2_client_credentials"]

    def grant(self, refresh_token: str | None) -> Mapping[str, str]:
        """The client itself."""
        del refresh_token
        return {"grant_type": "client_credentials"}


class OAuth2RefreshToken(TokenAuth):
    """A token fetched with a refresh token (RFC 6749, section 6). A new refresh token
    is written back to its secret before the token that came with it is used.
    """

    type: Literal["oauth2_refresh_token"]
    refresh_token: Proof
    token_name: str = Field(
        default="access_token",
        min_length=1,
        description="the member of a token answer that holds the access token",
    )

    def grant(self, refresh_token: str | None) -> Mapping[str, str]:
        """The refresh token that is stored now."""
        return {"grant_type": "refresh_token", "refresh_token": refresh_token or ""}

    @property
    def kept_in(self) -> str:
        """The refresh token's own secret."""
        return self.refresh_token

    @property
    def token_member(self) -> str:
        """As it is declared."""
        return self.token_name


@runtime_checkable
class TokenKeeper(Protocol):
    """Secrets that can be written back."""

    def renewed(
        self,
        reference: str,
        *,
        refused: str | None,
        fetch: Callable[[str], AccessToken],
        clock: Clock,
        within_s: float,
    ) -> AccessToken:
        """An access token for the refresh token at `reference`: one that somebody else
        got meanwhile, or `fetch` by the stored refresh token, whose successor is
        stored before this returns. One caller fetches at a time, over all functions.

        `refused` is the access token that is known to be no good. Raises
        UpstreamError.
        """


def _kinds(base: type[BaseAuth]) -> Iterator[type[BaseAuth]]:
    """Every auth that can be declared, in the order in which they are written."""
    for below in base.__subclasses__():
        if not inspect.isabstract(below):
            yield below
        yield from _kinds(below)


if TYPE_CHECKING:
    Auth: TypeAlias = BaseAuth
else:
    Auth = Annotated[
        Union[tuple(_kinds(BaseAuth))],  # noqa: UP007 - of what is written above
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
