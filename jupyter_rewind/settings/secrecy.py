"""Words that may be shown: what the environment keeps secret, and what an address may hide, is out.

It knows no credential by itself. It goes by the names of variables, by the queries of addresses (a
signed one opens a door) and by what stands before an @ in them.
"""

from __future__ import annotations

import os
import re

_QUERY = re.compile(r"(\b\w+://[^\s?\"'<>]+)\?[^\s\"')<>]*")
_LOGIN = re.compile(
    r"(\b\w+://)"
    # A password may hold a slash, and half of those that providers draw do; a port is none.
    r"(?:[^\s/@\"'<>]+|[^\s/@:\"'<>]*:(?!\d{1,5}/)[^\s@\"'<>]+)@"
)
_SECRET = re.compile(r"SECRET|TOKEN|PASSWORD|CREDENTIAL|ACCESS_KEY|ACCOUNT_KEY|SAS", re.IGNORECASE)
_SHORTEST = 6


def holds_login(address: str) -> bool:
    """Whether a user name or a password stands in the address, or what can be nothing else."""
    before_query = address.partition("?")[0]
    place = before_query.partition("://")[2].partition("/")[0]
    return "@" in place or bool(_LOGIN.search(before_query))


def hide_secrets(text: str) -> str:
    """`text` without the queries and logins of addresses, and without any value that the
    environment names as a secret."""
    text = _LOGIN.sub(r"\1***@", _QUERY.sub(r"\1", text))
    for name, value in os.environ.items():
        # A path to a file of secrets is none, and helps whoever looks for a mistake.
        if len(value) >= _SHORTEST and _SECRET.search(name) and not os.path.isabs(value):
            text = text.replace(value, "***")
    return text
