from __future__ import annotations

from typing import Any

import pytest

from local.aws.intrinsics import (
    Resolver,
    TemplateNotUnderstood,
    references,
    stringified,
)


class Made:
    """One bucket."""

    def ref(self, logical_id: str) -> str:
        if logical_id != "Bucket":
            raise TemplateNotUnderstood(f"there is no {logical_id}")
        return "cats"

    def attribute(self, logical_id: str, name: str) -> object:
        return f"arn of {self.ref(logical_id)}" if name == "Arn" else name


RESOLVER = Resolver(
    pseudo={"AWS::Region": "us-east-1", "AWS::AccountId": "123456789012"},
    parameters={"Names": ["a", "b"], "Size": "3"},
    conditions={
        "Big": {"Fn::Equals": [{"Ref": "Size"}, "3"]},
        "Small": {"Fn::Not": [{"Condition": "Big"}]},
        "Both": {"Fn::And": [{"Condition": "Big"}, {"Condition": "Small"}]},
        "Any": {"Fn::Or": [{"Condition": "Big"}, {"Condition": "Small"}]},
    },
    mappings={"Sizes": {"us-east-1": {"memory": 512}}},
    exports={"landing:bucket": "cats"},
    resources=Made(),
)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("text", "text"),
        ({"Ref": "Bucket"}, "cats"),
        ({"Ref": "Names"}, ["a", "b"]),
        ({"Fn::GetAtt": ["Bucket", "Arn"]}, "arn of cats"),
        ({"Fn::GetAtt": "Bucket.Arn"}, "arn of cats"),
        ({"Fn::Join": ["-", ["x", {"Ref": "AWS::Region"}]]}, "x-us-east-1"),
        ({"Fn::Join": [",", {"Ref": "Names"}]}, "a,b"),
        ({"Fn::Sub": "s3://${Bucket}/${!kept}/${Bucket.Arn}"}, None),
        ({"Fn::Sub": ["${Own}/${AWS::Region}", {"Own": {"Ref": "Size"}}]}, None),
        ({"Fn::ImportValue": {"Fn::Sub": "landing:bucket"}}, "cats"),
        ({"Fn::Select": ["1", {"Fn::Split": [":", "a:b:c"]}]}, "b"),
        ({"Fn::If": ["Big", "yes", {"Ref": "Nobody"}]}, "yes"),
        ({"Fn::If": ["Both", "yes", "no"]}, "no"),
        ({"Fn::If": ["Any", "yes", "no"]}, "yes"),
        ({"a": {"Fn::If": ["Small", 1, {"Ref": "AWS::NoValue"}]}, "b": 2}, {"b": 2}),
        ([1, {"Ref": "AWS::NoValue"}, 2], [1, 2]),
        (
            {"Fn::FindInMap": ["Sizes", {"Ref": "AWS::Region"}, "memory"]},
            512,
        ),
        ({"Fn::Base64": "cat"}, "Y2F0"),
        # a policy's own Condition, and one key, is not a function
        ({"Condition": {"Bool": {"x": "y"}}}, {"Condition": {"Bool": {"x": "y"}}}),
    ],
)
def test_each_function(value: Any, expected: Any) -> None:
    if expected is None:
        expected = {
            "s3://${Bucket}/${!kept}/${Bucket.Arn}": "s3://cats/${kept}/arn of cats",
        }.get(str(value["Fn::Sub"]), "3/us-east-1")
    assert expected == RESOLVER.resolve(value)


@pytest.mark.parametrize(
    ("value", "named"),
    [
        ({"Ref": "Nobody"}, "Nobody"),
        ({"Fn::ImportValue": "nobody"}, "landing:bucket"),
        ({"Fn::Transform": {}}, "Fn::Transform"),
        ({"Fn::If": ["Nothing", 1, 2]}, "Nothing"),
        ({"Fn::FindInMap": ["Sizes", "x", "y"]}, "Sizes.x.y"),
    ],
)
def test_what_cannot_be_resolved_is_named(value: Any, named: str) -> None:
    with pytest.raises(TemplateNotUnderstood, match=named):
        RESOLVER.resolve(value)


def test_references_are_found_wherever_they_stand() -> None:
    value = {
        "a": [{"Ref": "One"}, {"Fn::GetAtt": ["Two", "Arn"]}],
        "b": {"Fn::Sub": ["${Three.Arn} ${!No} ${Own}", {"Own": {"Ref": "Four"}}]},
        "c": {"Fn::Join": ["", [{"Fn::GetAtt": "Five.Arn"}]]},
    }
    expected = {"One", "Two", "Three", "Own", "Four", "Five"}
    assert expected == set(references(value))


def test_custom_resources_get_texts() -> None:
    value = {"n": 1, "t": True, "l": [False, "x"], "nothing": None}
    expected = {"n": "1", "t": "true", "l": ["false", "x"], "nothing": None}
    assert expected == stringified(value)
