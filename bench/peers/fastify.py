"""Fastify on Node: the JavaScript peer. The application is bench/node/server.mjs."""

from __future__ import annotations

import json
from pathlib import Path

from peers import PASSWORD, REALM, USER, Peer, Running, printed, program
from processes import ROOT, free_port, pinned, serve

FOLDER = ROOT / "bench/node"


class Fastify(Peer):
    name = "fastify"

    def missing(self) -> str:
        if not program("node"):
            return "nodejs"
        return "" if (FOLDER / "node_modules/fastify").is_dir() else "bench/node/node_modules"

    def version(self) -> str:
        package = json.loads((FOLDER / "node_modules/fastify/package.json").read_text())
        return f"Node {printed(program('node'), '--version')}, fastify {package['version']}"

    def start(self, folder: Path, core: int | None) -> Running:
        port, log = free_port(), folder / "node.log"
        environment = {"NODE_ENV": "production", "PORT": str(port), "BENCH_USER": USER, "BENCH_PASSWORD": PASSWORD, "BENCH_REALM": REALM}
        process = serve(pinned(core, program("node"), FOLDER / "server.mjs"), port, log, folder, environment)
        return Running(process, port)
