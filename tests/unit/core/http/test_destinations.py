from __future__ import annotations

import pytest

from lambdas.core.errors import RunErrorKind, Terminal
from lambdas.core.http.destinations import ANYWHERE, Destinations

CATS = Destinations(
    allowed_origins={"cats": frozenset({"https://api.example.com:443"})}, loopback=False
)


@pytest.mark.parametrize(
    "url", ["https://api.example.com/v1", "https://API.example.com:443"]
)
def test_a_secret_goes_to_the_origins_that_it_may_go_to(url: str) -> None:
    CATS.refuse(url, {"secret:cats#token"})


@pytest.mark.parametrize(
    "url",
    [
        "https://api.example.com.evil.org/v1",
        "https://api.example.com:8443/v1",
        "https://example.com/v1",
    ],
)
def test_a_secret_goes_nowhere_else(url: str) -> None:
    with pytest.raises(Terminal, match="the secret cats is not sent to") as caught:
        CATS.refuse(url, {"secret:dogs#token", "secret:cats#token"})
    assert caught.value.kind is RunErrorKind.AUTH
    assert "https://api.example.com:443" in str(caught.value)


def test_a_secret_that_is_not_named_goes_anywhere() -> None:
    CATS.refuse("https://elsewhere.example.org/", {"secret:dogs#token"})


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.8.9.1", "localhost", "LOCALHOST", "a.localhost", "[::1]",
     "[::]", "localhost."],
)  # fmt: skip
def test_a_deployed_function_asks_nobody_on_loopback(host: str) -> None:
    with pytest.raises(Terminal, match="on loopback"):
        CATS.refuse(f"http://{host}:8080/cats", ())
    ANYWHERE.refuse(f"http://{host}:8080/cats", ())
