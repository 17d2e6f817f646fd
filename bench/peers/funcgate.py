"""Funcgate itself, as one of the servers that are compared."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from peers import ANSWER, PASSWORD, REALM, TOKEN, USER, Peer, Running, printed
from product import Documents, Product

# As every peer: one thread and one worker for the one core that all processes share.
ONE_CORE = "[server]\nthreads = 1\n[limits]\npool_workers = 1\n"
BADGE = "a-badge-of-the-bench"
SCRIPT = f'''
import json

ANSWER = json.loads({ANSWER!r})


@DFF.API('Sum of two numbers')
def total(a: int, b: int):
    return {{'sum': a + b}}


@DFF.API('An answer that is kept', cache_result=86400)
def answer():
    return ANSWER


@DFF.API('Length of a text')
def length(text: str):
    return {{'length': len(text)}}


@DFF.API('The same again')
def echo(data):
    return {{'data': data}}


@DFF.API('Takes files')
def take(files: list = ()):
    return {{'bytes': sum(file['size'] for file in files)}}


@DFF.API('A large file')
def large():
    return DFF.RESP_FILE(DFF.RSRC('large.bin'))


@DFF.API('Looks at a badge')
def check_badge():
    return _DFF_HTTP_REQUEST['headers'].get('x-badge', '') == {BADGE!r}
'''
CALL = "/api/v1/func-api/{}/s"
SCHEMES = {"fixed": ["fixed"], "basic": ["basic"], "digest": ["digest"], "key": ["api-key"], "func": ["func"], "anonymous": []}


def documents(with_func: bool = True) -> Documents:
    """Every function behind every scheme: sum-basic, answer-digest, …; and open ones for bodies.

    Without `with_func` no authentication function is published, so that there is no pool of workers for them.
    """
    made = Documents().script_set("bench", SCRIPT)
    made.add("ApiAuthentication", "fixed", title="Fixed", type="fixedField",
             fields=[{"label": "bench", "location": "header", "name": "X-Auth-Token", "valueFrom": made.secret(TOKEN)}])
    users = [{"username": USER, "passwordFrom": made.secret(PASSWORD)}]
    made.add("ApiAuthentication", "basic", title="Basic", type="httpBasic", realm=REALM, users=users)
    made.add("ApiAuthentication", "digest", title="Digest", type="httpDigest", realm=REALM, algorithms=["SHA-256"], nonceTtl=86400, users=users)
    if with_func:
        made.add("ApiAuthentication", "func", title="Function", type="func", funcId="bench__main.check_badge")
    made.add("Role", "Key users", privileges=["Use API Key"], userGroups=["Key users"])
    made.add("UserGroup", "Key users", users=[USER])
    made.add("User", USER, passwordFrom=made.secret("Bench-Horse-22!"))
    for scheme, entries in SCHEMES.items():
        if scheme == "func" and not with_func:
            continue
        made.api(f"sum-{scheme}", "bench__main.total", *entries)
        made.api(f"answer-{scheme}", "bench__main.answer", *entries)
    made.api("length-basic", "bench__main.length", "basic")
    made.api("echo-basic", "bench__main.echo", "basic")
    made.api("take", "bench__main.take", acceptFiles=True)
    made.api("large", "bench__main.large")
    return made


class Funcgate(Peer):
    """`secrets`: key, a token of an API key. `more`: further folders of documents. `large_bytes`: size of the file that `large` answers with."""

    def __init__(self, binary: Path, name: str = "funcgate", config: str = ONE_CORE, more: Callable[[], list[Documents]] | None = None,
                 large_bytes: int = 0, with_func: bool = True):
        self.binary, self.name, self.config, self.more, self.large_bytes, self.with_func = binary, name, config, more, large_bytes, with_func

    def version(self) -> str:
        return printed(self.binary, "version")

    def start(self, folder: Path, core: int | None) -> Running:
        sets = [documents(self.with_func), *(self.more() if self.more else [])]
        folders = [made.write(folder / f"resources-{number}") for number, made in enumerate(sets)]
        product = Product(folder / "funcgate", self.binary, self.config, core).start(*folders, within_s=600)
        if self.large_bytes:
            large = product.data / "resources/bench/large.bin"
            large.parent.mkdir(parents=True, exist_ok=True)
            with large.open("wb") as file:
                file.truncate(self.large_bytes)
        try:
            product.command("key", "create", "--user", USER, "--name", "bench", "--out", folder / "key")
        except BaseException:
            product.stop()
            raise
        return Running(product.process, product.port, {"key": (folder / "key").read_text().strip()})
