"""A kernel with templates, and the way back to one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from jupyter_rewind.kernels.hosting.process import find_process
from tests.support.kernels import PATIENCE, Home, Kernel, Said, eventually

NAME = "rewind-template"


class Templated(Kernel):
    """A kernel that keeps as many templates as `environment` says, which is this process's, too:
    here the kernel is started."""

    def __init__(self, home: Home, **environment: str) -> None:
        super().__init__(home, provisioner="rewind-host", **environment)

    @property
    def group(self) -> int:
        """The number of the warden, and of the group of all that belongs to the kernel."""
        return self.pid

    def kernel_pid(self) -> int:
        """The number of the process that runs the cells."""
        return eventually(self._find_kernel, "the kernel is alone but for its templates")

    def _find_kernel(self) -> int | None:
        # For a moment, what will be a template is not called so yet.
        found = [pid for pid, name in members(self.group).items() if name != NAME]
        found.remove(self.group)
        return found[0] if len(found) == 1 else None

    def keep(self, source: str, count: int) -> Said:
        """What the cell of In[count] said; the process as it was then sleeps."""
        said = self.run(source)
        assert said.status == "ok", said
        eventually(lambda: self.has(count), f"a template of In[{count}]")
        return said

    def go_back(self, count: int) -> Said:
        """What the cell says that asks for it; the kernel is what it was after In[count]."""
        before = self.kernel_pid()
        said = self.run(f"%rewind to {count} --whole")
        assert said.status == "ok" and "Jupyter Rewind:" not in said.text, said
        eventually(lambda: find_process(before) is None, f"the present ends: {said.text}")
        self.connect()
        return said

    def connect(self) -> None:
        """Another client, as a page that was opened anew."""
        self.client.stop_channels()
        self.client = self.manager.client()  # type: ignore[assignment]
        self.client.start_channels()
        self.client.wait_for_ready(timeout=PATIENCE)

    def has(self, count: int) -> bool:
        """Whether there is a template of In[count]."""
        return any(line.startswith(f"In[{count}] ") for line in self._rows())

    def own_megabytes(self, count: int) -> float:
        """What the template of In[count] has for itself."""
        (row,) = [line for line in self._rows() if line.startswith(f"In[{count}] ")]
        return float(row.split()[2])

    def _rows(self) -> list[str]:
        return [line for line in self.list().splitlines() if "has none" not in line]

    def list(self) -> str:
        """What `%rewind templates` says, asked so that no cell begins and the pause goes on."""
        reply = self.client.execute(
            "", silent=True, store_history=False, user_expressions={"found": _LIST}
        )
        told = self._reply_to(reply)["user_expressions"]["found"]
        return str(told.get("data", {}).get("text/plain", ""))

    def _reply_to(self, request: str) -> dict[str, Any]:
        while True:
            reply = self.client.get_shell_msg(timeout=PATIENCE)
            if reply["parent_header"].get("msg_id") == request:
                return dict(reply["content"])


_LIST = (
    "__import__('jupyter_rewind.faces.ipython.extension', fromlist=['x'])"
    ".current_verbs().list_templates()"
)


def members(group: int) -> dict[int, str]:
    """The processes of a group that live, with their names."""
    found = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdecimal():
            try:
                name, _, rest = (
                    Path(entry.path, "stat").read_text().partition("(")[2].rpartition(")")
                )
            except OSError:
                continue
            state, _, number = rest.split()[:3]
            if int(number) == group and state not in "ZX":
                found[int(entry.name)] = name
    return found


def templates(group: int) -> list[int]:
    """Those of them that sleep."""
    return [pid for pid, name in members(group).items() if name == NAME]
