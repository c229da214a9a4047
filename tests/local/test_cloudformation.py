"""Each rule by which stacks live, on the embedded AWS."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from local.aws.cloud import Cloud
from local.aws.cloudformation import CloudFormation, StackFailed, StackRefused
from local.aws.invoke import FunctionHost
from local.aws.strict.cloudformation import RULES
from tests.local.conftest import Assembly, function, role


@pytest.fixture
def life(cloud: Cloud, host: FunctionHost) -> CloudFormation:
    return CloudFormation(cloud=cloud, host=host)


def template(**resources: Any) -> dict[str, Any]:
    return {"Resources": resources}


def topic(**more: Any) -> dict[str, Any]:
    return {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": "a"}, **more}


def bucket(name: str, **more: Any) -> dict[str, Any]:
    return {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": name}, **more}


def made(after: str | None = None, **properties: Any) -> dict[str, Any]:
    """A custom resource and its function."""
    return {
        "Role": role(),
        "Function": function("custom"),
        "Made": {
            "Type": "Custom::Cats",
            "Properties": {
                "ServiceToken": {"Fn::GetAtt": ["Function", "Arn"]},
                **properties,
            },
            **({} if after is None else {"DependsOn": [after]}),
        },
    }


def deployed(life: CloudFormation, assembly: Assembly, name: str, one: Any) -> None:
    assembly.stacks = {name: one}
    life.deploy(assembly.write())


def buckets(life: CloudFormation) -> set[str]:
    return {one["Name"] for one in life.cloud.client("s3").list_buckets()["Buckets"]}


def topics(life: CloudFormation) -> str:
    return json.dumps(life.cloud.client("sns").list_topics()["Topics"])


def test_a_failed_creation_is_undone_in_reverse_down_to_rollback_complete(
    life: CloudFormation, assembly: Assembly, unique: str, counts: Path
) -> None:
    first = template(Topic=topic(), **made(after="Topic", Number=1, Fail=True))
    with pytest.raises(StackFailed, match="asked to") as failed:
        deployed(life, assembly, unique, first)
    assert failed.value.status == "ROLLBACK_COMPLETE"
    assert unique not in topics(life)
    assert not [key for key in life.deployment.resources if key[0] == unique]
    assert counts.read_text().split()[0] == "Create"


def test_a_custom_resource_whose_creation_failed_is_deleted_as_well(
    life: CloudFormation, assembly: Assembly, unique: str, counts: Path
) -> None:
    with pytest.raises(StackFailed):
        deployed(life, assembly, unique, template(**made(Number=1, Fail=True)))
    assert counts.read_text().split() == ["Create", "Delete"]


def test_a_stack_in_rollback_complete_is_deleted_before_the_next_try(
    life: CloudFormation, assembly: Assembly, unique: str
) -> None:
    with pytest.raises(StackFailed):
        deployed(life, assembly, unique, template(**made(Number=1, Fail=True)))
    deployed(life, assembly, unique, template(**made(Number=1)))
    assert life.stacks[unique].status == "CREATE_COMPLETE"


def test_termination_protection_holds_up_that_deletion(
    life: CloudFormation, assembly: Assembly, unique: str
) -> None:
    with pytest.raises(StackFailed):
        deployed(life, assembly, unique, template(**made(Number=1, Fail=True)))
    life.stacks[unique].protected = True
    with pytest.raises(StackRefused, match="TerminationProtection"):
        deployed(life, assembly, unique, template(**made(Number=1)))


def test_retain_keeps_a_resource_retainexceptoncreate_not_where_its_creation_failed(
    life: CloudFormation, assembly: Assembly, unique: str
) -> None:
    kept, not_kept = f"{unique}-kept", f"{unique}-not"
    resources = {
        "Kept": bucket(kept, DeletionPolicy="Retain"),
        "NotKept": bucket(not_kept, DeletionPolicy="RetainExceptOnCreate"),
    }
    fails = made(after="NotKept", Number=1, Fail=True)
    fails["Made"]["DependsOn"].append("Kept")
    with pytest.raises(StackFailed):
        deployed(life, assembly, unique, template(**resources, **fails))
    assert {kept, not_kept} & buckets(life) == {kept}


def test_a_name_that_is_taken_fails_a_creation(
    life: CloudFormation, assembly: Assembly, unique: str
) -> None:
    name = f"bucket-{unique}"
    one = template(Kept=bucket(name, DeletionPolicy="Retain"))
    deployed(life, assembly, unique, one)
    life.delete(unique)
    assert name in buckets(life)
    with pytest.raises(StackFailed, match="already exists"):
        deployed(life, assembly, unique, one)
    assert name in buckets(life)


def test_what_is_other_is_changed_in_the_order_of_dependencies_all_else_left_alone(
    life: CloudFormation, assembly: Assembly, unique: str, counts: Path
) -> None:
    deployed(life, assembly, unique, template(Topic=topic(), **made(Number=1)))
    life.deployment.changed.clear()
    other = topic(Properties={"DisplayName": "b"})
    deployed(life, assembly, unique, template(Topic=other, **made(Number=1)))
    assert [one.split(" ")[0] for one in life.deployment.changed] == [f"{unique}/Topic"]
    assert counts.read_text().split() == ["Create"]


def test_what_cannot_be_changed_in_place_is_made_anew_and_the_old_one_goes_at_the_end(
    life: CloudFormation, assembly: Assembly, unique: str
) -> None:
    old, new = f"{unique}-old", f"{unique}-new"
    deployed(life, assembly, unique, template(Bucket=bucket(old)))
    fails = made(after="Bucket", Number=1, Fail=True)
    with pytest.raises(StackFailed):
        deployed(life, assembly, unique, template(Bucket=bucket(new), **fails))
    assert {old, new} & buckets(life) == {old}
    assert life.deployment.physical_id(unique, "Bucket") == old
    deployed(life, assembly, unique, template(Bucket=bucket(new)))
    assert {old, new} & buckets(life) == {new}


def test_a_failed_update_sends_custom_resources_the_properties_of_before(
    life: CloudFormation, assembly: Assembly, unique: str, counts: Path
) -> None:
    deployed(life, assembly, unique, template(**made(Number=1)))
    with pytest.raises(StackFailed) as failed:
        deployed(life, assembly, unique, template(**made(Number=2, Fail=True)))
    assert failed.value.status == "UPDATE_ROLLBACK_COMPLETE"
    assert counts.read_text().split() == ["Create", "Update", "Update"]
    existing = life.deployment.resources[unique, "Made"]
    assert existing.properties["Number"] == 1
    assert existing.created.attributes["Number"] == "1"


def test_a_rollback_that_fails_leaves_update_rollback_failed_which_takes_no_deploy(
    life: CloudFormation, assembly: Assembly, unique: str
) -> None:
    deployed(life, assembly, unique, template(**made(Number=1, FailUpdates=True)))
    with pytest.raises(StackFailed) as failed:
        deployed(life, assembly, unique, template(**made(Number=2, FailUpdates=True)))
    assert failed.value.status == "UPDATE_ROLLBACK_FAILED"
    with pytest.raises(StackRefused, match="UPDATE_ROLLBACK_FAILED state"):
        deployed(life, assembly, unique, template(**made(Number=3)))


def test_what_leaves_a_template_is_deleted_once_all_else_has_succeeded(
    life: CloudFormation, assembly: Assembly, unique: str
) -> None:
    deployed(life, assembly, unique, template(Topic=topic(), **made(Number=1)))
    with pytest.raises(StackFailed):
        deployed(life, assembly, unique, template(**made(Number=2, Fail=True)))
    assert unique in topics(life)
    deployed(life, assembly, unique, template(**made(Number=2)))
    assert unique not in topics(life)


def test_a_bucket_that_holds_something_leaves_delete_failed(
    life: CloudFormation, assembly: Assembly, unique: str
) -> None:
    name = f"bucket-{unique}"
    deployed(life, assembly, unique, template(Bucket=bucket(name)))
    s3 = life.cloud.client("s3")
    s3.put_object(Bucket=name, Key="a", Body=b"a")
    with pytest.raises(StackFailed, match="not empty") as failed:
        life.delete(unique)
    assert failed.value.status == "DELETE_FAILED"
    s3.delete_object(Bucket=name, Key="a")
    life.delete(unique)
    assert name not in buckets(life)


def one_imports_of_another(assembly: Assembly, unique: str) -> tuple[str, str]:
    exporter, importer = f"{unique}-a", f"{unique}-b"
    assembly.dependencies = {importer: [exporter]}
    assembly.stacks = {
        exporter: {
            **template(Topic=topic()),
            "Outputs": {
                "Arn": {"Value": {"Ref": "Topic"}, "Export": {"Name": exporter}}
            },
        },
        importer: template(
            Topic=topic(Properties={"DisplayName": {"Fn::ImportValue": exporter}})
        ),
    }
    return exporter, importer


@pytest.mark.parametrize("how", ["updated", "deleted"])
def test_an_export_that_is_imported_is_neither_changed_nor_removed(
    life: CloudFormation, assembly: Assembly, unique: str, how: str
) -> None:
    exporter, importer = one_imports_of_another(assembly, unique)
    life.deploy(assembly.write())
    before = life.deployment.exports[exporter]
    other = assembly.stacks[exporter]
    if how == "updated":
        other["Outputs"]["Arn"]["Value"] = "another"
    else:
        del other["Outputs"]
    assembly.write()
    with pytest.raises(
        StackFailed, match=f"cannot be {how} as it is in use by {importer}"
    ) as failed:
        life.deploy(assembly.write())
    assert failed.value.status == "UPDATE_ROLLBACK_COMPLETE"
    assert life.deployment.exports[exporter] == before


def test_a_stack_whose_exports_are_imported_is_not_deleted(
    life: CloudFormation, assembly: Assembly, unique: str
) -> None:
    exporter, importer = one_imports_of_another(assembly, unique)
    life.deploy(assembly.write())
    with pytest.raises(StackRefused, match=f"in use by {importer}"):
        life.delete(exporter)
    life.destroy()
    assert life.stacks == {}


def test_a_deleted_policy_resets_its_topic_whoever_set_it_last(
    life: CloudFormation, assembly: Assembly, unique: str
) -> None:
    def policy(sid: str) -> dict[str, Any]:
        statement = {
            "Sid": sid, "Effect": "Allow", "Action": "sns:Publish", "Resource": "*",
            "Principal": {"Service": "s3.amazonaws.com"},
        }  # fmt: skip
        return {
            "Type": "AWS::SNS::TopicPolicy",
            "Properties": {
                "Topics": [{"Ref": "Topic"}],
                "PolicyDocument": {"Version": "2012-10-17", "Statement": [statement]},
            },
        }

    second = {**policy("second"), "DependsOn": ["First"]}
    both = template(Topic=topic(), First=policy("first"), Second=second)
    deployed(life, assembly, unique, both)
    arn = life.deployment.physical_id(unique, "Topic")
    deployed(life, assembly, unique, template(Topic=topic(), Second=policy("second")))
    answer = life.cloud.client("sns").get_topic_attributes(TopicArn=arn)
    assert "second" not in answer["Attributes"]["Policy"]
    assert "SourceOwner" in answer["Attributes"]["Policy"]


def test_a_function_that_asks_is_told_what_its_stack_is_doing(
    life: CloudFormation, assembly: Assembly, unique: str
) -> None:
    deployed(life, assembly, unique, template(Topic=topic()))
    place = f"{life.cloud.region}:{life.cloud.account}"
    arn = f"arn:aws:cloudformation:{place}:stack/{unique}/embedded"
    cloudformation = life.cloud.client("cloudformation")
    (told,) = cloudformation.describe_stacks(StackName=arn)["Stacks"]
    assert told["StackStatus"] == "CREATE_COMPLETE"


def test_every_rule_has_a_test_of_its_name_and_a_source() -> None:
    for rule, source in RULES.items():
        words = rule.lower().replace(",", "").replace(" ", "_")
        assert f"test_{words}" in globals(), rule
        assert source
