"""`api_key`: a key in a header, the query or a cookie."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Literal
from urllib.parse import quote

from pydantic import Field

from lambdas.core.http.auth import (
    HEADER_NAME,
    AccessToken,
    BaseAuth,
    Proof,
    Resolve,
    clean,
    with_header,
)
from lambdas.core.http.message import HttpRequest
from lambdas.core.http.urls import without_params


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
        key = clean(resolve(self.api_key))
        match self.location:
            case "header":
                return with_header(request, self.name, key)
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
                return with_header(
                    request, "Cookie", f"{others}; {cookie}" if others else cookie
                )

    def query_names(self) -> frozenset[str]:
        """The key's own parameter, if it is in the query."""
        return frozenset({self.name}) if self.location == "query" else frozenset()

    def faults(self) -> Iterator[tuple[str, str]]:
        """A name that cannot be sent."""
        if not HEADER_NAME.fullmatch(self.name):
            sentence = (
                "cannot be the name of a header, parameter or cookie; accepted: letters"
            )
            yield "name", f"{sentence}, digits and -"


_COOKIE_OCTETS = "!#$&'()*+-./:<=>?@[]^_`{|}~%"
"""RFC 6265, 4.1.1, beside letters and digits; a percent sign is left as it is."""
