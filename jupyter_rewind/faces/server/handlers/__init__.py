"""The REST interface under /rewind/api/v1/, one file a noun."""

from jupyter_rewind.faces.server.handlers.routes import routes

__all__ = ["routes"]
