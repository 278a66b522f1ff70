"""A table in PostgreSQL where a hub's administrator sees who keeps how much and how far behind the
replicas are; never a name of a notebook, nor anything of what is in one.

Each server writes one row for its user and store, and writes it anew now and then. Rows are
guarded by the database: a role writes and reads the rows of its own name alone, unless the
administrator made the table for one shared role. Passwords come to libpq as its own programs find
them: PGPASSWORD, PGPASSFILE, a service file; never from a setting.

psycopg is imported here alone, when the catalogue is first used.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from jupyter_rewind import clock
from jupyter_rewind.errors import (
    Denied,
    Format,
    InvalidInput,
    NotFound,
    Storage,
    Unavailable,
)
from jupyter_rewind.settings import hide_secrets, parse_size
from jupyter_rewind.store.plan import used_bytes

if TYPE_CHECKING:
    from psycopg import Connection

    from jupyter_rewind.settings import Rewind
    from jupyter_rewind.workspace import Workspace

TABLE = "jupyter_rewind_users_1"
"""The number is the format's: a later one gets a table of its own."""

_COLUMNS = f"""
CREATE TABLE IF NOT EXISTS {TABLE} (
    username text NOT NULL,
    store text NOT NULL,
    host text NOT NULL,
    version text NOT NULL,
    histories bigint NOT NULL,
    checkpoints bigint NOT NULL,
    used_bytes bigint NOT NULL,
    quota_bytes bigint,
    replicas jsonb NOT NULL,
    seen timestamptz NOT NULL,
    PRIMARY KEY (username, store)
)"""
_OWN = "username = current_user"
_PUT = f"""
INSERT INTO {TABLE} AS mine VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, now())
ON CONFLICT (username, store) DO UPDATE SET host = EXCLUDED.host, version = EXCLUDED.version,
    histories = EXCLUDED.histories, checkpoints = EXCLUDED.checkpoints,
    used_bytes = EXCLUDED.used_bytes, quota_bytes = EXCLUDED.quota_bytes,
    replicas = EXCLUDED.replicas, seen = EXCLUDED.seen"""
_LIST = f"""
SELECT username, store, host, version, histories, checkpoints, used_bytes, quota_bytes, replicas,
    seen
FROM {TABLE} ORDER BY username, seen DESC, store"""
# In seconds: of connecting, and of each statement.
_PATIENCE = 10


@dataclass(frozen=True, slots=True)
class Behind:
    """How one replica stood: its address (which holds no login), its state, and what it lacked."""

    url: str
    state: str
    seconds: float
    bytes: int
    oldest: str | None = None
    """When the oldest of what it lacks was made; in ISO 8601."""


@dataclass(frozen=True, slots=True)
class Row:
    """What one user keeps in one store, in numbers. `histories` are those of files that are there
    and of deleted ones; `seen` is the database's time of the last word of it."""

    username: str
    store: str
    host: str
    version: str
    histories: int
    checkpoints: int
    used_bytes: int
    quota_bytes: int | None
    replicas: tuple[Behind, ...]
    seen: datetime | None = None

    @property
    def behind_seconds(self) -> float:
        """Of the replica that is furthest behind; 0 without one."""
        return max((each.seconds for each in self.replicas), default=0.0)


class Catalogue:
    """The catalogue that the settings name. Each call connects, and disconnects."""

    def __init__(self, settings: Rewind) -> None:
        """Raises InvalidInput where no catalogue is set."""
        self._url = settings.catalogue_url.strip()
        if not self._url:
            raise InvalidInput(
                "There is no catalogue: catalogue.url is not set.",
                hint="Name a PostgreSQL database: jupyter rewind config set catalogue.url "
                "postgresql://USER@HOST/DATABASE",
            )
        self.username = settings.catalogue_user.strip() or own_name()

    def create(self, role: str, *, shared: bool = False) -> None:
        """The table is there, and the members of `role` may write their own rows; any row, with
        `shared`. May be done again. Raises NotFound (no such role), Denied, Unavailable."""
        from psycopg import sql

        policy, name = sql.Identifier(f"{TABLE}_{role}"), sql.Identifier(role)
        rows = sql.SQL("true" if shared else _OWN)
        with self._connected() as database:
            database.execute(_COLUMNS)
            database.execute(f"ALTER TABLE {TABLE} ENABLE ROW LEVEL SECURITY")
            # No DELETE: what a user's own cells could take away is no account for anybody else.
            database.execute(
                sql.SQL("GRANT SELECT, INSERT, UPDATE ON {} TO {}").format(
                    sql.Identifier(TABLE), name
                )
            )
            database.execute(
                sql.SQL("DROP POLICY IF EXISTS {} ON {}").format(policy, sql.Identifier(TABLE))
            )
            database.execute(
                sql.SQL("CREATE POLICY {} ON {} TO {} USING ({}) WITH CHECK ({})").format(
                    policy, sql.Identifier(TABLE), name, rows, rows
                )
            )

    def put(self, row: Row) -> None:
        """The row stands there, in the place of the same user's and store's. Raises NotFound (no
        table), Denied, Unavailable."""
        replicas = [
            {
                "url": each.url,
                "state": each.state,
                "behind_seconds": each.seconds,
                "behind_bytes": each.bytes,
                "oldest": each.oldest,
            }
            for each in row.replicas
        ]
        with self._connected() as database:
            database.execute(
                _PUT,
                (
                    row.username, row.store, row.host, row.version, row.histories,
                    row.checkpoints, row.used_bytes, row.quota_bytes, json.dumps(replicas),
                ),
            )  # fmt: skip

    def rows(self) -> list[Row]:
        """All that this login may see, by user. Raises NotFound (no table), Denied, Unavailable,
        Format (rows that are not ours)."""
        with self._connected() as database:
            found = database.execute(_LIST).fetchall()
        return [_row(each) for each in found]

    def forget(self, username: str) -> int:
        """How many rows of this user are gone; a server of theirs that runs writes one again.
        Raises NotFound (none), Denied, Unavailable."""
        with self._connected() as database:
            words = f"DELETE FROM {TABLE} WHERE username = %s"
            count = int(database.execute(words, (username,)).rowcount)
        if not count:
            raise NotFound(
                f"The catalogue holds nothing of {username}.",
                hint="`jupyter rewind catalogue` shows whom it knows.",
            )
        return count

    @contextmanager
    def _connected(self) -> Iterator[Connection[Any]]:
        """A connection, whose work is done as a whole or not at all."""
        psycopg = load_psycopg()
        try:
            with psycopg.connect(
                self._url, connect_timeout=_PATIENCE, application_name="jupyter-rewind"
            ) as database:
                # Not as options of the connection: a pool in between (PgBouncer) takes none.
                for limit in ("statement_timeout", "lock_timeout"):
                    database.execute(f"SET LOCAL {limit} = '{_PATIENCE}s'")
                yield database
        except psycopg.Error as error:
            raise self._translate(psycopg, error) from None  # it may quote what it was given

    def _translate(self, psycopg: Any, error: Exception) -> Exception:
        errors, reason = psycopg.errors, _first_line(error)
        if isinstance(error, errors.UndefinedTable):
            return NotFound(
                "The database has no table of Rewind's.",
                hint="Its administrator makes it: jupyter rewind catalogue create ROLE",
            )
        if isinstance(error, errors.UndefinedObject | errors.InvalidName):
            return NotFound(f"The database refuses that: {reason}.")
        if isinstance(error, errors.InsufficientPrivilege):
            return Denied(
                f"The catalogue does not take that from this login, for the user {self.username}: "
                f"{reason}.",
                hint="A role writes the rows of its own name: set catalogue.user to it, or let "
                "the administrator make the catalogue for a shared role.",
            )
        if isinstance(error, psycopg.OperationalError):
            return Unavailable(
                f"The catalogue cannot be reached: {reason}.",
                hint="What is kept, and the replicas, do not depend on it.",
                retryable=True,
            )
        if isinstance(error, psycopg.ProgrammingError) and error.sqlstate is None:
            return InvalidInput(
                "catalogue.url is no address of a PostgreSQL database.",
                hint="It looks like this: postgresql://USER@HOST/DATABASE",
            )
        return Storage(f"The catalogue did not take that: {reason}.")


def describe(workspace: Workspace, username: str, version: str, replicas: Sequence[Behind]) -> Row:
    """The row of this user's open store, kept by this version. Raises Integrity, Storage."""
    workspace.repository.refresh()
    histories = workspace.all()
    return Row(
        username,
        workspace.repository.store_id,
        clock.host(),
        version,
        len(histories),
        sum(each.checkpoints for each in histories),
        used_bytes(workspace.repository),
        parse_size(workspace.settings.store_quota) or None,
        tuple(replicas),
    )


def own_name() -> str:
    """The user whose rows a server writes where the settings do not say: the hub's, or the
    system's."""
    return os.environ.get("JUPYTERHUB_USER", "").strip() or clock.user()


def load_psycopg() -> Any:
    """The library. Raises InvalidInput, with the way to install it, where it is not there."""
    try:
        import psycopg
        import psycopg.errors
    except ImportError as error:
        raise InvalidInput(
            "A catalogue needs psycopg, which is not installed here.",
            hint='Install it with `pip install "jupyter-rewind[catalogue]"`.',
        ) from error
    return psycopg


def _first_line(error: Exception) -> str:
    lines = [each.strip() for each in str(error).splitlines() if each.strip()]
    return hide_secrets(lines[0] if lines else type(error).__name__).rstrip(".")


def _row(found: tuple[Any, ...]) -> Row:
    name, store, host, version, histories, checkpoints, used, quota, replicas, seen = found
    try:
        told = tuple(map(_behind, replicas))
    except (TypeError, KeyError, ValueError) as error:
        raise Format(
            f"A row of {name} in the catalogue is not in a format that this version reads."
        ) from error
    return Row(name, store, host, version, histories, checkpoints, used, quota, told, seen)


def _behind(told: Mapping[str, Any]) -> Behind:
    oldest = told["oldest"]
    return Behind(
        str(told["url"]),
        str(told["state"]),
        float(told["behind_seconds"]),
        int(told["behind_bytes"]),
        str(oldest) if oldest is not None else None,
    )
