"""The lineage function is there where a service is named, with what it needs."""

from __future__ import annotations

from pathlib import Path

import app
from lambdas.core.lineage.documents import HEARD
from lambdas.core.settings import LineageSettings
from project.environment import OpenLineage
from project.environment_file import read_project
from stacks.all_stacks import add_stacks, new_app
from tests.stacks.conftest import UNBUNDLED, Templates, read_templates
from tests.stacks.test_granted_is_called import LOGGED, called
from tests.stacks.test_security import as_list

URL = "https://lineage.example.com"


def test_a_service_that_is_named_is_told_by_a_function_that_may_little_else(
    tmp_path: Path, templates: Templates
) -> None:
    assert "lineage" not in templates.by_part
    environment, catalogue = read_project(app.ROOT, "dev")
    told = OpenLineage(url=URL, secret="catflap/lineage")
    made = new_app(outdir=tmp_path, context=UNBUNDLED)
    changed = environment.model_copy(update={"openlineage": told})
    add_stacks(made, environment=changed, catalogue=catalogue)
    made.synth()
    found = read_templates(tmp_path)

    function = found.one("lineage", "AWS::Lambda::Function")["Properties"]
    variables = function["Environment"]["Variables"]
    assert {name.lower() for name in variables} >= {*LineageSettings.model_fields}
    assert variables["LINEAGE_URL"] == URL
    (rule,) = (
        rule["Properties"]
        for part, _, rule in found.resources("AWS::Events::Rule")
        if part == "lineage"
    )
    assert rule["EventPattern"]["detail-type"] == [*HEARD]
    granted = {
        action
        for part, _, policy in found.resources("AWS::IAM::Policy")
        if part == "lineage"
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        for action in as_list(statement["Action"])
    }
    needless = {"secretsmanager:PutSecretValue", "s3:PutObject"}
    of_lambda = {"sqs:SendMessage", "kms:Decrypt"}
    used = called("lambdas.lineage.handler") - needless
    assert granted == used | of_lambda | LOGGED
