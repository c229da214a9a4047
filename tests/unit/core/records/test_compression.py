from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from io import BytesIO

import pytest

from lambdas.core.errors import RunErrorKind, Terminal, Transient
from lambdas.core.records.compression import MAX_LAYERS, decoded, unpacked

PLAIN = b'[{"id":1}]'
LIMIT = 10_000


def test_layers_of_compression_have_a_bound() -> None:
    body = PLAIN
    for _ in range(MAX_LAYERS):
        body = gzip.compress(body)
    assert decoded(body, "gzip", LIMIT) == PLAIN
    assert unpacked(BytesIO(body), "").read() == PLAIN
    more = gzip.compress(body)
    with pytest.raises(Terminal, match="compressed more than 4 times") as caught:
        decoded(more, "gzip", LIMIT)
    assert caught.value.kind is RunErrorKind.RESPONSE
    with pytest.raises(Terminal, match="compressed more than 4 times"):
        unpacked(BytesIO(more), "")
    with pytest.raises(Terminal, match="compressed more than 4 times"):
        decoded(PLAIN, "gzip," * 1_000_000, LIMIT)


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress])
def test_a_bomb_ends_at_the_limit(pack: Callable[[bytes], bytes]) -> None:
    body = pack(b" " * 1_000_000)
    encoding = "gzip" if body.startswith(b"\x1f") else "deflate"
    with pytest.raises(Terminal, match="more than 10000 bytes"):
        decoded(body, encoding, LIMIT)


def test_many_members_are_one_body() -> None:
    body = gzip.compress(b"") * 5_000 + gzip.compress(PLAIN)
    assert decoded(body, "gzip", LIMIT) == PLAIN


@pytest.mark.parametrize("encoding", ["utf-8", "none", "br", "binary", "deflate"])
def test_a_plain_body_is_plain_whatever_it_is_called(encoding: str) -> None:
    for plain in (PLAIN, "[é]".encode() * 1_000, b""):
        assert decoded(plain, encoding, LIMIT) == plain
    if encoding != "deflate":
        assert unpacked(BytesIO(PLAIN), encoding).read() == PLAIN


def test_an_unknown_encoding_of_bytes_is_refused() -> None:
    for body in (b"\x0b\x02\x80[]\x03", b"\x28\xb5\x2f\xfd\x04\x00"):
        with pytest.raises(Terminal, match="'br', which was not asked for"):
            decoded(body, "br", LIMIT)
        with pytest.raises(Terminal, match="'br', which was not asked for"):
            unpacked(BytesIO(body), "br")


def test_what_is_cut_off_is_worth_another_try() -> None:
    for body in (gzip.compress(PLAIN)[:-4], gzip.compress(PLAIN)[:-8] + b"12345678"):
        with pytest.raises(Transient, match="cut off or damaged"):
            decoded(body, "gzip", LIMIT)
