"""What a browser writes of a draft: a Yjs document of the cells that were touched."""

from __future__ import annotations

import json
from typing import Any

from pycrdt import Array, Doc, Map, Text


class Editor:
    """One window's draft; its updates hold what came since the last one."""

    def __init__(self) -> None:
        self.doc: Any = Doc()
        self._sent = self.doc.get_state()
        self._cells = self.doc.get("cells", type=Map)
        self._head = self.doc.get("draft", type=Map)

    def set_source(self, key: str, text: str) -> None:
        """The cell's source is `text`: one end of it is kept, as an editor does."""
        cell = self._cell(key)
        if "source" not in cell:
            cell["source"] = Text(text)
            return
        source = cell["source"]
        before = str(source)
        same = 0
        while same < min(len(before), len(text)) and before[same] == text[same]:
            same += 1
        # pycrdt counts bytes in UTF-8.
        start = len(before[:same].encode())
        del source[start : len(before.encode())]
        source += text[same:]

    def set_field(self, key: str, name: str, value: object) -> None:
        self._cell(key)[name] = "" if value is None else json.dumps(value)

    def set_outputs(self, key: str, outputs: list[dict[str, Any]]) -> None:
        self._cell(key)["outputs"] = Array([json.dumps(each) for each in outputs])

    def set_order(self, order: list[Any]) -> None:
        self._head["order"] = json.dumps(order)

    def set_metadata(self, metadata: dict[str, Any]) -> None:
        self._head["metadata"] = json.dumps(metadata)

    def _cell(self, key: str) -> Any:
        if key not in self._cells:
            self._cells[key] = Map({})
        return self._cells[key]

    def update(self) -> bytes:
        """What came since the last update."""
        raw: bytes = self.doc.get_update(self._sent)
        self._sent = self.doc.get_state()
        return raw

    def whole(self) -> bytes:
        """All of it; nothing is owed any more."""
        self._sent = self.doc.get_state()
        raw: bytes = self.doc.get_update()
        return raw
