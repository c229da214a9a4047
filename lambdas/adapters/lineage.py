"""A service that takes OpenLineage over HTTP, such as Marquez or DataHub."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from urllib.parse import urlsplit

import msgspec
import urllib3

from lambdas.core.errors import CatflapError
from lambdas.core.lineage.documents import Document
from lambdas.core.ports import Secrets

LOG = logging.getLogger("catflap.lineage")
TIMEOUT_S = 2.0
PATH = "/api/v1/lineage"
"""Where OpenLineage's own client sends to, if the URL says no path."""
TAKEN = range(200, 300)


class LineageEndpoint:
    """One request an event, tried once."""

    def __init__(
        self,
        *,
        http: urllib3.PoolManager,
        url: str,
        secrets: Secrets,
        secret: str | None,
    ) -> None:
        """`secret` is the name of one with an `api_key`."""
        has_path = urlsplit(url).path not in {"", "/"}
        self._http = http
        self._url = url if has_path else url.rstrip("/") + PATH
        self._secrets = secrets
        self._secret = secret

    def send(self, documents: Iterable[Document]) -> int:
        """How many were taken. Ends at the first that is not, and raises nothing."""
        sent = 0
        for document in documents:
            fault = self._sent(document)
            if fault is not None:
                LOG.warning("%s did not take a run event: %s", self._url, fault)
                break
            sent += 1
        return sent

    def _sent(self, document: Document) -> str | None:
        """What went wrong, without a word of the key."""
        try:
            answer = self._http.request(
                "POST",
                self._url,
                body=msgspec.json.encode(document),
                headers={"Content-Type": "application/json", **self._authorization()},
                timeout=urllib3.Timeout(total=TIMEOUT_S),
                retries=False,
                redirect=False,
            )
        except urllib3.exceptions.HTTPError as error:
            return type(error).__name__
        except CatflapError as error:
            return str(error)
        return None if answer.status in TAKEN else f"it answered {answer.status}"

    def _authorization(self) -> dict[str, str]:
        if self._secret is None:
            return {}
        key = self._secrets.value(f"secret:{self._secret}#api_key")
        return {"Authorization": f"Bearer {key}"}
