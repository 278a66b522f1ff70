"""The magic `%rewind`: words to a verb, its answer to the user; a failure is one line."""

from __future__ import annotations

import logging
import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from IPython.core.error import UsageError

from jupyter_rewind.errors import InvalidInput, RewindError
from jupyter_rewind.faces.ipython.rerunning import Rerun
from jupyter_rewind.faces.ipython.verbs import Verbs

log = logging.getLogger(__name__)
HELP = """\
%rewind to REF              the variables as they were: after In[7] (`%rewind to 7`), at a label,
                            an id, `head~2`, a time; [--rerun [--yes]] [--trust]
%rewind to REF --whole      the whole process as it was, out of a template (kernels.templates)
%rewind undo, redo          takes the last move back, makes it again
%rewind history             the states of this run
%rewind status              what is kept, and where
%rewind templates           the whole processes that are kept asleep
%rewind diff [REF] [REF]    the variables that differ
%rewind report [REF]        how faithfully each variable is kept
%rewind get NAME --at REF [--as NEW] [--trust]
                            one variable out of the past
%rewind label TEXT [--at REF]
                            a name for a state, which stays for as long as it has one
%rewind branch [NAME]       the lines of states; this one is called NAME
%rewind exclude NAME...     leaves variables out; `%rewind include NAME...` takes that back
%rewind off, on             keeps no states, keeps them again
%rewind resume [REF]        the variables of the notebook's kernel before this one"""


@dataclass(frozen=True, slots=True)
class Given:
    """The words behind a verb: plain ones, options with a value, flags."""

    words: tuple[str, ...]
    options: dict[str, str]
    flags: frozenset[str]

    def at_most(self, number: int, verb: str) -> None:
        """Raises InvalidInput for more words than `verb` takes."""
        if len(self.words) > number:
            raise InvalidInput(f"`%rewind {verb}` takes at most {number} words.", hint=_SEE)

    def word(self, at: int) -> str | None:
        return self.words[at] if at < len(self.words) else None

    def needed(self, what: str) -> str:
        """All plain words as one text. Raises InvalidInput when there is none."""
        if not self.words:
            raise InvalidInput(f"Say {what}.", hint=_SEE)
        return " ".join(self.words)


_SEE = "`%rewind` alone lists what there is."
_OPTIONS = {"get": {"at", "as"}, "label": {"at"}}
_FLAGS = {"to": {"rerun", "yes", "trust", "whole"}, "get": {"trust"}, "resume": {"trust"}}


class RewindMagic:
    """Goes back to earlier states of one kernel."""

    def __init__(self, shell: Any, verbs: Verbs) -> None:
        self._shell = shell
        self._verbs = verbs

    def run(self, line: str) -> None:
        """The answer stands below the cell. Raises UsageError, which is shown as one line."""
        try:
            answer = self.answer(line)
        except RewindError as error:
            raise UsageError(str(error)) from error
        except Exception as fault:
            log.warning("a fault of Rewind's own in `%%rewind %s`", line, exc_info=True)
            raise UsageError(
                "Jupyter Rewind met a fault of its own and did not do this:"
                f" {type(fault).__name__}: {fault}.{self._verbs.session.faults.hint}"
            ) from None
        if answer is not None:
            sys.stdout.write(f"{answer}\n")

    def answer(self, line: str) -> object:
        """What the verb in `line` answers. Raises InvalidInput, and whatever the verb raises."""
        try:
            words = shlex.split(line)
        except ValueError as error:
            raise InvalidInput(f"These words cannot be read: {error}.") from error
        if not words or words[0] in ("help", "-h", "--help"):
            return HELP
        verb = words[0].lower()
        act: Callable[[Given], object] | None = getattr(self, f"_do_{verb}", None)
        if act is None:
            raise InvalidInput(f"There is no `%rewind {verb}`.", hint=_SEE)
        return act(_parse(verb, words[1:]))

    def _do_to(self, given: Given) -> object:
        ref, trust = given.needed("where to go"), "trust" in given.flags
        if "whole" in given.flags:
            if len(given.flags) > 1:
                raise InvalidInput("`--whole` stands alone: no cell is run, nothing is loaded.")
            return self._verbs.whole(ref)
        if "rerun" in given.flags:
            ask = (lambda _: True) if "yes" in given.flags else self._ask
            return Rerun(self._verbs, self._shell, ask).to(ref, trust=trust)
        return self._verbs.to(ref, trust=trust)

    def _do_undo(self, given: Given) -> object:
        given.at_most(0, "undo")
        return self._verbs.undo()

    def _do_redo(self, given: Given) -> object:
        given.at_most(0, "redo")
        return self._verbs.redo()

    def _do_status(self, given: Given) -> object:
        given.at_most(0, "status")
        return self._verbs.status()

    def _do_templates(self, given: Given) -> object:
        given.at_most(0, "templates")
        return self._verbs.list_templates()

    def _do_history(self, given: Given) -> object:
        given.at_most(0, "history")
        return self._verbs.history()

    def _do_diff(self, given: Given) -> object:
        given.at_most(2, "diff")
        return self._verbs.diff(given.word(0), given.word(1))

    def _do_report(self, given: Given) -> object:
        return self._verbs.report(" ".join(given.words) or None)

    def _do_get(self, given: Given) -> object:
        given.at_most(1, "get")
        name = given.needed("which variable")
        at = given.options.get("at")
        if at is None:
            raise InvalidInput("Say out of which state: `%rewind get NAME --at REF`.")
        new, trust = given.options.get("as"), "trust" in given.flags
        kept, lost = self._verbs.take(name, at=at, new=new, replace=True, trust=trust)
        again = "" if kept is None else " `%rewind undo` takes this back."
        lost = f" But for a part that was not kept: {lost}." if lost else ""
        return f"{new or name} is {name} as it was at {at}.{lost}{again}"

    def _do_label(self, given: Given) -> object:
        return self._verbs.label(given.needed("which name"), given.options.get("at"))

    def _do_branch(self, given: Given) -> object:
        return self._verbs.branch(" ".join(given.words) or None)

    def _do_exclude(self, given: Given) -> object:
        return self._verbs.exclude(*given.words)

    def _do_include(self, given: Given) -> object:
        return self._verbs.include(*given.words)

    def _do_off(self, given: Given) -> object:
        given.at_most(0, "off")
        return self._verbs.off()

    def _do_on(self, given: Given) -> object:
        given.at_most(0, "on")
        return self._verbs.on()

    def _do_resume(self, given: Given) -> object:
        return self._verbs.resume(" ".join(given.words) or None, trust="trust" in given.flags)

    def _ask(self, question: str) -> bool:
        try:
            return input(question).strip().lower() in ("y", "yes")
        except (EOFError, NotImplementedError) as error:
            raise InvalidInput(
                f"{question}\nNobody can answer here.", hint="Add --yes to run them."
            ) from error


def _parse(verb: str, words: list[str]) -> Given:
    plain: list[str] = []
    options: dict[str, str] = {}
    flags: set[str] = set()
    rest = iter(words)
    for word in rest:
        if not word.startswith("--"):
            plain.append(word)
            continue
        name, equals, value = word[2:].partition("=")
        if name in _FLAGS.get(verb, ()) and not equals:
            flags.add(name)
        elif name in _OPTIONS.get(verb, ()):
            options[name] = value if equals else next(rest, "")
            if not options[name]:
                raise InvalidInput(f"--{name} needs a value.", hint=_SEE)
        else:
            raise InvalidInput(f"`%rewind {verb}` knows no {word}.", hint=_SEE)
    return Given(tuple(plain), options, frozenset(flags))
