"""Fixtures of the black-box tests.

A test module describes its world in a function `resources() -> Resources`, and if need be a text `CONFIG` (TOML); the fixture
`server` starts one server for the whole module from them, `client` calls it. Tests that stop, kill or reconfigure use
`make_server`, which gives each its own.
"""

from __future__ import annotations

import pytest

from support.resources import Resources
from support.server import BINARY, Server
from support.wire import Client


def pytest_configure(config):
    if not BINARY.exists():
        raise pytest.UsageError(f"{BINARY} is missing: run script/build first, or set FUNCGATE_BIN")


@pytest.fixture(scope="module")
def server(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("server")
    instance = Server(folder, getattr(request.module, "CONFIG", None))
    resources: Resources = request.module.resources()
    instance.start(instance.write(resources))
    yield instance
    assert instance.stop() == 0, f"the server did not end cleanly:\n{instance.log()[-3000:]}"


@pytest.fixture
def client(server) -> Client:
    assert server.process.poll() is None, f"the server has died:\n{server.log()[-3000:]}"
    return server.client


@pytest.fixture
def make_server(tmp_path):
    """`make_server(resources, config=None)`: a started server of this test alone."""
    made: list[Server] = []

    def make(resources: Resources | None = None, config: str | None = None) -> Server:
        instance = Server(tmp_path / f"server-{len(made)}", config)
        made.append(instance)
        return instance.start(*([instance.write(resources)] if resources else []))

    yield make
    for instance in made:
        instance.stop()
