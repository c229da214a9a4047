"""Secrets from environment variables: what Secrets Manager is on one's own machine."""

from __future__ import annotations

import re
from collections.abc import Mapping

from lambdas.core.errors import RunErrorKind, Terminal
from lambdas.core.rules.api import SECRET_PREFIX

_REFERENCE = re.compile(r"secret:(?P<name>[^#\s]+)#(?P<key>\S+)")


class EnvironmentSecrets:
    """`secret:NAME#KEY` is the variable `CATFLAP_SECRET_<NAME>_<KEY>`."""

    def __init__(self, *, variables: Mapping[str, str]) -> None:
        self._variables = variables

    def value(self, reference: str) -> str:
        """What `reference` stands for; a text without the prefix is itself.

        Raises UpstreamError(kind=auth) naming the variable that is missing.
        """
        if not reference.startswith(SECRET_PREFIX):
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


def variable_of(name: str, key: str) -> str:
    """The variable of a secret: upper case, `_` for all but letters and digits."""
    plain = re.sub(r"[^A-Z0-9]", "_", f"{name}_{key}".upper())
    return f"CATFLAP_SECRET_{plain}"
