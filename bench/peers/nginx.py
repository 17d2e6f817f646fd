"""nginx: the reference (`return 200`), authentication alone, files and uploads."""

from __future__ import annotations

import base64
import hashlib
import re
import subprocess
from pathlib import Path

from peers import ANSWER, PASSWORD, REALM, TOKEN, USER, Peer, Running, printed, program
from processes import free_port, pinned, serve

CONFIG = """
daemon off;
worker_processes {workers};
worker_rlimit_nofile 20000;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 16384; }}
http {{
  access_log off;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 1000000000;
  client_max_body_size 0;
  client_body_buffer_size 128k;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  map $http_x_auth_token $refused {{ default 1; "{token}" 0; }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    root {folder}/www;
    location / {{ {location} }}
  }}
}}
"""
RETURN = f"default_type application/json; return 200 '{ANSWER}';"
# `return` answers before authentication is looked at; an answer out of memory behind it is the built-in picture of 43 bytes.
BEHIND_BASIC = f'auth_basic "{REALM}"; auth_basic_user_file {{folder}}/users; empty_gif;'
BEHIND_TOKEN = "if ($refused) { return 401; } " + RETURN
FILES = "dav_methods PUT;"


def sha1_entry() -> str:
    return "{SHA}" + base64.b64encode(hashlib.sha1(PASSWORD.encode()).digest()).decode()


def apr1_entry() -> str:
    """What htpasswd makes by default: MD5 a thousand times, with a salt."""
    done = subprocess.run(["openssl", "passwd", "-apr1", "-salt", "benchsal", "-stdin"], input=PASSWORD, capture_output=True, text=True, check=True)
    return done.stdout.strip()


class Nginx(Peer):
    """`location`: what stands in the only location, with {folder} filled in. `users`: makes the password entry of the user file."""

    def __init__(self, name: str = "nginx-return", location: str = RETURN, users=None, workers: int = 1):
        self.name, self.location, self.users, self.workers = name, location, users, workers

    def missing(self) -> str:
        return "" if program("nginx") else "nginx-light"

    def version(self) -> str:
        return re.sub(r"^nginx version: ", "", printed(program("nginx"), "-v"))

    def start(self, folder: Path, core: int | None) -> Running:
        port = free_port()
        (folder / "www").mkdir()
        for path in (folder, folder / "www"):
            path.chmod(0o777)  # the worker changes its user when it was started as root
        if self.users:
            (folder / "users").write_text(f"{USER}:{self.users()}\n")
        config = folder / "nginx.conf"
        config.write_text(CONFIG.format(folder=folder, port=port, workers=self.workers, token=TOKEN,
                                        location=self.location.replace("{folder}", str(folder))))
        log = folder / "nginx.log"
        process = serve(pinned(core, program("nginx"), "-p", folder, "-c", config, "-e", folder / "error.log"), port, log)
        return Running(process, port)
