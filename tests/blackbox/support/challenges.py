"""A strict reader of WWW-Authenticate and Authentication-Info (RFC 9110, 11.3 to 11.6): anything irregular fails the test."""

from __future__ import annotations

import re

TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
PARAMETER = re.compile(rf'({TOKEN})=(?:({TOKEN})|"((?:[^"\\\x00-\x1f\x7f]|\\[\x20-\x7e])*)")')


def parameters(text: str) -> tuple[dict[str, str], dict[str, bool]]:
    """(values by lower-case name, whether each was quoted) of `name=value, name="value"`; no repeats, nothing left over."""
    values: dict[str, str] = {}
    quoted: dict[str, bool] = {}
    position = 0
    while position < len(text):
        match = PARAMETER.match(text, position)
        assert match, f"not a parameter at {position}: {text!r}"
        name = match.group(1).lower()
        assert name not in values, f"{name} is repeated: {text!r}"
        quoted[name] = match.group(3) is not None
        values[name] = re.sub(r"\\(.)", r"\1", match.group(3)) if quoted[name] else match.group(2)
        position = match.end()
        if position < len(text):
            separator = re.compile(r"[ \t]*,[ \t]*").match(text, position)
            assert separator and separator.end() < len(text), f"not a separator at {position}: {text!r}"
            position = separator.end()
    return values, quoted


def challenge(value: str) -> tuple[str, dict[str, str], dict[str, bool]]:
    """(scheme, values, quoted) of one challenge per line, as this server sends them."""
    scheme, blank, rest = value.partition(" ")
    assert re.fullmatch(TOKEN, scheme) and blank, f"not a challenge: {value!r}"
    values, quoted = parameters(rest)
    return scheme, values, quoted
