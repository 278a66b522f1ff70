"""Parsers of command lines, and of pages."""

from __future__ import annotations

import pytest

from jupyter_rewind.kernels.comparison import report
from jupyter_rewind.model.snapshot import Fidelity
from tests.support.cells import Cells

pytestmark = pytest.mark.matrix


PARSER = """import argparse
ap = argparse.ArgumentParser(prog='p'); ap.add_argument('--x', type=int)
ap.add_argument('--y', default=argparse.SUPPRESS); ap.add_argument('--z', help=argparse.SUPPRESS)
group = ap.add_mutually_exclusive_group(); group.add_argument('--on', action='store_true')
sub = ap.add_subparsers(dest='verb'); one = sub.add_parser('one'); one.add_argument('k')
quiet = argparse.ArgumentParser(argument_default=argparse.SUPPRESS); quiet.add_argument('--q')
before = ap.format_help()"""


def test_a_parser_of_command_lines_answers_as_it_did(cells: Cells, next_cells: Cells) -> None:
    """What is suppressed stays so: `argparse` asks for that text with `is`."""
    state = cells.run(PARSER)
    told = {one.name: one for one in report(cells.store, state)}
    assert {told[name].fidelity for name in ("ap", "group", "sub", "one")} == {Fidelity.EXACT}
    cells.run("ap.add_argument('--later'); quiet.add_argument('--more')")
    for each in (cells, next_cells):
        each.go(state)
        each.check("vars(ap.parse_args([])) == {'x': None, 'z': None, 'on': False, 'verb': None}")
        each.check("vars(ap.parse_args(['one', 'a']))['k'] == 'a'")
        each.check("vars(quiet.parse_args([])) == {} and ap.format_help() == before")
        each.check("sub.choices['one'] is one and group._container is ap")


def test_a_page_that_is_parsed_again_is_said_to_be(cells: Cells, next_cells: Cells) -> None:
    """A tag that was held apart is no part of the tree any more, and the report says so."""
    pytest.importorskip("bs4")
    page = "<p>a<b>c</b></p>"
    state = cells.run(f"import bs4\nsoup = bs4.BeautifulSoup({page!r}, 'html.parser'); b = soup.b")
    told = {one.name: one for one in report(cells.store, state)}
    assert told["soup"].fidelity is told["b"].fidelity is Fidelity.REBUILT
    assert "its text, parsed again" in told["soup"].reason
    next_cells.go(state)
    next_cells.check(f"str(soup) == {page!r} and str(b) == '<b>c</b>'")
