"""`http_basic`: user and password."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from lambdas.core.http.auth import (
    AccessToken,
    BaseAuth,
    Proof,
    Resolve,
    basic,
    with_header,
)
from lambdas.core.http.message import HttpRequest


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
        return with_header(
            request,
            "Authorization",
            f"Basic {basic(resolve(self.username), resolve(self.password))}",
        )

    def secrets(self, resolve: Resolve) -> frozenset[str]:
        """The password, and both as the header holds them."""
        user, password = resolve(self.username), resolve(self.password)
        return super().secrets(resolve) | {password, basic(user, password)}
