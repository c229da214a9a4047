"""How a function's settings say who it is in Snowflake."""

from __future__ import annotations

from typing import TypedDict

from project.environment import Login, Snowflake


class LoginSettings(TypedDict):
    """The fields of `SnowflakeSettings` that an environment decides."""

    snowflake_account: str
    snowflake_user: str
    snowflake_role: str
    snowflake_warehouse: str
    snowflake_database: str
    snowflake_authenticator: str
    snowflake_private_key_secret: str | None


def login_settings(snowflake: Snowflake, login: Login) -> LoginSettings:
    """The settings of a function that works as `login`."""
    return LoginSettings(
        snowflake_account=snowflake.account,
        snowflake_user=login.user,
        snowflake_role=login.role,
        snowflake_warehouse=snowflake.warehouse,
        snowflake_database=snowflake.database,
        snowflake_authenticator=snowflake.authenticator,
        snowflake_private_key_secret=login.private_key_secret,
    )


def login_secrets(login: Login) -> list[str]:
    """The secrets `login` needs: none with workload identity."""
    return [login.private_key_secret] if login.private_key_secret else []
