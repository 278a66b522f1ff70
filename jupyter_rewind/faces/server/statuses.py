"""Which HTTP status and which body answer which error: the one table of this face."""

from __future__ import annotations

from http import HTTPStatus
from typing import TypedDict

from tornado.web import HTTPError

from jupyter_rewind import errors

STATUSES: dict[type[errors.RewindError], HTTPStatus] = {
    errors.NotFound: HTTPStatus.NOT_FOUND,
    errors.Conflict: HTTPStatus.CONFLICT,
    errors.RestoreRefused: HTTPStatus.CONFLICT,
    errors.Integrity: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.Format: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.Newer: HTTPStatus.NOT_IMPLEMENTED,
    errors.Storage: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.Full: HTTPStatus.INSUFFICIENT_STORAGE,
    errors.Denied: HTTPStatus.FORBIDDEN,
    errors.InvalidInput: HTTPStatus.BAD_REQUEST,
    errors.Internal: HTTPStatus.INTERNAL_SERVER_ERROR,
}

_CODES: dict[int, str] = {
    400: "invalid_input",
    401: "denied",
    403: "denied",
    404: "not_found",
    405: "invalid_input",
    409: "conflict",
    413: "invalid_input",
}


class Refusal(HTTPError):
    """An answer whose words come as they are. Jupyter's handlers tell those that tornado has for
    its log, with each % doubled: the name in them would be another file's."""

    def __init__(self, status_code: int, words: str, *, reason: str | None = None) -> None:
        super().__init__(status_code, words, reason=reason)
        self._words = words

    @property
    def log_message(self) -> str:
        return self._words

    @log_message.setter
    def log_message(self, doubled: str | None) -> None:
        """Tornado says it again, before 6.6."""


class Failure(TypedDict):
    """The body of every answer that is not a success."""

    code: str
    message: str
    hint: str
    retryable: bool


def status_of(error: errors.RewindError) -> HTTPStatus:
    """The status of the nearest class of `error` that has a row."""
    for kind in type(error).__mro__:
        if kind in STATUSES:
            return STATUSES[kind]
    return HTTPStatus.INTERNAL_SERVER_ERROR


def describe(error: errors.RewindError) -> Failure:
    """The body that tells `error`."""
    return Failure(
        code=error.code, message=error.message, hint=error.hint, retryable=error.retryable
    )


def sayable(text: str) -> str:
    """`text` as any log can write it: half a surrogate pair is spelled out."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def describe_status(status: int, message: str) -> Failure:
    """The body for a refusal that Jupyter itself made, such as a missing login."""
    words = message or f"{HTTPStatus(status).phrase}."
    return Failure(code=_CODES.get(status, "internal"), message=words, hint="", retryable=False)


def words_of(error: HTTPError) -> str:
    """What the error says to whoever asked."""
    told = error.log_message or ""
    return told if isinstance(error, Refusal) else told % error.args


def as_http_error(failure: Failure, error: errors.RewindError) -> Refusal:
    """`error` as `failure` tells it, for Jupyter's own contents handlers, which answer in JSON.

    The status line stays the stock one: a file name need not be one that a header can carry.
    """
    words = f"{failure['message']} {failure['hint']}".strip()
    return Refusal(int(status_of(error)), words)
