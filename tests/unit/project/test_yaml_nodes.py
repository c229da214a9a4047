"""YAML as people mean it: nothing but JSON's scalars is more than text."""

from __future__ import annotations

import time

import pytest
import yaml

from project import yaml_nodes
from project.yaml_nodes import MAX_BYTES, read_yaml


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("NO", "NO"), ("on", "on"), ("yes", "yes"), ("Off", "Off"), ("true", True),
        ("False", False), ("null", None), ("~", None), ("", None), ("3", 3),
        ("-3", -3), ("3.50", 3.5), ("1e3", 1000.0), ("007", "007"), ("0x1f", "0x1f"),
        ("0o7", "0o7"), ("1_000", "1_000"), ("12:30", "12:30"), (".5", ".5"),
        (".inf", ".inf"), ("+3", "+3"), ("2013-01-01", "2013-01-01"),
        ("2013-01-01T00:00:00Z", "2013-01-01T00:00:00Z"), ("'3'", "3"),
        ('"true"', "true"), ("!!str 3", "3"), ("! 3", "3"), ("<<", "<<"),
        ("=", "="), ("|\n  a\n  b", "a\nb\n"),
    ],
)  # fmt: skip
def test_a_scalar_is_what_it_is_in_json(text: str, value: object) -> None:
    document = read_yaml(f"key: {text}\n".encode())
    assert document.faults == []
    assert document.value == {"key": value}
    assert type(document.value["key"]) is type(value)


def test_keys_are_text() -> None:
    document = read_yaml(b"on: 1\n3: 2\ntrue: 3\nnull: 4\n")
    assert document.value == {"on": 1, "3": 2, "true": 3, "null": 4}


def test_lines_are_those_of_an_editor() -> None:
    text = "# é\na: 'ü \u2028 x\n\n  b'\nb:\n  - 1\n  - c: 3\n"
    lines = read_yaml(text.encode()).lines
    assert lines[("a",)] == 2
    assert lines[("b",)] == 5
    assert lines[("b", 1, "c")] == 7


def test_a_missing_key_is_told_where_its_parent_stands() -> None:
    document = read_yaml(b"\na:\n  b: {c: 1}\n")
    assert document.line_of(("a", "b", "x", "y")) == 3
    assert document.line_of(("x",)) == 1


def test_an_alias_is_a_copy() -> None:
    assert read_yaml(b"a: &x [1, 2]\nb: *x\n").value == {"a": [1, 2], "b": [1, 2]}


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        "{a: " * 50_000,
        "- " * 50_000,
        "a: &a [*a]",
        "&a a: *b",
        "a: &a x\n" + "b:\n" + "  - *a\n" * 200,
        "\n".join(
            ["a0: &a0 [x]"]
            + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]
        ),
        "a: " + "9" * 10_000,
        "a: 1e999",
        "a" * (MAX_BYTES + 1),
        "a: !!python/object/apply:os.system [ls]",
        "a: \x00",
        "%YAML 3.0\n---\na: 1",
    ],
    ids=range(13),
)
def test_a_hostile_file_is_refused_at_once(text: str) -> None:
    began = time.thread_time()  # what this test has worked, whatever else is running
    assert read_yaml(text.encode()).faults
    assert time.thread_time() - began < 2


def test_bytes_that_are_no_text_are_told_by_line() -> None:
    (fault,) = read_yaml(b"a: 1\nb: \xff\n").faults
    assert fault.line == 2
    assert "0xff" in fault.sentence


def test_a_byte_order_mark_is_no_part_of_the_first_key() -> None:
    assert read_yaml(b"\xef\xbb\xbfa: 1\n").value == {"a": 1}


@pytest.mark.parametrize(
    "text", ["a: b: c", "a: [1,", "a:\n\t- b", "a: *q", "'a", "a: 1\n b: 2", "a: @"]
)
def test_both_parsers_see_the_same_faults(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fast = read_yaml(text.encode())
    monkeypatch.setattr(yaml_nodes, "_Parser", yaml.SafeLoader)
    slow = read_yaml(text.encode())
    assert [one.line for one in fast.faults] == [one.line for one in slow.faults]
    assert fast.faults
