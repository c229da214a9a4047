"""An upstream API over HTTP: one request with its retries, redirects and auth.

What to do with an answer is decided in `lambdas.core.source.response`; here are the
socket, the clock and the secrets.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence
from threading import Lock
from typing import BinaryIO, Literal

from lambdas.adapters.sources.rate_budget import OwnBudgets
from lambdas.adapters.sources.transport import MAX_BODY_BYTES, Transport
from lambdas.core.dataset import Api, ResponseAction
from lambdas.core.errors import (
    OverBudget,
    RunErrorKind,
    Terminal,
    Transient,
    UpstreamError,
)
from lambdas.core.http.auth import (
    SECRET,
    AccessToken,
    BaseAuth,
    Resolve,
    TokenKeeper,
)
from lambdas.core.http.destinations import ANYWHERE, Destinations
from lambdas.core.http.message import HttpRequest, HttpResponse
from lambdas.core.http.redaction import redact
from lambdas.core.http.token import TokenAuth
from lambdas.core.http.urls import is_private_enough, origin_of, public_url
from lambdas.core.ports import Clock, RateBudget, Secrets
from lambdas.core.source.response import (
    MAX_REDIRECTS,
    Disposition,
    GiveUp,
    TokenRefused,
    delay_s,
    judge,
    next_try,
    redirected,
)

LOG = logging.getLogger("catflap.sources")
SAID_WAIT_S = 1.0
"""Whoever waits as long says so: in the log, and on a terminal."""


class HttpApi:
    """One API, with its connections, its access token and its rate budget.

    `deadline_s` is a moment of `clock.monotonic()`: no wait reaches past it, and no
    request is given longer. `random` gives numbers in [0, 1) for the jitter.
    `known_secrets` are blanked out of messages, beside those of `api.auth`. Without a
    `budget` that others share, it keeps one of its own. Nothing is sent elsewhere than
    `destinations` allows.
    """

    def __init__(
        self,
        *,
        api: Api,
        secrets: Secrets,
        clock: Clock,
        random: Callable[[], float],
        deadline_s: float,
        known_secrets: frozenset[str] = frozenset(),
        max_body_bytes: int = MAX_BODY_BYTES,
        budget: RateBudget | None = None,
        destinations: Destinations = ANYWHERE,
    ) -> None:
        self.api = api
        self.secrets = _Noted(secrets)
        """What resolves references, for whatever is sent to base_url."""
        self.requests = 0
        self.retries = 0
        self._clock = clock
        self._random = random
        self._deadline_s = deadline_s
        self._hidden = frozenset(known_secrets)
        self._hides_auth = False
        self._token: AccessToken | None = None
        self._refused: str | None = None
        self._keeper = secrets
        self._destinations = destinations
        self._budget = budget or OwnBudgets(clock=clock).of(api)
        # requests may be under way side by side: one of them fetches the token, and
        # what is counted is counted once
        self._preparing, self._counting = Lock(), Lock()
        self._max_body_bytes = max_body_bytes
        self._made: Transport | None = None

    def hide(self, secrets: frozenset[str]) -> None:
        """Blank these out of every message from now on."""
        self._hidden = self._hidden | secrets

    def _hide(self, text: str) -> str:
        return redact(text, self._hidden)

    def public(self, url: str) -> str:
        """`url` as a message may show it."""
        return public_url(url, self._hidden)

    def at_page(self, error: UpstreamError, number: int, url: str) -> UpstreamError:
        """The same error, its sentence beginning with the page, and its URL once."""
        of = "" if isinstance(error, _Placed) else f" of {self.public(url)}"
        return self.without_secrets(error, f"page {number}{of}: ")

    def without_secrets(self, error: UpstreamError, where: str = "") -> UpstreamError:
        """The same error, its sentence beginning with `where` and holding no secret."""
        return type(error)(
            redact(f"{where}{error}", self._hidden),
            kind=error.kind,
            retry_after_s=error.retry_after_s,
        )

    def fetch(
        self,
        request: HttpRequest,
        *,
        actions: Sequence[ResponseAction] = (),
        into: BinaryIO | None = None,
    ) -> HttpResponse | None:
        """The answer to `request`, whole and decompressed; None if one of `actions`
        ignores it. With `into`, an empty file, the body goes there as it came.

        Redirects within the API's origin are followed, at most five; another origin is
        refused. Raises UpstreamError, its sentence naming the URL and no secret.
        """
        if not is_private_enough(request.url):
            raise Terminal(
                f"{self.public(request.url)} is neither https nor on this machine",
                kind=RunErrorKind.HTTP,
            )
        origin = origin_of(request.url)
        renewed = False
        attempt = 1
        while True:
            try:
                token = self._prepare()
                answer = self._follow(request, actions, origin, into, token)
            except UpstreamError as error:
                is_refused = isinstance(error, TokenRefused)
                if is_refused and not renewed and self._renews():
                    renewed = True
                    self._drop(token)
                    self._count_retry()
                    continue
                if error.kind is RunErrorKind.THROTTLED and error.retry_after_s:
                    # no longer than anybody waits: one odd header is no hour's silence
                    self._budget.hold_back(
                        min(error.retry_after_s, self.api.retry.max_delay)
                    )
                step = next_try(
                    error,
                    attempt=attempt,
                    retry=self.api.retry,
                    seconds_left=self._deadline_s - self._clock.monotonic(),
                    random=self._random(),
                )
                if isinstance(step, GiveUp):
                    raise self._told(error, request, step.why) from None
                self._say_wait(error, request, step.seconds, attempt)
                self._clock.sleep(step.seconds)
                attempt += 1
                self._count_retry()
            else:
                return answer

    def wait_to_ask_again(self) -> None:
        """Wait as before a second try, for an answer that may be wrong without saying
        so. What is asked then is a retry.
        """
        left = self._deadline_s - self._clock.monotonic()
        delay = delay_s(self.api.retry, attempt=1, random=self._random())
        seconds = max(0.0, min(delay, left))
        if seconds >= SAID_WAIT_S:
            LOG.warning(
                "waiting %.0f s before asking for a page again: it has no rows, and "
                "the newest total says that there are more",
                seconds,
            )
        self._clock.sleep(seconds)
        self._count_retry()

    def _say_wait(
        self, error: UpstreamError, request: HttpRequest, seconds: float, attempt: int
    ) -> None:
        if seconds >= SAID_WAIT_S:
            LOG.warning(
                "waiting %.0f s before try %d of %d: %s",
                seconds,
                attempt + 1,
                self.api.retry.max_attempts,
                self._told(error, request, ""),
            )

    def _count_retry(self) -> None:
        with self._counting:
            self.retries += 1

    def _told(self, error: UpstreamError, request: HttpRequest, why: str) -> Exception:
        tree = next(placed for plain, placed in _PLACED if isinstance(error, plain))
        place = f"{request.method} {self.public(request.url)} "
        return tree(
            redact(
                f"{'' if isinstance(error, _Placed) else place}{error}{why}",
                self._hidden,
            ),
            kind=error.kind,
            retry_after_s=error.retry_after_s,
        )

    def _follow(
        self,
        request: HttpRequest,
        actions: Sequence[ResponseAction],
        origin: str,
        into: BinaryIO | None,
        token: AccessToken | None,
    ) -> HttpResponse | None:
        for _ in range(MAX_REDIRECTS + 1):
            proven = self._proven(request, token)
            response = self._send(proven, self.secrets.references, into)
            verdict = judge(response, actions, self._clock.now(), self._hide)
            match verdict:
                case Disposition.TAKE:
                    return response
                case Disposition.IGNORE:
                    return None
                case Disposition.REDIRECT:
                    request = redirected(request, response, origin)
                case UpstreamError():
                    raise verdict
        raise Terminal(
            f"redirects more than {MAX_REDIRECTS} times; correct base_url or path",
            kind=RunErrorKind.HTTP,
        )

    def _proven(self, request: HttpRequest, token: AccessToken | None) -> HttpRequest:
        auth = self.api.auth
        if auth is None:
            return request
        return auth.prove(request, self._resolve_for(auth), token)

    def _resolve_for(self, auth: BaseAuth) -> Resolve:
        """What a token is fetched with goes to access_token_url alone."""
        is_elsewhere = isinstance(auth, TokenAuth)
        return self._keeper.value if is_elsewhere else self.secrets.value

    def _prepare(self) -> AccessToken | None:
        """Know what to blank out, and have an access token where one is needed."""
        auth = self.api.auth
        if auth is None:
            return None
        with self._preparing:
            self._prepare_for(auth)
            return self._token

    def _drop(self, token: AccessToken | None) -> None:
        """Have another token fetched, unless somebody did so meanwhile."""
        with self._preparing:
            if token is not None and self._token is token:
                self._token, self._refused = None, token.value

    def _prepare_for(self, auth: BaseAuth) -> None:
        self._hide_auth(auth)
        if isinstance(auth, TokenAuth) and (
            self._token is None or self._token.is_due(self._clock.now())
        ):
            self._token = self._new_token(auth)
            self._hidden = self._hidden | {self._token.value}

    def read_auth(self) -> None:
        """Read the secrets of auth, hidden from messages. Raises UpstreamError."""
        if self.api.auth is not None:
            self._hide_auth(self.api.auth)

    def _hide_auth(self, auth: BaseAuth) -> None:
        if not self._hides_auth:
            self._hidden = self._hidden | auth.secrets(self._resolve_for(auth))
            self._hides_auth = True

    def _renews(self) -> bool:
        return isinstance(self.api.auth, TokenAuth)

    def _new_token(self, auth: TokenAuth) -> AccessToken:
        """Fetched, or what another pull fetched where they share a refresh token."""
        reference = auth.kept_in
        if reference is None:
            return self._fetch_token(auth, None)

        def fetch(refresh_token: str) -> AccessToken:
            return self._fetch_token(auth, refresh_token)

        if not isinstance(self._keeper, TokenKeeper):
            return fetch(self._keeper.value(reference))
        return self._keeper.renewed(
            reference,
            refused=self._refused,
            fetch=fetch,
            clock=self._clock,
            within_s=self._deadline_s - self._clock.monotonic(),
        )

    def _fetch_token(self, auth: TokenAuth, refresh_token: str | None) -> AccessToken:
        """By the body first; a server that refuses that is asked by HTTP Basic."""
        if refresh_token is not None:
            self._hidden = self._hidden | {refresh_token}
        where = self.public(auth.access_token_url)
        if not is_private_enough(auth.access_token_url):
            raise _PlacedTerminal(
                f"access_token_url {where} must be https (http only on loopback)",
                kind=RunErrorKind.AUTH,
            )
        response = self._ask_for_token(auth, refresh_token, "body")
        is_known = b"invalid_grant" in response.body
        if response.status in {400, 401} and not is_known:
            response = self._ask_for_token(auth, refresh_token, "basic")
        verdict = judge(response, (), self._clock.now(), self._hide)
        match verdict:
            case Disposition.TAKE:
                token = auth.read_token(response, self._clock.now())
                self._hidden = self._hidden | {token.refresh_token or token.value}
                return token
            case UpstreamError():
                is_transient = isinstance(verdict, Transient)
                kind = verdict.kind if is_transient else RunErrorKind.AUTH
                placed = _PlacedTransient if is_transient else _PlacedTerminal
                anew = (
                    ""
                    if is_transient or auth.kept_in is None
                    else (
                        f"; authorize again, and store the new refresh token in "
                        f"`{auth.kept_in}`"
                    )
                )
                raise placed(
                    f"the token request to {where} {verdict}{anew}",
                    kind=kind,
                    retry_after_s=verdict.retry_after_s,
                )
        raise _PlacedTerminal(
            f"the token request to {where} was redirected; a client's secret is sent "
            "to the configured access_token_url only",
            kind=RunErrorKind.AUTH,
        )

    def _ask_for_token(
        self,
        auth: TokenAuth,
        refresh_token: str | None,
        client: Literal["body", "basic"],
    ) -> HttpResponse:
        request = auth.token_request(
            self._keeper.value, client=client, refresh_token=refresh_token
        )
        return self._send(request, auth.references())

    def _send(
        self,
        request: HttpRequest,
        references: Collection[str],
        into: BinaryIO | None = None,
    ) -> HttpResponse:
        """One request, with these secrets in it, within the budget and the time.

        Raises UpstreamError.
        """
        self._destinations.refuse(request.url, references)
        self._budget.wait(within_s=self._deadline_s - self._clock.monotonic())
        left = self._deadline_s - self._clock.monotonic()
        if left <= 0:
            raise Transient(
                "is not sent: the time given to this pull is over",
                kind=RunErrorKind.TIMEOUT,
            )
        with self._counting:
            self.requests += 1
        if into is not None:
            into.seek(0)
            into.truncate()
        return self._transport().send(
            request, timeout_s=min(self.api.timeout, left), into=into
        )

    def _transport(self) -> Transport:
        with self._counting:
            if self._made is None:
                ca = self.api.ca
                self._made = Transport(
                    max_body_bytes=self._max_body_bytes,
                    ca=None if ca is None else self._keeper.value(ca),
                )
            return self._made


class _Noted:
    """Secrets, and which of them have been asked for."""

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets
        self.references: set[str] = set()

    def value(self, reference: str) -> str:
        """As `Secrets.value`."""
        if reference.startswith(SECRET):
            self.references.add(reference)
        return self._secrets.value(reference)


class _Placed:
    """Marks an error whose sentence names its URL already."""


class _PlacedTerminal(_Placed, Terminal):
    """Final."""


class _PlacedTransient(_Placed, Transient):
    """Worth another try."""


class _PlacedOverBudget(_Placed, OverBudget):
    """Worth another try, once our own budget has room."""


_PLACED = (
    (OverBudget, _PlacedOverBudget),
    (Transient, _PlacedTransient),
    (Terminal, _PlacedTerminal),
)
