"""Secrets from the environment, named as the documentation says."""

from __future__ import annotations

from datetime import timedelta

import pytest

from cli.one_machine.environment_secrets import EnvironmentSecrets
from lambdas.adapters.environment import SystemClock
from lambdas.core.errors import RunErrorKind, UpstreamError
from lambdas.core.http.auth import AccessToken


@pytest.mark.parametrize(
    ("reference", "variable"),
    [
        ("secret:cats#token", "CATFLAP_SECRET_CATS_TOKEN"),
        ("secret:prod/cats-api#api.key", "CATFLAP_SECRET_PROD_CATS_API_API_KEY"),
        ("secret:a+b=c@d#E_f", "CATFLAP_SECRET_A_B_C_D_E_F"),
    ],
)
def test_a_reference_names_a_variable(reference: str, variable: str) -> None:
    secrets = EnvironmentSecrets(variables={variable: "canary"})
    assert secrets.value(reference) == "canary"


def test_any_other_text_is_itself() -> None:
    assert EnvironmentSecrets(variables={}).value("plain") == "plain"


@pytest.mark.parametrize("variables", [{}, {"CATFLAP_SECRET_CATS_TOKEN": ""}])
def test_a_missing_variable_is_told_by_its_name(variables: dict[str, str]) -> None:
    with pytest.raises(UpstreamError, match="CATFLAP_SECRET_CATS_TOKEN") as raised:
        EnvironmentSecrets(variables=variables).value("secret:cats#token")
    assert raised.value.kind is RunErrorKind.AUTH


def test_a_broken_reference_is_not_shown() -> None:
    with pytest.raises(UpstreamError) as raised:
        EnvironmentSecrets(variables={}).value("secret:canary")
    assert "canary" not in str(raised.value)


def test_a_rotated_token_that_cannot_be_stored_is_a_warning_of_the_pull() -> None:
    secrets = EnvironmentSecrets(variables={"CATFLAP_SECRET_CATS_TOKEN": "old"})
    clock = SystemClock()

    def fetch(sent: str) -> AccessToken:
        assert sent == "old"
        until = clock.now() + timedelta(hours=1)
        return AccessToken(value="access", expires_at=until, refresh_token="new")

    for _ in range(2):
        secrets.renewed(
            "secret:cats#token", refused=None, fetch=fetch, clock=clock, within_s=1
        )
    (warning,) = secrets.warnings
    assert "CATFLAP_SECRET_CATS_TOKEN cannot be written back" in warning
    assert "old" not in warning
    assert "access" not in warning
