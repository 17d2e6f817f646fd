#!/usr/bin/python3
"""tools/tidy.py [FILE…]: the style rules that a tool can check, over the whole tree or the given files.

Prints `file:line: rule: what is wrong` for each finding and exits 1 if there is any. Needs Python 3.11 and nothing else; takes
about a second. What the rules are for stands in docs/testing.md and docs/architecture.md:

  include      a layer includes only what tools/layers.toml allows, by its path from src/, and only files that exist
  library      a library is named only in the layers that own it
  header       #pragma once; the first line of a header is the comment that begins its manual
  file         at most 500 lines (tests: 600)
  function     at most 70 lines (tests: 100)
  line         at most 130 columns in C++, 160 elsewhere (tables and links of documentation are exempt; tables of cases in tests: 240)
  name         no type is a Manager, Helper, Util or Impl: such names hide that nobody decided what the thing is
  word         no notes to oneself, no hosts of package registries, no paths out of the repository
  await        no braces, lambda or ?: inside an expression with co_await (docs/decisions/0001-compiler.md)
  default      a switch over an enum has no default, so that a new alternative is noticed by the compiler
  sleep        tests wait for conditions, never for a time, unless a comment on the line says why
  readme       every layer has a README.md
  build        every source file, unit test and fuzz target is listed in the CMake files beside it
"""

from __future__ import annotations

import ast
import bisect
import re
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SKIPPED = {".git", ".venv", ".venv-bench", ".cache", ".pytest_cache", "build", "data", "node_modules", "__pycache__", "corpus", "golden"}
CPP, PYTHON = {".h", ".cpp"}, {".py", ".pyi"}
TEXT = CPP | PYTHON | {".md", ".toml", ".cmake", ".txt", ".yaml", ".yml", ".json", ".mjs", ".sql", ".sh", ""}
COLUMNS_MAX, SCRIPT_COLUMNS_MAX, CASE_COLUMNS_MAX = 130, 160, 240
FILE_LINES_MAX, TEST_FILE_LINES_MAX = 500, 600
FUNCTION_LINES_MAX, TEST_FUNCTION_LINES_MAX = 70, 100
# Put together, so that this file does not contain what it looks for.
NOTES = re.compile(r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"]) + r")\b")
HOSTS = re.compile("|".join(re.escape(a + "." + b) for a, b in [
    ("pypi", "org"), ("files.pythonhosted", "org"), ("registry.npmjs", "org"), ("deb.debian", "org"), ("proxy.golang", "org"),
    ("crates", "io"), ("registry.yarnpkg", "com")]))
OUTSIDE = re.compile(re.escape("../" + "shared"))
VAGUE = re.compile(r"\b(?:class|struct|union|enum class|enum)\s+(?:\[\[\w+\]\]\s+)?"
                   r"(\w*(?:Manager|Helper|Util|Utils|Impl)(?:[A-Z]\w*)?)\b")
TYPE_HEAD = re.compile(r"\b(class|struct|union|enum)\b")
FUNCTION_TAIL = re.compile(r"\)\s*(const|noexcept|override|final|->[^;]*|\s)*$")
LITERALS = re.compile(r'R"(?P<mark>[^(\s]*)\((?:.|\n)*?\)(?P=mark)"'
                      r'|//[^\n]*|/\*(?:.|\n)*?\*/|"(?:\\.|[^"\\\n])*"|(?<![0-9A-Za-z])\'(?:\\.|[^\'\\\n])+\'')
DIRECTIVES = re.compile(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", re.M)


@dataclass(frozen=True, order=True)
class Finding:
    file: str
    line: int
    rule: str
    text: str


class Findings(list):
    def add(self, path: Path, line: int, rule: str, text: str) -> None:
        self.append(Finding(str(path.relative_to(ROOT)), line, rule, text))


def blank(match: re.Match) -> str:
    """As long as the original and with its line ends, but without content. Character literals keep a digit's place."""
    return re.sub(r"[^\n]", " ", match.group())


class Source:
    """A C++ file without comments, literals and directives; offsets are those of the file."""

    def __init__(self, path: Path, text: str):
        self.path, self.text = path, text
        self.code = DIRECTIVES.sub(blank, LITERALS.sub(blank, text))
        self.line_starts = [0] + [match.end() for match in re.finditer("\n", text)]

    def line(self, offset: int) -> int:
        return bisect.bisect_right(self.line_starts, offset)


def is_test(path: Path) -> bool:
    return path.relative_to(ROOT).parts[0] in ("tests", "bench")


def is_black_box(path: Path) -> bool:
    return path.relative_to(ROOT).parts[:2] == ("tests", "blackbox")


# ---- rules for every text

def check_words(path: Path, lines: list[str], findings: Findings) -> None:
    for number, line in enumerate(lines, 1):
        if note := NOTES.search(line):
            findings.add(path, number, "word", f"{note.group()}: do it, or describe it in docs/decisions")
        # A lock file says where each package came from; the client wrote it.
        if (host := HOSTS.search(line)) and path.name not in ("package-lock.json", "tidy.py"):
            findings.add(path, number, "word", f"names the package registry {host.group()}")
        # Tests climb out of folders on purpose.
        if OUTSIDE.search(line) and not is_test(path):
            findings.add(path, number, "word", "refers to something outside of the repository")


def check_columns(path: Path, lines: list[str], findings: Findings) -> None:
    if path.suffix in (".json", ".txt", ".sql") and path.name != "CMakeLists.txt":
        return
    fenced = False
    bound = COLUMNS_MAX if path.suffix in CPP else SCRIPT_COLUMNS_MAX
    if path.is_relative_to(ROOT / "tests"):
        bound = CASE_COLUMNS_MAX
    for number, line in enumerate(lines, 1):
        fenced ^= line.startswith("```")
        if path.suffix == ".md" and (fenced or line.lstrip().startswith("|") or "](" in line):
            continue
        if len(line) > bound:
            findings.add(path, number, "line", f"{len(line)} columns, at most {bound}")


def check_length(path: Path, lines: list[str], findings: Findings) -> None:
    bound = TEST_FILE_LINES_MAX if is_test(path) else FILE_LINES_MAX
    if path.suffix in CPP | PYTHON and len(lines) > bound:
        findings.add(path, len(lines), "file", f"{len(lines)} lines, at most {bound}: it holds more than one thing")


# ---- C++

def check_includes(source: Source, layer: str, rules: dict, findings: Findings) -> None:
    allowed = {layer, *rules["layers"][layer]}
    for match in re.finditer(r'^[ \t]*#[ \t]*include[ \t]+(["<])([^">]+)[">]', source.text, re.M):
        line, name = source.line(match.start(2)), match.group(2)
        if match.group(1) == '"':
            target = name.split("/", 1)[0]
            if "/" not in name or target not in rules["layers"]:
                findings.add(source.path, line, "include", f'"{name}" is not written from src/ as layer/file')
            elif target not in allowed:
                findings.add(source.path, line, "include", f"{layer} may not include {target} ({name})")
            elif not (ROOT / "src" / name).exists():
                findings.add(source.path, line, "include", f"there is no src/{name}")
            continue
        for prefix, owners in rules["libraries"].items():
            if name.startswith(prefix) and layer not in owners:
                findings.add(source.path, line, "library", f"<{name}> belongs to {', '.join(owners)}, not to {layer}")


def check_header(source: Source, findings: Findings) -> None:
    if source.path.suffix != ".h":
        return
    if not re.search(r"^#pragma once$", source.text, re.M):
        findings.add(source.path, 1, "header", "#pragma once is missing")
    if not source.text.startswith("//"):
        findings.add(source.path, 1, "header", "begins without the comment that says what it is")


def functions(source: Source):
    """(offset of the head, offset of the closing brace) of each outermost function body. A reading by braces: a block inside of
    namespaces and types whose head has parentheses is a function."""
    stack: list[tuple[str, int]] = []
    head, code = 0, source.code
    for match in re.finditer(r"[{};]", code):
        at, sign = match.start(), match.group()
        inside = any(kind == "function" for kind, _ in stack)
        if sign == "{":
            text = code[head:at]
            if inside:
                kind = "block"
            elif re.search(r"\bnamespace\b", text) or re.search(r"\bextern\s*$", text):
                kind = "scope"
            elif TYPE_HEAD.search(text) and not FUNCTION_TAIL.search(text):
                kind = "scope"
            else:
                kind = "function" if "(" in text else "block"
            begin = head + len(text) - len(text.lstrip())
            stack.append((kind, begin))
            head = at + 1
        elif sign == "}":
            if stack:
                kind, begin = stack.pop()
                if kind == "function":
                    yield begin, at
            head = at + 1
        elif not inside:
            head = at + 1


def check_functions(source: Source, findings: Findings) -> None:
    bound = TEST_FUNCTION_LINES_MAX if is_test(source.path) else FUNCTION_LINES_MAX
    for begin, end in functions(source):
        first, last = source.line(begin), source.line(end)
        if last - first + 1 > bound:
            head = " ".join(source.code[begin:source.code.find("{", begin)].split())
            findings.add(source.path, first, "function", f"{last - first + 1} lines, at most {bound}: {head[:80]}")


def check_names(source: Source, findings: Findings) -> None:
    for match in VAGUE.finditer(source.code):
        findings.add(source.path, source.line(match.start(1)), "name", f"{match.group(1)}: what is it?")


def await_problem(code: str, at: int) -> str | None:
    """What stands in the expression around the co_await at `at` that a name should stand for."""
    begin = max(code.rfind(sign, 0, at) for sign in ";{}") + 1
    depth = code.count("(", begin, at) - code.count(")", begin, at)
    if "?" in code[begin:at]:
        return "?:"
    for i in range(at, len(code)):
        sign = code[i]
        if sign == "(":
            depth += 1
        elif sign == ")":
            depth -= 1
        elif sign == "?":
            return "?:"
        elif sign == "{":
            return "braces" if depth > 0 else None
        elif sign == "[" and depth > 0 and code[:i].rstrip()[-1] in "(,":
            return "a lambda"
        elif sign in ";}" and depth <= 0:
            return None
    return None


def check_awaits(source: Source, findings: Findings) -> None:
    for match in re.finditer(r"\bco_await\b", source.code):
        if problem := await_problem(source.code, match.start()):
            line = source.line(match.start())
            findings.add(source.path, line, "await", f"{problem} in an expression with co_await: name it first")


def block_end(code: str, at: int) -> int:
    depth = 0
    for match in re.finditer(r"[{}]", code[at:]):
        depth += 1 if match.group() == "{" else -1
        if depth == 0:
            return at + match.start()
    return len(code)


def check_switches(source: Source, findings: Findings) -> None:
    for match in re.finditer(r"\bswitch\s*\(", source.code):
        begin = source.code.find("{", match.end())
        body = source.code[begin:block_end(source.code, begin)]
        default = re.search(r"\bdefault\s*:", body)
        if default and re.search(r"\bcase\s+[\w:]*::\w+\s*:", body):
            findings.add(source.path, source.line(begin + default.start()), "default", "hides alternatives that are added later")


def check_cpp(path: Path, text: str, rules: dict, findings: Findings) -> None:
    source = Source(path, text)
    parts = path.relative_to(ROOT).parts
    if parts[0] == "src" and len(parts) > 2:
        check_includes(source, parts[1], rules, findings)
        check_switches(source, findings)
        if path.suffix == ".cpp":
            layer = ROOT / "src" / parts[1]
            listed = "\n".join(found.read_text() for found in [*layer.glob("CMakeLists.txt"), *layer.glob("*.cmake")])
            if "/".join(parts[2:]) not in listed:
                findings.add(path, 1, "build", f"is not listed in src/{parts[1]}/CMakeLists.txt")
    check_header(source, findings)
    check_functions(source, findings)
    check_names(source, findings)
    check_awaits(source, findings)
    if parts[:2] in (("tests", "unit"), ("tests", "fuzz")) and path.suffix == ".cpp":
        listed = (path.parent / "CMakeLists.txt").read_text() if (path.parent / "CMakeLists.txt").exists() else ""
        # A fuzz target is named there without its first syllable.
        wanted = rf"funcgate_fuzz\({path.stem.removeprefix('fuzz_')}[ )]" if path.stem.startswith("fuzz_") else rf"(?<!\S){re.escape(path.name)}(?![^\s)])"
        if not re.search(wanted, listed):
            findings.add(path, 1, "build", f"is not listed in {path.parent.relative_to(ROOT)}/CMakeLists.txt: nobody runs it")
    if parts[:2] == ("tests", "unit"):
        for match in re.finditer(r"\b(sleep_for|sleep_until|usleep|nanosleep)\s*\(|(?<![\w:])sleep\s*\(", source.code):
            line = source.line(match.start())
            if "//" not in text.splitlines()[line - 1]:
                findings.add(path, line, "sleep", "a test waits for a condition with a deadline")


# ---- Python

def check_python(path: Path, text: str, findings: Findings) -> None:
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        findings.add(path, error.lineno or 1, "function", f"does not parse: {error.msg}")
        return
    bound = TEST_FUNCTION_LINES_MAX if is_test(path) else FUNCTION_LINES_MAX
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.end_lineno - node.lineno + 1 > bound:
            length = node.end_lineno - node.lineno + 1
            findings.add(path, node.lineno, "function", f"{length} lines, at most {bound}: {node.name}")
        if (is_black_box(path) and isinstance(node, ast.Call) and ast.unparse(node.func) in ("time.sleep", "sleep", "asyncio.sleep")
                and "#" not in text.splitlines()[node.lineno - 1]):
            findings.add(path, node.lineno, "sleep", "a test waits for a condition with a deadline (wait_until)")
        if isinstance(node, ast.ClassDef) and re.search(r"(Manager|Helper|Utils?|Impl)$", node.name):
            findings.add(path, node.lineno, "name", f"{node.name}: what is it?")


# ---- the tree

def files(arguments: list[str]) -> list[Path]:
    if arguments:
        return [Path(argument).resolve() for argument in arguments]
    found = []
    for path in ROOT.rglob("*"):
        if path.suffix in TEXT and not SKIPPED & set(path.relative_to(ROOT).parts) and path.is_file():
            if path.suffix or path.parent.name in ("script", ".ci", "tools"):
                found.append(path)
    return sorted(found)


def check_readmes(rules: dict, findings: Findings) -> None:
    for layer in rules["layers"]:
        folder = ROOT / "src" / layer
        if folder.is_dir() and not (folder / "README.md").exists():
            findings.add(folder / "README.md", 1, "readme", "is missing: purpose, what belongs, what does not, where to start")
    for folder in (ROOT / "src").iterdir():
        if folder.is_dir() and folder.name not in rules["layers"]:
            findings.add(folder, 1, "include", "is no layer of tools/layers.toml")


def main() -> int:
    rules = tomllib.loads((ROOT / "tools/layers.toml").read_text())
    findings = Findings()
    paths = files(sys.argv[1:])
    for path in paths:
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            findings.add(path, 1, "word", "is not UTF-8")
            continue
        lines = text.splitlines()
        check_words(path, lines, findings)
        check_columns(path, lines, findings)
        check_length(path, lines, findings)
        if path.suffix in CPP:
            check_cpp(path, text, rules, findings)
        elif path.suffix in PYTHON or (not path.suffix and lines and "python3" in lines[0]):
            check_python(path, text, findings)
    if len(sys.argv) == 1:
        check_readmes(rules, findings)
    for finding in sorted(set(findings)):
        print(f"{finding.file}:{finding.line}: {finding.rule}: {finding.text}")
    print(f"tidy: {len(paths)} files, {len(set(findings))} findings", file=sys.stderr)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
