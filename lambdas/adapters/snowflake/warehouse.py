"""Snowflake, through its connector, which is imported on first use only: it costs a
second and 69 MB, and the pull function never needs it.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from typing import Any, Protocol, TypeAlias, cast
from urllib.parse import urlsplit

from lambdas.core.errors import (
    AccessRefused,
    BadInput,
    ObjectMissing,
    StatementCancelled,
    WarehouseError,
    WarehouseUnreachable,
)
from lambdas.core.ports import Secrets
from lambdas.core.settings import SnowflakeSettings
from lambdas.core.sql.account_usage import query_tag

LOGIN_TIMEOUT_S = 30
NETWORK_TIMEOUT_S = 60
SOCKET_TIMEOUT_S = 60

# Snowflake's own error numbers; the connector's begin at 250000
# (https://docs.snowflake.com/en/user-guide/python-connector-api, "Error messages")
_DOES_NOT_EXIST = frozenset({2003, 2043})
_NOT_ALLOWED = frozenset({3001, 3540, 606})  # 606: no warehouse this role may use
_CANCELLED = frozenset({604, 630})  # aborted, or past the statement timeout
_SESSION_GONE = frozenset({390104, 390110, 390111, 390112, 390114, 390195})
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class StatementCursor(Protocol):
    """What is used of the connector's cursor."""

    def execute(
        self,
        command: str,
        params: Sequence[object] | None = None,
        *,
        _statement_params: dict[str, str] | None = None,
    ) -> object:
        """Run a statement, with parameters of the session that hold for it alone."""

    @property
    def description(self) -> Sequence[Sequence[object]] | None:
        """The columns of the statement run last, each beginning with its name."""

    def fetchall(self) -> list[tuple[object, ...]]:
        """All rows of the statement run last."""

    def close(self) -> object:
        """Let go of the result."""


class Connection(Protocol):
    """What is used of the connector's connection."""

    def cursor(self) -> StatementCursor:
        """A new cursor."""

    def close(self) -> object:
        """Sign out."""


Connect: TypeAlias = Callable[..., Connection]
"""`snowflake.connector.connect`, or what stands in for it."""


def snowflake_connector() -> Connect:
    """The real one, without what it takes along where it finds it: pandas and numpy
    take seconds and 50 MB, no function has them, and rows come as tuples without.
    """
    with _hidden("pandas", "numpy"):
        import snowflake.connector  # noqa: PLC0415 - on first use, see the module

    return cast("Connect", snowflake.connector.connect)


@contextmanager
def _hidden(*modules: str) -> Iterator[None]:
    """Let an import of these fail as if they were not installed; what is imported
    already stays. (`None` in `sys.modules`: Python, "The import system".)
    """
    hidden = [name for name in modules if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # as documented
    try:
        yield
    finally:
        for name in hidden:
            if sys.modules.get(name) is None:
                sys.modules.pop(name, None)


class SnowflakeWarehouse:
    """Implements `lambdas.core.ports.Warehouse`.

    The connection is made by the first statement and kept for a warm function; one
    that Snowflake has forgotten meanwhile is made again, once. `statements` counts
    what was sent. Each bears a tag that says what it is for, `purpose`.
    """

    def __init__(
        self,
        *,
        settings: SnowflakeSettings,
        secrets: Secrets,
        connector: Callable[[], Connect],
        purpose: str = "command",
        is_asleep: bool = False,
    ) -> None:
        """`is_asleep`: the session has no warehouse, and so can wake none."""
        self._settings = settings
        self._is_asleep = is_asleep
        self._purpose = purpose
        self._secrets = secrets
        self._connector = connector
        self._connection: Connection | None = None
        self._signing_in = threading.Lock()
        self.statements = 0

    def warm(self) -> None:
        """Import the connector and sign in ahead, beside whatever else is to be done.

        Returns at once. What goes wrong is told by the first statement, which tries
        again.
        """

        def ahead() -> None:
            with suppress(Exception):  # see above
                self._connected()

        threading.Thread(target=ahead, name="sign-in", daemon=True).start()

    def query(
        self,
        statement: str,
        parameters: Sequence[object] = (),
        *,
        serves: Sequence[str] = (),
    ) -> list[tuple[object, ...]]:
        """Run one statement with `?` binds and fetch its rows. `serves` are the
        datasets that it is about, for who asks later what it cost.

        Raises WarehouseUnreachable if nothing is known of what was asked,
        ObjectMissing, AccessRefused, or WarehouseError for every other refusal.
        """
        return self.ask(statement, parameters, serves=serves)[1]

    def ask(
        self,
        statement: str,
        parameters: Sequence[object] = (),
        *,
        serves: Sequence[str] = (),
    ) -> tuple[list[str], list[tuple[object, ...]]]:
        """As `query`: the names of the columns, and the rows."""
        try:
            return self._run(statement, parameters, serves)
        except _SessionGone:
            self.close()
        try:
            return self._run(statement, parameters, serves)
        except _SessionGone as error:
            raise WarehouseUnreachable(str(error)) from error

    def close(self) -> None:
        """Sign out; a later statement signs in again. Never raises."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(Exception):  # signing out of what may be gone already
                connection.close()

    def _run(
        self, statement: str, parameters: Sequence[object], serves: Sequence[str]
    ) -> tuple[list[str], list[tuple[object, ...]]]:
        connection = self._connected()
        self.statements += 1
        tag = {"QUERY_TAG": query_tag(self._purpose, serves)}
        try:
            with closing(connection.cursor()) as cursor:
                cursor.execute(
                    statement, tuple(parameters) or None, _statement_params=tag
                )
                names = [str(column[0]) for column in cursor.description or ()]
                return names, [tuple(row) for row in cursor.fetchall()]
        except Exception as error:
            raise _translated(error, statement) from error

    def _connected(self) -> Connection:
        with self._signing_in:
            if self._connection is None:
                self._connection = self._connect()
            return self._connection

    def _connect(self) -> Connection:
        connect = self._connector()
        arguments = {**self._identity(), **self._address()}
        settings = self._settings
        try:
            return connect(
                account=settings.snowflake_account,
                user=settings.snowflake_user,
                role=settings.snowflake_role,
                warehouse=None if self._is_asleep else settings.snowflake_warehouse,
                database=settings.snowflake_database,
                client_session_keep_alive=False,
                # It would ask the metadata services of three clouds, and STS, where it
                # runs: 0.2 s a login, to tell Snowflake's statistics.
                platform_detection_timeout_seconds=0.0,
                login_timeout=LOGIN_TIMEOUT_S,
                network_timeout=NETWORK_TIMEOUT_S,
                socket_timeout=SOCKET_TIMEOUT_S,
                paramstyle="qmark",
                session_parameters={
                    "QUERY_TAG": query_tag(self._purpose),
                    "TIMEZONE": "UTC",
                    "CLIENT_TELEMETRY_ENABLED": False,
                },
                **arguments,
            )
        except Exception as error:
            if _number(error) is None:
                raise
            raise WarehouseUnreachable(
                f"Snowflake account {settings.snowflake_account} did not let user "
                f"{settings.snowflake_user} in with role {settings.snowflake_role} "
                f"(error {_number(error)}: {_first_line(error)}); check the network, "
                "and the user's workload identity or key"
            ) from error

    def _identity(self) -> Mapping[str, object]:
        settings = self._settings
        if settings.snowflake_authenticator == "workload_identity":
            return {
                "authenticator": "WORKLOAD_IDENTITY",
                "workload_identity_provider": "AWS",
            }
        if settings.snowflake_authenticator == "externalbrowser":
            return {"authenticator": "externalbrowser"}
        if settings.snowflake_private_key_secret is None:
            raise BadInput(
                "SNOWFLAKE_AUTHENTICATOR is key_pair, so SNOWFLAKE_PRIVATE_KEY_SECRET "
                "must name a secret; it is not set"
            )
        secret = settings.snowflake_private_key_secret.removeprefix("secret:")
        pem = self._secrets.value(f"secret:{secret}")
        return {"authenticator": "SNOWFLAKE_JWT", "private_key": _der(pem)}

    def _address(self) -> Mapping[str, object]:
        url = self._settings.snowflake_endpoint_url
        if url is None:
            return {}
        parts = urlsplit(url)
        if parts.hostname is None or not (
            parts.scheme == "https"
            or (parts.scheme == "http" and parts.hostname in LOOPBACK)
        ):
            raise BadInput(
                "SNOWFLAKE_ENDPOINT_URL must be an https URL, or http on loopback; "
                f"it is {url!r}"
            )
        port = parts.port or {"https": 443, "http": 80}[parts.scheme]
        return {"host": parts.hostname, "port": port, "protocol": parts.scheme}


class _SessionGone(WarehouseUnreachable):
    """Snowflake no longer knows the session; another one may be asked for."""


def _der(pem: str) -> bytes:
    from cryptography.hazmat.primitives import (  # noqa: PLC0415 - with the connector
        serialization,
    )

    try:
        key = serialization.load_pem_private_key(pem.encode(), password=None)
    except ValueError:
        raise BadInput(
            "the Snowflake private key must be an unencrypted PKCS#8 PEM; the secret "
            "holds something else"
        ) from None
    return key.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _number(error: Exception) -> int | None:
    number: Any = getattr(error, "errno", None)
    return number if isinstance(number, int) else None


def _first_line(error: Exception) -> str:
    text = str(getattr(error, "raw_msg", None) or getattr(error, "msg", None) or error)
    return text.replace("SQL compilation error:\n", "").splitlines()[0][:300]


def _translated(error: Exception, statement: str) -> Exception:
    """The error of our tree for one of the connector's, decided by its number; an
    error that is none of the connector's stays as it is.
    """
    number = _number(error)
    if number is None:
        return error
    shown = " ".join(statement.split())[:200]
    text = f"Snowflake error {number} on `{shown}`: {_first_line(error)}"
    match number:
        case _ if number in _SESSION_GONE:
            return _SessionGone(text)
        case _ if number in _DOES_NOT_EXIST:
            return ObjectMissing(
                f"{text}; what a deploy made and somebody dropped is made again by the "
                "SQL that `catflap restore-sql` prints"
            )
        case _ if number in _NOT_ALLOWED:
            return AccessRefused(f"{text}; grant the role what it needs")
        case _ if number in _CANCELLED or type(error).__name__ in _NO_ANSWER:
            is_own = number in _CANCELLED
            return (StatementCancelled if is_own else WarehouseUnreachable)(text)
    return WarehouseError(text)


# By name: their classes would import the connector. All are without an answer.
_NO_ANSWER = frozenset(
    {
        "OperationalError", "InterfaceError", "HttpError", "RequestTimeoutError",
        "ServiceUnavailableError", "GatewayTimeoutError", "BadGatewayError",
        "InternalServerError", "TooManyRequests", "OtherHTTPRetryableError",
    }
)  # fmt: skip
