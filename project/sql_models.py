"""`models/*.sql` to models, or all that is wrong in them by file and line.

What is said of a model stands in the first line of its file, a comment that holds a
mapping (`-- {"materialized": "view"}`), or in `<name>.yaml` beside it, or in both.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from pydantic import ValidationError

from lambdas.core.columns.declared import declared_columns
from lambdas.core.dataset import NAME_PATTERN, Dataset, SqlModel
from lambdas.core.models.graph import REF, circle_of, in_order, refs_of
from lambdas.core.rules.findings import Finding
from lambdas.core.rules.models import graph_findings, model_findings
from lambdas.core.sql import names
from lambdas.core.sql.views import METADATA
from project.fault import Fault, Location, key_path, printable, quoted
from project.model_faults import ModelFindings, completed, nearest, walk_model
from project.yaml_nodes import MAX_BYTES, YamlDocument, read_yaml

HEADER = re.compile(r"\A\s*--\s*(?P<mapping>\{.*\})\s*$", re.MULTILINE)
MOST = 2_000
"""Models of a project."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFiles:
    """What was read of a folder: the models that nothing is wrong with, in their order,
    and the faults of the others.
    """

    models: Mapping[str, SqlModel] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()


@dataclass(slots=True, kw_only=True)
class _ModelFile:
    """One model, and where each of its keys was written."""

    path: Path
    text: str
    header: YamlDocument
    beside: YamlDocument
    model: SqlModel | None = None
    faults: list[Fault] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def yaml(self) -> Path:
        return self.path.with_suffix(".yaml")

    def tell(self, location: Location, sentence: str) -> None:
        """A fault of a key, in the file in which it stands."""
        is_beside = self._stands_in(self.beside, location)
        document = self.beside if is_beside else self.header
        self.faults.append(
            Fault(
                file=str(self.yaml if is_beside else self.path),
                line=document.line_of(location),
                key=key_path(location),
                sentence=printable(sentence),
            )
        )

    def tell_line(self, line: int, sentence: str) -> None:
        """A fault of the SELECT."""
        self.faults.append(
            Fault(
                file=str(self.path), line=line, key="sql", sentence=printable(sentence)
            )
        )

    def line_of_ref(self, name: str) -> int:
        """Where the SELECT names another relation."""
        for match in REF.finditer(self.text):
            if match["name"] == name:
                return self.text.count("\n", 0, match.start()) + 1
        return 1

    @staticmethod
    def _stands_in(document: YamlDocument, location: Location) -> bool:
        value = document.value
        return bool(location) and isinstance(value, dict) and location[0] in value


def read_models(
    folder: Path, datasets: Mapping[str, Dataset], known: set[str]
) -> ModelFiles:
    """Read and check the models of a folder, which may be missing."""
    if not folder.is_dir():
        return ModelFiles()
    files = [_read(path) for path in sorted(folder.glob("*.sql"))[:MOST]]
    by_name = {file.name: file for file in files}
    faults = list(_stray_faults(folder, by_name))
    for file in files:
        _check_alone(file, datasets, {*by_name, *known})
        if file.name in known:
            file.tell_line(
                1,
                f"is called as the dataset {file.name} is, and both would be one "
                "relation; accepted: another name",
            )
    _check_together(by_name, datasets, known)
    sound = _sound(by_name)
    return ModelFiles(
        models=sound,
        faults=tuple(sorted({*faults}.union(*(file.faults for file in files)))),
    )


def _sound(files: Mapping[str, _ModelFile]) -> dict[str, SqlModel]:
    """Those that nothing is wrong with, nor with what they are made from."""
    models = {
        name: file.model
        for name, file in files.items()
        if file.model is not None and not file.faults
    }
    while True:
        kept = {
            name: model
            for name, model in models.items()
            if all(one in models or one not in files for one in refs_of(model))
        }
        if len(kept) == len(models):
            return {model.name: model for model in in_order(kept)}
        models = kept


def _read(path: Path) -> _ModelFile:
    file = _ModelFile(
        path=path, text="", header=YamlDocument(), beside=YamlDocument(value={})
    )
    try:
        with path.open("rb") as stream:
            file.text = stream.read(MAX_BYTES + 1).decode()
    except (OSError, UnicodeDecodeError) as error:
        file.tell_line(1, f"cannot be read ({error}); accepted: a file of UTF-8 text")
        return file
    if len(file.text) > MAX_BYTES:
        file.tell_line(1, f"is too long; accepted: up to {MAX_BYTES:,} bytes")
        return file
    match = HEADER.match(file.text)
    file.header = read_yaml((match["mapping"] if match else "{}").encode())
    if file.yaml.is_file():
        file.beside = read_yaml(file.yaml.read_bytes())
    for document, where in ((file.header, path), (file.beside, file.yaml)):
        file.faults += [
            Fault(
                file=str(where),
                line=one.line,
                key=key_path(one.location),
                sentence=printable(one.sentence),
            )
            for one in document.faults
        ]
    return file


def _check_alone(
    file: _ModelFile, datasets: Mapping[str, Dataset], known: set[str]
) -> None:
    """What is wrong with one model by itself."""
    if re.fullmatch(NAME_PATTERN, file.name) is None:
        file.tell_line(
            1,
            f"cannot be named {quoted(file.name)}; accepted: a lower-case letter, then "
            "letters, digits and _, 48 at most",
        )
    if file.faults:
        return
    header = file.header.value if isinstance(file.header.value, dict) else {}
    beside = file.beside.value if isinstance(file.beside.value, dict) else {}
    for key in header.keys() & beside.keys():
        file.tell((key,), f"is in {file.path.name}, too; accepted: one of the two")
    found = ModelFindings()
    clean = walk_model(SqlModel, {**header, **beside}, (), found)
    for location, sentence in found.faults:
        file.tell(location, sentence)
    if not file.faults and isinstance(clean, dict):
        _take(file, clean, datasets, known)


def _take(
    file: _ModelFile,
    clean: dict[str, object],
    datasets: Mapping[str, Dataset],
    known: set[str],
) -> None:
    """The model of what is sound, by its own rules."""
    try:
        document = json.dumps({**clean, "name": file.name, "sql": file.text})
        file.model = SqlModel.model_validate_json(document)
    except ValidationError as error:
        for one in error.errors(include_input=False, include_url=False):
            file.tell(tuple(one["loc"]), completed(str(one["msg"]), "docs/models.md"))
        return
    for finding in model_findings(file.model, datasets):
        file.tell(finding.key, finding.sentence)
    for name in refs_of(file.model):
        if name not in known:
            near = nearest(name, sorted(known)) if known else ""
            hint = f" (the nearest is `{near}`)" if near else ""
            file.tell_line(
                file.line_of_ref(name),
                f"there is no `{name}`{hint}; accepted: the name of a dataset or model",
            )


def _check_together(
    files: Mapping[str, _ModelFile], datasets: Mapping[str, Dataset], known: set[str]
) -> None:
    """The graph, then each SELECT against the columns of what it reads."""
    models = {name: file.model for name, file in files.items() if file.model}
    left = dict(models)
    while circle := circle_of(left):
        for name, after in pairwise(circle):
            files[name].tell_line(
                files[name].line_of_ref(after),
                f"is made from itself: {' → '.join(circle)}; accepted: no circle",
            )
        left = {name: model for name, model in left.items() if name not in circle}
    for name, finding in graph_findings(models, datasets):
        files[name].tell(finding.key, finding.sentence)
    if models:
        _compile(files, left, datasets, known)


def _compile(
    files: Mapping[str, _ModelFile],
    models: Mapping[str, SqlModel],
    datasets: Mapping[str, Dataset],
    known: set[str],
) -> None:
    from project.check_sql import check_sql_findings  # noqa: PLC0415 - sqlglot
    from project.compilation import (  # noqa: PLC0415 - sqlglot, for who has models
        compiled,
        dynamic_faults,
    )

    columns: dict[str, tuple[str, ...] | None] = dict.fromkeys({*known, *files})
    columns |= {name: relation_columns(one) for name, one in datasets.items()}
    for model in in_order(models):
        file = files[model.name]
        found = compiled(model, columns)
        for fault in found.faults:
            file.tell_line(fault.line, fault.sentence)
        if found.expression is not None and model.materialized == "dynamic_table":
            for fault in dynamic_faults(model, found.expression):
                file.tell_line(fault.line, fault.sentence)
        columns[model.name] = None if found.faults else found.columns
        file.model = model.model_copy(
            update={"output": found.columns or (), "origins": dict(found.origins)}
        )
        for finding in (
            *_column_findings(model, found.columns),
            *check_sql_findings(model.quality, found.columns),
        ):
            file.tell(finding.key, finding.sentence)


def _column_findings(
    model: SqlModel, output: tuple[str, ...] | None
) -> Iterator[Finding]:
    """Columns that are described or checked, and that the SELECT does not give."""
    if output is None:
        return
    written: list[tuple[Location, str]] = [
        (("columns", name), name) for name in model.columns
    ]
    written += [
        (("quality", place, "column"), check.column)
        for place, check in enumerate(model.quality)
        if check.column is not None
    ]
    for location, name in written:
        if names.plain(names.identifier(name)) not in output:
            near = nearest(name, list(output)).lower()
            listed = ", ".join(one.lower() for one in output[:12])
            yield Finding(
                key=location,
                sentence=f"there is no column `{name}` (the nearest is `{near}`); "
                f"accepted: {listed}",
            )


def relation_columns(dataset: Dataset) -> tuple[str, ...] | None:
    """The columns of a dataset's relation; None: they are taken from the data."""
    if dataset.columns is None:
        return None
    declared = [
        names.plain(names.identifier(one.name)) for one in declared_columns(dataset)
    ]
    return (*(declared or ["PAYLOAD"]), *METADATA)


def _stray_faults(folder: Path, files: Mapping[str, _ModelFile]) -> Iterator[Fault]:
    """YAML beside no model, and files that nobody looks at."""
    for path in sorted(folder.glob("*.yaml")):
        if path.stem not in files:
            yield Fault(
                file=str(path),
                line=1,
                key="file",
                sentence=f"has no {quoted(path.stem + '.sql')} next to it; accepted: "
                "a file of SQL with the same name",
            )
    for path in sorted(folder.glob("*/*.sql")):
        yield Fault(
            file=str(path),
            line=1,
            key="file",
            sentence="is in a subfolder, which is not read; accepted: files "
            f"directly in {quoted(str(folder))}",
        )
