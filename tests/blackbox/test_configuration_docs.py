"""docs/configuration.md shows every key of the configuration with its default, exactly as the program prints them."""

import re

import pytest

from support.server import ROOT, command

PAGE = ROOT / "docs/configuration.md"
KEY = re.compile(r"^([a-z_]+) = (.*?) *# (.+)$")


def printed() -> str:
    done = command("check-config", "--print")
    assert done.returncode == 0, done.stderr
    return done.stdout


def embedded() -> str:
    blocks = re.findall(r"^```toml\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.S | re.M)
    assert len(blocks) == 1, "the page shows the configuration in exactly one toml block"
    return blocks[0]


def keys(text: str) -> dict[str, tuple[str, str]]:
    """section.key → (default, meaning)"""
    found, section = {}, ""
    for line in text.splitlines():
        if header := re.match(r"\[([a-z_.0-9]+)\]", line):
            section = header.group(1)
        elif entry := KEY.match(line):
            found[f"{section}.{entry.group(1)}"] = (entry.group(2), entry.group(3))
        else:
            assert not line.strip(), f"a line that is neither section nor key: {line!r}"
    return found


def test_page_is_complete():
    """Every key with its default and meaning, none that does not exist."""
    program, page = keys(printed()), keys(embedded())
    assert len(program) > 50
    assert page == program, "paste the output of `funcgate check-config --print` into the toml block of docs/configuration.md"


def test_printed_configuration_is_valid(tmp_path):
    """What is printed can be used as a file: its defaults are within its own bounds."""
    path = tmp_path / "funcgate.toml"
    path.write_text(printed(), encoding="utf-8")
    done = command("check-config", "--config", path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("key", ["limits.body_bites = 1", "server.listne = ''", "log.level = 'loud'", "limits.idle_ms = 'long'"])
def test_wrong_keys_are_named(tmp_path, key):
    """A key or value that does not exist is told with its line."""
    section, assignment = key.split(".", 1)
    path = tmp_path / "funcgate.toml"
    path.write_text(f"[{section}]\n{assignment}\n", encoding="utf-8")
    done = command("check-config", "--config", path)
    assert done.returncode == 7
    assert f"funcgate.toml:2: {section}.{assignment.split()[0]}" in done.stderr
