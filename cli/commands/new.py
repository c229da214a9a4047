"""Write a dataset's YAML from what an API answers to a request or two.

What the answers do not show is left in the file as a comment to choose from. A
credential is never written, only a `secret:` reference.

Example: catflap new flights --from https://api.example.com/v1/flights
"""

from __future__ import annotations

import json
import random
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from pydantic import JsonValue

from cli import options
from cli.new.guess import (
    CursorField,
    Field,
    cursor_of,
    fields_of,
    possible_keys,
    primary_key,
)
from cli.new.sample import EndpointProbe, RememberingApi, Sample
from cli.new.text import DatasetDraft, api_text, dataset_text
from cli.new.url import PastedUrl, free_name, taken_apart
from cli.one_machine.environment_secrets import EnvironmentSecrets, variable_of
from lambdas.adapters.environment import SystemClock, variables
from lambdas.core.cursor.order import CursorOrder
from lambdas.core.dataset import NAME_PATTERN, Api, Endpoint
from lambdas.core.errors import BadInput, RunErrorKind, Terminal, UpstreamError
from lambdas.core.http.redaction import sounds_secret
from lambdas.core.text.count import counted
from project.fault import printable
from project.yaml_files import read_files

DONE = 0


class Method(StrEnum):
    """How to ask."""

    GET = "GET"
    POST = "POST"


PATIENCE_S = 120.0
_REFERENCE = re.compile(r"secret:([^#\s]+)#(\S+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthChoice:
    """How to prove who we are: the auth that is written, and what it stands for."""

    auth: Mapping[str, JsonValue] | None
    known: Mapping[str, str]
    scheme: str = ""
    """A word that the secret has to begin with."""


class GivenSecrets:
    """What was given on the command line, before the environment."""

    def __init__(self, given: Mapping[str, str]) -> None:
        self._given = given
        self._environment = EnvironmentSecrets(variables=variables())

    def value(self, reference: str) -> str:
        """As EnvironmentSecrets."""
        if reference in self._given:
            return self._given[reference]
        return self._environment.value(reference)


def run(
    name: options.Name,
    *,
    url: Annotated[
        str, typer.Option("--from", metavar="URL", help="The URL of its records.")
    ],
    token: Annotated[
        str | None,
        typer.Option(metavar="TOKEN", help="A token or key; - reads it from stdin."),
    ] = None,
    method: Annotated[
        Method | None, typer.Option(help="The HTTP method; POST if there is a body.")
    ] = None,
    body: Annotated[
        str | None, typer.Option(metavar="JSON", help="The body of a POST.")
    ] = None,
    datasets: options.Datasets = options.DATASETS,
    apis: options.Apis = options.APIS,
    as_json: options.Json = False,
) -> int:
    """Ask, write, and say what was found. Returns 0.

    Raises BadInput (a name, URL or body that cannot be used, a file that is there),
    UpstreamError if the API does not answer with records.
    """
    if re.fullmatch(NAME_PATTERN, name) is None:
        raise BadInput(
            f"{printable(name)!r} cannot name a dataset; accepted: a letter a-z, then "
            "up to 47 of a-z, 0-9 and _"
        )
    path = datasets / f"{name}.yaml"
    for there in (path, path.with_suffix(".yml")):
        if there.exists():
            raise BadInput(
                f"{there} already exists and is not overwritten; choose another "
                "name, or remove it"
            )
    pasted = taken_apart(url, name=name)
    if token == "-":  # noqa: S105 - the sign for standard input
        token = sys.stdin.readline().strip()
    question = _question(method, body)
    api_name, api, is_new = _api(pasted, token, datasets=datasets, apis=apis)
    sample, way, http = _ask(pasted, api_name, api, token, question)
    found = _found(name, pasted, api_name, sample, http)
    texts = {path: dataset_text(found)}
    if is_new:
        texts[apis / f"{api_name}.yaml"] = api_text(pasted.base_url, way.auth)
    _must_be_valid(texts, path, apis=apis)
    _write(texts)
    _tell(
        found,
        list(texts),
        _references(texts),
        http.requests,
        scheme=way.scheme,
        as_json=as_json,
    )
    return DONE


def _question(method: Method | None, body: str | None) -> dict[str, JsonValue]:
    """The method and the body, as an endpoint has them. Raises BadInput."""
    if body is None:
        return {"method": method.value} if method is not None else {}
    if method is Method.GET:
        raise BadInput("--body needs a POST; leave out --method GET")
    try:
        document: object = json.loads(body)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise BadInput("--body must be a JSON object, such as '{\"limit\": 100}'")
    secret = next((name for name in document if sounds_secret(name)), None)
    if secret is not None:
        raise BadInput(
            f"--body holds `{printable(secret)}`, which sounds like a secret and would "
            "be written into the file; give it with --token"
        )
    return {"method": "POST", "json": document}


def _api(
    pasted: PastedUrl, token: str | None, *, datasets: Path, apis: Path
) -> tuple[str, Api | None, bool]:
    """The API of this URL: one that is declared already, or the name of a new one."""
    known: Mapping[str, Api] = {}
    if apis.is_dir():
        with tempfile.TemporaryDirectory() as empty:
            known = read_files(Path(empty), apis).apis
    taken = {one.stem for one in apis.glob("*.y*ml")} if apis.is_dir() else set()
    del datasets
    for api_name, api in sorted(known.items()):
        is_ours = pasted.base_url.rstrip("/") == api.base_url.rstrip("/")
        if is_ours and (token is None or api.auth is not None) and not pasted.user:
            return api_name, api, False
    return free_name(pasted.api_name, taken), None, True


def _ask(
    pasted: PastedUrl,
    api_name: str,
    api: Api | None,
    token: str | None,
    question: Mapping[str, JsonValue],
) -> tuple[Sample, AuthChoice, RememberingApi]:
    """A sample, by the first way to prove who we are that the API takes."""
    params: dict[str, str] = dict(pasted.params)
    given: dict[str, str] = {}
    for name, value in pasted.secrets.items():
        reference = f"secret:{api_name}#{re.sub(r'[^A-Za-z0-9_.-]', '_', name)}"
        params[name], given[reference] = reference, value
    refused: UpstreamError | None = None
    is_known = False
    challenges: list[str] = []
    ways: list[AuthChoice] = []
    for way in _ways(pasted, api_name, api, token, challenges):
        ways.append(way)
        settings: dict[str, object] = {
            "base_url": pasted.base_url,
            "retry": {"max_attempts": 3, "max_delay": 10},
            "timeout": 30,
        }
        if way.auth is not None:
            settings["auth"] = way.auth
        asked = api or Api.model_validate_json(json.dumps(settings))
        clock = SystemClock()
        http = RememberingApi(
            api=asked,
            secrets=GivenSecrets({**given, **way.known}),
            clock=clock,
            random=random.random,
            deadline_s=clock.monotonic() + PATIENCE_S,
            known_secrets=frozenset(
                one for one in (*given.values(), *way.known.values(), token) if one
            ),
        )
        endpoint = Endpoint.model_validate_json(
            json.dumps({"path": pasted.path, "params": params, **question})
        )
        try:
            return EndpointProbe(http=http, endpoint=endpoint).sample(), way, http
        except UpstreamError as error:
            if error.kind is not RunErrorKind.AUTH:
                raise
            # Who is known and may not read this is told, not the last try.
            if not is_known:
                refused, is_known = error, http.is_known
            challenges.append(http.challenge)
    hint = (
        "give a token with --token (or --token - to type it)"
        if token is None and api is None
        else "tried " + ", ".join(_named(way) for way in ways)
    )
    raise Terminal(f"{refused}; {hint}", kind=RunErrorKind.AUTH) from None


def _ways(
    pasted: PastedUrl,
    api_name: str,
    api: Api | None,
    token: str | None,
    challenges: Sequence[str],
) -> Iterator[AuthChoice]:
    """How this API may want to know who asks, most common first. `challenges` is what
    it said of that with each refusal so far.
    """
    if api is not None:
        own = api.auth.model_dump(mode="json") if api.auth else {}
        one = [v for v in own.values() if str(v).startswith("secret:")]
        known = {str(one[0]): token} if token and len(one) == 1 else {}
        yield AuthChoice(auth=own or None, known=known)
        return
    if pasted.user is not None:
        reference = f"secret:{api_name}#password"
        yield AuthChoice(
            auth={
                "type": "http_basic",
                "username": pasted.user,
                "password": reference,
            },
            known={reference: pasted.password or token or ""},
        )
        return
    if token is None:
        yield AuthChoice(auth=None, known={})
        return
    reference = f"secret:{api_name}#token"
    known = {reference: token}
    if _REFERENCE.fullmatch(token):
        reference, known = token, {}
    yield AuthChoice(auth={"type": "bearer", "token": reference}, known=known)
    key: dict[str, JsonValue] = {"type": "api_key", "api_key": reference}
    scheme = re.match(r"token\b", challenges[-1], re.IGNORECASE) if challenges else None
    if scheme is not None and known:
        # Django REST framework's: the word stands before the key
        yield AuthChoice(
            auth={**key, "name": "Authorization"},
            known={reference: f"{scheme[0]} {token}"},
            scheme=scheme[0],
        )
    yield AuthChoice(auth={**key, "name": "X-API-Key"}, known=known)
    yield AuthChoice(auth={**key, "name": "Authorization"}, known=known)
    user, colon, password = token.partition(":")
    if colon and known:
        basic = f"secret:{api_name}#password"
        yield AuthChoice(
            auth={"type": "http_basic", "username": user, "password": basic},
            known={basic: password},
        )
    yield AuthChoice(auth={**key, "name": "api_key", "location": "query"}, known=known)


def _named(way: AuthChoice) -> str:
    auth = way.auth or {"type": "no auth"}
    name = f" {auth.get('name')} in the {auth.get('location', 'header')}"
    return f"{auth['type']}{name if 'name' in auth else ''}"


def _found(
    name: str, pasted: PastedUrl, client: str, sample: Sample, http: RememberingApi
) -> DatasetDraft:
    now = SystemClock().now()
    fields = fields_of(sample.records, textual=sample.endpoint.body_format == "csv")
    noun = pasted.noun or name
    key = primary_key(fields, hint=sample.key_hint, noun=noun)
    cursor = cursor_of(fields, has_key=bool(key), now=now)
    return DatasetDraft(
        name=name,
        shown_url=pasted.shown,
        client=client,
        sample=sample,
        fields=fields,
        key=key,
        possible_keys=() if key else possible_keys(fields),
        cursor=cursor,
        filter=_filter(sample, cursor, http) if cursor is not None else {},
        now=now,
    )


def _filter(
    sample: Sample, cursor: CursorField, http: RememberingApi
) -> Mapping[str, str]:
    """The parameter by which this API filters by the cursor, if it is of a style whose
    filters are known, and does so when it is asked.
    """
    field: Field = cursor.field
    start = "{incremental.start_value}"
    wanted = {
        "datasette": {f"{field.names[-1]}__gte": start},
        "odata": {"$filter": f"{'/'.join(field.names)} ge {start}"},
    }.get(sample.style)
    values = sorted({v for v in field.values if isinstance(v, str)}, key=_by_time)
    if wanted is None or len(values) < 2 or cursor.is_naive:  # noqa: PLR2004 - a part
        return {}
    asked = {name: text.replace(start, values[-1]) for name, text in wanted.items()}
    if set(asked) & set(sample.endpoint.params):
        return {}
    document = sample.endpoint.model_dump(
        mode="json", by_alias=True, exclude_unset=True
    )
    document["params"] = {**sample.endpoint.params, **asked}
    try:
        endpoint = Endpoint.model_validate_json(json.dumps(document))
        filtered = EndpointProbe(http=http, endpoint=endpoint).first_records()
    except UpstreamError:
        return {}
    came = next((one for one in fields_of(filtered) if one.names == field.names), None)
    if came is None or not came.is_full:
        return {}
    try:
        is_filtered = all(_by_time(str(v)) >= _by_time(values[-1]) for v in came.values)
    except ValueError:
        return {}
    return wanted if is_filtered else {}


_by_time = CursorOrder(timezone="UTC").key


def _must_be_valid(texts: Mapping[Path, str], path: Path, *, apis: Path) -> None:
    """What is written is what `check` accepts; a fault here is ours."""
    with tempfile.TemporaryDirectory() as folder:
        inner = {path.parent: Path(folder, "datasets"), apis: Path(folder, "apis")}
        for one in inner.values():
            one.mkdir()
        if apis.is_dir():
            for there in apis.glob("*.y*ml"):
                (inner[apis] / there.name).write_bytes(there.read_bytes())
        for target, text in texts.items():
            (inner[target.parent] / target.name).write_text(text, encoding="utf-8")
        ours = {str(inner[target.parent] / target.name) for target in texts}
        faults = read_files(inner[path.parent], inner[apis]).faults
        wrong = [str(one).removeprefix(folder) for one in faults if one.file in ours]
    if wrong:
        raise BadInput(
            "catflap cannot write a dataset for this API by itself: " + "; ".join(wrong)
        )


def _write(texts: Mapping[Path, str]) -> None:
    """All files, or none; never over one that is there."""
    written: list[Path] = []
    try:
        for path, text in reversed(list(texts.items())):
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8") as file:
                written.append(path)
                file.write(text)
    except OSError as error:
        for path in written:
            path.unlink(missing_ok=True)
        raise BadInput(
            f"{error.filename} cannot be written ({error.strerror}); no file was "
            "written"
        ) from None


def _references(texts: Mapping[Path, str]) -> dict[str, str]:
    """Each secret that the files name, and the variable it is read from."""
    named = {
        match.group(): variable_of(match[1], match[2])
        for text in texts.values()
        for line in text.splitlines()
        if not line.lstrip().startswith("#")
        for match in re.finditer(r"secret:([^#\s\"]+)#([A-Za-z0-9_.-]+)", line)
    }
    return dict(sorted(named.items()))


def _tell(
    found: DatasetDraft,
    files: list[Path],
    secrets: Mapping[str, str],
    requests: int,
    *,
    scheme: str,
    as_json: bool,
) -> None:
    sample, cursor = found.sample, found.cursor
    document: dict[str, object] = {
        "dataset": found.name,
        "api": found.client,
        "files": [str(one) for one in files],
        "paginator": sample.paginator,
        "data_selector": sample.selector,
        "format": sample.endpoint.body_format,
        "primary_key": [one.path for one in found.key],
        "cursor_path": cursor.field.path if cursor else None,
        "columns": len(found.fields),
        "rows": len(sample.records),
        "requests": requests,
        "secrets": dict(secrets),
        "sign": sample.sign,
    }
    if as_json:
        print(json.dumps(document))
        return
    paging = sample.paginator["type"] if sample.paginator else None
    unknown = (
        "everything on one page"
        if sample.is_all
        else f"not found ({printable(sample.sign)}): choose one in the file"
    )
    rows, pages = counted(len(sample.records), "row"), counted(sample.pages, "page")
    lines = [
        *(f"wrote {one}" for one in files),
        f"  {rows}, {pages}, {counted(requests, 'request')}",
        f"  paginator    {paging or unknown}",
        f"  records at   {sample.selector or sample.endpoint.body_format}",
        f"  primary key  {', '.join(o.path for o in found.key) or 'not found'}",
        f"  cursor       {cursor.field.path if cursor else 'not found'}",
    ]
    if sample.nested:
        lines.append(f"  {sample.nested}")
    lines += [
        f"set {variable} on this machine, and {reference} in AWS Secrets Manager"
        + (f", each as `{scheme} …`" if scheme else "")
        for reference, variable in secrets.items()
    ]
    lines.append(f"next: fill in its owner, then run `catflap preview {found.name}`")
    print(*map(printable, lines), sep="\n")
