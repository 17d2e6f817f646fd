"""Python servers on uvicorn with uvloop and httptools: FastAPI, and an ASGI application written by hand. See apps/."""

from __future__ import annotations

from pathlib import Path

from peers import APPS, VENV, Peer, Running, printed
from processes import free_port, pinned, serve


class Uvicorn(Peer):
    """`app`: a module of apps/ with an object `app`."""

    def __init__(self, name: str, app: str, workers: int = 1):
        self.name, self.app, self.workers = name, app, workers

    def missing(self) -> str:
        return "" if (VENV / "bin/uvicorn").exists() else ".venv-bench"

    def version(self) -> str:
        text = "from importlib.metadata import version as v; import sys; print('Python ' + sys.version.split()[0], *(p + ' ' + v(p) for p in %r), sep=', ')"
        return printed(VENV / "bin/python", "-c", text % ["fastapi", "uvicorn", "uvloop", "httptools", "orjson"])

    def command(self, port: int) -> list[str]:
        return [str(VENV / "bin/python"), "-m", "uvicorn", f"{self.app}:app", "--app-dir", str(APPS), "--host", "127.0.0.1", "--port", str(port),
                "--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning", "--backlog", "4096",
                "--timeout-keep-alive", "60", "--workers", str(self.workers)]

    def start(self, folder: Path, core: int | None) -> Running:
        port, log = free_port(), folder / "uvicorn.log"
        process = serve(pinned(core, *self.command(port)), port, log, folder)
        return Running(process, port)
