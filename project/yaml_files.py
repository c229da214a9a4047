"""`datasets/*.yaml` and `apis/*.yaml` to a catalogue, or all that is wrong in them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from lambdas.core.dataset import NAME_PATTERN, Api, Catalogue, Dataset
from lambdas.core.errors import BadInput
from lambdas.core.rules.api import api_findings, client_findings
from lambdas.core.rules.cursor import cursor_warnings
from lambdas.core.rules.dataset import dataset_findings, not_there, reference_findings
from lambdas.core.rules.fan_out import family_findings
from lambdas.core.rules.findings import Finding
from lambdas.core.rules.paging import paging_findings, paging_warnings
from lambdas.core.rules.quality import match_findings
from project.fault import Fault, Location, key_path, printable, quoted
from project.model_faults import ModelFindings, completed, nearest, walk_model
from project.model_words import (
    NAMED,
    accepted,
    annotation_of,
    fields_of,
    is_model,
    members,
)
from project.names import refuse_unknown
from project.sql_models import ModelFiles, read_models
from project.yaml_nodes import MAX_BYTES, YamlDocument, read_yaml

M = TypeVar("M", bound=BaseModel)

ACCEPTED_TEXTS = {
    "timezone": "names of the IANA list, as capitals and slashes stand there",
    "holidays": "ISO 3166 codes, such as `US` or `US-NY`",
    "quiet": "windows `HH:MM-HH:MM`",
    "target_lag": "a number of minutes, hours or days, such as `1 hour`",
    "cron": "EventBridge's six fields, such as `5 * * * ? *`",
    "rate": "a number of minutes, hours or days, such as `1 hour`",
    "deadline_cron": "five fields of cron, with lower_bound_delta beside them",
    "initial_value": "a number, a date or a time with its offset",
    "end_value": "a number, a date or a time with its offset",
}
"""What texts with a grammar of their own accept, where their rule does not say it."""

_NAME_WORDS = NAMED[0][1]
SUFFIXES = (".yaml", ".yml", ".YAML", ".Yaml", "")
"""What a file may end in that was meant to be one of ours; "" is a folder."""


class BadFiles(BadInput):
    """YAML that cannot be used; `faults` has every reason, by file and line."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.faults = tuple(faults)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectFiles:
    """What was read. `sound` holds the datasets that nothing is wrong with; `faulty`
    the faults of each other one: its own, its API's and its parents'. `whole` are those
    whose files could be read to the end. `warnings` are of sound ones.
    """

    sound: Catalogue
    whole: Mapping[str, Dataset]
    apis: Mapping[str, Api]
    faults: tuple[Fault, ...]
    faulty: Mapping[str, tuple[Fault, ...]]
    warnings: tuple[Fault, ...]

    @property
    def catalogue(self) -> Catalogue | None:
        """All datasets; None if anything at all is wrong."""
        return None if self.faults else self.sound


@dataclass(slots=True, kw_only=True)
class _File:
    """One file on its way to a model."""

    path: str
    name: str
    document: YamlDocument
    found: ModelFindings
    clean: Any = None
    is_whole: bool = False
    """Whether all of it could be read, whatever else is wrong with it."""
    is_named: bool = True
    """Whether its name may be a dataset's or an API's; else it stands for none."""

    def faults(self) -> Iterable[Fault]:
        for one in self.document.faults:
            yield Fault(
                file=self.path,
                line=one.line,
                key=key_path(one.location),
                sentence=printable(one.sentence),
            )
        unread = {one.location for one in self.document.faults if one.location}
        for location, sentence in self.found.faults:
            if location in unread:
                continue  # what the text says of it comes first
            yield Fault(
                file=self.path,
                line=self.document.line_of(location),
                key=key_path(location),
                sentence=printable(sentence),
            )


def load_catalogue(datasets: Path, apis: Path, models: Path | None = None) -> Catalogue:
    """The catalogue of these folders; BadFiles if anything in them is wrong."""
    written = read_files(datasets, apis, models)
    if written.catalogue is None:
        raise BadFiles(written.faults)
    return written.catalogue


def load_datasets(
    names: Iterable[str], *, datasets: Path, apis: Path, models: Path | None = None
) -> Catalogue:
    """The sound datasets of these folders, the named ones among them.

    Raises BadFiles with the faults of those that are named, BadInput if one is unknown;
    what is wrong elsewhere is theirs to whom it belongs.
    """
    written = read_files(datasets, apis, models)
    wrong: set[Fault] = set()
    for name in names:
        refuse_unknown(name, [*written.sound.datasets, *written.faulty], apis=apis)
        wrong.update(written.faulty.get(name, ()))
    if wrong:
        raise BadFiles(sorted(wrong))
    return written.sound


def read_files(datasets: Path, apis: Path, models: Path | None = None) -> ProjectFiles:
    """Read and check all files of these folders; of models, if they are asked for.

    Raises BadInput if `datasets` is no folder; `apis` may be missing, since an API may
    stand in place, and so may `models`.
    """
    if not datasets.is_dir():
        raise BadInput(
            f"there is no folder {quoted(str(datasets))}; make it, put one YAML file "
            "a dataset in it, or name another one with --datasets"
        )
    if apis.exists() and not apis.is_dir():
        raise BadInput(f"{quoted(str(apis))} is not a folder; name one with --apis")
    faults: list[Fault] = []
    api_files = _read_folder(apis, Api, faults) if apis.is_dir() else []
    dataset_files = _read_folder(datasets, Dataset, faults)
    checked_apis = [(file, _checked_api(file)) for file in api_files]
    api_models = {file.name: api for file, api in checked_apis if file.is_named}
    names = {file.name for file in dataset_files if file.is_named}
    checked = [
        (file, _checked_dataset(file, api_models, names)) for file in dataset_files
    ]
    by_name = {one.name: one for file, one in checked if one and file.is_named}
    family = family_findings(by_name)
    for file in dataset_files:
        if not file.is_named:
            continue
        _keep(file, family.get(file.name, ()), Dataset)
        if file.name in by_name:
            _keep(file, match_findings(by_name[file.name], by_name), Dataset)
    for file in (*api_files, *dataset_files):
        faults.extend(file.faults())
    known_apis = {name: api for name, api in api_models.items() if api is not None}
    faulty = _faulty(faults, by_name, datasets, apis)
    sound = {
        name: _resolved(one, known_apis)
        for name, one in by_name.items()
        if name not in faulty
    }
    warnings = [
        Fault(
            file=file.path,
            line=file.document.line_of(one.key),
            key=key_path(one.key),
            sentence=printable(one.sentence),
            is_warning=True,
        )
        for file in dataset_files
        if file.is_named and file.name in sound
        for one in _warnings(sound[file.name])
    ]
    made = ModelFiles() if models is None else read_models(models, sound, names)
    return ProjectFiles(
        sound=Catalogue(datasets=sound, models=dict(made.models)),
        whole={
            file.name: by_name[file.name]
            for file in dataset_files
            if file.is_whole and file.name in by_name
        },
        apis=known_apis,
        faults=tuple(sorted({*faults, *made.faults})),
        faulty=faulty,
        warnings=tuple(sorted(warnings)),
    )


def _faulty(
    faults: Iterable[Fault], known: Mapping[str, Dataset], datasets: Path, apis: Path
) -> dict[str, tuple[Fault, ...]]:
    """The faults that stop each dataset, by its name."""
    by_file: dict[Path, list[Fault]] = {}
    for fault in faults:
        by_file.setdefault(Path(fault.file), []).append(fault)
    names = {path.stem for path in by_file if path.parent == datasets}
    found = {}
    for name in names | known.keys():
        files = _files_of(name, known, datasets, apis)
        wrong = {fault for file in files for fault in by_file.get(file, ())}
        if wrong:
            found[name] = tuple(sorted(wrong))
    return found


def _files_of(
    name: str, known: Mapping[str, Dataset], datasets: Path, apis: Path
) -> set[Path]:
    """Every file that a dataset is made of."""
    files = {datasets / f"{name}{suffix}" for suffix in SUFFIXES}
    dataset = known.get(name)
    if dataset is None:
        return files
    client, parent = dataset.source.client, dataset.source.parent
    if isinstance(client, str):
        files |= {apis / f"{client}{suffix}" for suffix in SUFFIXES}
    if parent is not None:
        others = {key: one for key, one in known.items() if key != name}
        files |= _files_of(parent.dataset, others, datasets, apis)
    return files


def _warnings(dataset: Dataset) -> Iterable[Finding]:
    client = dataset.source.client
    api = client if isinstance(client, Api) else None
    return [*paging_warnings(dataset, api), *cursor_warnings(dataset)]


def _read_folder(
    folder: Path, model: type[BaseModel], faults: list[Fault]
) -> list[_File]:
    files: list[_File] = []
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if path.is_dir():
            if path.suffix.lower() in (".yaml", ".yml"):
                faults.append(
                    _file_fault(path, "is a folder; accepted: a file of YAML")
                )
            nested = sorted([*path.glob("*.yaml"), *path.glob("*.yml")])
            faults += [
                _file_fault(
                    one,
                    "is in a subfolder, which is not read; accepted: files "
                    f"directly in {quoted(str(folder))}",
                )
                for one in nested
            ]
        elif path.suffix.lower() == ".yml" or path.suffix in (".YAML", ".Yaml"):
            faults.append(
                _file_fault(
                    path,
                    f"ends in {quoted(path.suffix)}; accepted: .yaml, as in "
                    f"{quoted(path.stem + '.yaml')}",
                )
            )
        elif path.suffix == ".yaml":
            files.append(_read_file(path, model, faults))
    return files


def _file_fault(path: Path, sentence: str) -> Fault:
    return Fault(file=str(path), line=1, key="file", sentence=printable(sentence))


def _read_file(path: Path, model: type[BaseModel], faults: list[Fault]) -> _File:
    file = _File(
        path=str(path), name=path.stem, document=YamlDocument(), found=ModelFindings()
    )
    if re.fullmatch(NAME_PATTERN, path.stem) is None or path.stem.endswith("\n"):
        faults.append(
            _file_fault(
                path, f"cannot be named {quoted(path.stem)}; accepted: {_NAME_WORDS}"
            )
        )
        file.name, file.is_named = "x", False
    if path.exists() and not path.is_file():
        # to open a pipe would wait for a writer
        faults.append(
            _file_fault(path, "is not a regular file; accepted: a file of YAML")
        )
        return file
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        faults.append(
            _file_fault(path, f"cannot be read ({reason}); accepted: a readable file")
        )
        return file
    file.document = read_yaml(data)
    value = file.document.value
    if value is None:
        if not file.document.faults:
            known = ", ".join(fields_of(model))
            file.found.add((), f"is empty; accepted: a mapping with {known}")
        return file
    before = len(file.document.faults)
    file.found.dropped += [one.location for one in file.document.faults[:before]]
    clean = walk_model(model, value, (), file.found)
    file.clean = clean if isinstance(clean, dict) else None
    file.is_whole = not file.found.dropped
    return file


def _model(file: _File, model: type[M], clean: dict[str, Any]) -> M | None:
    """The model of what is sound in a file, or None if even that is not."""
    try:
        return model.model_validate_json(json.dumps(clean))
    except ValidationError as error:
        if not file.found.faults and not file.document.faults:
            for one in error.errors(include_input=False, include_url=False):
                location = tuple(one["loc"])
                file.found.add(
                    location, completed(str(one["msg"]), "see docs/datasets.md")
                )
        return None


def _checked_api(file: _File) -> Api | None:
    if file.clean is None:
        return None
    api = _model(file, Api, file.clean)
    if api is not None:
        _keep(file, api_findings(api), Api)
    return api


def _checked_dataset(
    file: _File, apis: Mapping[str, Api | None], datasets: set[str]
) -> Dataset | None:
    if file.clean is None:
        return None
    dataset = _model(file, Dataset, {"name": file.name, **file.clean})
    if dataset is None:
        return None
    findings = [
        *dataset_findings(dataset),
        *reference_findings(dataset, datasets),
    ]
    client = dataset.source.client
    api = apis.get(client) if isinstance(client, str) else client
    findings += paging_findings(dataset, api)
    findings += client_findings(dataset, api)
    if isinstance(client, str) and client not in apis:
        near = f" (the nearest is `{nearest(client, sorted(apis))}`)" if apis else ""
        sentence = not_there(client, list(apis))
        findings.append(
            Finding(
                key=("source", "client"),
                sentence=sentence.replace(
                    "; accepted: ",
                    f" in the folder of APIs{near}; accepted: a mapping in place, or ",
                ),
            )
        )
    _keep(file, findings, Dataset)
    return dataset


def _keep(file: _File, findings: Iterable[Finding], model: type[BaseModel]) -> None:
    """Keep those findings that follow from nothing that is faulty itself."""
    dropped = list(file.found.dropped)
    for one in findings:
        if any(
            _is_within(one.key, gone)
            or any(_is_within(gone, on) or _is_within(on, gone) for on in one.because)
            for gone in dropped
        ):
            continue
        words = ACCEPTED_TEXTS.get(_last_name(one.key)) or _accepted_at(model, one.key)
        file.found.add(one.key, completed(one.sentence, words))


def _last_name(location: Location) -> str:
    return next((one for one in reversed(location) if isinstance(one, str)), "")


def _is_within(location: Location, other: Location) -> bool:
    return location[: len(other)] == other


def _accepted_at(model: type[BaseModel], location: Location) -> str:
    """What the type at a location accepts, or the nearest one above it."""
    words = f"a mapping with {', '.join(fields_of(model))}"
    for key in location:
        one = fields_of(model).get(str(key))
        if one is None:
            return words
        words = accepted(annotation_of(one))
        models = [each for each in members(annotation_of(one)) if is_model(each)]
        if len(models) != 1:
            return words
        model = models[0]
    return words


def _resolved(dataset: Dataset, apis: Mapping[str, Api]) -> Dataset:
    client = dataset.source.client
    if not isinstance(client, str):
        return dataset
    source = dataset.source.model_copy(update={"client": apis[client]})
    return dataset.model_copy(update={"source": source})
