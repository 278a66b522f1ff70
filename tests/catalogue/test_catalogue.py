"""The catalogue of a hub, in a real PostgreSQL."""

from __future__ import annotations

import select
import socket
import socketserver
import struct
import threading
from dataclasses import replace

import pytest

from jupyter_rewind.catalogue import Behind, Catalogue, Row
from jupyter_rewind.errors import Denied, Format, InvalidInput, NotFound, Unavailable
from jupyter_rewind.settings import Rewind
from tests.support.postgres import PASSWORD, Postgres

pytestmark = pytest.mark.xdist_group("postgres")

ROW = Row(
    "ada", "5" * 16, "pod-1", "0.1.0", 3, 41, 70_000, 1 << 30,
    (
        Behind("s3://bucket/ada", "behind", 12.5, 4096, "2026-11-22T10:00:00+00:00"),
        Behind("file:///mnt/ada", "level", 0.0, 0),
    ),
)  # fmt: skip


def catalogue(database: Postgres, login: str, **more: str) -> Catalogue:
    """As this login sees it; it writes as the user of its name."""
    return Catalogue(Rewind(catalogue_url=database.url(login), catalogue_user=login, **more))


def told(rows: list[Row]) -> list[Row]:
    """Without the database's own time."""
    return [replace(each, seen=None) for each in rows]


def test_what_a_server_tells_is_what_the_administrator_sees(database: Postgres) -> None:
    """Each user's last word, and when it came, by the database's clock."""
    admin = catalogue(database, "admin")
    admin.create("scientists")
    assert admin.rows() == []
    catalogue(database, "ada").put(ROW)
    other = replace(ROW, username="bob", store="6" * 16, quota_bytes=None, replicas=())
    catalogue(database, "bob").put(other)
    later = replace(ROW, checkpoints=42, replicas=ROW.replicas[1:])
    catalogue(database, "ada").put(later)
    assert told(admin.rows()) == [later, other]
    [(now,)] = database.sql("SELECT now()")
    seen = [each.seen for each in admin.rows()]
    assert all(each is not None and 0 <= (now - each).total_seconds() < 300 for each in seen)
    assert [each.behind_seconds for each in (ROW, later, other)] == [12.5, 0.0, 0.0]


def test_making_it_again_loses_nothing(database: Postgres) -> None:
    """An administrator may make sure that it is there."""
    admin = catalogue(database, "admin")
    for _ in range(2):
        admin.create("scientists")
        catalogue(database, "ada").put(ROW)
    assert told(admin.rows()) == [ROW]


def test_a_user_writes_and_sees_no_other_users_row(database: Postgres) -> None:
    """The database itself refuses it, whatever the user's settings, or his own SQL, say."""
    admin = catalogue(database, "admin")
    admin.create("scientists")
    ada, bob = catalogue(database, "ada"), catalogue(database, "bob")
    ada.put(ROW)
    bob.put(replace(ROW, username="bob"))
    for row in (ROW, replace(ROW, store="7" * 16)):
        with pytest.raises(Denied, match=r"set catalogue\.user"):
            bob.put(row)
    assert [each.username for each in bob.rows()] == ["bob"]
    for name in ("ada", "bob"):
        with pytest.raises(Denied):
            bob.forget(name)
    with pytest.raises(Denied):
        catalogue(database, "eve").rows()
    assert [each.username for each in admin.rows()] == ["ada", "bob"]


def test_a_shared_role_writes_for_all(database: Postgres) -> None:
    """For hubs with one login for all users: the administrator chooses it, and not by default."""
    admin = catalogue(database, "admin")
    admin.create("bob", shared=True)
    for name in ("ada", "carol"):
        catalogue(database, "bob").put(replace(ROW, username=name))
    assert [each.username for each in admin.rows()] == ["ada", "carol"]
    admin.create("bob")
    with pytest.raises(Denied):
        catalogue(database, "bob").put(replace(ROW, username="ada"))


def test_who_has_left_is_forgotten_on_request(database: Postgres) -> None:
    """All stores of that user, and nobody else's."""
    admin = catalogue(database, "admin")
    admin.create("scientists")
    for row in (ROW, replace(ROW, store="7" * 16), replace(ROW, username="bob")):
        admin.put(row)
    assert admin.forget("ada") == 2
    assert [each.username for each in admin.rows()] == ["bob"]
    with pytest.raises(NotFound, match="nothing of ada"):
        admin.forget("ada")


def test_a_database_without_the_table_is_told(database: Postgres) -> None:
    """With the command that makes it."""
    for act in (lambda one: one.put(ROW), lambda one: one.rows(), lambda one: one.forget("ada")):
        with pytest.raises(NotFound, match="catalogue create ROLE"):
            act(catalogue(database, "ada"))


def test_a_role_that_is_not_there_is_told(database: Postgres) -> None:
    """And nothing is half made."""
    admin = catalogue(database, "admin")
    with pytest.raises(NotFound, match="nobodies"):
        admin.create("nobodies")
    with pytest.raises(NotFound, match="catalogue create ROLE"):
        admin.rows()


class Pool(socketserver.ThreadingTCPServer):
    """As PgBouncer does before the database at `port`: who brings options is sent away."""

    daemon_threads = True

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", 0), _Pooled)
        self.port = port


class _Pooled(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        assert isinstance(self.server, Pool)
        begun = self.request.recv(4096)
        if b"\0options\0" in begun:
            words = b"SFATAL\0C08P01\0Munsupported startup parameter: options\0\0"
            self.request.sendall(b"E" + struct.pack("!I", len(words) + 4) + words)
            return
        with socket.create_connection(("127.0.0.1", self.server.port)) as behind:
            behind.sendall(begun)
            ends = {self.request: behind, behind: self.request}
            while True:
                for one in select.select([*ends], [], [])[0]:
                    data = one.recv(65536)
                    if not data:
                        return
                    ends[one].sendall(data)


def test_a_pool_in_between_is_no_hindrance(database: Postgres) -> None:
    """Hubs have one before their database."""
    admin = catalogue(database, "admin")
    admin.create("scientists")
    with Pool(database.port) as pool:
        threading.Thread(target=pool.serve_forever, daemon=True).start()
        through = replace(database, port=pool.server_address[1])
        ada = Catalogue(Rewind(catalogue_url=f"{through.url('ada')}?sslmode=disable"))
        ada.put(ROW)
        assert told(ada.rows()) == [ROW]
        pool.shutdown()


def test_names_are_no_commands(database: Postgres) -> None:
    """Whatever a hub's users are called."""
    name = """x"; DROP TABLE jupyter_rewind_users_1; --'"""
    admin = catalogue(database, "admin")
    admin.create("scientists")
    with pytest.raises(NotFound):
        admin.create(name)
    admin.put(replace(ROW, username=name))
    assert [each.username for each in admin.rows()] == [name]
    assert admin.forget(name) == 1


def test_rows_that_nobody_of_ours_wrote_are_told(database: Postgres) -> None:
    """They are no empty list."""
    admin = catalogue(database, "admin")
    admin.create("scientists")
    admin.put(ROW)
    database.sql("""UPDATE jupyter_rewind_users_1 SET replicas = '[{"url": "x"}]'""")
    with pytest.raises(Format, match="row of ada"):
        admin.rows()


def test_no_password_is_told(database: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a wrong one nor the right one, whatever fails."""
    monkeypatch.setenv("PGPASSWORD", "wrong-but-still-secret")
    with pytest.raises(Unavailable) as refused:
        catalogue(database, "ada").rows()
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"postgresql://ada@127.0.0.1:{nobody.getsockname()[1]}/hub"
        with pytest.raises(Unavailable, match="do not depend on it") as silent:
            Catalogue(Rewind(catalogue_url=url)).rows()
    assert refused.value.retryable and silent.value.retryable
    for words in (str(refused.value), str(silent.value)):
        assert "secret" not in words and PASSWORD not in words


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://ada:{PASSWORD}@db/hub",
        f"postgres://:{PASSWORD}@db/hub",
        f"postgresql://ada@db/hub?password={PASSWORD}",
        f"postgresql://ada:a/slash/{PASSWORD}@db/hub",
        f"host=db password={PASSWORD}",
        f"mysql://ada:{PASSWORD}@db/hub",
        PASSWORD,
    ],
)
def test_an_address_with_a_password_is_refused_unseen(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Settings stand in files and lists of processes."""
    monkeypatch.setenv("JUPYTER_REWIND_CATALOGUE_URL", url)
    with pytest.raises(InvalidInput, match="without a password") as refused:
        Rewind.load()
    assert PASSWORD not in str(refused.value)


def test_an_address_that_libpq_does_not_understand_is_told_unseen() -> None:
    """What it holds may be private all the same."""
    with pytest.raises(InvalidInput, match="no address of a PostgreSQL database") as told_:
        Catalogue(Rewind(catalogue_url="postgresql://ada@db/hub?pasword=hidden%")).rows()
    assert "hidden" not in str(told_.value)


def test_without_the_setting_there_is_none() -> None:
    """It is off by default, and says how it is switched on."""
    with pytest.raises(InvalidInput, match=r"catalogue\.url is not set"):
        Catalogue(Rewind())
