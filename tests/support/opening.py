"""When JupyterLab has opened a notebook for good."""

from __future__ import annotations

from typing import Any

#: Runs in each page before anything else: counts what is asked about checkpoints and answered.
COUNTER = """(() => {
  const asked = (window.rewindAsked = {waiting: 0, answered: 0});
  const send = window.fetch;
  window.fetch = async (...given) => {
    if (!String(given[0]?.url ?? given[0]).includes('/checkpoints')) {
      return send(...given);
    }
    asked.waiting += 1;
    try {
      const reply = await send(...given);
      await reply.clone().arrayBuffer();
      asked.answered += 1;
      return reply;
    } finally {
      asked.waiting -= 1;
    }
  };
})()"""
_ANSWERED = "rewindAsked.answered > 0 && rewindAsked.waiting === 0"


def opened(page: Any) -> None:
    """Waits until JupyterLab was told of the first checkpoint. A server that goes before takes the
    notebook with it: JupyterLab closes what it could not open whole."""
    page.wait_for_function(_ANSWERED)
