"""Settings of what goes to other machines: replicas, and the catalogue of a hub."""

from __future__ import annotations

from traitlets import Bool, Integer, TraitError, Unicode, validate
from traitlets.config import Configurable

from jupyter_rewind.settings.secrecy import holds_login


class Elsewhere(Configurable):
    """A part of `Rewind`, which stands in a file of its own for its length."""

    replica_url = Unicode(
        "",
        help="Where copies of the store lie: s3://, gs:// or az://bucket/prefix, or"
        " file:///a/folder; several with spaces between. Credentials never stand here.",
    ).tag(config=True, private="addresses without a login")
    replica_interval_seconds = Integer(
        5,
        min=0,
        help="While a server runs, what was committed goes to the replicas at most so many seconds"
        " later. 0: nothing is pushed by itself.",
    ).tag(config=True)
    replica_rate_kb = Integer(
        0,
        min=0,
        help="Send to replicas, and fetch from them, at most this many kilobytes a second."
        " 0: no limit.",
    ).tag(config=True)
    replica_fill = Bool(
        True,
        help="While a server runs, it brings contents that are only in a replica. Off: they come as"
        " they are read, or with `jupyter rewind pull`; until then the replica has the only copy.",
    ).tag(config=True)

    catalogue_url = Unicode(
        "",
        help="A PostgreSQL database in which a hub's administrator sees who keeps how much and how"
        " far behind the replicas are: postgresql://USER@HOST/DATABASE. A password never stands"
        " here: PGPASSWORD or PGPASSFILE hold it. Empty: nothing is told to anybody.",
    ).tag(config=True, private="postgresql://USER@HOST/DATABASE, without a password")
    catalogue_user = Unicode(
        "",
        help="The user whose rows a server writes into the catalogue. Empty: the hub's user"
        " (JUPYTERHUB_USER), or else the system's.",
    ).tag(config=True)
    catalogue_interval_seconds = Integer(
        60, min=1, help="While a server runs, its row in the catalogue is written so often."
    ).tag(config=True)

    @validate("replica_url")
    def _without_credentials(self, proposal: dict[str, object]) -> str:
        text = str(proposal["value"])
        if any(map(holds_login, text.split())):
            raise TraitError("an address with a user name or a password")
        return text

    @validate("catalogue_url")
    def _without_password(self, proposal: dict[str, object]) -> str:
        text = str(proposal["value"]).strip()
        if not text:
            return ""
        scheme, _, rest = text.partition("://")
        # A password may hold a slash.
        login, at, _ = rest.partition("?")[0].rpartition("@")
        if scheme not in ("postgresql", "postgres"):
            raise TraitError("no address of a PostgreSQL database")
        if (at and ":" in login) or "password=" in text.lower():
            raise TraitError("an address with a password")
        return text
