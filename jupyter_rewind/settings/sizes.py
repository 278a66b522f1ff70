"""Sizes as people write them: `20 GB`. Units are of a thousand, as disks are sold."""

from __future__ import annotations

import re

from traitlets import TraitError, Unicode

_UNITS = {"KB": 1_000, "MB": 1_000_000, "GB": 1_000_000_000, "TB": 1_000_000_000_000}
_SIZE = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)\s*([KMGT]B)", re.IGNORECASE)


class Size(Unicode[str, str]):
    """A size, or nothing; kept as it was written."""

    info_text = "a size such as 500 MB or 20 GB"

    def validate(self, obj: object, value: object) -> str:
        text = str(super().validate(obj, value)).strip()
        try:
            parse_size(text)
        except ValueError as error:
            raise TraitError(f"{self.name} is not {self.info_text}") from error
        return text


def parse_size(text: str) -> int:
    """Bytes; 0 where nothing is said. Raises ValueError for what is no size."""
    text = text.strip()
    if not text:
        return 0
    found = _SIZE.fullmatch(text)
    size = int(float(found[1]) * _UNITS[found[2].upper()]) if found else 0
    if not size:
        raise ValueError("no size")
    return size
