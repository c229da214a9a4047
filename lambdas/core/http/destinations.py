"""Where requests, and the secrets in them, may go."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from lambdas.core.errors import RunErrorKind, Terminal
from lambdas.core.http.auth import SECRET
from lambdas.core.http.urls import is_loopback, origin_of, public_url


def secret_name(reference: str) -> str:
    """`cats` of `secret:cats#token`."""
    return reference.removeprefix(SECRET).partition("#")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Destinations:
    """What an environment allows. Without anything said, all that `check` does."""

    allowed_origins: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """By the secret's name; one that is not named may go to any origin."""

    loopback: bool = True
    """Whether a request may stay on this machine: nobody listens there in AWS."""

    def refuse(self, url: str, references: Collection[str]) -> None:
        """Raise Terminal if a request with these secrets may not be sent to `url`."""
        if not self.loopback and is_loopback(url):
            raise Terminal(
                f"{public_url(url)} is on loopback, and this function is deployed: "
                "nothing of yours listens there. Correct base_url, or use `catflap "
                "try`, which runs on your machine",
                kind=RunErrorKind.HTTP,
            )
        for name in sorted({secret_name(reference) for reference in references}):
            allowed = self.allowed_origins.get(name)
            if allowed is not None and origin_of(url) not in allowed:
                raise Terminal(
                    f"the secret {name} is not sent to {origin_of(url)}; "
                    "`allowed_origins` of the environment allows it to go to "
                    f"{', '.join(sorted(allowed)) or 'no origin'}",
                    kind=RunErrorKind.AUTH,
                )


ANYWHERE = Destinations()
"""On a person's own machine."""
