"""`oauth2_client_credentials`: a token that the client itself is given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from lambdas.core.http.token import TokenAuth


class OAuth2ClientCredentials(TokenAuth):
    """A token fetched with client credentials (RFC 6749, section 4.4)."""

    type: Literal["oauth2_client_credentials"]

    def grant(self, refresh_token: str | None) -> Mapping[str, str]:
        """The client itself."""
        del refresh_token
        return {"grant_type": "client_credentials"}
