"""The examples of the repository: every command of their READMEs, run as a reader would, prints what stands there."""

import re
import subprocess
from pathlib import Path

import pytest

from support.server import ROOT, Server, command
from support.wire import fresh_address

EXAMPLES = sorted(path.parent for path in (ROOT / "examples").glob("*/resources.yaml"))
PLACE = "http://127.0.0.1:8089"


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """All examples in one server, as script/server serves them."""
    instance = Server(tmp_path_factory.mktemp("examples"))
    instance.start(*EXAMPLES)
    yield instance
    assert instance.stop() == 0


def blocks(readme: Path) -> list[list[tuple[str, str]]]:
    """The console blocks of a README: (command, expected output) pairs; lines with `$` start a command, `>` and `\\` go on."""
    found = []
    for block in re.findall(r"^```console\n(.*?)^```", readme.read_text(encoding="utf-8"), re.S | re.M):
        pairs: list[tuple[str, str]] = []
        for line in block.splitlines():
            if line.startswith("$ "):
                pairs.append((line[2:], ""))
            elif pairs and (pairs[-1][0].endswith("\\") or line.startswith("> ")) and not pairs[-1][1]:
                pairs[-1] = (pairs[-1][0] + "\n" + line.removeprefix("> ").removeprefix(">"), "")
            else:
                pairs[-1] = (pairs[-1][0], pairs[-1][1] + line + "\n")
        found.append(pairs)
    return found


def as_pattern(expected: str) -> str:
    """`…` stands for anything, also for the rest."""
    return ".*".join(re.escape(piece) for piece in expected.rstrip("\n").split("…"))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_readme(served, example, tmp_path):
    """Copy and paste works: one shell for the whole page, as a reader has it."""
    pairs = [pair for block in blocks(example / "README.md") for pair in block]
    assert pairs, "the README shows no command"
    script = ["shopt -s expand_aliases", f"curl() {{ command curl --max-time 60 --interface {fresh_address()} \"$@\"; }}"]
    for number, (line, _) in enumerate(pairs):
        script += [f"echo '=== {number}'", line.replace(PLACE, served.url("")), "echo"]
    done = subprocess.run(["bash"], input="\n".join(script) + "\n", capture_output=True, text=True, timeout=150, cwd=tmp_path)
    outputs = re.split(r"^=== \d+\n", done.stdout, flags=re.M)[1:]
    assert len(outputs) == len(pairs), done.stdout + done.stderr
    for (line, expected), output in zip(pairs, outputs):
        output = output.replace(served.url(""), PLACE).strip("\n")
        assert re.fullmatch(as_pattern(expected), output, re.S), f"\n$ {line}\n printed  {output}\n expected {expected}\n{done.stderr[-500:]}"


def test_ids_are_unique():
    """All examples can be served together."""
    ids = [match for example in EXAMPLES for match in re.findall(r"^kind: (\w+)\nmetadata: \{name: ([^}]+)\}", (example / "resources.yaml").read_text(), re.M)]
    assert len(ids) == len(set(ids)) > 10


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_examples_are_valid(example):
    """funcgate validate is content with each of them alone."""
    done = command("validate", "-f", example)
    assert done.returncode == 0, done.stdout + done.stderr


def test_secrets_stand_in_files(tmp_path):
    """The YAML of an example holds no secret."""
    for example in EXAMPLES:
        text = re.sub(r"#.*", "", (example / "resources.yaml").read_text())
        for secret in [*example.glob("*.secret"), *example.glob("*.password")]:
            assert not re.search(rf"value: *{re.escape(secret.read_text())}|password: *{re.escape(secret.read_text())}", text), secret


def test_first_call(served):
    """The call that the console and README promise."""
    answer = served.client.get("/api/v1/func-api/hello-fixed/s?name=World", {"x-auth-token": "my-auth-token"}).expect(200)
    assert answer.json == {"greeting": "Hello, World!", "caller": "example", "type": "fixedField"}


@pytest.mark.parametrize("badge, detail", [("refused", False), ("text", "Unknown badge"), ("json", {"hint": "badge too short"}), ("", "Send your badge in the header X-Badge")])
def test_outcomes_of_the_authentication_function(served, badge, detail):
    """The example shows all outcomes."""
    assert served.client.get("/api/v1/func-api/hello-func/s", {"X-Badge": badge}).refused("401.99").json["detail"] == detail


def test_example_that_raises(served):
    detail = served.client.get("/api/v1/func-api/hello-func/s", {"X-Badge": "raise"}).refused("401.99").json["detail"]
    assert detail["status"] == "failure" and detail["originException"] == "ValueError('no badge')"
    assert served.client.get("/api/v1/func-api/hello-func/s", {"X-Badge": "good-badge-1234"}).expect(200).json["caller"] == "badge-1234"
