"""The documentation keeps its promises: its documents are valid, its commands print what stands there, its links lead somewhere."""

import re
import subprocess
from pathlib import Path

import pytest

from support.server import ROOT, Server, command
from support.wire import fresh_address
from test_examples import EXAMPLES, PLACE, as_pattern, blocks

PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
DOCUMENTS = [(page, number, text) for page in PAGES
             for number, text in enumerate(re.findall(r"^```yaml\n(.*?)^```", page.read_text(encoding="utf-8"), re.S | re.M))
             if "kind:" in text]


@pytest.mark.parametrize("page, number, text", DOCUMENTS, ids=[f"{page.stem}-{number}" for page, number, _ in DOCUMENTS])
def test_documents_are_valid(page, number, text, tmp_path, monkeypatch):
    """Every resource document that a page shows passes `funcgate validate`."""
    (tmp_path / "resources.yaml").write_text(text, encoding="utf-8")
    for name in re.findall(r"\{file: ([^}]+)\}", text):
        (tmp_path / name).write_text("" if name.endswith(".py") else "a-secret-of-the-documentation\n", encoding="utf-8")
    for name in re.findall(r"\{env: (\w+)\}", text):
        monkeypatch.setenv(name, "a-secret-of-the-documentation")
    done = command("validate", "-f", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_there_are_documents():
    """The pattern above still finds them."""
    assert len(DOCUMENTS) >= 8


def test_first_five_minutes(tmp_path):
    """Every console command of the README, in its order, prints what stands below it."""
    served = Server(tmp_path / "server").start(*EXAMPLES)
    try:
        pairs = [pair for block in blocks(ROOT / "README.md") for pair in block]
        assert len(pairs) >= 5
        for line, expected in pairs:
            script = f'curl() {{ command curl --max-time 60 --interface {fresh_address()} "$@"; }}\n' + line.replace(PLACE, served.url(""))
            output = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=100, cwd=tmp_path).stdout
            assert re.fullmatch(as_pattern(expected), output.strip("\n"), re.S), f"\n$ {line}\n printed  {output}\n expected {expected}"
    finally:
        assert served.stop() == 0


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links(page):
    """Relative links of a page lead to files of the repository."""
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize("page", ["architecture", "testing", "wire"])
def test_named_tests_exist(page):
    """A page that names a test as evidence names one that exists."""
    text = (ROOT / f"docs/{page}.md").read_text(encoding="utf-8")
    unit = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests/unit").rglob("*_test.cpp"))
    for suite, name in re.findall(r"`([A-Z]\w*[a-z]\w*)\.([A-Z]\w*[a-z]\w*)`", text):
        assert re.search(rf"TEST(_F|_P)?\({suite}, *{name}\)", unit), f"{suite}.{name}"
    for file, name in re.findall(r"`(test_\w+\.py)::(test_\w+)`", text):
        assert f"def {name}(" in (Path(__file__).parent / file).read_text(encoding="utf-8"), f"{file}::{name}"


def test_errors_page_is_complete():
    """Every number of the server's own table, in both modes, with its reason."""
    source = (ROOT / "src/service/fault_text.cpp").read_text(encoding="utf-8")
    rows = set(re.findall(r'\{(\d{3}), "([0-9.]+)", "([\w.]+)"\}', source))
    assert len(rows) > 25
    page = (ROOT / "docs/errors.md").read_text(encoding="utf-8")
    for status, error, reason in rows:
        assert re.search(rf"(?<![\d.]){re.escape(error)}(?![\d.])", page), f"{error} {reason}"
        assert error.startswith(status)
    for _, _, reason in rows:
        assert reason in page or reason.rsplit(".", 1)[-1] in page, reason
