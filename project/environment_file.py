"""`environments/<env>.yaml`, alone and together with the datasets it deploys."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from lambdas.core.dataset import Api, Catalogue
from lambdas.core.errors import BadInput
from lambdas.core.http.urls import is_loopback, public_url
from project.environment import Environment, Misfit
from project.fault import Fault, Location, key_path, printable
from project.yaml_files import BadFiles, read_files
from project.yaml_nodes import YamlDocument, read_yaml


def read_project(root: Path, name: str) -> tuple[Environment, Catalogue]:
    """The environment called `name` and the datasets below `root`.

    Raises BadFiles with every fault of both and of what does not fit between them,
    BadInput if there is no such environment.
    """
    environments, datasets = root / "environments", root / "datasets"
    environment, faults = _read_environment(environments, name)
    written = read_files(datasets, root / "apis", root / "models")
    faults += written.faults
    if environment is not None:
        faults += misfits(environment, written.sound, environments, datasets)
    if environment is None or written.catalogue is None or faults:
        raise BadFiles(sorted(faults))
    return environment, written.catalogue


def environment_faults(
    folder: Path, name: str, catalogue: Catalogue, datasets: Path
) -> list[Fault]:
    """Every fault of an environment and with its datasets. Raises BadInput."""
    environment, faults = _read_environment(folder, name)
    if environment is None:
        return faults
    return faults + misfits(environment, catalogue, folder, datasets)


def button_warnings(folder: Path, name: str) -> list[Fault]:
    """Where Slack can call no function. Raises BadInput."""
    environment, _ = _read_environment(folder, name)
    if environment is None or environment.has_function_urls:
        return []
    if "slack" not in environment.channel_secrets:
        return []
    missing = Misfit(
        dataset=None,
        key=("slack",),
        sentence=f"{environment.region} has no Lambda function URLs: messages in Slack "
        "have no buttons there; `catflap incident` does the same",
    )
    fault = _misfit(missing, folder / f"{name}.yaml", folder)
    return [dataclasses.replace(fault, is_warning=True)]


def mention_warnings(folder: Path, name: str, said: Sequence[str]) -> list[Fault]:
    """What Slack said of those whom a page would mention, each in a sentence."""
    file = folder / f"{name}.yaml"
    found = (Misfit(dataset=None, key=("slack",), sentence=one) for one in said)
    return [
        dataclasses.replace(_misfit(one, file, folder), is_warning=True)
        for one in found
    ]


def loopback_warnings(catalogue: Catalogue, datasets: Path) -> list[Fault]:
    """Datasets whose API only this machine can ask."""
    return [
        dataclasses.replace(
            _misfit(
                Misfit(
                    dataset=name,
                    key=("source", "client"),
                    sentence=f"asks {public_url(url)}, on loopback: a deployed "
                    "function refuses that; accepted: an address that AWS can reach",
                ),
                datasets,
                datasets,
            ),
            is_warning=True,
        )
        for name, dataset in sorted(catalogue.datasets.items())
        if isinstance(api := dataset.source.client, Api)
        for url in (api.base_url, *(api.auth.urls().values() if api.auth else ()))
        if is_loopback(url)
    ]


def audience_warnings(folder: Path, name: str) -> list[Fault]:
    """Whether an alarm on catflap's own functions reaches anybody. Raises BadInput."""
    environment, _ = _read_environment(folder, name)
    if environment is None or any(one.engineers for one in environment.teams.values()):
        return []
    nobody = Misfit(
        dataset=None,
        key=("teams",),
        sentence="no team has an address in `engineers`, so nobody is told when "
        "catflap's own functions stop; accepted: teams.NAME.engineers: [ADDRESS]",
    )
    file = folder / f"{name}.yaml"
    return [dataclasses.replace(_misfit(nobody, file, folder), is_warning=True)]


def misfits(
    environment: Environment, catalogue: Catalogue, folder: Path, datasets: Path
) -> list[Fault]:
    """What does not fit, with file and line."""
    return [
        _misfit(one, folder / f"{environment.name}.yaml", datasets)
        for one in environment.faults_of(catalogue)
    ]


def _misfit(one: Misfit, environment_file: Path, datasets: Path) -> Fault:
    file = environment_file
    if one.dataset is not None:
        file = next(datasets.glob(f"{one.dataset}.y*ml"))
    return _fault(file, read_yaml(file.read_bytes()), one.key, one.sentence)


def read_environment(folder: Path, name: str) -> Environment:
    """The environment called `name`, alone; `folder` holds all of them.

    Raises BadFiles with every fault, BadInput if there is no such environment.
    """
    environment, faults = _read_environment(folder, name)
    if environment is None:
        raise BadFiles(sorted(faults))
    return environment


def _choice(folder: Path, known: Sequence[str]) -> str:
    if not known:
        return f"write {folder}/NAME.yaml first (docs/settings.md)"
    listed = ", ".join(known)
    return (
        f"{folder} has {listed}: choose with `--env NAME`, or `-c env=NAME` for the CDK"
    )


def _read_environment(
    folder: Path, name: str
) -> tuple[Environment | None, list[Fault]]:
    known = sorted(path.stem for path in folder.glob("*.yaml"))
    if name not in known:
        raise BadInput(
            f"there is no environment `{name}`; {_choice(folder, known)}; "
            "`--env local` asks what `catflap try --stay` keeps up"
        )
    path = folder / f"{name}.yaml"
    document = read_yaml(path.read_bytes())
    faults = [
        _fault(path, document, one.location, one.sentence) for one in document.faults
    ]
    if faults:
        return None, faults
    content = document.value if isinstance(document.value, dict) else {}
    try:
        # As from JSON: a list may become a tuple, and "3" is still not 3.
        whole = json.dumps({**content, "name": name})
        return Environment.model_validate_json(whole), []
    except ValidationError as error:
        return None, [
            _fault(path, document, tuple(one["loc"]), _sentence(one))
            for one in error.errors(include_input=False, include_url=False)
        ]


def _sentence(error: ErrorDetails) -> str:
    if error["type"] == "extra_forbidden":
        return "unknown key; accepted: those in docs/deploying.md"
    own = error.get("ctx", {}).get("error")
    return str(own) if own is not None else error["msg"]


def _fault(path: Path, document: YamlDocument, at: Location, sentence: str) -> Fault:
    return Fault(
        file=str(path),
        line=document.line_of(at),
        key=key_path(at),
        sentence=printable(sentence),
    )
