"""What auths share that fetch a token first."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Literal
from urllib.parse import quote_plus

import msgspec
from pydantic import Field

from lambdas.core.errors import RunErrorKind, Terminal
from lambdas.core.http.auth import (
    AccessToken,
    BaseAuth,
    Proof,
    Resolve,
    basic,
    clean,
    with_header,
)
from lambdas.core.http.message import HttpRequest, HttpResponse
from lambdas.core.http.urls import public_url
from lambdas.core.text.number import whole_number

_MARGIN = timedelta(seconds=60)
_LONGEST = timedelta(days=1)
_ERROR_CODE = re.compile(r"[a-z_]{1,40}")
"""RFC 6749, 5.2; some send it with 200."""
"""A token that claims to live longer is asked for anew: no pull is that long."""


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
        return with_header(request, "Authorization", f"Bearer {token.value}")

    def secrets(self, resolve: Resolve) -> frozenset[str]:
        """The client's secret in each form that a token request gives it as well."""
        user, password = resolve(self.client_id), resolve(self.client_secret)
        return super().secrets(resolve) | {
            password,
            basic(quote_plus(user), quote_plus(password)),
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
            pair = basic(quote_plus(user), quote_plus(password))
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
            said = answer.get("error") if isinstance(answer, Mapping) else None
            is_code = isinstance(said, str) and _ERROR_CODE.fullmatch(said)
            raise Terminal(
                f"{public_url(response.url)} gave no `{member}` in a JSON object"
                + (f", but the error `{said}`; " if is_code else "; ")
                + "check access_token_url and access_token_request_data",
                kind=RunErrorKind.AUTH,
            )
        seconds = self._seconds(answer.get("expires_in"))
        life = timedelta(seconds=min(seconds, _LONGEST.total_seconds()))
        rotated = answer.get("refresh_token")
        return AccessToken(
            value=clean(value),
            expires_at=now + life - min(_MARGIN, life / 10),
            refresh_token=rotated if isinstance(rotated, str) and rotated else None,
        )

    def _seconds(self, expires_in: object) -> float:
        if isinstance(expires_in, str):
            expires_in = whole_number(expires_in.strip())
        if isinstance(expires_in, int | float) and expires_in > 0:
            return expires_in
        return float(self.default_token_expiration)
