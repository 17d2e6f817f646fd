"""lighttpd: HTTP Basic with its cache of checked passwords, HTTP Digest with SHA-256, with that cache and as it comes (the file of
users read for each request). It answers with a file of 60 bytes."""

from __future__ import annotations

import crypt
import hashlib
import warnings
from pathlib import Path

from peers import ANSWER, PASSWORD, REALM, USER, Peer, Running, printed, program
from processes import free_port, pinned, serve

CONFIG = """
server.modules = ("mod_auth", "mod_authn_file")
server.document-root = "{folder}/www"
server.bind = "127.0.0.1"
server.port = {port}
server.errorlog = "{folder}/error.log"
server.max-connections = 8192
server.max-fds = 16384
server.listen-backlog = 4096
server.max-keep-alive-requests = 65535
server.max-keep-alive-idle = 60
server.stat-cache-engine = "inotify"
index-file.names = ("index.json")
mimetype.assign = (".json" => "application/json")
{auth}
"""
CACHE = """
auth.cache = ("max-age" => "600")
"""
BASIC = """
auth.backend = "htpasswd"
auth.backend.htpasswd.userfile = "{folder}/users"
auth.require = ("" => ("method" => "basic", "realm" => "{realm}", "require" => "valid-user"))
"""
DIGEST = """
auth.backend = "htdigest"
auth.backend.htdigest.userfile = "{folder}/users"
auth.require = ("" => ("method" => "digest", "realm" => "{realm}", "require" => "valid-user", "algorithm" => "SHA-256"))
"""


def bcrypt_entry() -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return crypt.crypt(PASSWORD, crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=1 << 10))


class Lighttpd(Peer):
    def __init__(self, name: str, method: str, cached: bool = True):
        self.name, self.method, self.cached = name, method, cached

    def missing(self) -> str:
        return "" if program("lighttpd") else "lighttpd"

    def version(self) -> str:
        return printed(program("lighttpd"), "-v").split(" (")[0]

    def start(self, folder: Path, core: int | None) -> Running:
        port = free_port()
        (folder / "www").mkdir()
        (folder / "www/index.json").write_text(ANSWER)
        if self.method == "basic":
            (folder / "users").write_text(f"{USER}:{bcrypt_entry()}\n")
            auth = BASIC
        else:
            ha1 = hashlib.sha256(f"{USER}:{REALM}:{PASSWORD}".encode()).hexdigest()
            (folder / "users").write_text(f"{USER}:{REALM}:{ha1}\n")
            auth = DIGEST
        if self.cached:
            auth += CACHE
        config = folder / "lighttpd.conf"
        config.write_text(CONFIG.format(folder=folder, port=port, auth=auth.format(folder=folder, realm=REALM)))
        log = folder / "lighttpd.log"
        process = serve(pinned(core, program("lighttpd"), "-D", "-f", config), port, log)
        return Running(process, port)
