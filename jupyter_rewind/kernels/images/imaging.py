"""Process images of hosted kernels: made, listed, named, deleted, brought back.

Before an image comes back it is read whole and compared with its tags, the files it needs are
looked at, and the kernel that lives is kept in an image of its own. If the old one then does not
come back or does not answer, that one does. Nothing here ends a kernel whose image is not in the
store.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_rewind import clock
from jupyter_rewind.errors import NotFound, RestoreRefused, RewindError
from jupyter_rewind.kernels.host import leave_notice
from jupyter_rewind.kernels.hosting.record import Hosted, Place
from jupyter_rewind.kernels.images import beside, firstlife, freezer, linked, needs, relocation
from jupyter_rewind.kernels.images import criu as programs
from jupyter_rewind.kernels.images.asleep import end_runs
from jupyter_rewind.kernels.images.historybook import merge_book, write_book
from jupyter_rewind.kernels.images.lightening import lighten
from jupyter_rewind.kernels.images.listing import Listing, notebook
from jupyter_rewind.kernels.images.openfiles import LIST
from jupyter_rewind.kernels.images.pulse import begin_history_session
from jupyter_rewind.kernels.images.records import (
    IMAGE,
    IMAGE_MARK,
    decode_image,
    image_body,
    image_keys,
    mark_key,
    mark_of,
)
from jupyter_rewind.kernels.images.reviving import (
    Surroundings,
    began,
    connection_of,
    moved_log,
    new_room,
    room_body,
    second_of,
    session_at,
    surroundings,
)
from jupyter_rewind.kernels.images.storing import load_folder, store_folder
from jupyter_rewind.model.encoding import to_json
from jupyter_rewind.model.execution import kernel_key
from jupyter_rewind.model.ids import EntryId
from jupyter_rewind.model.image import (
    AFTER_CELL,
    ASKED,
    BEFORE_RESTORE,
    IDLE,
    ImageId,
    ProcessImage,
)
from jupyter_rewind.model.reference import check_label
from jupyter_rewind.model.shell import quoted
from jupyter_rewind.store.durable import Files

if TYPE_CHECKING:
    from jupyter_rewind.model.entry import Entry, Json
    from jupyter_rewind.store.transaction import Transaction

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Returned:
    """`image` came back; `kept` is the kernel as it was before, None where it slept. `other` is the
    kernel that the notebook has by now, where that is another one."""

    image: ProcessImage
    kept: ProcessImage | None
    other: str = ""


class ProcessImages(Listing):
    """The process images of one store, and the kernels of `runtime` that they are made of."""

    # --- making -------------------------------------------------------------------------

    def create(
        self,
        hosted: Hosted,
        *,
        label: str | None = None,
        stop: bool = False,
        reason: str = ASKED,
    ) -> ProcessImage:
        """An image of the kernel as it is now, durable. The kernel goes on, or, with `stop`, sleeps
        and gives its memory back. Raises Unavailable, Denied, Storage; the kernel goes on then."""
        name = check_label(label) if label is not None else None
        criu, place = self._criu(), self._place(hosted)
        with freezer.turn(place), freezer.scratch(place, self._secret_bytes(place)) as folder:
            freezer.require_awake(place)
            lighten(place, Path(hosted.connection))
            has_pulse = freezer.has_pulse(hosted)
            written = freezer.dump(criu, place, folder)
            with freezer.going_on_after_failure(place):
                if not stop:
                    freezer.go_on(place)
                image = self._store(hosted, folder, criu, reason, name, has_pulse, written)
            if stop:
                freezer.end(place)
                freezer.reserve(place, relocation.heard(folder))
                end_runs(self._repository, hosted.kernel)
        self._expire(hosted.kernel)
        return image

    def restore_into(self, what: str, ref: str) -> Returned:
        """The image `ref` of a notebook or kernel comes back: into the running kernel, or, where it
        is of an earlier one that is gone, as that kernel. Raises what `restore` and `revive` do."""
        living = self.kernels()
        try:
            present = self.find_kernel(what).kernel
        except NotFound:
            present, image = "", self.resolve(ref, self.of(what))
        else:
            try:
                image = self.resolve(ref, self.of_kernel(present))
            except NotFound:
                image = self.resolve(ref, self.of(what))
        hosted = next((each for each in living if each.kernel == image.kernel), None)
        other = present if present != image.kernel else ""
        done = self.restore(hosted, image) if hosted else self.revive(image, is_free=not other)
        return replace(done, other=other)

    def restore(self, hosted: Hosted, image: ProcessImage) -> Returned:
        """The kernel is what it was when the image was made, under the same id and connection file.

        Raises RestoreRefused, Integrity, NotFound, Unavailable, Denied, Storage; the kernel is as
        it was then.
        """
        if image.kernel != hosted.kernel:
            raise RestoreRefused(
                f"The process image {image.id} is of another kernel.",
                hint="An image comes back into the kernel it was made of. Nothing was changed.",
            )
        criu, place = self._criu(), self._place(hosted)
        found = surroundings(self._repository.entry(EntryId(image.id)))
        # Ports that somebody else had by then were moved when the kernel came back before.
        ports = relocation.moved_ports(found.connection, connection_of(hosted))
        secret = self._secret_bytes(place, image)
        with (
            freezer.turn(place),
            freezer.scratch(place, secret) as target,
            freezer.scratch(place, secret) as aside,
        ):
            moved = self._prepare(image, target, place, moved_log(found, place), lambda _: ports)
            kept = None
            if freezer.is_awake(place):
                lighten(place, Path(hosted.connection))
                has_pulse = freezer.has_pulse(hosted)
                told = has_pulse, freezer.dump(criu, place, aside)
                with freezer.going_on_after_failure(place):
                    kept = self._store(hosted, aside, criu, BEFORE_RESTORE, None, *told)
            try:
                freezer.bring_back(criu, place, hosted, target, had_pulse=self._had_pulse(image))
            except RewindError as error:
                if kept is None:
                    raise
                hint = self._take_back(criu, place, hosted, aside, kept)
                raise RestoreRefused(error.message, hint=hint) from error
            firstlife.drop_earlier(place)
        begin_history_session(Path(hosted.connection), moved)
        self._expire(hosted.kernel)
        return Returned(image, kept)

    def revive(self, image: ProcessImage, *, is_free: bool = True) -> Returned:
        """The kernel of the image is there again although its process is gone: under its old id and
        connection file, for the next server, or one that runs, to take over, with its notebook
        where that `is_free`.

        Raises Conflict where it is not gone, RestoreRefused, Integrity, NotFound, Denied, Storage.
        """
        found = surroundings(self._repository.entry(EntryId(image.id)))
        here = str(self._runtime / Path(found.hosted.connection).name)
        now = self._place_now(image.path, image.order) if image.path else ""
        session = session_at(found.hosted, now) if is_free else None
        if now != image.path:
            leave_notice(Path(here), now)
        again = replace(found.hosted, connection=here, session=session)
        self._bring_anew(image, found, again, found.connection)
        return Returned(image, None)

    def restore_beside(self, image: ProcessImage) -> Hosted:
        """A second kernel, under an id and a connection file of its own, that is what the first one
        was when the image was made; that one, if it lives, is not touched.

        Raises RestoreRefused, Integrity, NotFound, Denied, Storage; there is no second kernel then.
        """
        found = surroundings(self._repository.entry(EntryId(image.id)))
        second = second_of(found.hosted, self._runtime)
        connection = relocation.second_connection(found.connection)
        return self._bring_anew(image, found, second, connection, is_second=True)

    def _bring_anew(
        self,
        image: ProcessImage,
        found: Surroundings,
        hosted: Hosted,
        connection: dict[str, Json],
        *,
        is_second: bool = False,
    ) -> Hosted:
        criu = self._criu()
        file = Path(hosted.connection)
        place = Place(file, hosted.kernel)
        known = relocation.moved_ports(found.connection, connection)

        def ports(folder: Path) -> dict[int, int]:
            if not is_second:
                return relocation.instead_of_taken(folder)
            beside.require_alone(folder, place.folder)
            return relocation.other_ports(folder, known)

        with (
            new_room(replace(found, hosted=hosted, connection=connection)),
            # Without it the room's keeper takes what is being loaded for somebody's who was killed.
            freezer.turn(place),
            freezer.scratch(place, self._secret_bytes(None, image)) as target,
        ):
            names = moved_log(found, place)
            moved = self._prepare(image, target, place, names, ports)
            if moved and not is_second:
                told = to_json(relocation.with_ports(connection, moved))
                Files().replace_file(file, told, 0o600)
            freezer.bring_back(criu, place, hosted, target, had_pulse=self._had_pulse(image))
        begin_history_session(file, moved)
        return hosted

    def label(self, image: ProcessImage, text: str) -> None:
        """The image has this name, which no other one of its kernel has, and does not expire.

        Raises InvalidInput, Storage.
        """
        name = check_label(text)
        with self._repository.transaction() as tx:
            self._add_label(tx, image, name)

    def delete(self, image: ProcessImage) -> None:
        """The image is gone; `collect` gives its room back. Raises RestoreRefused for the one that
        a sleeping kernel needs, Storage."""
        for kernel, error in self.unreadable():
            if kernel == image.kernel:
                raise error  # it may sleep in this very image
        for hosted in self.kernels():
            asleep = hosted.kernel == image.kernel and not freezer.is_awake(self._place(hosted))
            if asleep and self.asleep_in(image.kernel).id == image.id:
                raise RestoreRefused(
                    f"The process image {image.id} is all there is of a sleeping kernel.",
                    hint="Wake it first: `jupyter rewind image restore`.",
                )
        self._drop([image])

    # --- inside -------------------------------------------------------------------------

    def _criu(self) -> programs.Criu:
        found = programs.find_criu(self._settings)
        found.require()
        return found

    def _secret_bytes(self, place: Place | None, image: ProcessImage | None = None) -> int:
        """How much will be written that only an encrypted store may hold: of the kernel that lives,
        and of an image. 0 where the store is not encrypted. Raises Unavailable."""
        if not self._repository.layout.is_encrypted:
            return 0
        living = freezer.memory_of(place) if place is not None else 0
        return max(living + (image.size_bytes if image is not None else 0), 1)

    def _had_pulse(self, image: ProcessImage) -> bool:
        return bool(self._repository.entry(EntryId(image.id)).body.get("pulse", True))

    def _store(
        self,
        hosted: Hosted,
        folder: Path,
        criu: programs.Criu,
        reason: str,
        label: str | None,
        has_pulse: bool,
        written: dict[str, Json],
    ) -> ProcessImage:
        repository = self._repository
        surrounded = room_body(hosted)
        repository.refresh()
        before = repository.latest(kinds=[IMAGE], key=kernel_key(hosted.kernel))
        since = began(hosted, before)
        files = (folder / LIST).read_bytes()
        if self._settings.kernels_image_history:
            write_book(folder, files, since)
        unnamed = needs.describe_unnamed(files, linked.taken_in(folder))
        with repository.transaction() as tx:
            stored = store_folder(repository, tx, folder, before.roots if before else ())
            told = ProcessImage(
                id=ImageId(""), kernel=hosted.kernel, name=hosted.name, path=notebook(hosted),
                time_ns=clock.now_ns(), order=0, pid=0, boot=clock.boot_id(), criu=criu.version,
                reason=reason, size_bytes=stored.size_bytes, new_bytes=tx.written_bytes,
            )  # fmt: skip
            entry = tx.add(
                IMAGE, keys=image_keys(told.kernel, told.path),
                body={**image_body(told), **surrounded, "since": since,
                      "store": str(repository.folder), "unnamed": unnamed,
                      "pulse": has_pulse, "written": written},
                roots=stored.roots,
            )  # fmt: skip
            image = decode_image(entry, ())
            marks = [self._add_label(tx, image, label)] if label else []
        return decode_image(entry, marks)

    def _add_label(self, tx: Transaction, image: ProcessImage, name: str) -> Entry:
        for other in self.of_kernel(image.kernel):
            if name in other.labels and other.id != image.id:
                tx.add(IMAGE_MARK, **mark_of(other, {"unlabel": name}))
        return tx.add(IMAGE_MARK, **mark_of(image, {"label": name}))

    def _prepare(
        self,
        image: ProcessImage,
        folder: Path,
        place: Place,
        names: dict[str, str],
        ports: Callable[[Path], dict[int, int]] | None = None,
    ) -> dict[int, int]:
        """The image's files are in `folder`, whole, and nothing stands in their way. Files in it
        that have other `names` now have them there, too, and it has those `ports` which are to be
        others: these are the answer."""
        entry = self._repository.entry(EntryId(image.id))
        load_folder(self._repository, entry.roots, folder)
        for fault in merge_book(folder):
            log.warning("IPython's history was not merged back into %s", fault)
        store = Path(str(entry.body.get("store") or self._repository.folder))
        firstlife.leave_behind(folder, store, place)
        moved = ports(folder) if ports is not None else {}
        relocation.move(folder, relocation.Moves(moved, names))
        needed = entry.body.get("needs")
        elsewhere = needs.differences(needed) if isinstance(needed, dict) else ()
        others = needs.replaced(entry.body.get("unnamed"))
        # On another machine, a copy of a file has a time of its own.
        written = entry.body.get("written") if needed is None else None
        changed = freezer.fit(folder, written if isinstance(written, dict) else None)
        problems = tuple(dict.fromkeys((*elsewhere, *others, *changed)))
        if problems:
            more = f", and {len(problems) - 3} more" if len(problems) > 3 else ""
            safe = "The running kernel was not touched."
            raise RestoreRefused(
                f"The process image {image.id} does not fit any more:"
                f" {'; '.join(problems[:3])}{more}.",
                hint=safe if freezer.is_awake(place) else "Nothing was changed.",
            )
        return moved

    def _take_back(
        self, criu: programs.Criu, place: Place, hosted: Hosted, folder: Path, kept: ProcessImage
    ) -> str:
        """The kernel is what it was before a restore that failed; the answer says what is so."""
        try:
            freezer.fit(folder)
            had_pulse = self._had_pulse(kept)
            freezer.bring_back(criu, place, hosted, folder, had_pulse=had_pulse)
        except RewindError:
            freezer.reserve(place, relocation.heard(folder))
            what = kept.path or kept.kernel
            return (
                "The kernel has ended, and what it was is in the store:"
                f" `jupyter rewind image restore {quoted(what)} {kept.id}`."
            )
        return "The kernel is as it was."

    def _expire(self, kernel: str) -> None:
        """The oldest images without a name are gone, beyond what the settings keep: of those that
        were asked for, that follow cells, that restores made, and of idle kernels, each by
        themselves."""
        for reason in (ASKED, AFTER_CELL, BEFORE_RESTORE, IDLE):
            plain = [
                each
                for each in self.of_kernel(kernel)
                if each.reason == reason and not (each.labels or each.pinned)
            ]
            try:
                self._drop(plain[: -self._settings.kernels_keep_images])
            except RewindError as error:
                # What was asked for is done; they go the next time.
                log.warning("Older process images of kernel %s are still there: %s", kernel, error)
                return

    def _drop(self, images: Sequence[ProcessImage]) -> None:
        if not images:
            return
        with self._repository.transaction(exclusive=True) as tx:
            for image in images:
                marks = self._repository.entries(kind=IMAGE_MARK, key=mark_key(image.id))
                tx.expire([EntryId(image.id), *(mark.id for mark in marks)])
