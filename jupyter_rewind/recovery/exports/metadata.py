"""What exports tell of the notebook itself: YAML at the top, the kernel's name."""

from __future__ import annotations

import re
from typing import Any

_LONGEST = 1 << 16


def read_front_matter(text: str, comment: str = "") -> tuple[dict[str, Any], str]:
    """The YAML between two lines of `---` at the top, and the text behind it."""
    prefix = f"{comment} ?" if comment else ""
    found = re.match(
        rf"(?:#!.*\n)?\s*{prefix}---[ \t]*\n(?P<yaml>(?:{prefix}.*\n)*?)"
        rf"{prefix}---[ \t]*(?:\n|\Z)",
        text[:_LONGEST],
    )
    if found is None:
        return {}, text
    body = found["yaml"]
    if comment:
        body = re.sub(rf"^{prefix}", "", body, flags=re.MULTILINE)
    return _load(body), text[found.end() :]


def _load(text: str) -> dict[str, Any]:
    import yaml

    try:
        loaded = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        return {}
    return loaded if isinstance(loaded, dict) else {}


_KERNELS = {"python": "python3", "R": "ir", "julia": "julia"}


def kernel_metadata(front: dict[str, Any], silent: str = "python") -> dict[str, Any]:
    """The metadata of a notebook whose export says this at its top; where it's silent, of a
    notebook in the language `silent`."""
    jupyter = front.get("jupyter")
    kernel = (jupyter if isinstance(jupyter, dict) else front).get("kernelspec")
    if isinstance(kernel, dict) and isinstance(kernel.get("name"), str):
        language = kernel.get("language", "python")
        return {
            "kernelspec": {
                "display_name": str(kernel.get("display_name", kernel["name"])),
                "language": str(language),
                "name": kernel["name"],
            },
            "language_info": {"name": str(language)},
        }
    told = jupyter if isinstance(jupyter, str) else ""
    name = told or _KERNELS.get(silent, silent)
    language = silent if not told else "python" if name.startswith("python") else name
    return {
        "kernelspec": {"display_name": name, "language": language, "name": name},
        "language_info": {"name": language},
    }
