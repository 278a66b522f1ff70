"""Objects behind obstore: S3 and what speaks it, Google, Azure, and a memory for tests.

obstore is imported here alone, when a replica is opened, and never in a kernel: a child forked
after its parent used it hangs. What it says in an error reaches nobody unread: addresses lose
their queries, and values that the environment keeps secret are taken out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from jupyter_rewind.errors import (
    Denied,
    Full,
    InvalidInput,
    NotFound,
    RewindError,
    Unavailable,
)
from jupyter_rewind.settings import hide_secrets
from jupyter_rewind.store.replica.objects import Listed

if TYPE_CHECKING:
    from obstore.store import ObjectStore

_FULL = re.compile(r"InsufficientStorage|QuotaExceeded|StorageFull|\b507\b|EntityTooLarge")
_DENIED = re.compile(
    r"AccessDenied|InvalidAccessKeyId|SignatureDoesNotMatch|InvalidToken|ExpiredToken"
    r"|\b40[13]\b|Unauthorized|Forbidden|credential",
    re.IGNORECASE,
)
_NAMES = re.compile(
    r"\b\w+://\S+|<(Resource|Key|BucketName|RequestId|HostId)>.*?</\1>", re.IGNORECASE
)
"""What a user or a server has named may say 403, or credentials."""
_SHOWN = 300
_READING = frozenset({"read", "look at"})


class CloudObjects:
    """Objects of an obstore store."""

    def __init__(self, store: ObjectStore, place: str) -> None:
        self._obstore = load_obstore()
        self._errors = self._obstore.exceptions
        self._store = store
        self._place = place

    @property
    def place(self) -> str:
        return self._place

    def create(self, key: str, data: bytes | bytearray) -> bool:
        try:
            self._obstore.put(self._store, key, data, mode="create", use_multipart=False)
        except (self._errors.AlreadyExistsError, self._errors.PreconditionError):
            return False
        except Exception as error:
            raise self._told(error, "write", key) from error
        return True

    def get(self, key: str) -> bytes:
        try:
            return bytes(self._obstore.get(self._store, key).bytes())
        except Exception as error:
            raise self._told(error, "read", key) from error

    def get_range(self, key: str, start: int, end: int) -> bytes:
        try:
            return bytes(self._obstore.get_range(self._store, key, start=start, end=end))
        except Exception as error:
            raise self._told(error, "read", key) from error

    def size(self, key: str) -> int | None:
        try:
            return int(self._obstore.head(self._store, key)["size"])
        except Exception as error:
            told = self._told(error, "look at", key)
            if isinstance(told, NotFound):
                return None
            raise told from error

    def find(self, prefix: str, *, after: str = "") -> Iterator[Listed]:
        found: list[Listed] = []
        try:
            for page in self._obstore.list(self._store, prefix, offset=after or None):
                found += [
                    Listed(str(each["path"]), int(each["size"]))
                    for each in page
                    # A server may not know where to begin, and give all of them.
                    if str(each["path"]) > after
                ]
        except Exception as error:
            raise self._told(error, "list", prefix) from error
        # A folder's or another server's order is its own affair.
        return iter(sorted(found, key=lambda each: each.key))

    def folders(self, prefix: str) -> list[str]:
        try:
            found = self._obstore.list_with_delimiter(self._store, prefix)["common_prefixes"]
        except Exception as error:
            raise self._told(error, "list", prefix) from error
        return sorted(str(each).rstrip("/").rpartition("/")[2] for each in found)

    def delete(self, key: str) -> None:
        try:
            self._obstore.delete(self._store, key)
        except Exception as error:
            told = self._told(error, "delete", key)
            if not isinstance(told, NotFound):
                raise told from error

    def _told(self, error: Exception, doing: str, key: str) -> RewindError:
        """The error of our tree that obstore's means; what is a fault of ours goes on as it is."""
        if not isinstance(error, (self._errors.BaseError, OSError)):
            raise error
        told = tell(error, doing, key, self._place)
        if isinstance(told, Denied) and doing in _READING and self._is_missing(key):
            return NotFound(
                f"Could not {doing} {key} in the replica {self._place}: it is not listed."
            )
        return told

    def _is_missing(self, key: str) -> bool:
        """Whether a list shows that there is no such object. To who may list one prefix alone some
        servers do not say that of an object: they refuse."""
        folder, slash, _ = key.rpartition("/")
        try:
            pages = self._obstore.list(self._store, folder + slash or None, offset=key[:-1])
            return not any(str(each["path"]) == key for page in pages for each in page)
        except (self._errors.BaseError, OSError):
            return False


def tell(error: Exception, doing: str, key: str, place: str) -> RewindError:
    """What `error`, of obstore or of a tool that finds credentials, means to us."""
    reason = without_secrets(str(error))
    said = _NAMES.sub("", reason)
    what = f"Could not {doing} {key} in the replica {place}"
    kind = type(error).__name__
    is_bucket = "NoSuchBucket" in str(error) or "ContainerNotFound" in str(error)
    if kind in {"NotFoundError", "FileNotFoundError"} and not is_bucket:
        return NotFound(f"{what}: there is no such object.")
    if is_bucket:
        return Unavailable(
            f"{what}: there is no such bucket.",
            hint="The store on this machine is whole. Make the bucket, or name another one.",
            retryable=True,
        )
    if kind in {"PermissionDeniedError", "UnauthenticatedError"} or _DENIED.search(said):
        return Denied(
            f"{what}: the server refuses ({reason}).",
            hint="Nothing was changed. Set this machine's clock: the server's differs too much."
            if "TimeTooSkewed" in reason
            else "Nothing was changed. Check the credentials and what they may do.",
        )
    if _FULL.search(said):
        return Full(
            f"{what}: there is no room ({reason}).",
            hint="What was there before is whole, and so is the store on this machine.",
            retryable=True,
        )
    return Unavailable(
        f"{what}: {reason}.",
        hint="The store on this machine is whole. Try again when the server can be reached.",
        retryable=True,
    )


def without_secrets(text: str) -> str:
    """The first words of `text`, without the queries of addresses and without any value that the
    environment names as a secret."""
    # What obstore says for programmers follows its first line.
    text = hide_secrets(text.strip().split("\n", 1)[0]).rstrip(" .")
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def load_obstore() -> Any:
    """The library. Raises InvalidInput, with the way to install it, where it is not there."""
    try:
        import obstore
        import obstore.exceptions
        import obstore.store
    except ImportError as error:
        raise InvalidInput(
            "A replica on object storage needs obstore, which is not installed here.",
            hint='Install it with `pip install "jupyter-rewind[replica]"`. A replica in a folder'
            " (file:///…) needs nothing.",
        ) from error
    return obstore
