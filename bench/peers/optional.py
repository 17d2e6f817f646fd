"""Peers that are measured if somebody has installed them: uWSGI, Caddy, Apache. script/bootstrap does not bring them."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

from peers import ANSWER, APPS, PASSWORD, REALM, USER, Peer, Running, printed, program
from processes import free_port, pinned, serve


class Uwsgi(Peer):
    """uWSGI with its Python plug-in (packages uwsgi-core and uwsgi-plugin-python3).

    Behind its own HTTP router, because a worker that speaks HTTP itself stays with one connection while others wait.
    """

    name, optional = "uwsgi", True

    def missing(self) -> str:
        return "" if program("uwsgi") else "uwsgi-core, uwsgi-plugin-python3"

    def version(self) -> str:
        return f"uWSGI {printed(program('uwsgi'), '--version')}"

    def start(self, folder: Path, core: int | None) -> Running:
        port, log = free_port(), folder / "uwsgi.log"
        process = serve(pinned(core, program("uwsgi"), "--plugins", "http,python3", "--http", f"127.0.0.1:{port}", "--http-keepalive=60",
                               "--wsgi-file", APPS / "wsgi_by_hand.py", "--master", "--processes", "1", "--single-interpreter",
                               "--disable-logging", "--die-on-term", "--listen", "1024"), port, log, folder)
        return Running(process, port)


class Caddy(Peer):
    """Caddy: HTTP Basic, bcrypt as its own command makes it. It remembers checked passwords by itself."""

    name, optional = "caddy-basic", True

    def missing(self) -> str:
        return "" if program("caddy") else "caddy"

    def version(self) -> str:
        return f"Caddy {printed(program('caddy'), 'version').split(' ')[0]}"

    def start(self, folder: Path, core: int | None) -> Running:
        port, log = free_port(), folder / "caddy.log"
        hashed = subprocess.run([program("caddy"), "hash-password"], input=PASSWORD + "\n", capture_output=True, text=True, check=True).stdout.strip()
        (folder / "Caddyfile").write_text("{\n admin off\n auto_https off\n}\n"
                                          f"http://127.0.0.1:{port} {{\n basicauth {{\n  {USER} {hashed}\n }}\n respond `{ANSWER}` 200\n}}\n")
        process = serve(pinned(core, program("caddy"), "run", "--adapter", "caddyfile", "--config", folder / "Caddyfile"), port, log, folder,
                        {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)})
        return Running(process, port)


APACHE = """
ServerRoot "{folder}"
Listen 127.0.0.1:{port}
ListenBackLog 4096
PidFile {folder}/apache.pid
ErrorLog {folder}/error.log
ServerName 127.0.0.1
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authn_core_module {modules}/mod_authn_core.so
LoadModule authn_file_module {modules}/mod_authn_file.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule authz_user_module {modules}/mod_authz_user.so
LoadModule auth_digest_module {modules}/mod_auth_digest.so
LoadModule dir_module {modules}/mod_dir.so
ServerLimit 1
StartServers 1
ThreadLimit 128
ThreadsPerChild 128
MaxRequestWorkers 128
KeepAlive On
MaxKeepAliveRequests 0
KeepAliveTimeout 60
DocumentRoot "{folder}/www"
DirectoryIndex index.json
<Location "/">
  AuthType Digest
  AuthName "{realm}"
  AuthDigestDomain /
  AuthUserFile {folder}/users
  Require valid-user
</Location>
"""


class Apache(Peer):
    """Apache's HTTP Digest, which knows MD5 only (package apache2-bin)."""

    name, optional = "apache-digest", True
    modules = Path("/usr/lib/apache2/modules")

    def missing(self) -> str:
        return "" if program("apache2") and self.modules.is_dir() else "apache2-bin"

    def version(self) -> str:
        return printed(program("apache2"), "-v").removeprefix("Server version: ")

    def start(self, folder: Path, core: int | None) -> Running:
        port, log = free_port(), folder / "apache.log"
        folder.chmod(0o755)
        (folder / "www").mkdir()
        (folder / "www/index.json").write_text(ANSWER)
        ha1 = hashlib.md5(f"{USER}:{REALM}:{PASSWORD}".encode()).hexdigest()
        (folder / "users").write_text(f"{USER}:{REALM}:{ha1}\n")
        config = folder / "apache.conf"
        config.write_text(APACHE.format(folder=folder, port=port, realm=REALM, modules=self.modules))
        process = serve(pinned(core, program("apache2"), "-DFOREGROUND", "-f", config), port, log, folder)
        return Running(process, port)
