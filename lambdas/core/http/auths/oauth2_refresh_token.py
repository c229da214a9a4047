"""`oauth2_refresh_token`: a token that a refresh token is exchanged for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from lambdas.core.http.auth import Proof
from lambdas.core.http.token import TokenAuth


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
