"""Funcgate as a process of the bench: its documents, its start, its commands. Shared by script/bench and the programs of this folder."""

from __future__ import annotations

import json
import re
import subprocess
import time
from pathlib import Path

from processes import BINARY, Failure, pinned, start, stop, tail

READY = re.compile(r'"event":"server.ready","listen":"127.0.0.1:(\d+)"')
COMMAND_S = 600.0


class Documents:
    """A growing folder of resources, as `funcgate apply` reads it. JSON is YAML."""

    def __init__(self) -> None:
        self.documents: list[dict] = []
        self.files: dict[str, str] = {}

    def add(self, kind: str, name: str, **spec) -> "Documents":
        self.documents.append({"apiVersion": "funcgate/v1", "kind": kind, "metadata": {"name": name}, "spec": spec})
        return self

    def script_set(self, name: str, text: str) -> "Documents":
        """A published set with one script `main`."""
        self.files[f"{name}.py"] = text
        return self.add("ScriptSet", name, title=name, scripts={"main": {"file": f"{name}.py"}}, publish=True)

    def secret(self, value: str) -> dict:
        """A reference to a file with the value, for valueFrom and passwordFrom."""
        name = f"secret-{len(self.files)}"
        self.files[name] = value
        return {"file": name}

    def api(self, name: str, function: str, *authentications: str, **spec) -> "Documents":
        """An API of `function`; without authentications it is open to everybody."""
        who = {"apiAuthIds": list(authentications)} if authentications else {"anonymous": True, "anonymousReason": "bench"}
        return self.add("FuncApi", name, funcId=function, **who, **spec)

    def write(self, folder: Path) -> Path:
        folder.mkdir(parents=True)
        (folder / "resources.yaml").write_text("\n---\n".join(json.dumps(document) for document in self.documents) + "\n")
        for name, text in self.files.items():
            (folder / name).write_text(text)
        return folder


class Product:
    """One server with a data directory of its own, on a port that the kernel chose unless `port` is given.

    `config` is the text of funcgate.toml, `core` the core it is bound to (None: all), `under` the command that runs it.
    """

    def __init__(self, folder: Path, binary: Path = BINARY, config: str = "", core: int | None = None, port: int = 0, under: tuple[str, ...] = ()):
        self.folder, self.binary, self.core, self.port, self.under = folder, Path(binary), core, port, under
        self.data, self.log = folder / "data", folder / "server.log"
        self.config = folder / "funcgate.toml"
        self.process: subprocess.Popen | None = None
        self.begin_s = 0.0
        folder.mkdir(parents=True, exist_ok=True)
        self.config.write_text(config)

    def launch(self, *apply: Path) -> "Product":
        """Starts without waiting."""
        arguments = [*self.under, self.binary, "serve", "--data", self.data, "--config", self.config, "--listen", f"127.0.0.1:{self.port}"]
        for path in apply:
            arguments += ["--apply", path]
        self.log.unlink(missing_ok=True)
        self.begin_s = time.perf_counter()
        self.process = start(pinned(self.core, *arguments), self.log, self.folder)
        return self

    def start(self, *apply: Path, within_s: float = 60.0) -> "Product":
        """Starts and waits until it says that it is ready."""
        self.launch(*apply)
        until = time.monotonic() + within_s
        try:
            while not (ready := READY.search(self.log.read_text(encoding="utf-8", errors="replace"))):
                if self.process.poll() is not None:
                    raise Failure(f"the server ended with {self.process.returncode}:\n{tail(self.log)}")
                if time.monotonic() > until:
                    raise Failure(f"the server was not ready within {within_s:g} s:\n{tail(self.log)}")
                time.sleep(0.002)
        except BaseException:
            stop(self.process, 5)
            raise
        self.port = int(ready.group(1))
        return self

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def command(self, *arguments: str | Path) -> str:
        """What `funcgate ARGUMENTS --data …` prints."""
        done = subprocess.run([self.binary, *map(str, arguments), "--data", self.data], capture_output=True, text=True, stdin=subprocess.DEVNULL,
                              timeout=COMMAND_S, cwd=self.folder)
        if done.returncode:
            raise Failure(f"funcgate {arguments[0]} … ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        return done.stdout

    def stop(self) -> None:
        stop(self.process, 60)
        self.process = None
