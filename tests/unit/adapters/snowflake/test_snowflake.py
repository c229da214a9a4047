from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from snowflake.connector import errors as vendor

from lambdas.adapters.snowflake.warehouse import Connect, SnowflakeWarehouse
from lambdas.core.errors import (
    AccessRefused,
    BadInput,
    ObjectMissing,
    StatementCancelled,
    WarehouseError,
    WarehouseUnreachable,
)
from lambdas.core.settings import SnowflakeSettings
from lambdas.core.sql.account_usage import LONGEST_TAG, served_by


class FakeSecrets:
    def __init__(self, **values: str) -> None:
        self.values = values

    def value(self, reference: str) -> str:
        return self.values[reference.removeprefix("secret:")]


class FakeAccount:
    """Answers statements from a script: rows, or an error to raise."""

    def __init__(self, *script: object) -> None:
        self.script = list(script)
        self.logins: list[dict[str, Any]] = []
        self.asked: list[tuple[str, Sequence[object] | None]] = []
        self.tags: list[str] = []
        self.closed = 0

    def connect(self, **arguments: Any) -> FakeAccount:
        self.logins.append(arguments)
        return self

    def cursor(self) -> FakeAccount:
        return self

    def close(self) -> None:
        self.closed += 1

    def execute(
        self,
        command: str,
        params: Sequence[object] | None = None,
        *,
        _statement_params: dict[str, str] | None = None,
    ) -> None:
        self.asked.append((command, params))
        self.tags.append((_statement_params or {}).get("QUERY_TAG", ""))
        if isinstance(self.script[0], Exception):
            raise self.script.pop(0)  # type: ignore[misc]  # checked a line above

    description = (("ANSWER", 0),)

    def fetchall(self) -> Any:
        return self.script.pop(0)


def settings(**changes: Any) -> SnowflakeSettings:
    return SnowflakeSettings(
        **{
            "snowflake_account": "acme",
            "snowflake_user": "CATFLAP_WATCHER",
            "snowflake_role": "READER",
            "snowflake_warehouse": "WH",
            "snowflake_database": "CATFLAP_TEST",
        }
        | changes
    )


def warehouse(account: FakeAccount, **changes: Any) -> SnowflakeWarehouse:
    connect: Connect = account.connect
    return SnowflakeWarehouse(
        settings=settings(**changes),
        secrets=FakeSecrets(key=PEM),
        connector=lambda: connect,
    )


def _pem() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


PEM = _pem()


def test_it_signs_in_once_with_its_aws_role_and_no_secret() -> None:
    account = FakeAccount([(1,)], [(2,)])
    own = warehouse(account)

    assert own.query("SELECT ?", [1]) == [(1,)]
    assert own.query("SELECT 2") == [(2,)]

    (login,) = account.logins
    assert login["authenticator"] == "WORKLOAD_IDENTITY"
    assert login["workload_identity_provider"] == "AWS"
    assert login["client_session_keep_alive"] is False
    assert {"login_timeout", "network_timeout"} <= login.keys()
    assert not {"password", "private_key", "host"} & login.keys()
    assert account.asked == [("SELECT ?", (1,)), ("SELECT 2", None)]
    assert own.statements == 2


def test_a_statement_says_what_it_is_for_and_whom_it_serves() -> None:
    account = FakeAccount([], [])
    own = warehouse(account)
    own.query("SELECT 1", serves=["cats", "dogs"])
    own.query("SELECT 2", serves=[f"a_long_name_{number}" for number in range(300)])
    assert [served_by(tag) for tag in account.tags] == [("cats", "dogs"), 300]
    assert all(len(tag) <= LONGEST_TAG for tag in account.tags)
    assert served_by("of somebody else") is served_by(None) is None
    assert served_by('{"app":"catflap","for":"command"}') == 0


def test_a_key_pair_comes_from_the_secret() -> None:
    account = FakeAccount([])
    key_pair = {
        "snowflake_authenticator": "key_pair",
        "snowflake_private_key_secret": "key",
    }

    warehouse(account, **key_pair).query("SELECT 1")

    (login,) = account.logins
    assert login["authenticator"] == "SNOWFLAKE_JWT"
    serialization.load_der_private_key(login["private_key"], password=None)


def test_a_key_pair_without_a_key_is_refused() -> None:
    with pytest.raises(BadInput, match="SNOWFLAKE_PRIVATE_KEY_SECRET"):
        warehouse(FakeAccount(), snowflake_authenticator="key_pair").query("SELECT 1")


def test_an_unreadable_key_is_refused_without_showing_it() -> None:
    own = SnowflakeWarehouse(
        settings=settings(
            snowflake_authenticator="key_pair", snowflake_private_key_secret="key"
        ),
        secrets=FakeSecrets(key="canary-not-a-key"),
        connector=lambda: FakeAccount().connect,
    )
    with pytest.raises(BadInput) as caught:
        own.query("SELECT 1")
    assert "canary" not in str(caught.value)
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://127.0.0.1:4711", ("127.0.0.1", 4711, "http")),
        ("https://proxy.example.com", ("proxy.example.com", 443, "https")),
    ],
)
def test_an_endpoint_takes_the_place_of_the_accounts_own(
    url: str, address: tuple[str, int, str]
) -> None:
    account = FakeAccount([])
    warehouse(account, snowflake_endpoint_url=url).query("SELECT 1")
    (login,) = account.logins
    assert (login["host"], login["port"], login["protocol"]) == address
    assert login["authenticator"] == "WORKLOAD_IDENTITY"


@pytest.mark.parametrize("url", ["http://snow.example.com", "ftp://127.0.0.1", "x"])
def test_an_endpoint_in_the_clear_is_refused(url: str) -> None:
    with pytest.raises(BadInput, match="SNOWFLAKE_ENDPOINT_URL"):
        warehouse(FakeAccount(), snowflake_endpoint_url=url).query("SELECT 1")


@pytest.mark.parametrize(
    ("error", "ours"),
    [
        (vendor.ProgrammingError(msg="no T", errno=2003), ObjectMissing),
        (vendor.ProgrammingError(msg="no T", errno=2043), ObjectMissing),
        (vendor.ProgrammingError(msg="no", errno=3001), AccessRefused),
        (vendor.ProgrammingError(msg="no warehouse", errno=606), AccessRefused),
        (vendor.ProgrammingError(msg="timeout", errno=630), StatementCancelled),
        (vendor.OperationalError(msg="no route", errno=250003), WarehouseUnreachable),
        (vendor.ServiceUnavailableError(msg="503", errno=1), WarehouseUnreachable),
        (vendor.ProgrammingError(msg="syntax", errno=1003), WarehouseError),
    ],
)
def test_each_refusal_is_one_of_ours(
    error: Exception, ours: type[WarehouseError]
) -> None:
    with pytest.raises(WarehouseError) as caught:
        warehouse(FakeAccount(error)).query("SELECT   *\nFROM T")
    assert type(caught.value) is ours
    assert "SELECT * FROM T" in str(caught.value)
    assert caught.value.__cause__ is error


def test_every_error_without_an_answer_is_known_by_its_name() -> None:
    from lambdas.adapters.snowflake.warehouse import _NO_ANSWER  # noqa: PLC0415 - only here

    unknown = {name for name in _NO_ANSWER if not hasattr(vendor, name)}
    assert unknown == set()


def test_an_error_that_is_not_the_connectors_stays_as_it_is() -> None:
    with pytest.raises(ZeroDivisionError):
        warehouse(FakeAccount(ZeroDivisionError())).query("SELECT 1")


def test_a_forgotten_session_is_made_again_once() -> None:
    gone = vendor.ProgrammingError(msg="expired", errno=390114)
    account = FakeAccount(gone, [(1,)])

    assert warehouse(account).query("SELECT 1") == [(1,)]
    assert len(account.logins) == 2

    with pytest.raises(WarehouseUnreachable):
        warehouse(FakeAccount(gone, gone)).query("SELECT 1")


def test_a_refused_login_says_who_and_where() -> None:
    def refuse(**_: Any) -> FakeAccount:
        raise vendor.DatabaseError(msg="role not granted", errno=390189)

    own = SnowflakeWarehouse(
        settings=settings(), secrets=FakeSecrets(), connector=lambda: refuse
    )
    with pytest.raises(WarehouseUnreachable, match=r"CATFLAP_WATCHER .* READER"):
        own.query("SELECT 1")


def test_closing_never_fails_and_a_later_statement_signs_in_again() -> None:
    account = FakeAccount([(1,)], [(2,)])
    own = warehouse(account)
    own.close()
    own.query("SELECT 1")
    own.close()

    assert own.query("SELECT 2") == [(2,)]
    assert len(account.logins) == 2


def test_the_connector_is_not_imported_with_the_adapter() -> None:
    code = (
        "import sys, lambdas.adapters.snowflake.warehouse; "
        "sys.exit(any(m.startswith('snowflake.') for m in sys.modules))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)  # noqa: S603 - our own


def test_the_connector_comes_without_pandas_and_leaves_it_to_whoever_wants_it() -> None:
    code = (
        "import sys\n"
        "from lambdas.adapters.snowflake.warehouse import snowflake_connector\n"
        "connect = snowflake_connector()\n"
        "heavy = {'pandas', 'numpy'} & set(sys.modules)\n"
        "import numpy\n"
        "sys.exit(bool(heavy) or not callable(connect))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)  # noqa: S603 - our own


def test_signing_in_ahead_is_one_login_and_its_fault_is_the_first_statements() -> None:
    account = FakeAccount([(1,)])
    own = warehouse(account)
    own.warm()
    assert own.query("SELECT 1") == [(1,)]
    assert len(account.logins) == 1

    def refuse(**_: Any) -> FakeAccount:
        raise vendor.DatabaseError(msg="role not granted", errno=390189)

    refused = SnowflakeWarehouse(
        settings=settings(), secrets=FakeSecrets(), connector=lambda: refuse
    )
    refused.warm()
    with pytest.raises(WarehouseUnreachable):
        refused.query("SELECT 1")
