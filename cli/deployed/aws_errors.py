"""What AWS refused, in a sentence with the next step, whatever AWS itself says."""

from __future__ import annotations

from botocore.exceptions import BotoCoreError, ClientError

from project.fault import printable

_LONGEST = 300
_NOT_ACCEPTED = {
    "AuthFailure", "IncompleteSignature", "InvalidAccessKeyId", "InvalidClientTokenId",
    "InvalidSignatureException", "InvalidToken", "MissingAuthenticationToken",
    "MissingAuthenticationTokenException", "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}  # fmt: skip
_EXPIRED = {
    "ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired",
}  # fmt: skip
_DENIED = {
    "403", "AccessDenied", "AccessDeniedException", "AuthorizationError", "Forbidden",
    "UnauthorizedOperation",
}  # fmt: skip
_MISSING = {
    "404", "AWS.SimpleQueueService.NonExistentQueue", "NoSuchBucket", "NotFound",
    "NotFoundException", "QueueDoesNotExist", "ResourceNotFoundException",
}  # fmt: skip
_NO_CREDENTIALS = (
    "NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError",
    "ProfileNotFound", "TokenRetrievalError", "SSOError", "SSOTokenLoadError",
    "UnauthorizedSSOTokenError", "InvalidConfigError", "ConfigParseError",
)  # fmt: skip
_SIGN_IN = "set AWS_PROFILE, or sign in with `aws sso login`"
_WHO = "`aws sts get-caller-identity` says who you are"


def origin_of(error: BaseException | None) -> ClientError | BotoCoreError | None:
    """The error of botocore that an error came from, if it did."""
    while error is not None and not isinstance(error, ClientError | BotoCoreError):
        error = error.__cause__
    return error


def sentence_of(error: ClientError | BotoCoreError, *, place: str = "AWS") -> str:
    """What happened, and what to do about it; `place` is where AWS was asked."""
    if isinstance(error, ClientError):
        return _refused(error, place)
    said = _first_line(str(error))
    kinds = {one.__name__ for one in type(error).__mro__}
    if kinds & set(_NO_CREDENTIALS):
        return f"there are no AWS credentials that work here ({said}); {_SIGN_IN}"
    if "ResponseParserError" in kinds:
        return (
            f"what answered is not AWS ({place}); check AWS_ENDPOINT_URL, proxies and "
            "the network"
        )
    return (
        f"AWS was not reached ({place}): {said}; check AWS_ENDPOINT_URL, proxies and "
        "the network"
    )


def _refused(error: ClientError, place: str) -> str:
    told = error.response.get("Error", {})
    code, operation = str(told.get("Code", "")), error.operation_name
    if code in _NOT_ACCEPTED:
        return (
            f"AWS does not accept these credentials ({code}); {_SIGN_IN} again; {_WHO}"
        )
    if code in _EXPIRED:
        return f"these AWS credentials have expired ({code}); {_SIGN_IN} again"
    said = _first_line(str(told.get("Message", "")))
    if code in _DENIED:
        return f"these AWS credentials may not {operation} in {place}: {said}; {_WHO}"
    if code in _MISSING:
        return (
            f"{place} does not have what {operation} asked for ({said}): is the "
            f"environment deployed there? --env NAME asks another one; {_WHO}"
        )
    return f"AWS refused {operation} in {place} ({code}): {said}"


def _first_line(text: str) -> str:
    line = text.strip().partition("\n")[0]
    if "<" in line:  # a page or an XML document, and no sentence
        line = line.partition("<")[0].rstrip(" :b'\"") or "it answered with a document"
    return printable(line[:_LONGEST]).rstrip(". ")
