"""Answers that are read piece by piece: JSON Lines and CSV."""

from __future__ import annotations

import gzip
import json
import random
import tracemalloc

import pytest

from lambdas.core.errors import RunErrorKind, Terminal, Transient
from lambdas.core.records.streams import PIECE_BYTES
from tests.api_pull import Pull
from tests.api_server import Answer, answer_json, in_turn, serving

ROWS = 50_000
_NOISE = random.Random(7)
RECORDS = [
    {"id": str(n), "name": f"cat {n}", "noise": _NOISE.randbytes(60).hex()}
    for n in range(ROWS)
]
CSV = b"id,name,noise\n" + b"".join(
    f"{one['id']},{one['name']},{one['noise']}\n".encode() for one in RECORDS
)
LINES = b"".join(json.dumps(one).encode() + b"\n" for one in RECORDS)
BODIES = {"csv": CSV, "jsonl": LINES}
LONG = 1_000
"""Rows of 8 KB: to trace memory costs time for each row, not for each byte."""
LONG_ROWS = {
    "csv": (b"id,name\n", b"1,%b\n"),
    "jsonl": (b"", b'{"id":1,"name":"%b"}\n'),
}
EACH = pytest.mark.parametrize("body_format", BODIES)


def landed(pull: Pull) -> list[dict[str, str]]:
    return [json.loads(one) for page in pull.pages() for one in page.records]


@EACH
@pytest.mark.parametrize("zipped", ["no", "as the format", "as the encoding", "both"])
def test_a_long_answer_comes_in_pieces_of_one_page(
    body_format: str, zipped: str
) -> None:
    body, headers = BODIES[body_format], {}
    if zipped in {"as the format", "both"}:
        body = gzip.compress(body, 1)
    if zipped in {"as the encoding", "both"}:
        body, headers = gzip.compress(body, 1), {"Content-Encoding": "gzip"}
    with serving(in_turn(Answer(body=body, headers=headers))) as server:
        pages = Pull(server, {"format": body_format}).pages()
        assert len(server.asked) == 1
    assert len(pages) > 1
    assert all(sum(map(len, page.records)) < 2 * PIECE_BYTES for page in pages)
    assert {page.number for page in pages} == {1}
    assert [json.loads(one) for page in pages for one in page.records] == RECORDS
    assert [page.next_position is None for page in pages[-2:]] == [False, True]


@EACH
def test_a_pull_goes_on_in_the_middle_of_an_answer(body_format: str) -> None:
    with serving(in_turn(Answer(body=BODIES[body_format]))) as server:
        endpoint = {"format": body_format}
        pages = Pull(server, endpoint).pages()
        for done, page in enumerate(pages[:-1], 1):
            position = json.loads(json.dumps(page.next_position))
            rest = landed(Pull(server, endpoint, position=position))
            assert rest == RECORDS[sum(len(one.records) for one in pages[:done]) :]


@EACH
def test_a_broken_try_leaves_nothing_behind(body_format: str) -> None:
    body = BODIES[body_format]
    answers = [Answer(body=body, fault="truncate"), Answer(body=body)]
    with serving(in_turn(*answers)) as server:
        pull = Pull(server, {"format": body_format})
        assert landed(pull) == RECORDS
    assert (pull.source.requests, pull.source.retries) == (2, 1)


@EACH
def test_damage_deep_in_a_compressed_answer_fails_the_pull(body_format: str) -> None:
    body = gzip.compress(BODIES[body_format], 1)[:-2000]
    with serving(in_turn(Answer(body=body))) as server:
        error = Pull(server, {"format": body_format}).fails(Transient)
    assert "cut off or damaged" in str(error)


@pytest.mark.parametrize(
    ("body_format", "end", "message"),
    [
        ("csv", b"1,2\n", f"line {ROWS + 2} of the CSV"),
        ("csv", b"1,2,\xff\n", "not utf-8"),
        ("jsonl", b"{]\n", f"line {ROWS + 1} is not"),
        ("jsonl", b'{"a":1,"a":2}\n' * 200_000, "twice"),
    ],
)
def test_what_is_wrong_far_down_is_named_by_its_line(
    body_format: str, end: bytes, message: str
) -> None:
    with serving(in_turn(Answer(body=BODIES[body_format] + end))) as server:
        error = Pull(server, {"format": body_format}).fails(Terminal)
    assert message in str(error)
    assert error.kind is RunErrorKind.RESPONSE


@EACH
def test_response_actions_look_at_the_beginning(body_format: str) -> None:
    endpoint = {
        "format": body_format,
        "response_actions": [{"content": "try again", "action": "retry"}],
    }
    answers = [answer_json({"m": "try again"}), Answer(body=BODIES[body_format])]
    with serving(in_turn(*answers)) as server:
        assert landed(Pull(server, endpoint)) == RECORDS


@EACH
def test_memory_does_not_grow_with_the_answer(body_format: str) -> None:
    head, row = LONG_ROWS[body_format]
    rest = b"".join(row % _NOISE.randbytes(4_000).hex().encode() for _ in range(LONG))
    peaks = []
    for times in (1, 3):
        body = gzip.compress(head + rest * times, 1)
        with serving(in_turn(Answer(body=body))) as server:
            pull = Pull(server, {"format": body_format})
            tracemalloc.start()
            rows = sum(len(page.records) for page in pull.source.pages())
            assert rows == times * LONG
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
    # two more of them are 16 MB more; the spool keeps up to 8 MB in memory
    assert peaks[1] < peaks[0] + 8_000_000
