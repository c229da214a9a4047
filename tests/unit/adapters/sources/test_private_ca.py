from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from lambdas.adapters.sources.http_api import HttpApi
from lambdas.core.dataset import Api, Retry
from lambdas.core.errors import RunErrorKind, Terminal, Transient
from lambdas.core.http.destinations import Destinations
from lambdas.core.http.message import HttpRequest
from tests.api_pull import GOOD, PlannedClock
from tests.api_server import ApiServer, in_turn, serving


class OneSecret:
    def __init__(self, text: str) -> None:
        self._text = text

    def value(self, reference: str) -> str:
        return self._text if reference == "secret:cats#ca" else reference


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and its certificate for 127.0.0.1, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "private")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + signed.public_bytes(serialization.Encoding.PEM)
    )
    return path


@contextmanager
def serving_tls(certificate: Path) -> Iterator[ApiServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with serving(in_turn(GOOD), tls=context) as server:
        yield server


def ask(server: ApiServer, ca: str | None, trusted: str = "") -> None:
    http = HttpApi(
        api=Api(base_url=server.url, ca=ca, timeout=5, retry=Retry(max_attempts=1)),
        secrets=OneSecret(trusted),
        clock=PlannedClock(),
        random=lambda: 0.0,
        deadline_s=60,
        destinations=Destinations(),
    )
    http.fetch(HttpRequest(method="GET", url=server.url, params={}, headers={}))


@pytest.mark.parametrize("as_one_line", [False, True])
def test_a_private_ca_is_trusted_where_the_api_names_it(
    certificate: Path, *, as_one_line: bool
) -> None:
    pem = certificate.read_text().partition("-----END PRIVATE KEY-----\n")[2]
    with serving_tls(certificate) as server:
        ask(server, "secret:cats#ca", pem.replace("\n", "\\n") if as_one_line else pem)


def test_a_private_ca_is_trusted_nowhere_else(certificate: Path) -> None:
    with serving_tls(certificate) as server, pytest.raises((Terminal, Transient)):
        ask(server, None)


def test_what_is_no_certificate_is_told_by_its_key(certificate: Path) -> None:
    with (
        serving_tls(certificate) as server,
        pytest.raises(Terminal, match="`ca` holds no certificate") as caught,
    ):
        ask(server, "secret:cats#ca", "CANARY")
    assert caught.value.kind is RunErrorKind.AUTH
    assert "CANARY" not in str(caught.value)
