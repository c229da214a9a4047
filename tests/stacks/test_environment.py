"""What an environment's file may say."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

import app
from lambdas.core.dataset import Catalogue
from lambdas.core.errors import BadInput
from local.aws.strict.grants_used import general
from project.environment import Environment
from project.environment_file import read_project
from stacks.all_stacks import add_stacks, new_app
from stacks.constructs.grants import renewed_names, secret_names
from tests.stacks.catalogues import catalogue_of
from tests.stacks.conftest import UNBUNDLED, read_templates
from tests.stacks.grants import grants


def faults(project: Path, old: str, new: str) -> str:
    dev = project / "environments" / "dev.yaml"
    text = dev.read_text()
    assert old in text
    dev.write_text(text.replace(old, new))
    with pytest.raises(BadInput) as caught:
        read_project(project, "dev")
    return str(caught.value)


def test_every_environment_of_the_repository_is_valid() -> None:
    for name in ("dev", "prod"):
        environment, _ = read_project(app.ROOT, name)
        assert environment.name == name


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('"000000000000"', "12", "account"),
        ("us-east-1", "moon", "region"),
        ("check_every_minutes: 30", "check_every: 30", "check_every: unknown key"),
        ("{user: CATFLAP_DEV_READER", "{user: x; drop user y", "snowflake.reader.user"),
        ("authenticator: workload_identity", "authenticator: password",
         "snowflake.authenticator"),
        ("authenticator: workload_identity", "authenticator: key_pair",
         "private_key_secret"),
        ("keep_data: false", "keep_data: maybe", "keep_data"),
        ('"07:30"', '"7:30"', "teams.data-eng.digest_at"),
        ("timezone: America/New_York", "timezone: Europe/Zuric",
         "did you mean `Europe/Zurich`"),
        ("log_retention_days: 14", "log_retention_days: 15", "log_retention_days"),
        ("keep_data: false", 'allowed_origins: {cats: ["api.example.com"]}',
         "is not an origin; accepted: such as https://api.example.com"),
        ("keep_data: false", 'allowed_origins: {cats: ["https://a.example.com/v1"]}',
         "is not an origin"),
    ],
)  # fmt: skip
def test_a_fault_names_its_key(project: Path, old: str, new: str, told: str) -> None:
    assert told in faults(project, old, new)


def with_keys(project: Path, more: str = "") -> Path:
    """The project, whose functions sign in to Snowflake with keys."""
    dev = project / "environments" / "dev.yaml"
    text = dev.read_text()
    text = text.replace("workload_identity", "key_pair")
    for who in ("ADMIN", "READER"):
        text = text.replace(
            f"role: CATFLAP_DEV_{who}",
            f"role: CATFLAP_DEV_{who}, private_key_secret: k",
        )
    repairer = "  repairer: {user: R, role: R, private_key_secret: k}\n"
    dev.write_text(text.replace("slack:", f"{repairer}{more}slack:", 1))
    return project


def test_with_keys_a_week_is_told_once_a_reporter_is_declared(project: Path) -> None:
    environment, catalogue = read_project(with_keys(project), "dev")
    assert not environment.snowflake.has_reporter
    made = new_app(outdir=project / "out", context=UNBUNDLED)
    add_stacks(made, environment=environment, catalogue=catalogue)
    made.synth()
    said = [
        schedule["Properties"]["Target"]["Input"]
        for part, _, schedule in read_templates(project / "out").resources(
            "AWS::Scheduler::Schedule"
        )
        if part == "reports"
    ]
    assert said
    assert not any('"week"' in one for one in said)


def test_a_reporter_that_is_declared_needs_its_key(project: Path) -> None:
    own = "  reporter: {user: Q, role: Q, private_key_secret: q}\n"
    environment, _ = read_project(with_keys(project, own), "dev")
    assert environment.snowflake.has_reporter
    told = faults(project, ", private_key_secret: q", "")
    assert "reporter.private_key_secret" in told


def keys_of(model: type[BaseModel]) -> Iterator[str]:
    for key, field in model.model_fields.items():
        yield key
        below = field.annotation
        if isinstance(below, type) and issubclass(below, BaseModel):
            yield from keys_of(below)


def test_every_key_is_documented() -> None:
    text = (app.ROOT / "docs" / "settings.md").read_text()
    keys = set(keys_of(Environment)) - {"name"}
    assert {"account", "admin", "private_key_secret"} <= keys
    assert not {key for key in keys if key not in text}


def test_a_name_too_long_for_a_schedule_is_refused(project: Path) -> None:
    folder = project / "environments"
    (folder / "dev.yaml").rename(folder / "development.yaml")
    with pytest.raises(BadInput, match="name"):
        read_project(project, "development")


def test_secrets_are_found_wherever_they_stand_and_only_there() -> None:
    api = {
        "base_url": "https://api.example.com/",
        "headers": {"x": "secret:headers#key", "y": "no secret:really#k"},
        "auth": {"type": "bearer", "token": "secret:team/token#t"},
    }
    source = {"client": api, "endpoint": {"path": "x", "params": {"k": "secret:p#q"}}}
    catalogue = catalogue_of(["cats", "dogs"], beside={"source": source})
    assert secret_names(catalogue) == ["headers", "p", "team/token"]


def renewing() -> Catalogue:
    auth = {
        "type": "oauth2_refresh_token",
        "access_token_url": "https://door.example.com/token",
        "client_id": "x",
        "client_secret": "secret:door#secret",
        "refresh_token": "secret:door/refresh#token",
    }
    api = {
        "base_url": "https://api.example.com/",
        "headers": {"x": "secret:headers#key"},
        "auth": auth,
    }
    source = {"client": api, "endpoint": {"path": "x"}}
    return catalogue_of(["cats"], beside={"source": source})


def test_only_the_secrets_of_refresh_tokens_are_written() -> None:
    assert renewed_names(renewing()) == ["door/refresh"]
    assert renewed_names(catalogue_of(["cats"])) == []


@pytest.mark.parametrize(
    ("secret", "origin", "is_refused"),
    [
        ("headers", "https://api.example.com", False),
        ("headers", "https://door.example.com", True),
        ("door", "https://door.example.com", False),
        ("door/refresh", "https://api.example.com", True),
        ("elsewhere", "https://nobody.example.com", False),
    ],
)
def test_a_secret_that_would_go_where_it_may_not_is_a_fault(
    secret: str, origin: str, *, is_refused: bool
) -> None:
    environment, _ = read_project(app.ROOT, "dev")
    strict = environment.model_copy(update={"allowed_origins": {secret: (origin,)}})
    found = strict.faults_of(renewing())
    assert bool(found) == is_refused
    assert all(f"the secret {secret} is not sent to" in one.sentence for one in found)


def test_a_function_is_told_the_origins_of_the_secrets_that_it_reads() -> None:
    environment, _ = read_project(app.ROOT, "dev")
    named = {"door": ("https://door.example.com/",), "cats": ("https://c.example.com",)}
    told = environment.model_copy(update={"allowed_origins": named})
    assert json.loads(told.allowed_origins_json(renewing())) == {
        "door": ["https://door.example.com:443"]
    }


@given(text=st.text(max_size=40))
def test_a_description_never_grants_a_secret(text: str) -> None:
    catalogue = catalogue_of(["cats"], beside={"description": f"x secret:{text}#k"})
    assert secret_names(Catalogue(datasets=catalogue.datasets)) == []


def test_a_boundary_bounds_every_role(tmp_path: Path) -> None:
    environment, catalogue = read_project(app.ROOT, "dev")
    arn = "arn:aws:iam::000000000000:policy/bounds"
    bounded = environment.model_copy(update={"permissions_boundary": arn})
    made = new_app(outdir=tmp_path, context=UNBUNDLED)
    add_stacks(made, environment=bounded, catalogue=catalogue)
    made.synth()
    roles = [
        role["Properties"].get("PermissionsBoundary")
        for _, _, role in read_templates(tmp_path).resources("AWS::IAM::Role")
    ]
    assert roles
    assert set(roles) == {arn}


def test_who_reads_secrets_under_a_customers_key_uses_it_by_secrets_manager_only(
    tmp_path: Path,
) -> None:
    environment, _ = read_project(app.ROOT, "dev")
    key = "arn:aws:kms:us-east-1:000000000000:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    under_it = environment.model_copy(update={"secrets_key": key})
    made = new_app(outdir=tmp_path, context=UNBUNDLED)
    add_stacks(made, environment=under_it, catalogue=renewing())
    made.synth()
    asked, used = set(), set()
    for line in grants(read_templates(tmp_path)):
        part, role, _, _, action, on, condition = line.split(" | ")
        if action.startswith("secretsmanager:"):
            asked.add((part, role, action))
        if on == general(key):
            used.add((part, role, action))
            assert condition == (
                "StringEquals = kms:ViaService = secretsmanager.REGION.amazonaws.com"
            )
    needed = {
        "secretsmanager:GetSecretValue": "kms:Decrypt",
        "secretsmanager:PutSecretValue": "kms:GenerateDataKey",
    }
    assert used == {(part, role, needed[action]) for part, role, action in asked}
    assert {action for _, _, action in used} == set(needed.values())
