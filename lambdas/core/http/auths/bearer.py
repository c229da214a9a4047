"""`bearer`: a token in a header."""

from __future__ import annotations

from typing import Literal

from lambdas.core.http.auth import (
    AccessToken,
    BaseAuth,
    Proof,
    Resolve,
    clean,
    with_header,
)
from lambdas.core.http.message import HttpRequest


class BearerAuth(BaseAuth):
    """`Authorization: Bearer …` (RFC 6750)."""

    type: Literal["bearer"]
    token: Proof

    def prove(
        self, request: HttpRequest, resolve: Resolve, token: AccessToken | None
    ) -> HttpRequest:
        """With the token in a header."""
        del token
        return with_header(
            request, "Authorization", f"Bearer {clean(resolve(self.token))}"
        )
