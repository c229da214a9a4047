"""botocore's models are the same, however they are found."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import botocore.loaders
import botocore.session
import pytest
from botocore.exceptions import UnknownServiceError

from cli.deployed.aws_models import ModelLoader, quick_session

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


def test_the_folder_of_all_services_is_listed_once_and_of_them_those_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    listed = Counter[str]()
    real = os.listdir

    def listdir(path: str | os.PathLike[str]) -> list[str]:
        listed[os.fspath(path)] += 1
        return real(path)

    monkeypatch.setattr(os, "listdir", listdir)
    loader = ModelLoader()
    for kind in ("service-2", "endpoint-rule-set-1", "paginators-1"):
        loader.load_service_model("dynamodb", kind)
    of_all = [path for path in listed if "dynamodb" not in path]
    assert loader.BUILTIN_DATA_PATH in of_all
    assert set(of_all) <= set(loader.search_paths)
    assert {listed[path] for path in of_all} == {1}


def test_models_of_ones_own_are_found_as_by_botocore(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = tmp_path / "cats" / "2026-11-28"
    folder.mkdir(parents=True)
    (folder / "service-2.json").write_text('{"metadata": {"serviceId": "cats"}}')
    monkeypatch.setenv("AWS_DATA_PATH", str(tmp_path))
    models = quick_session().get_component("data_loader")
    found = models.load_service_model("cats", "service-2")
    assert found["metadata"]["serviceId"] == "cats"
    assert models.load_service_model("sqs", "service-2")
