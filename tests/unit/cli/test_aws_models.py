"""botocore's models are the same, however they are found."""

from __future__ import annotations

import os
from collections import Counter

import botocore.loaders
import botocore.session
import pytest
from botocore.exceptions import UnknownServiceError

from cli.aws_models import ModelLoader

SERVICES = ("dynamodb", "s3", "scheduler", "secretsmanager", "sqs", "sns")


@pytest.fixture
def loaders() -> tuple[ModelLoader, botocore.loaders.Loader]:
    session = botocore.session.get_session()
    botocores = session.get_component("data_loader")
    session.register_component("data_loader", ModelLoader())
    return ModelLoader(), botocores


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("kind", ["service-2", "endpoint-rule-set-1", "waiters-2"])
def test_a_model_is_that_of_botocore_or_missing_as_there(
    loaders: tuple[ModelLoader, botocore.loaders.Loader], service: str, kind: str
) -> None:
    ours, botocores = loaders
    try:
        expected = botocores.load_service_model(service, kind)
    except UnknownServiceError:
        with pytest.raises(UnknownServiceError):
            ours.load_service_model(service, kind)
        return
    assert ours.load_service_model(service, kind) == expected


def test_an_unknown_service_is_refused_as_by_botocore() -> None:
    with pytest.raises(UnknownServiceError):
        ModelLoader().load_service_model("nothing", "service-2")


def test_no_folder_is_listed_twice_and_of_services_only_those_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    listed = Counter[str]()
    real = os.listdir

    def listdir(path: str) -> list[str]:
        listed[path] += 1
        return real(path)

    monkeypatch.setattr(os, "listdir", listdir)
    loader = ModelLoader()
    for kind in ("service-2", "endpoint-rule-set-1", "paginators-1"):
        loader.load_service_model("dynamodb", kind)
    assert all("dynamodb" in path for path in listed)
