"""`%autosave` in a real kernel."""

from __future__ import annotations

import pytest

from jupyter_rewind.faces.ipython.autosave import QUESTION
from tests.support.kernels import Home, running


@pytest.mark.slow
def test_autosave_without_a_number_asks_the_front_end_and_does_not_fail(home: Home) -> None:
    """It ends well, with words for programs that do not answer; a number is IPython's matter."""
    with running(home) as kernel:
        plain = kernel.run("%autosave")
        number = kernel.run("%autosave 300")
        kernel.run("%unload_ext jupyter_rewind")
        stock = kernel.run("%autosave")
    assert plain.status == "ok"
    shown = [content["data"] for kind, content in plain.messages if kind == "display_data"]
    assert len(shown) == 1
    assert QUESTION in shown[0]
    assert "%autosave 60" in shown[0]["text/plain"]
    assert "300000" in str(number.messages)
    assert "every 300 seconds" in number.text
    assert stock.status == "error", "after unloading, IPython's own magic is back"
