"""What the messages on a kernel's IOPub channel say, handed to the journal of who hears it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jupyter_client.session import Session

    from jupyter_rewind.kernels.hearing import Hearing

REQUEST = "execute_request"
_HEARD = {
    "display_data",
    "execute_result",
    "update_display_data",
    "error",
    "clear_output",
    "stream",
}


class Overhearing:
    """`file_of` knows where a kernel's notebook lies (empty for what is no notebook's), `cell_of`
    which cell a request is of."""

    def __init__(
        self,
        hearing: Hearing,
        file_of: Callable[[str], str],
        cell_of: Callable[[str], str | None] = lambda _: None,
    ) -> None:
        self._hearing = hearing
        self._file_of = file_of
        self._cell_of = cell_of

    def hear(self, kernel: str, session: Session, parts: list[Any]) -> None:
        """A message of a kernel. Raises what a message that is none of Jupyter's raises."""
        _, fed = session.feed_identities(parts)
        message = session.deserialize(fed, content=False)
        parent, header = message.get("parent_header") or {}, message["header"]
        kind = header["msg_type"]
        if parent.get("msg_type") != REQUEST or kind not in (*_HEARD, "execute_input", "status"):
            return
        content = session.unpack(message["content"])
        self._tell(kernel, str(parent["msg_id"]), kind, content, str(header["msg_id"]))

    def _tell(
        self, kernel: str, request: str, kind: str, content: Mapping[str, Any], message: str
    ) -> None:
        hearing = self._hearing
        if kind == "execute_input":
            path = self._file_of(kernel)
            if path:
                cell = self._cell_of(request)
                source, count = str(content.get("code", "")), content.get("execution_count")
                number = count if isinstance(count, int) else 0
                hearing.begin(kernel, request, source, number, cell, path, message)
        elif kind == "status":
            if content.get("execution_state") == "idle":
                hearing.end(kernel, request, message)
        else:
            output = {**content, "output_type": kind}
            hearing.put_out(kernel, request, output, _size(content), message)


def _size(content: Mapping[str, Any]) -> int:
    data = content.get("data")
    texts = data.values() if isinstance(data, Mapping) else (content.get("text"),)
    return sum(len(each) for each in texts if isinstance(each, str))
