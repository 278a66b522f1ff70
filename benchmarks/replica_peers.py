"""restic and rclone, on the same server and the same bytes as a replica."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from itertools import count
from pathlib import Path

from tests.support.object_servers import Server

_NUMBERS = count()


def find(name: str) -> str | None:
    """Where the program is; None where it is not."""
    path = os.pathsep.join([os.environ.get("REPLICA_TOOLS", ""), os.environ["PATH"]])
    return shutil.which(name, path=path)


def _restic(
    tool: str, server: Server, source: Path, fresh: Callable[[], Path]
) -> Callable[[], object]:
    place = f"s3:{server.endpoint}/{server.bucket}/restic-{next(_NUMBERS)}"
    environment = {**os.environ, "RESTIC_PASSWORD": "words", "RESTIC_REPOSITORY": place}

    def run(*words: str) -> object:
        return subprocess.run(
            [tool, "--no-cache", "--quiet", *words], env=environment, check=True,
            stdout=subprocess.DEVNULL,
        )  # fmt: skip

    run("init")
    run("backup", str(source))
    return lambda: run("restore", "latest", "--target", str(fresh()))


def _rclone(
    tool: str, server: Server, source: Path, fresh: Callable[[], Path]
) -> Callable[[], object]:
    # It cannot take a bundle of certificates from there, and needs none.
    environment = {
        **{name: value for name, value in os.environ.items() if name != "AWS_CA_BUNDLE"},
        "RCLONE_CONFIG_S_TYPE": "s3",
        "RCLONE_CONFIG_S_PROVIDER": "Other",
        "RCLONE_CONFIG_S_ENV_AUTH": "true",
        "RCLONE_CONFIG_S_ENDPOINT": server.endpoint,
        "RCLONE_CONFIG_S_REGION": "us-east-1",
        "RCLONE_CONFIG_S_FORCE_PATH_STYLE": "true",
        "RCLONE_CONFIG": str(source.parent / "no-rclone.conf"),
        "RCLONE_S3_NO_CHECK_BUCKET": "true",
    }
    place = f"s:{server.bucket}/rclone-{next(_NUMBERS)}"

    def run(from_: str, to: str) -> object:
        return subprocess.run([tool, "-q", "copy", from_, to], env=environment, check=True)

    run(str(source), place)
    return lambda: run(place, str(fresh()))


PEERS = {"restic restore": _restic, "rclone copy": _rclone}
"""What each does: given its program, a server and a folder that it backs up there, a call that
brings it to a fresh one."""
