"""What tells a disk from another that took its device number: a drive that was swapped for another
one, mounted in the same place, must not be taken for it.

A file system's own identity, where it tells one; else when its root folder was made. It refuses to
guess: network file systems and FAT, for instance, tell neither.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from jupyter_rewind.store.birth import read_birth

_CLOEXEC: int = getattr(os, "O_CLOEXEC", 0)

_NETWORK = {
    "nfs", "nfs4", "cifs", "smb3", "smbfs", "ncpfs", "lustre", "gpfs", "afs", "coda", "9p", "ceph",
    "glusterfs", "beegfs", "orangefs", "pvfs2", "panfs", "wekafs", "gfs2", "ocfs2", "davfs",
    "virtiofs", "vboxsf", "vmhgfs", "prl_fs", "drvfs", "fakeowner",
}  # fmt: skip
# What FUSE serves is mostly another machine's; these are known to be this one's.
_LOCAL_FUSE = {
    "fuse.encfs", "fuse.gocryptfs", "fuse.cryfs", "fuse.mergerfs", "fuse.bindfs", "fuse.ntfs-3g",
    "fuse.fuse-overlayfs", "fuse.unionfs", "fuse.lxcfs",
}  # fmt: skip
_ESCAPED = re.compile(r"\\([0-7]{3})")


def is_network(path: Path, mounts: str | None = None) -> bool:
    """True when `path` lies on a file system that other machines may write (Linux only).

    `mounts` is a text as in /proc/self/mounts, which is read where None is given.
    """
    if mounts is None:
        try:
            mounts = Path("/proc/self/mounts").read_text(errors="replace")
        except OSError:
            return False
    real = os.path.realpath(path)
    best, kind = "", ""
    for line in mounts.splitlines():
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        point = _ESCAPED.sub(lambda found: chr(int(found[1], 8)), fields[1])
        inside = real == point or real.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):
            best, kind = point, fields[2]
    return kind in _NETWORK or (kind.startswith("fuse.") and kind not in _LOCAL_FUSE)


def name_disk(folder: str) -> str:
    """The name of the file system that `folder` lies on, the same for as long as that exists;
    empty where nobody knows."""
    try:
        status = os.stat(folder)
        if os.name == "nt":
            return f"v{status.st_dev:x}"  # the volume's serial number
        told = os.statvfs(folder).f_fsid
        if told not in _said_of_device(status.st_dev):
            return f"f{told:x}"
        root = _find_root(os.path.realpath(folder), status.st_dev)
        made = os.stat(root)
        born = _read_birth_of(root, made)
    except OSError:
        return ""
    return f"r{made.st_ino:x}.{born:x}" if born else ""


def _said_of_device(device: int) -> set[int]:
    """What file systems without an identity of their own give for one: the device's number."""
    major, minor = os.major(device), os.minor(device)
    encoded = (minor & 0xFF) | (major << 8) | ((minor & ~0xFF) << 12)
    return {0, device, encoded, encoded & 0xFFFF_FFFF}


def _find_root(folder: str, device: int) -> str:
    while (above := os.path.dirname(folder)) != folder and os.stat(above).st_dev == device:
        folder = above
    return folder


def _read_birth_of(folder: str, status: os.stat_result) -> int | None:
    if sys.platform != "linux":
        return read_birth(-1, status)
    # To look at a folder needs no right to list it.
    descriptor = os.open(folder, os.O_PATH | _CLOEXEC)
    try:
        return read_birth(descriptor, status)
    finally:
        os.close(descriptor)
