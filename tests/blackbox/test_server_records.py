"""What the server tells of its own runs: starts and stops in the audit trail, and how to make the first administrator."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import time
import urllib.parse

import pytest

from support.management import PASSWORD, Management, sign_in
from support.server import BINARY, Server, command, environment
from support.wire import Client


def runs(admin: Management) -> list[tuple[str, str]]:
    """Starts and stops, oldest first."""
    records = admin.data("/audit?event=server.")
    return [(record["event"], record["summary"]) for record in reversed(records)]


def test_starts_and_stops_are_recorded_and_an_end_that_was_none_is_told(make_server):
    server = make_server()
    admin = Management.set_up(server)
    version = command("version").stdout.split()[1]
    assert runs(admin) == [("server.started", f"Version {version} serves")]
    assert server.stop() == 0
    server.start()
    events = runs(sign_in(server))
    assert [event for event, _ in events] == ["server.started", "server.stopped", "server.started"]
    assert "cut off" not in events[-1][1]
    server.kill()
    server.start()
    admin = sign_in(server)
    events = runs(admin)
    assert [event for event, _ in events] == ["server.started", "server.stopped", "server.started", "server.started"]
    assert "the run before was cut off" in events[-1][1]
    record = admin.data("/audit?event=server.started&limit=1")[0]
    assert record["actor"]["kind"] == "SYSTEM" and record["outcome"] == "OK"
    verified = admin.post("/audit/verify", {"stream": "admin"}).expect(200).json["data"]
    assert verified["intact"] is True


class Terminal:
    """A server whose standard output is a terminal."""

    def __init__(self, server: Server, *arguments: str):
        self.master, slave = pty.openpty()
        log = (server.folder / "server.log").open("wb")
        self.process = subprocess.Popen([str(BINARY), "serve", "--data", str(server.data), "--listen", "127.0.0.1:0", *arguments],
                                        stdin=subprocess.DEVNULL, stdout=slave, stderr=log, cwd=server.folder, env=environment())
        os.close(slave)

    def read_until(self, text: str, within_s: float = 60) -> str:
        shown, until = "", time.monotonic() + within_s
        while text not in shown:
            assert time.monotonic() < until, f"the terminal shows only {shown!r}"
            if select.select([self.master], [], [], 0.2)[0]:
                shown += os.read(self.master, 65536).decode()
        return shown.replace("\r\n", "\n")

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(45)
        os.close(self.master)


@pytest.mark.parametrize("config", ["", '[admin]\nlisten = "127.0.0.1:0"\n'], ids=["one address", "an address of its own"])
def test_what_a_terminal_shows_at_the_first_start_makes_the_first_administrator(tmp_path, config):
    """The printed command, with login and password filled in, run by a shell."""
    server = Server(tmp_path / "server")
    (server.folder / "funcgate.toml").write_text(config)
    terminal = Terminal(server, "--config", str(server.folder / "funcgate.toml"))
    try:
        shown = terminal.read_until("/admin/api/v1/setup\n".replace("\n", "\r\n"))
        token = (server.data / "setup-token").read_text()
        assert token not in shown, "a screen may be watched"
        assert "console" not in shown
        shell = shown[shown.index("  printf"):].replace("LOGIN", "ada").replace("PASSWORD", f"'{PASSWORD}'")
        done = subprocess.run(["sh", "-c", shell], capture_output=True, text=True, timeout=30, cwd=server.folder)
        assert '"ok":true' in done.stdout, done.stdout + done.stderr
        url = urllib.parse.urlsplit(re.search(r"https?://\S+", shell).group())
        assert Client(url.port).post("/admin/api/v1/session", json={"login": "ada", "password": PASSWORD}).expect(200)
    finally:
        terminal.stop()


def test_setup_token_names_its_file_and_the_call(make_server):
    server = make_server()
    shown = command("setup-token", "--data", server.data).stdout
    assert str(server.data / "setup-token") in shown and "/admin/api/v1/setup" in shown and "console" not in shown
    assert (server.data / "setup-token").read_text() not in shown
