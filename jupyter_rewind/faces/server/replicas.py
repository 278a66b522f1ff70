"""Pushes what is committed to the replicas by itself, and tells how far behind each is.

Without a replica nothing is imported and no thread is made.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from jupyter_rewind import clock
from jupyter_rewind.errors import Internal, RewindError
from jupyter_rewind.faces.server.announcer import REPLICA_EVENTS, Announcer
from jupyter_rewind.faces.server.rendering import moment_text
from jupyter_rewind.faces.server.statuses import describe

if TYPE_CHECKING:
    from jupyter_rewind.replication import Account, Forwarder
    from jupyter_rewind.settings import Rewind

STOP_SECONDS = 10.0


class Replicas:
    """A server's part in keeping the replicas up."""

    def __init__(
        self,
        settings: Rewind,
        announcer: Announcer,
        log: logging.Logger,
        calm_in: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._announcer = announcer
        self._log = log
        self._calm_in = calm_in
        self._forwarders: list[Forwarder] = []
        self._given_up = threading.Event()
        self._starter: threading.Thread | None = None
        self.refusal: RewindError | None = None
        """Why nothing is pushed to any replica."""

    def start(self) -> None:
        """What is committed goes to the replicas from now on, where there are any."""
        wanted = self._settings.replica_url.strip() and self._settings.replica_interval_seconds
        if wanted and self._starter is None:
            self._starter = threading.Thread(
                target=self._start, name="rewind-replicas", daemon=True
            )
            self._starter.start()

    def stop(self) -> bool:
        """What was committed is in the replicas, or the time for that is up, or it failed; whether
        all is there. It goes there with the next server otherwise."""
        until = clock.monotonic() + STOP_SECONDS
        ended = [True]
        if self._starter is not None:
            # What was saved in the first seconds of a server is pushed at its end, too.
            self._starter.join(STOP_SECONDS)
            ended = [not self._starter.is_alive()]
        self._given_up.set()
        for one in self._forwarders:
            one.end()
        ended += [one.join(until - clock.monotonic()) for one in self._forwarders]
        if not all(ended):
            self._log.info("Not all was pushed to the replicas: the server had to stop.")
        return all(ended)

    def rows(self) -> list[dict[str, Any]]:
        """How each replica stands, for the answers of our interface."""
        return [render_account(one.account) for one in self._forwarders]

    def notices(self) -> list[str]:
        """What of it the user should know."""
        found = [
            f"The replica {one.account.url} does not get what is saved: {one.account.error}"
            for one in self._forwarders
            if one.account.error is not None
        ]
        found += [
            f"The replica {one.account.url} gets what is saved, but what expired stays there:"
            f" {one.account.uncollected}"
            for one in self._forwarders
            if one.account.uncollected is not None
        ]
        if self.refusal is not None:
            found.append(f"Nothing is pushed to the replicas: {self.refusal}")
        return found

    def _start(self) -> None:
        try:
            from jupyter_rewind.replication import Replication

            forwarders = Replication(self._settings).forwarders(self._calm_in, self._announce)
        except RewindError as error:
            self.refusal = error
        except Exception as error:
            self.refusal = Internal(f"The replicas could not be seen to: {error!r}.")
        else:
            if not self._given_up.is_set():
                self._forwarders = forwarders
                for one in forwarders:
                    one.start()
        if self.refusal is not None:
            self._log.warning("Nothing is pushed to the replicas: %s", self.refusal)

    def _announce(self, account: Account) -> None:
        self._announcer.announce(REPLICA_EVENTS, render_account(account))


def render_account(account: Account) -> dict[str, Any]:
    """How one replica stands."""
    from jupyter_rewind.replication import mending_command

    lag, error = account.lag, account.error
    oldest = lag.oldest_ns
    seconds = max(0.0, (clock.now_ns() - oldest) / 1e9) if oldest is not None else 0.0
    return {
        "url": account.url,
        "state": str(account.state),
        "behind_seconds": round(seconds, 3),
        "behind_bytes": lag.behind_bytes,
        "behind_records": lag.behind_entries,
        "oldest": moment_text(oldest) if oldest is not None else None,
        "absent_bytes": account.absent_bytes,
        "pushed": moment_text(account.pushed_ns) if account.pushed_ns is not None else None,
        "error": dict(describe(error)) if error is not None else None,
        "mend": mending_command(error, account.url) if error is not None else "",
    }
