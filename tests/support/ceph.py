"""Ceph's RADOS Gateway on 127.0.0.1: a monitor, a store on a file, and the gateway, of packages
that `scripts/ceph` has unpacked."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

from tests.support.object_servers import DEADLINE_SECONDS, KEYS, Server, wait_for_bucket
from tests.support.ports import free_port

PLACE = os.environ.get("JUPYTER_REWIND_TEST_CEPH", "")


@contextlib.contextmanager
def ceph(folder: Path) -> Iterator[Server]:
    """A gateway that checks credentials, before a store of its own."""
    cluster = _Cluster(folder, Path(PLACE))
    try:
        yield cluster.start()
    finally:
        cluster.stop()


class _Cluster:
    def __init__(self, folder: Path, place: Path) -> None:
        self.folder = folder
        self.bin = place / "usr" / "bin"
        libraries = place / "usr" / "lib" / f"{os.uname().machine}-linux-gnu"
        self.monitor, self.gateway = (free_port(), free_port()), free_port()
        self.id = str(uuid.uuid4())
        self.processes: list[subprocess.Popen[bytes]] = []
        self.conf = folder / "ceph.conf"
        self.environment = {
            **os.environ,
            "LD_LIBRARY_PATH": os.pathsep.join(
                map(str, (libraries, libraries / "ceph", place / "lib" / libraries.name))
            ),
        }
        self.conf.write_text(_CONF.format(cluster=self, folder=folder, libraries=libraries))

    def start(self) -> Server:
        new, old = self.monitor
        monmap, osdmap = self.folder / "monmap", self.folder / "osdmap"
        self.run("monmaptool", "--create", "--fsid", self.id, "--addv", "a",
                 f"[v2:127.0.0.1:{new},v1:127.0.0.1:{old}]", str(monmap))  # fmt: skip
        self.run("osdmaptool", "--createsimple", "1", "--osd_pool_default_size", "1", str(osdmap))
        self.run("ceph-mon", "--mkfs", "-i", "a", "--monmap", str(monmap), "--osdmap", str(osdmap))
        self.begin("ceph-mon", "-i", "a")
        (self.folder / "osd").mkdir()
        self.run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", str(uuid.uuid4()))
        self.begin("ceph-osd", "-i", "0")
        self.run(
            "radosgw-admin", "user", "create", "--uid=tests", "--display-name=tests",
            f"--access-key={KEYS['AWS_ACCESS_KEY_ID']}",
            f"--secret-key={KEYS['AWS_SECRET_ACCESS_KEY']}",
        )  # fmt: skip
        process = self.begin("radosgw", "-n", "client.rgw")
        server = Server(f"http://127.0.0.1:{self.gateway}", process)
        wait_for_bucket(server, self.folder / "radosgw.out")
        return server

    def run(self, program: str, *options: str) -> None:
        command = [str(self.bin / program), "--conf", str(self.conf), *options]
        done = subprocess.run(
            command, env=self.environment, capture_output=True, timeout=DEADLINE_SECONDS,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, (command, done.stdout[-2000:], done.stderr[-4000:])

    def begin(self, program: str, *options: str) -> subprocess.Popen[bytes]:
        command = [str(self.bin / program), "--conf", str(self.conf), "-f", *options]
        with (self.folder / f"{program}.out").open("wb") as out:
            process = subprocess.Popen(
                command, env=self.environment, stdout=out, stderr=out, start_new_session=True
            )
        self.processes.append(process)
        return process

    def stop(self) -> None:
        for process in reversed(self.processes):
            process.send_signal(signal.SIGKILL)
            process.wait(DEADLINE_SECONDS)


_CONF = """
[global]
fsid = {cluster.id}
mon host = [v2:127.0.0.1:{cluster.monitor[0]},v1:127.0.0.1:{cluster.monitor[1]}]
auth cluster required = none
auth service required = none
auth client required = none
ms mon client mode = crc
ms client mode = crc
public addr = 127.0.0.1
cluster addr = 127.0.0.1
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pgp num = 4
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
osd max object name len = 1024
mon allow pool size one = true
mon data avail crit = 1
mon data = {folder}/mon
osd data = {folder}/osd
osd objectstore = bluestore
bluestore block size = 8589934592
plugin dir = {libraries}/ceph
erasure code dir = {libraries}/ceph/erasure-code
osd class dir = {libraries}/rados-classes
keyring = {folder}/keyring
run dir = {folder}
admin socket =
log file = {folder}/$name.log
mon cluster log file = {folder}/cluster.log
rgw frontends = beast endpoint=127.0.0.1:{cluster.gateway}
rgw run sync thread = false
rgw enable usage log = false
"""
