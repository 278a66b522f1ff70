"""Where a replica lies: `file:///folder`, `s3://bucket/prefix?endpoint=…&region=…`,
`gs://bucket/prefix` or `az://container/prefix?account=…`.

An address never holds a secret: credentials are found where the provider's own tools find them.
"""

from __future__ import annotations

import configparser
import os
import re
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

from jupyter_rewind.errors import InvalidInput
from jupyter_rewind.settings import holds_login
from jupyter_rewind.store.durable import Files
from jupyter_rewind.store.replica.cloud import CloudObjects, load_obstore, without_secrets
from jupyter_rewind.store.replica.folder import FolderObjects
from jupyter_rewind.store.replica.objects import Objects

_OPTIONS = {
    "file": {"encrypt"},
    "s3": {"endpoint", "region", "encrypt"},
    "gs": {"endpoint", "encrypt"},
    "az": {"endpoint", "account", "encrypt"},
}
_COMMA = re.compile(r",(\s*(s3|gs|az|file):|$)", re.IGNORECASE)
"""One that was meant to stand between addresses."""


@dataclass(frozen=True, slots=True)
class Address:
    """A replica's address, understood."""

    url: str
    scheme: str
    bucket: str
    prefix: str
    endpoint: str = ""
    region: str = ""
    account: str = ""
    encrypt: bool = False
    """Nothing may go there in the clear."""

    @property
    def place(self) -> tuple[str, ...]:
        """Where it is, however that is spelled."""
        return self.scheme, self.bucket, self.prefix, self.endpoint.rstrip("/"), self.account


def split_urls(text: str) -> list[str]:
    """The addresses in a setting, each once. Raises InvalidInput."""
    return list(dict.fromkeys(parse_address(each).url for each in text.split()))


def parse_address(text: str) -> Address:
    """The address that `text` says. Raises InvalidInput, without repeating a secret in it."""
    text = text.strip()
    # First of all: what is refused for another reason might be shown.
    if holds_login(text):
        raise InvalidInput(
            "A replica's address must not hold a user name or a password.",
            hint="Give credentials as the provider's tools find them, for S3 in AWS_ACCESS_KEY_ID"
            " and AWS_SECRET_ACCESS_KEY or in ~/.aws.",
        )
    if _COMMA.search(text):
        raise InvalidInput(
            "A replica's address must not end with a comma: between addresses stand spaces.",
            hint="At the end of a folder's name, write %2C for a comma.",
        )
    text = _as_set(text)
    parts = _split(text)
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    known = _OPTIONS.get(parts.scheme, {*()}.union(*_OPTIONS.values()))
    unknown = sorted(options.keys() - known)
    if unknown or parts.fragment:
        raise InvalidInput(
            f"Such an address of a replica has no option {unknown[0] if unknown else 'behind #'}.",
            hint=f"There are {', '.join(sorted(known))}; credentials never stand in an address.",
        )
    if options.get("encrypt", "yes") != "yes":
        raise InvalidInput("The option encrypt of a replica's address can only be yes.")
    encrypt = "encrypt" in options
    if parts.scheme == "file":
        return _folder_address(text, unquote(parts.path), parts.netloc, encrypt)
    if parts.scheme in _OPTIONS and parts.netloc:
        endpoint = options.get("endpoint", "")
        _check_endpoint(endpoint)
        return Address(
            text, parts.scheme, parts.netloc, parts.path.strip("/"), endpoint,
            options.get("region", ""), options.get("account", ""), encrypt,
        )  # fmt: skip
    raise InvalidInput(
        f"{parts.scheme or 'That'} is not an address of a replica that this version knows.",
        hint="Give s3://, gs:// or az://bucket/prefix, or file:///a/folder. In the settings, spaces"
        " stand between addresses; in the name of a folder, write %20 there.",
    )


def without_spaces(text: str) -> str:
    """The address of a folder as the settings hold it, where spaces stand between addresses."""
    return "".join(quote(each) if each.isspace() else each for each in text)


def _as_set(text: str) -> str:
    scheme = _split(text).scheme
    if scheme == "file":
        return without_spaces(text)
    if scheme in _OPTIONS and any(each.isspace() for each in text):
        raise InvalidInput(
            "The address of a replica on object storage must not hold spaces.",
            hint="Nothing was changed. Give another prefix.",
        )
    return text


def with_encryption(text: str) -> str:
    """The address that says, besides what `text` says, that all is to be encrypted."""
    return (
        text if parse_address(text).encrypt else f"{text}{'&' if '?' in text else '?'}encrypt=yes"
    )


def _folder_address(text: str, path: str, host: str, encrypt: bool) -> Address:
    if host or not os.path.isabs(path) or path == "/":
        raise InvalidInput(
            "A replica in a folder needs the folder's whole path.",
            hint="Like this: file:///mnt/backup/rewind",
        )
    return Address(text, "file", "", os.path.normpath(path), encrypt=encrypt)


def _check_endpoint(endpoint: str) -> None:
    # An endpoint has no path to speak of: whatever stands before an @ is a login.
    if "@" in endpoint or _split(endpoint).query:
        raise InvalidInput("The endpoint of a replica must not hold credentials.")
    parts = _split(endpoint)
    if endpoint and (parts.scheme not in {"http", "https"} or not parts.netloc):
        raise InvalidInput("The endpoint of a replica must begin with https:// or http://.")


def _split(text: str) -> SplitResult:
    try:
        return urlsplit(text)
    except ValueError as error:
        raise InvalidInput(
            "That is not an address of a replica.",
            hint="Give s3://, gs:// or az://bucket/prefix, or file:///a/folder.",
        ) from error


def open_objects(
    address: Address,
    files: Files | None = None,
    *,
    hasty: bool = False,
    answer_seconds: int = 0,
) -> Objects:
    """What lies at `address`. Nothing is asked of it yet; `hasty` gives it seconds to answer, not
    minutes; so many where `answer_seconds` says it. Raises InvalidInput."""
    if address.scheme == "file":
        return FolderObjects(Path(address.prefix), files)
    library = load_obstore()
    settings: dict[str, Any] = {
        "prefix": address.prefix or None,
        "client_options": {
            "timeout": f"{answer_seconds or (5 if hasty else 60)}s",
            "connect_timeout": "3s" if hasty else "10s",
            **_plain(address),
        },
        "retry_config": {
            "max_retries": 1 if hasty else 4,
            "retry_timeout": timedelta(seconds=5 if hasty else 60),
            "backoff": {
                "init_backoff": timedelta(milliseconds=200),
                "max_backoff": timedelta(seconds=5),
                "base": 2,
            },
        },
    }
    try:
        store = _open_store(library, address, settings)
    except library.exceptions.BaseError as error:
        raise InvalidInput(
            f"The replica {address.url} cannot be opened: {without_secrets(str(error))}."
        ) from error
    return CloudObjects(store, address.url)


def _open_store(library: Any, address: Address, settings: dict[str, Any]) -> Any:
    if address.scheme == "gs":
        config = {"base_url": address.endpoint} if address.endpoint else {}
        return library.store.GCSStore(address.bucket, config=config, **settings)
    if address.scheme == "az":
        given = {"account_name": address.account, "endpoint": address.endpoint}
        config = {name: value for name, value in given.items() if value}
        return library.store.AzureStore(address.bucket, config=config, **settings)
    return library.store.S3Store(
        address.bucket,
        config=_s3_config(address),
        credential_provider=_provider(),
        **settings,
    )


def _s3_config(address: Address) -> dict[str, Any]:
    config: dict[str, Any] = {}
    if address.endpoint:
        config["endpoint"] = address.endpoint
    region = address.region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    config["region"] = region or _shared("config", "region") or "us-east-1"
    if not (_has_environment() or _boto3()):
        for key in ("aws_access_key_id", "aws_secret_access_key", "aws_session_token"):
            if value := _shared("credentials", key):
                config[key.removeprefix("aws_")] = value
    return config


def _plain(address: Address) -> dict[str, Any]:
    endpoint = address.endpoint
    if address.scheme == "s3" and not endpoint:
        # obstore goes by these, as Amazon's own tools do.
        names = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
        endpoint = next((os.environ[each] for each in names if os.environ.get(each)), "")
    return {"allow_http": True} if endpoint.startswith("http://") else {}


def _has_environment() -> bool:
    names = (
        "AWS_ACCESS_KEY_ID",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    )
    return any(os.environ.get(name) for name in names)


def _boto3() -> bool:
    from importlib.util import find_spec

    return find_spec("boto3") is not None


def _provider() -> Any:
    """boto3's way to credentials, where it is installed and has found any: profiles, single
    sign-on, roles. The environment needs nobody's help."""
    if _has_environment() or not _boto3():
        return None
    import boto3
    from obstore.auth.boto3 import Boto3CredentialProvider

    session = boto3.Session()
    return Boto3CredentialProvider(session) if session.get_credentials() is not None else None


def _shared(name: str, key: str) -> str:
    """A value of the user's profile in ~/.aws; empty where there is none."""
    profile = os.environ.get("AWS_PROFILE", "default")
    variable = "AWS_SHARED_CREDENTIALS_FILE" if name == "credentials" else "AWS_CONFIG_FILE"
    path = Path(os.environ.get(variable, "~/.aws/" + name)).expanduser()
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read(path)
    except (configparser.Error, UnicodeDecodeError):
        return ""
    sections = [profile] if name == "credentials" or profile == "default" else []
    return next(
        (
            parser.get(section, key)
            for section in [*sections, f"profile {profile}"]
            if parser.has_option(section, key)
        ),
        "",
    )
