"""Whether a kernel lives, by its own heart."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
import zmq

from jupyter_rewind.errors import Unavailable
from jupyter_rewind.kernels.images.pulse import beats


@pytest.mark.parametrize("transport", ["tcp", "ipc"])
def test_a_heart_is_heard_over_ports_and_over_files(tmp_path: Path, transport: str) -> None:
    """A kernel that is reached through files lives as any other."""
    with zmq.Context() as context, context.socket(zmq.REP) as heart:
        if transport == "tcp":
            place, port = "127.0.0.1", heart.bind_to_random_port("tcp://127.0.0.1")
        else:
            place, port = str(tmp_path / "k"), 1
            heart.bind(f"ipc://{place}-{port}")
        told = {"transport": transport, "ip": place, "hb_port": port}
        (tmp_path / "k.json").write_text(json.dumps(told))
        answering = threading.Thread(target=lambda: heart.send(heart.recv()))
        answering.start()
        heard = beats(tmp_path / "k.json", 5)
        if not heard:  # else it would wait for ever
            with context.socket(zmq.REQ) as mine:
                mine.connect(heart.last_endpoint.decode())
                mine.send(b"")
                answering.join()
        answering.join()
    assert heard


def test_a_kernel_whose_connection_file_is_gone_is_said_to_be_so(tmp_path: Path) -> None:
    """It was shut down while an image of it was being made: no fault of Rewind's own."""
    with pytest.raises(Unavailable, match=r"kernel-1\.json"):
        beats(tmp_path / "kernel-1.json", 1)
