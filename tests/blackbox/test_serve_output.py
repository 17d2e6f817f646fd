"""What the server and the commands print cannot arrive: standard output is closed or full. Nothing that was done is lost or in doubt."""

from __future__ import annotations

import os
import subprocess

import pytest

from support.resources import Resources
from support.server import BINARY, Server, command, environment, wait_until

OUTPUTS = ["full", "closed", "a pipe that nobody reads"]
WHY = {"full": "No space left on device", "closed": "Bad file descriptor", "a pipe that nobody reads": "Broken pipe"}


def popen(output: str, *arguments, errors=subprocess.PIPE) -> subprocess.Popen:
    made = dict(stdin=subprocess.DEVNULL, stderr=errors, text=True, env=environment())
    arguments = [str(argument) for argument in (BINARY, *arguments)]
    if output == "closed":
        return subprocess.Popen(arguments, preexec_fn=lambda: os.close(1), **made)
    if output == "full":
        with open("/dev/full", "wb", buffering=0) as full:
            return subprocess.Popen(arguments, stdout=full, **made)
    read, write = os.pipe()
    os.close(read)
    try:
        return subprocess.Popen(arguments, stdout=write, **made)
    finally:
        os.close(write)


def documents(count: int) -> Resources:
    made = Resources().scripts("demo", main="@DFF.API('F')\ndef f():\n    return 'it runs'\n").api("open", "demo__main.f")
    for number in range(count):
        made.variable(f"VARIABLE_{number}", "string", "value", "demo")
    return made


@pytest.mark.parametrize("count", [1, 800])  # less and more than the buffer of standard output holds
@pytest.mark.parametrize("output", OUTPUTS)
def test_a_server_whose_report_of_apply_cannot_arrive_says_so_and_serves(tmp_path, output, count):
    first, second = documents(count).write(tmp_path / "first"), Resources().variable("LAST", "string", "value").write(tmp_path / "second")
    server = Server(tmp_path)
    log = tmp_path / "errors"
    with log.open("w") as errors:
        server.process = popen(output, "serve", "--data", server.data, "--listen", "127.0.0.1:0", "--apply", first, "--apply", second, errors=errors)
    server.logs.append(log)
    try:
        ready = wait_until(server._ready_or_dead, "the server is ready", 60)
        assert isinstance(ready, dict), log.read_text()[-3000:]
        server.port = int(ready["listen"].rsplit(":", 1)[1])
        assert f"standard output: {WHY[output]}" in log.read_text() or "did not arrive" in log.read_text(), log.read_text()
        assert "it runs" in server.client.get("/api/v1/func-api/open").text
        exported = command("export", "-o", tmp_path / "exported", "--data", server.data)
        assert exported.returncode == 0 and "LAST" in exported.stdout, exported.stderr
    finally:
        assert server.stop() == 0
    assert command("audit", "verify", "--data", server.data).returncode == 0


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("errors", ["read", "full"])
def test_a_start_that_cannot_go_on_has_its_exit_code(tmp_path, output, errors):
    """Also where not even standard error takes what is wrong."""
    good = documents(800).write(tmp_path / "good")
    wrong = Resources().document("EnvVariable", "WRONG", {"type": "no such type", "value": "x"}).write(tmp_path / "wrong")
    with open("/dev/full", "w") as full:
        process = popen(output, "serve", "--data", tmp_path / "data", "--listen", "127.0.0.1:0", "--apply", good, "--apply", wrong,
                        errors=full if errors == "full" else subprocess.PIPE)
    said = process.communicate(timeout=120)[1]
    assert process.returncode == 7, (process.returncode, said)
    if errors == "read":
        assert "must be one of" in said and "server.ready" not in said
    listed = command("export", "-o", tmp_path / "exported", "--data", tmp_path / "data")
    assert listed.returncode == 0 and "VARIABLE_799" in listed.stdout, "what was applied before stays"


def test_what_is_printed_gets_into_no_file_of_a_process_without_standard_streams(tmp_path):
    """The first file that is opened would have their numbers."""
    folder = documents(800).write(tmp_path / "resources")
    process = subprocess.Popen([str(BINARY), "apply", "-f", str(folder), "--data", str(tmp_path / "data")], env=environment(),
                               preexec_fn=lambda: [os.close(file) for file in (0, 1, 2)])
    assert process.wait(120) == 1, "nobody was told"
    again = command("apply", "-f", folder, "--data", tmp_path / "data")
    assert again.returncode == 0 and "EnvVariable VARIABLE_799: unchanged" in again.stdout, (again.stdout[-500:], again.stderr)
    for file in (tmp_path / "data").rglob("*"):
        assert not file.is_file() or b"\nEnvVariable VARIABLE_799: " not in file.read_bytes(), file
