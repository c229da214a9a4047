"""Secrets from environment variables: what Secrets Manager is on one's own machine."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from threading import Lock

from lambdas.core.errors import RunErrorKind, Terminal
from lambdas.core.http.auth import SECRET, AccessToken
from lambdas.core.ports import Clock

LOG = logging.getLogger("catflap.secrets")

_REFERENCE = re.compile(r"secret:(?P<name>[^#\s]+)#(?P<key>\S+)")


class EnvironmentSecrets:
    """`secret:NAME#KEY` is the variable `CATFLAP_SECRET_<NAME>_<KEY>`."""

    def __init__(self, *, variables: Mapping[str, str]) -> None:
        self._variables = variables
        self._renewing = Lock()
        self._fetched: dict[str, tuple[str, AccessToken]] = {}
        self.warnings: list[str] = []
        """What a person should know of the secrets that were used."""

    def value(self, reference: str) -> str:
        """What `reference` stands for; a text without the prefix is itself.

        Raises UpstreamError(kind=auth) naming the variable that is missing.
        """
        if not reference.startswith(SECRET):
            return reference
        match = _REFERENCE.fullmatch(reference)
        if match is None:
            raise Terminal(
                "a secret is not of the form secret:NAME#KEY", kind=RunErrorKind.AUTH
            )
        name = variable_of(match["name"], match["key"])
        if not self._variables.get(name):
            raise Terminal(
                f"`{reference}` is read from the environment variable {name}, which is "
                f"not set; export {name}=…",
                kind=RunErrorKind.AUTH,
            )
        return self._variables[name]

    def renewed(
        self,
        reference: str,
        *,
        refused: str | None,
        fetch: Callable[[str], AccessToken],
        clock: Clock,
        within_s: float,
    ) -> AccessToken:
        """As `TokenKeeper`, for this process: a warning says that it is not stored."""
        del within_s
        with self._renewing:
            sent, known = self._fetched.get(reference, ("", None))
            if known and known.value != refused and not known.is_due(clock.now()):
                return known
            sent = sent or self.value(reference)
            token = fetch(sent)
            latest = token.refresh_token or sent
            if latest != sent:
                self._warn_of_rotation(reference)
            self._fetched[reference] = (latest, token)
            return token

    def _warn_of_rotation(self, reference: str) -> None:
        warning = (
            f"the API gave a new refresh token for `{reference}`, and the variable "
            f"{_variable(reference)} cannot be written back: this command goes on with "
            "the new one, the next one may be refused. A deployed pull stores it in "
            "Secrets Manager"
        )
        LOG.warning("%s", warning)
        if warning not in self.warnings:
            self.warnings.append(warning)


def _variable(reference: str) -> str:
    match = _REFERENCE.fullmatch(reference)
    return variable_of(match["name"], match["key"]) if match else reference


def variable_of(name: str, key: str) -> str:
    """The variable of a secret: upper case, `_` for all but letters and digits."""
    plain = re.sub(r"[^A-Z0-9]", "_", f"{name}_{key}".upper())
    return f"CATFLAP_SECRET_{plain}"
