from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.core.columns.remove_value import without
from lambdas.core.records.json_path import Step

CASES: list[tuple[str, list[Step], str]] = [
    ('{"a":1,"b":2,"c":3}', ["a"], '{"b":2,"c":3}'),
    ('{"a":1,"b":2,"c":3}', ["b"], '{"a":1,"c":3}'),
    ('{"a":1,"b":2,"c":3}', ["c"], '{"a":1,"b":2}'),
    ('{"a":1}', ["a"], "{}"),
    ('{ "a" : 1 , "b" : 2.50 , "c" : "x" }', ["b"], '{ "a" : 1 , "c" : "x" }'),
    ('{"a":1,"b":2}', ["z"], '{"a":1,"b":2}'),
    (r'{"\u0061":1,"b":12345678901234567890123}', ["a"],
     '{"b":12345678901234567890123}'),
    (r'{"a":"\"},{\\","b":1}', ["b"], r'{"a":"\"},{\\"}'),
    ('{"a":{"b":[1,{"c":2}],"d":3},"e":4}', ["a", "b"], '{"a":{"d":3},"e":4}'),
    ('{"a":[1, 2.0 ,3]}', ["a", 1], '{"a":[1, null ,3]}'),
    ('{"a":[1,2,3]}', ["a", -1], '{"a":[1,2,null]}'),
    ('{"a":[{"b":1,"c":2},{"b":3}]}', ["a", None, "b"], '{"a":[{"c":2},{"b":3}]}'),
    ('{"a":[]}', ["a", 0], '{"a":[]}'),
    ('{"a":1,"b":2,"a":3}', ["a"], '{"b":2}'),
    ('{"a":5}', ["a", "b"], '{"a":5}'),
]  # fmt: skip


@pytest.mark.parametrize(("record", "path", "expected"), CASES)
def test_a_value_goes_and_every_other_byte_stays(
    record: str, path: list[Step], expected: str
) -> None:
    assert without(record.encode(), [path]).decode() == expected


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=10,
)


@given(
    st.dictionaries(st.text(max_size=5), json_values, min_size=1, max_size=6),
    st.data(),
    st.sampled_from([None, 1]),
    st.booleans(),
)
def test_what_is_left_is_the_record_without_that_name(
    record: dict[str, Any],
    data: st.DataObject,
    indent: int | None,
    is_ascii: bool,  # noqa: FBT001 - drawn
) -> None:
    name = data.draw(st.sampled_from(sorted(record)))
    text = json.dumps(record, indent=indent, ensure_ascii=is_ascii)
    try:
        written = text.encode()
    except UnicodeEncodeError:
        return  # half a surrogate pair, which UTF-8 has no bytes for
    left = without(written, [[name]])
    expected = {key: value for key, value in record.items() if key != name}
    assert json.loads(left) == expected
    assert list(json.loads(left)) == list(expected)
    for key, value in expected.items():
        pair = json.dumps({key: value}, ensure_ascii=is_ascii)[1:-1]
        if indent is None:
            assert pair.encode() in left
