"""Images of Pillow and what draws on them."""

from __future__ import annotations

import pytest

from jupyter_rewind.kernels.comparison import report
from tests.support.cells import Cells

pytestmark = pytest.mark.matrix
pytest.importorskip("PIL.ImageDraw")


@pytest.mark.parametrize(
    ("mode", "drawing", "colour"),
    [
        ("RGB", "", (9, 9, 9)),
        ("RGB", ", 'RGBA'", (9, 9, 9)),
        ("L", "", 9),
        ("P", "", 9),
        ("F", "", 9.0),
    ],
)
def test_what_draws_on_an_image_draws_on_it_after_a_restore(
    cells: Cells, next_cells: Cells, mode: str, drawing: str, colour: object
) -> None:
    """The two come back together, whichever of them a cell changed last."""
    first = cells.run(
        "from PIL import Image, ImageDraw\n"
        f"im = Image.new({mode!r}, (4, 4)); dr = ImageDraw.Draw(im{drawing}); dr.fill = True"
    )
    drawn = "RGBA" if drawing else mode
    second = cells.run(f"dr.point((1, 1), fill={colour!r})")
    cells.run(f"dr.point((2, 2), fill={colour!r})")
    assert [
        one.reason for one in report(cells.store, second) if one.name in ("im", "dr") and one.reason
    ] == []
    for each in (cells, next_cells):
        for state, is_drawn in ((second, True), (first, False), (second, True)):
            each.go(state)
            each.check(f"(im.getpixel((1, 1)) == {colour!r}) is {is_drawn}")
            each.check("im.getpixel((2, 2)) == im.getpixel((0, 0))")
            each.check("dr._image is im and dr.im is im.im")
            each.check(f"(dr.mode, dr.fill) == ({drawn!r}, True)")
        each.run(f"dr.point((3, 3), fill={colour!r})")
        each.check(f"im.getpixel((3, 3)) == {colour!r} and type(dr) is ImageDraw.ImageDraw")
