from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from lambdas.adapters.secrets import SecretsManagerSecrets
from lambdas.core.errors import RunErrorKind, Terminal, Transient, UpstreamError

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

STORED = {
    "cats": '{"token": "CANARY-1", "port": 7, "nested": {"a": 1}}',
    "catflap/dev/plain": "CANARY-2",
}


class FakeSecretsManager:
    """Answers like Secrets Manager for `STORED`, and counts."""

    def __init__(self, error: Exception | None = None) -> None:
        self.asked: list[str] = []
        self._error = error

    def get_secret_value(self, *, SecretId: str) -> dict[str, object]:  # noqa: N803 - AWS
        self.asked.append(SecretId)
        if self._error is not None:
            raise self._error
        if SecretId == "binary":
            return {"SecretBinary": b"CANARY"}
        if SecretId not in STORED:
            raise refused("ResourceNotFoundException")
        return {"SecretString": STORED[SecretId]}


def refused(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "x"}}, "GetSecretValue")


def secrets(client: FakeSecretsManager) -> SecretsManagerSecrets:
    return SecretsManagerSecrets(client=lambda: cast("SecretsManagerClient", client))


@pytest.mark.parametrize(
    ("reference", "value"),
    [
        ("plain text", "plain text"),
        ("secret:cats#token", "CANARY-1"),
        ("secret:cats#port", "7"),
        ("secret:cats#nested", '{"a": 1}'),
        ("secret:catflap/dev/plain", "CANARY-2"),
    ],
)
def test_a_reference_stands_for_its_value(reference: str, value: str) -> None:
    assert secrets(FakeSecretsManager()).value(reference) == value


def test_a_secret_is_read_once_until_it_is_forgotten() -> None:
    client = FakeSecretsManager()
    known = secrets(client)
    for key in ("token", "port", "token"):
        known.value(f"secret:cats#{key}")
    assert client.asked == ["cats"]
    known.forget()
    known.value("secret:cats#token")
    assert client.asked == ["cats", "cats"]


def test_no_client_is_made_for_texts_that_are_no_secrets() -> None:
    def never() -> SecretsManagerClient:
        pytest.fail("a client was made")

    assert SecretsManagerSecrets(client=never).value("x") == "x"


@pytest.mark.parametrize(
    ("reference", "error", "tree", "message"),
    [
        ("secret:dogs#token", None, Terminal, "does not exist"),
        ("secret:cats#tokn", None, Terminal, "member `tokn`"),
        ("secret:catflap/dev/plain#a", None, Terminal, "not a JSON object"),
        ("secret:binary", None, Terminal, "is binary"),
        ("secret:#a", None, Terminal, "secret:NAME#KEY"),
        ("secret:cats#token", refused("AccessDeniedException"), Terminal, "deploy"),
        ("secret:cats#token", refused("DecryptionFailure"), Terminal, "Decryption"),
        ("secret:cats#token", refused("ThrottlingException"), Transient, "just now"),
        (
            "secret:cats#token",
            EndpointConnectionError(endpoint_url="https://x"),
            Transient,
            "did not answer",
        ),
    ],
)
def test_a_secret_that_cannot_be_read_is_an_auth_error_naming_the_reference(
    reference: str, error: Exception | None, tree: type[UpstreamError], message: str
) -> None:
    with pytest.raises(tree, match=message) as caught:
        secrets(FakeSecretsManager(error)).value(reference)
    assert caught.value.kind is RunErrorKind.AUTH
    assert reference in str(caught.value)
    assert "CANARY" not in str(caught.value)
