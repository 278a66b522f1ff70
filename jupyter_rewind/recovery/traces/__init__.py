"""All finders, one file each, in the order in which they are asked: cheap and telling ones first.

Documents and kernels come before histories: what they know tells which part of a large history
is worth reading.
"""

from __future__ import annotations

from jupyter_rewind.recovery.evidence import Finder
from jupyter_rewind.recovery.traces.backups import BackupFinder
from jupyter_rewind.recovery.traces.checkpoints import CheckpointFinder
from jupyter_rewind.recovery.traces.collaboration import CollaborationFinder
from jupyter_rewind.recovery.traces.connections import ConnectionFinder
from jupyter_rewind.recovery.traces.exports import ExportFinder
from jupyter_rewind.recovery.traces.fileids import FileIdFinder
from jupyter_rewind.recovery.traces.git import GitFinder
from jupyter_rewind.recovery.traces.history import HistoryFinder
from jupyter_rewind.recovery.traces.live import LiveKernelFinder
from jupyter_rewind.recovery.traces.memory import MemoryFinder
from jupyter_rewind.recovery.traces.openfiles import OpenFileFinder
from jupyter_rewind.recovery.traces.present import PresentFinder
from jupyter_rewind.recovery.traces.pycharm import PyCharmFinder
from jupyter_rewind.recovery.traces.rewind import RewindFinder
from jupyter_rewind.recovery.traces.running import RunningFinder
from jupyter_rewind.recovery.traces.scan import ScanFinder
from jupyter_rewind.recovery.traces.snapshots import SnapshotFinder
from jupyter_rewind.recovery.traces.trash import TrashFinder
from jupyter_rewind.recovery.traces.vscode import VSCodeFinder

ALL: tuple[Finder, ...] = (
    PresentFinder(),
    CheckpointFinder(),
    RewindFinder(),
    BackupFinder(),
    VSCodeFinder(),
    PyCharmFinder(),
    TrashFinder(),
    SnapshotFinder(),
    GitFinder(),
    ExportFinder(),
    OpenFileFinder(),
    MemoryFinder(),
    ScanFinder(),
    CollaborationFinder(),
    FileIdFinder(),
    ConnectionFinder(),
    RunningFinder(),
    LiveKernelFinder(),
    HistoryFinder(),
)  # fmt: skip
