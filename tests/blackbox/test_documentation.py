"""The documentation keeps its promises: its documents are valid, its commands print what stands there, its links lead somewhere."""

import re
import subprocess
from pathlib import Path

import pytest

from support.server import BINARY, ROOT, Server, command
from support.wire import fresh_address
from test_examples import EXAMPLES, PLACE, as_pattern, blocks

PAGES = sorted([*(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")), *(ROOT / "docs").rglob("*.md")])
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


def commands_on(served: Server) -> str:
    """A shell function that does what `funcgate` does in a folder whose ./data is the server's."""
    return f'funcgate() {{ {BINARY} "$@" --data {served.data}; }}\n'


@pytest.mark.parametrize("page", ["identity", "keys"])
def test_pages_of_commands(page, tmp_path):
    """Every console command of the page, in one shell as a reader has it, prints what stands below it."""
    served = Server(tmp_path / "server").start(*EXAMPLES)
    try:
        pairs = [pair for block in blocks(ROOT / f"docs/{page}.md") for pair in block]
        assert len(pairs) >= 5
        for line, expected in pairs:
            done = subprocess.run(["bash", "-c", commands_on(served) + line.replace(PLACE, served.url(""))], capture_output=True, text=True, timeout=100, cwd=tmp_path)
            assert done.returncode == 0, f"\n$ {line}\n ended with {done.returncode}\n{done.stderr}"
            assert re.fullmatch(as_pattern(expected), done.stdout.strip("\n"), re.S), f"\n$ {line}\n printed  {done.stdout}\n expected {expected}\n{done.stderr}"
    finally:
        assert served.stop() == 0


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
            script = f'curl() {{ command curl --max-time 60 --interface {fresh_address()} "$@"; }}\n' + commands_on(served) + line.replace(PLACE, served.url(""))
            done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=100, cwd=tmp_path)
            assert done.returncode == 0, f"\n$ {line}\n ended with {done.returncode}\n{done.stderr}"
            assert re.fullmatch(as_pattern(expected), done.stdout.strip("\n"), re.S), f"\n$ {line}\n printed  {done.stdout}\n expected {expected}"
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


def test_every_statement_has_its_tests():
    """The list of statements is whole, and each test it names says the number in its docstring or in the comment above it."""
    numbers = re.compile(r"authentication (?:must-hold )?((?:\d+(?:, | and |, and | to )?)+)")
    table = (ROOT / "docs/testing.md").read_text(encoding="utf-8").split("## The statements of authentication", 1)[1]
    rows = re.findall(r"^\| (\d+) \| ([^|]+) \| ([^|]+) \|$", table, re.M)
    assert [int(number) for number, _, _ in rows] == list(range(1, 87))
    units = [path.read_text(encoding="utf-8") for path in (ROOT / "tests/unit").rglob("*_test.cpp")]
    for number, _, evidence in rows:
        unit, box = re.findall(r"`([A-Z]\w*)\.([A-Z]\w*)`", evidence), re.findall(r"`(test_\w+\.py)::(test_\w+)`", evidence)
        assert unit or box, f"statement {number}"
        said = []
        for file, name in box:
            text = (Path(__file__).parent / file).read_text(encoding="utf-8")
            found = re.search(rf'def {name}\(.*?\):\n +"""(.*?)"""', text, re.S)
            assert found, f"statement {number}: {file}::{name}"
            said += numbers.findall(found.group(1))
        for suite, name in unit:
            found = [match.group(1) for text in units for match in re.finditer(rf"((?:^//[^\n]*\n)*)TEST(?:_F|_P)?\({suite}, *{name}\)", text, re.M)]
            assert found, f"statement {number}: {suite}.{name}"
            said += numbers.findall("".join(found))
        assert number in re.findall(r"\d+", " ".join(said)), f"no test of statement {number} says so"


def test_errors_page_is_complete():
    """Every number of the server's own table with its reason, in both modes, and none that the server does not have."""
    source = (ROOT / "src/service/fault_text.cpp").read_text(encoding="utf-8")
    rows = re.findall(r'\{(\d{3}), "([0-9.]+)", "([\w.]+)"\}', source)
    for status, error, one, other in re.findall(r'\{(\d{3}), "([0-9.]+)", async_api \? "([\w.]+)" : "([\w.]+)"\}', source):
        rows += [(status, error, one), (status, error, other)]
    assert len(set(rows)) > 35
    assert all(error.startswith(f"{status}.") for status, error, _ in rows)
    page = (ROOT / "docs/errors.md").read_text(encoding="utf-8")
    listed = set()
    for error, reason, compat in re.findall(r"^\| (\d{3}\.\d+) \| `([\w.]+)` \|.*\| ([^|]+) \|$", page, re.M):
        listed.add((error, reason))
        number = re.match(r"\d{3}\.\d+", compat)
        for name in re.findall(r"`([^`]+)`", compat) or [reason]:
            # "….SyncAPIDisabled": the same beginning.
            listed.add((number.group() if number else error, name.replace("…", reason.rsplit(".", 1)[0])))
    assert listed == {(error, reason) for _, error, reason in rows}


EVENT = re.compile(r"\blog::(debug|info|warning|error)\(\s*(?:\"([^\"]*)\")?")


def test_every_logged_event_is_explained():
    """docs/operating.md lists exactly the events that the server logs, each with its levels."""
    logged: dict[str, set[str]] = {}
    for path in sorted((ROOT / "src").rglob("*")):
        if path.suffix in (".cpp", ".h") and path.name not in ("log.h", "log.cpp"):
            for level, event in EVENT.findall(path.read_text(encoding="utf-8")):
                assert event, f"{path.name}: the name of an event is written where it is logged"
                logged.setdefault(event, set()).add(level)
    page = (ROOT / "docs/operating.md").read_text(encoding="utf-8")
    table = page.split("| event | level | do |\n| --- | --- | --- |\n", 1)[1].split("\n\n", 1)[0]
    named: dict[str, set[str]] = {}
    for row in table.splitlines():
        events, levels = row.split("|")[1:3]
        for event in re.findall(r"`([^`]+)`", events):
            assert event not in named, f"{event} stands there twice"
            named[event] = set(re.findall(r"\w+", levels))
    assert sorted(set(logged) - set(named)) == [], "logged, but not explained"
    assert sorted(set(named) - set(logged)) == [], "explained, but never logged"
    for event, levels in logged.items():
        assert levels <= named[event], f"{event} is logged as {levels}"


def test_the_tree_names_what_is_there():
    """docs/architecture.md, section 4: every layer, and no file that does not exist."""
    tree = (ROOT / "docs/architecture.md").read_text(encoding="utf-8").split("## 4. The tree", 1)[1].split("```")[1]
    layers: dict[str, str] = {}
    for line in tree.split("\nsrc/\n", 1)[1].splitlines():
        if found := re.match(r"  (\w+)/ +(.*)", line):
            layer = found.group(1)
            layers[layer] = found.group(2)
        else:
            layers[layer] += " " + line.strip()
    assert set(layers) == {path.name for path in (ROOT / "src").iterdir() if path.is_dir()}
    for layer, text in layers.items():
        # Behind three blanks, a colon or in brackets stands what it is for.
        text = re.sub(r" {3,}.*|\([^)]*\)|: [^·]*", " ", text)
        names = [name.strip("`,") for name in text.replace("·", " ").split() if name not in ("and", "one", "per", "noun")]
        assert names
        for name in names:
            folder = ROOT / "src" / layer
            found = (folder / name).is_dir() if name.endswith("/") else any(folder.glob(f"{name}.*")) or any(folder.glob(f"{name}repository.h"))
            assert found, f"{layer} has no {name}"
