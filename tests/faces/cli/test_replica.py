"""`jupyter rewind replica`: copies of the store elsewhere, from a user's chair."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.faces.cli.conftest import (
    FIRST,
    SECOND,
    THIRD,
    Rewind,
    cell,
    notebook_bytes,
    pushed_and_lost,
)
from tests.faces.cli.test_schema import check


def test_a_lost_home_comes_back(
    home: Path, book: Path, rewind: Rewind, mount: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a new machine with the key, one command brings the whole history back."""
    assert rewind("replica", "add", mount.as_uri()).status == 0
    pushed = rewind("replica", "push", "--json")
    assert pushed.data["replicas"][0]["entries"] >= 3
    [key] = (home / "config" / "rewind-keys").iterdir()
    kept = key.read_bytes()
    shutil.rmtree(home / "data")
    shutil.rmtree(home / "config")
    assert rewind("replica", "pull").status == 3  # the settings are gone, too
    line = f"replica.url={mount.as_uri()}"
    told = rewind("replica", "pull", "--set", line)
    assert told.status == 6 and str(key) in told.err
    key.parent.mkdir(parents=True)
    key.write_bytes(kept)
    pulled = rewind("replica", "pull", "--set", line, "--json")
    assert pulled.status == 0 and check(pulled.out)["data"]["replicas"][0]["made_store"]
    assert rewind("verify", "--read-data").status == 0
    for ref, state in (("head", THIRD), ("head~1", SECOND), ("head~2", FIRST)):
        out = home / f"{ref}.ipynb"
        assert rewind("restore", book, ref, "--output", out).status == 0
        assert out.read_bytes() == state


def test_a_replica_that_is_lost_for_good_is_given_up_and_found_again(
    home: Path, book: Path, rewind: Rewind, mount: Path
) -> None:
    """While contents are only there no label is given to them; a salvage gives them up only where
    it is told to, and a pull brings them back where the replica turns up again."""
    line = pushed_and_lost(home, book, rewind, mount)
    assert rewind("replica", "pull", "--lazy", *line).status == 0
    away = mount.rename(mount.with_name("away"))
    told = rewind("label", book, "head", "good", *line)
    assert told.status == 6 and "cannot be read now" in told.err, told.err
    assert rewind("salvage", *line).status == 0
    assert rewind("salvage", "--without-replicas", "--into", home / "other", *line).status == 2
    told = rewind("salvage", "--without-replicas", *line)
    assert told.status == 5 and "analysis.ipynb" in told.out
    assert "`jupyter rewind replica pull`" in told.err
    away.rename(mount)
    assert rewind("replica", "pull", *line).status == 0
    assert rewind("verify", "--read-data", *line).status == 0
    assert rewind("label", book, "head", "good", *line).status == 0


def test_a_second_lazy_pull_tells_what_is_still_there_alone(
    home: Path, book: Path, rewind: Rewind, mount: Path
) -> None:
    """It brings nothing, and that does not mean that all is here."""
    line = pushed_and_lost(home, book, rewind, mount)
    assert rewind("pull", "--lazy", *line).status == 0
    told = rewind("pull", "--lazy", *line)
    assert "nothing that is not here" not in told.out
    assert "are in a replica alone" in told.out
    [row] = check(rewind("pull", "--lazy", "--json", *line).out)["data"]["replicas"]
    assert row["absent_bytes"] > 700_000
    assert rewind("pull", *line).status == 0
    assert "nothing that is not here" in rewind("pull", "--lazy", *line).out


def test_without_a_replica_there_the_first_command_begins_one(
    book: Path, rewind: Rewind, mount: Path, home: Path
) -> None:
    """An empty place is no replica: the store that the first checkpoint makes is the one."""
    shutil.rmtree(home / "data")
    line = f"replica.url={mount.as_uri()}"
    assert rewind("history", book, "--set", line).status == 3
    assert rewind("checkpoint", book, "--set", line).status == 0
    assert rewind("replica", "push", "--set", line).status == 0


def test_every_answer_fits_the_schema(book: Path, rewind: Rewind, mount: Path) -> None:
    """A program can rely on every name in every answer."""
    url = mount.as_uri()
    for words in (["add", url], ["list"], ["status"], ["push"], ["status", "mount"], ["pull"],
                  ["verify"], ["verify", url, "--read-data"], ["collect"],
                  ["collect", url, "--yes"], ["remove", url]):  # fmt: skip
        ended = rewind("replica", *words, "--json")
        assert ended.status == 0, ended.err
        data = check(ended.out)["data"]
        assert data["action"] == words[0]
        assert [each["url"] for each in data["replicas"]] == [url]
        if words == ["pull"]:
            again = check(rewind("pull", "--json").out)
            assert (again["command"], again["data"]) == ("pull", data)


def test_a_replica_shrinks_when_it_is_told_to(book: Path, rewind: Rewind, mount: Path) -> None:
    """Without --yes it only tells; afterwards it is whole and smaller, and other commands have no
    --yes."""

    def total() -> int:
        return sum(each.stat().st_size for each in mount.rglob("*") if each.is_file())

    rewind("replica", "add", mount.as_uri())
    rewind("replica", "push")
    told = rewind("replica", "collect")
    assert told.status == 0 and "--yes does it" in told.out
    few = [f"retention.{each}=0" for each in ("hourly", "daily", "weekly")]
    words = [part for each in ("retention.keep_last=1", *few) for part in ("--set", each)]
    assert rewind("expire", "--yes", *words).status == 0
    assert rewind("collect").status == 0
    rewind("replica", "push")
    before = total()
    done = rewind("replica", "collect", "--yes")
    assert done.status == 0 and "freed" in done.out
    assert total() < before
    assert rewind("replica", "verify", "--read-data").status == 0
    assert rewind("replica", "push", "--yes").status == 2


def test_status_tells_how_far_behind(book: Path, rewind: Rewind, mount: Path) -> None:
    """Before a push all is missing there; after it nothing; after another save that one."""
    rewind("replica", "add", mount.as_uri())

    def standing() -> dict[str, object]:
        [found] = rewind("replica", "status", "--json").data["replicas"]
        return found

    assert standing()["exists"] is False and standing()["behind_entries"] >= 3
    rewind("replica", "push")
    assert (standing()["behind_bytes"], standing()["oldest"]) == (0, None)
    rewind("label", book, "head", "done")
    assert standing()["behind_entries"] == 1 and standing()["oldest"] is not None


def test_status_tells_what_other_machines_have_pushed(
    home: Path, book: Path, rewind: Rewind, mount: Path
) -> None:
    """Who works on two machines is not told that all is here while the other one has gone on."""
    rewind("replica", "add", mount.as_uri())
    rewind("replica", "push")
    other = ("--store", home / "other")
    assert rewind("replica", "pull", *other).status == 0
    assert rewind("checkpoint", book, "--label", "elsewhere", *other).status == 0
    assert rewind("replica", "push", *other).status == 0
    told = rewind("replica", "status", "--json")
    [row] = check(told.out)["data"]["replicas"]
    assert row["behind_bytes"] == 0 and row["ahead_bytes"] > 0
    for words in (("replica", "status"), ("doctor",)):
        assert "Other machines have pushed" in rewind(*words).out
    rewind("replica", "pull")
    [row] = rewind("replica", "status", "--json").data["replicas"]
    assert row["ahead_bytes"] == 0


def test_damage_in_a_replica_ends_with_status_5(book: Path, rewind: Rewind, mount: Path) -> None:
    """Verify names what is damaged, and a pull takes nothing of it."""
    rewind("replica", "add", mount.as_uri())
    rewind("replica", "push")
    [ref] = (mount / "refs").rglob("0" * 19 + "1")
    data = bytearray(ref.read_bytes())
    data[-100] ^= 1
    ref.write_bytes(data)
    found = rewind("replica", "verify", "--json")
    assert found.status == 5
    assert check(found.out)["data"]["replicas"][0]["faults"][0]["key"].startswith("refs/")


def test_what_still_reads_of_a_damaged_replica_comes_back(
    home: Path, book: Path, rewind: Rewind, mount: Path
) -> None:
    """The home is gone, and the replica has lost one push: a pull brings nothing and says what
    does; then all is there but for that push."""
    line = ("--set", f"replica.url={mount.as_uri()}")
    assert rewind("replica", "push", *line).status == 0
    book.write_bytes(notebook_bytes(cell("more", "x = 1")))
    for _ in range(2):
        assert rewind("checkpoint", book, *line).status == 0
        assert rewind("replica", "push", *line).status == 0
        book.write_bytes(notebook_bytes(cell("more", "x = 2")))
    refs = sorted(path for path in (mount / "refs").rglob("*") if path.is_file())
    refs[1].unlink()
    shutil.rmtree(home / "data")
    told = rewind("pull", *line)
    assert told.status == 5 and "`jupyter rewind replica salvage`" in told.err
    told = rewind("replica", "salvage", "--json", *line)
    [row] = check(told.out)["data"]["replicas"]
    assert told.status == 5 and row["segments"] and len(row["faults"]) == 1
    assert rewind("salvage", *line).status in {0, 5}
    for ref, state in (("head~1", THIRD), ("head~2", SECOND), ("head~3", FIRST)):
        out = home / f"{ref}.ipynb"
        assert rewind("restore", book, ref, "--output", out, *line).status == 0
        assert out.read_bytes() == state


def test_replicas_that_are_damaged_in_other_places_give_all_of_it(
    home: Path, book: Path, rewind: Rewind, mount: Path
) -> None:
    """Without a URL what one has lost comes from the others, in one go, and nothing is missing;
    the damage is told all the same."""
    mounts = [mount, mount.with_name("other")]
    mounts[1].mkdir()
    line = ("--set", f"replica.url={' '.join(each.as_uri() for each in mounts)}")
    for number in range(3):
        book.write_bytes(notebook_bytes(cell("more", f"x = {number}")))
        assert rewind("checkpoint", book, *line).status == 0
        assert rewind("replica", "push", *line).status == 0
    for number, each in enumerate(mounts):
        refs = sorted(path for path in (each / "refs").rglob("*") if path.is_file())
        refs[number].unlink()
    shutil.rmtree(home / "data")
    told = rewind("replica", "salvage", "--json", *line)
    rows = check(told.out)["data"]["replicas"]
    assert told.status == 5
    assert [len(row["faults"]) for row in rows] == [1, 1]
    assert all(row["bytes"] and not row["missing_bytes"] for row in rows)
    assert rewind("verify", "--read-data", *line).status == 0
    again = rewind("replica", "salvage", *line)
    assert again.status == 5 and again.out.count("damaged: refs/") == 2
    assert "`jupyter rewind salvage`" in again.err


def test_of_several_the_others_are_seen_to(book: Path, rewind: Rewind, mount: Path) -> None:
    """A disk that is not there keeps none of the others from being pushed to."""
    gone = mount.with_name("gone")
    gone.mkdir()
    rewind("replica", "add", gone.as_uri())
    rewind("replica", "add", mount.as_uri())
    shutil.rmtree(gone)
    ended = rewind("replica", "push")
    assert ended.status == 6 and str(gone) in ended.err
    assert rewind("replica", "status", "mount", "--json").data["replicas"][0]["behind_bytes"] == 0


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["push"], 3),
        (["add"], 2),
        (["list", "s3://b/p"], 2),
        (["push", "--read-data"], 2),
        (["add", "ftp://host/x"], 2),
        (["add", "s3://name:hunter2@bucket/x"], 2),
        (["add", "file://relative"], 2),
        (["add", "file:///no/such/folder"], 6),
        (["remove", "s3://b/p"], 3),
    ],
)
def test_mistakes_are_told(words: list[str], status: int, book: Path, rewind: Rewind) -> None:
    """Each with words, an exit status of its own kind, and no secret."""
    ended = rewind("replica", *words)
    assert ended.status == status
    assert ended.err and "hunter2" not in ended.err


def test_no_setting_keeps_a_password(
    book: Path, rewind: Rewind, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the settings file nor the environment takes one, and nobody is shown it."""
    url = "s3://name:hunter2@bucket/x"
    for each in (url, "s3://name:hun/ter/hunter2@bucket/x"):
        said = rewind("config", "set", "replica.url", each)
        assert said.status == 2 and "hunter2" not in said.out + said.err
    monkeypatch.setenv("JUPYTER_REWIND_REPLICA_URL", url)
    for words in (["replica", "list"], ["config"], ["doctor"], ["stats"]):
        ended = rewind(*words)
        assert "hunter2" not in ended.out + ended.err


def test_one_place_is_one_replica(home: Path, book: Path, rewind: Rewind, mount: Path) -> None:
    """However it is spelled: each save would be sent there twice."""
    assert rewind("replica", "add", mount.as_uri()).status == 0
    ended = rewind("replica", "add", f"{mount.as_uri()}/")
    assert ended.status == 4 and "already" in ended.err
    assert len(rewind("replica", "list", "--json").data["replicas"]) == 1


def test_a_folder_may_have_spaces_in_its_name(book: Path, rewind: Rewind, mount: Path) -> None:
    """As external disks do: it becomes a replica beside those that were there, and all go on."""
    disk = mount.with_name("My Disk")
    disk.mkdir()
    assert rewind("replica", "add", mount.as_uri()).status == 0
    assert rewind("replica", "add", f"file://{disk}").status == 0
    assert len(rewind("replica", "push", "--json").data["replicas"]) == 2
    assert rewind("replica", "status", "My Disk", "--json").data["replicas"][0]["exists"]
    assert rewind("replica", "remove", f"file://{disk}").status == 0
    [left] = rewind("replica", "list", "--json").data["replicas"]
    assert left["url"] == mount.as_uri()


def test_a_folder_of_the_store_is_no_other_place(home: Path, book: Path, rewind: Rewind) -> None:
    """A copy that is lost with the store is none."""
    [segments] = (home / "data").rglob("segments")
    ended = rewind("replica", "add", segments.as_uri())
    assert ended.status == 2 and "lost with it" in ended.err
    assert not rewind("replica", "list", "--json").data["replicas"]


def test_a_fresh_machine_asks_every_replica(
    home: Path, book: Path, rewind: Rewind, mount: Path
) -> None:
    """Where the first one is behind, what only the second one holds is there as well; and where
    that one does not answer, it is said that something may be missing."""
    second = mount.with_name("second")
    second.mkdir()
    both = ("--set", f"replica.url={mount.as_uri()} {second.as_uri()}")
    assert rewind("replica", "push", *both).status == 0
    book.write_bytes(notebook_bytes(cell("load", "x = 'the newest'")))
    assert rewind("checkpoint", book, *both).status == 0
    assert rewind("replica", "push", second.as_uri(), *both).status == 0
    count = len(rewind("history", book, "--json", *both).data["checkpoints"])
    shutil.copytree(home / "data", home / "kept")
    away = second.rename(mount.with_name("away"))
    shutil.rmtree(home / "data")
    told = rewind("history", book, *both)
    assert told.status == 0 and second.as_uri() in told.err, told.err
    away.rename(second)
    shutil.rmtree(home / "data")
    assert len(rewind("history", book, "--json", *both).data["checkpoints"]) == count
    assert second.is_dir()
    # The first one may be away as well: what is there is enough to know whose store this is.
    mount.rename(mount.with_name("gone"))
    shutil.rmtree(home / "data")
    assert len(rewind("history", book, "--json", *both).data["checkpoints"]) == count


def test_another_stores_replica_is_refused_when_it_is_added(
    home: Path, book: Path, rewind: Rewind, mount: Path
) -> None:
    """Two stores never mix."""
    rewind("replica", "add", mount.as_uri())
    rewind("replica", "push")
    rewind("checkpoint", book, "--store", home / "other")
    rewind("replica", "remove", mount.as_uri())
    ended = rewind("replica", "add", mount.as_uri(), "--store", home / "other")
    assert ended.status == 4 and "another store" in ended.err


def test_a_share_of_the_contents_may_be_read(book: Path, rewind: Rewind, mount: Path) -> None:
    """--read-data reads all, --read-data=5% some; anything else is refused."""
    rewind("replica", "add", mount.as_uri())
    rewind("replica", "push")
    for words, share in (([], 0), (["--read-data"], 1), (["--read-data=5%"], 0.05)):
        told = check(rewind("replica", "verify", *words, "--json").out)["data"]["replicas"][0]
        assert (told["ok"], told["read_share"], told["read_data"]) == (True, share, share == 1)
    for wrong in ("5", "0%", "101%", "-3%", "some%", "nan%"):
        assert rewind("replica", "verify", f"--read-data={wrong}").status == 2
    assert rewind("replica", "list", "--read-data").status == 2


def test_doctor_tells_how_a_replica_stands(book: Path, rewind: Rewind, mount: Path) -> None:
    """What it lacks, that it has all, and that its disk is gone; each with what helps."""

    def told() -> dict[str, str]:
        found = rewind("doctor", "--json").data["findings"]
        [one] = [each for each in found if each["name"] == "replicas"]
        return dict(one)

    rewind("replica", "add", mount.as_uri())
    behind = told()
    assert "lacks" in behind["text"] and behind["mend"].startswith("jupyter rewind replica push")
    rewind("replica", "push")
    assert told()["state"] == "on"
    shutil.rmtree(mount)
    gone = told()
    assert gone["state"] == "problem" and "cannot be used" in gone["text"] and gone["mend"]
