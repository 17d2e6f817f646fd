"""audit.checkpoint_syslog: each checkpoint is a datagram of RFC 5424 to the socket of syslog, and whoever asked for one hears when it
is not (identity §8)."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import signal
import socket
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from support.management import Management
from support.server import Server, command, wait_until

# As what a daemon gets: facility "log audit", severity "notice".
MESSAGE = re.compile(r"<109>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z [!-~]+ funcgate (\d+) audit\.checkpoint - (\{.*\})")


class Daemon:
    """The socket that a syslog daemon of this machine listens on."""

    def __init__(self, path: Path):
        self.path = path
        self.listen()

    def listen(self) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.settimeout(30)
        self.socket.bind(str(self.path))

    def end(self) -> None:
        self.socket.close()
        self.path.unlink(missing_ok=True)

    def received(self) -> re.Match:
        found = MESSAGE.fullmatch(self.socket.recv(1 << 20).decode("ascii"))
        assert found, "another form"
        return found

    def fill(self) -> None:
        """As of a daemon that stands still."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as others:
            others.setblocking(False)
            with pytest.raises(BlockingIOError):
                while True:
                    others.sendto(b"<13>1 - - others - - - noise", str(self.path))


@pytest.fixture
def daemon():
    folder = Path(tempfile.mkdtemp(prefix="syslog-"))  # pytest's paths may be longer than a socket's
    made = Daemon(folder / "log")
    yield made
    made.end()
    shutil.rmtree(folder)


@pytest.fixture
def world(make_server, daemon, tmp_path) -> tuple[Server, Management, Path]:
    file = tmp_path / "checkpoints.jsonl"
    server = make_server(config=f'[audit]\ncheckpoint_file = "{file}"\ncheckpoint_syslog = "{daemon.path}"\n')
    daemon.received()  # that of the start
    return server, Management.set_up(server), file


def test_each_checkpoint_is_one_datagram_and_verifies(world, daemon, tmp_path):
    server, admin, file = world
    answered = admin.post("/audit/checkpoints").expect(201).json["data"]
    received = daemon.received()
    assert int(received[1]) == server.process.pid
    assert json.loads(received[2]) == answered
    assert received[2] == file.read_text().splitlines()[-1]
    collected = tmp_path / "collected.jsonl"
    collected.write_text(received[2] + "\n")
    assert server.stop() == 0
    done = command("audit", "verify", "--data", server.data, "--checkpoint", collected)
    assert done.returncode == 0 and "chain intact" in done.stdout, done.stderr


def test_a_checkpoint_that_nobody_takes_is_no_success_but_stands_in_the_file(world, daemon):
    _, admin, file = world
    daemon.end()
    refused = admin.post("/audit/checkpoints").refused("503.1")
    assert str(daemon.path) in refused.json["message"]
    assert len(file.read_text().splitlines()) == 2, "that of the start, and this one"
    daemon.listen()
    admin.post("/audit/checkpoints").expect(201)
    daemon.received()
    assert len(file.read_text().splitlines()) == 3


def test_where_the_file_fails_syslog_gets_it_all_the_same(world, daemon):
    _, admin, file = world
    file.unlink()
    file.mkdir()
    refused = admin.post("/audit/checkpoints").refused("503.1")
    assert str(file) in refused.json["message"] and str(daemon.path) not in refused.json["message"]
    daemon.received()


def test_where_the_file_does_not_answer_syslog_gets_it_all_the_same(world, daemon):
    """As on a mount whose server has gone: whoever opens the file waits. A lease on it does the same here."""
    _, admin, file = world
    ignored = signal.signal(signal.SIGIO, signal.SIG_IGN)  # the kernel's "somebody waits" to the holder of a lease
    holder = os.open(file, os.O_RDWR)
    try:
        fcntl.fcntl(holder, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(admin.post, "/audit/checkpoints")
            sent = daemon.received()[2]
            assert "checkpoint file" in asked.result(60).refused("503.1").json["message"]
    finally:
        os.close(holder)
        signal.signal(signal.SIGIO, ignored)
    wait_until(lambda: sent in file.read_text().splitlines(), "the file gets it as soon as it answers")


def test_a_daemon_that_stands_still_holds_up_nobody_else(world, daemon):
    _, admin, _ = world
    daemon.fill()
    with ThreadPoolExecutor(1) as pool:
        begin = time.monotonic()
        asked = pool.submit(admin.post, "/audit/checkpoints")
        number = 0
        while not asked.done():
            admin.create("/users", login=f"meanwhile-{number}")
            number += 1
        assert asked.result().refused("503.1").json["message"].endswith("did not take it within 5 s")
        assert number >= 2 and time.monotonic() - begin < 30
    daemon.end()
    daemon.listen()
    wait_until(lambda: admin.post("/audit/checkpoints").status == 201, "the daemon takes them again")


@pytest.mark.parametrize("path, problem", [("log", "absolute path"), ("udp://127.0.0.1:514", "absolute path"), ("/" + "x" * 200, "at most 107 bytes")])
def test_what_cannot_be_a_socket_is_told_before_the_start(tmp_path, path, problem):
    config = tmp_path / "funcgate.toml"
    config.write_text(f'[audit]\ncheckpoint_syslog = "{path}"\n')
    done = command("check-config", "--config", config)
    assert done.returncode != 0 and "audit.checkpoint_syslog" in done.stdout + done.stderr and problem in done.stdout + done.stderr
