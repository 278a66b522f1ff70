"""How the server listens beyond what Jupyter's own settings can say: a second port, and how long a
request may take to arrive.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp

    from jupyter_rewind.settings import Rewind


def listen_as_set(server: ServerApp, settings: Rewind) -> None:
    """The server listens as `settings` say, too. To be called on the loop, when it listens."""
    http: Any = server.http_server
    seconds = settings.jusnap_read_timeout_seconds
    if seconds:
        # Of one request; a connection between two of them, and a web socket, may last.
        http.conn_params.body_timeout = float(seconds)
    port = settings.jusnap_http_port
    if port and port != server.port:
        try:
            http.listen(port, server.ip)
        except OSError as error:
            server.log.error(
                "Jupyter does not listen at the second port %s: %s.", port, error.strerror or error
            )
        else:
            server.log.info("Jupyter listens at port %s, too.", port)
