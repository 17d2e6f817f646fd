"""Resources as Python values, written as a folder that `funcgate apply` reads. Secrets always go to files of their own."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path


class Resources:
    """A growing set of documents. Methods return self, so that a test can write its world in one expression."""

    def __init__(self) -> None:
        self.documents: list[dict] = []
        self.files: dict[str, bytes] = {}

    def document(self, kind: str, name: str, spec: dict, application: str | None = None) -> "Resources":
        metadata = {"name": name} if application is None else {"name": name, "application": application}
        self.documents.append({"apiVersion": "funcgate/v1", "kind": kind, "metadata": metadata, "spec": spec})
        return self

    def secret(self, value: str | bytes) -> dict:
        """A reference to a file that holds the value, for valueFrom and passwordFrom."""
        name = f"secret-{len(self.files)}.txt"
        self.files[name] = value if isinstance(value, bytes) else value.encode("utf-8")
        return {"file": name}

    def scripts(self, set_id: str, **scripts: str) -> "Resources":
        """A published script set; `scripts` maps names to Python text, which may be indented."""
        entries = {}
        for name, text in scripts.items():
            file = f"{set_id}--{name}-{len(self.files)}.py"
            self.files[file] = textwrap.dedent(text).encode("utf-8")
            entries[name] = {"file": file}
        return self.document("ScriptSet", set_id, {"title": set_id, "scripts": entries, "publish": True})

    def fixed_field(self, name: str, *entries: dict, **spec) -> "Resources":
        """Entries: label (default: numbered), location, name, value, further members as they are."""
        fields = []
        for number, entry in enumerate(entries):
            entry = dict(entry)
            value = entry.pop("value", None)
            entry.setdefault("label", f"entry-{number}")
            if value is not None:
                entry["valueFrom"] = self.secret(value)
            fields.append(entry)
        return self.document("ApiAuthentication", name, {"title": name, "type": "fixedField", "fields": fields, **spec})

    def _users(self, users: dict[str, str] | list[dict]) -> list[dict]:
        if isinstance(users, dict):
            users = [{"username": name, "password": password} for name, password in users.items()]
        entries = []
        for user in users:
            user = dict(user)
            password = user.pop("password", None)
            if password is not None:
                user["passwordFrom"] = self.secret(password)
            entries.append(user)
        return entries

    def basic(self, name: str, users: dict[str, str] | list[dict], **spec) -> "Resources":
        return self.document("ApiAuthentication", name, {"title": name, "type": "httpBasic", "users": self._users(users), **spec})

    def digest(self, name: str, users: dict[str, str] | list[dict], **spec) -> "Resources":
        return self.document("ApiAuthentication", name, {"title": name, "type": "httpDigest", "users": self._users(users), **spec})

    def func_auth(self, name: str, function: str, **spec) -> "Resources":
        return self.document("ApiAuthentication", name, {"title": name, "type": "func", "funcId": function, **spec})

    def api(self, name: str, function: str, *authentications: str, **spec) -> "Resources":
        """A published function; without authentications it is anonymous."""
        if authentications:
            spec["apiAuthIds"] = list(authentications)
        else:
            spec.update(anonymous=True, anonymousReason="black-box test")
        return self.document("FuncApi", name, {"funcId": function, **spec})

    def variable(self, name: str, kind: str, value, *script_sets: str) -> "Resources":
        spec: dict = {"type": kind, "scriptSets": list(script_sets)}
        if kind == "password":
            spec["valueFrom"] = self.secret(value)
        else:
            spec["value"] = value
        return self.document("EnvVariable", name, spec)

    def write(self, folder: Path) -> Path:
        """Writes everything to the folder. JSON is YAML; one document of each is enough for the reader of either."""
        folder.mkdir(parents=True, exist_ok=True)
        texts = [json.dumps(document, ensure_ascii=False, indent=1) for document in self.documents]
        (folder / "resources.yaml").write_text("\n---\n".join(texts) + "\n", encoding="utf-8")
        for name, content in self.files.items():
            (folder / name).write_bytes(content)
        return folder


# A script that shows what it sees. Most tests publish it.
PROBE = '''
import time

def plain(value):
    if hasattr(value, 'items'):
        return {str(name): plain(member) for name, member in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(member) for member in value]
    if isinstance(value, bytes):
        return value.decode('latin-1')
    return value

@DFF.API('Arguments as they arrive')
def echo(**kwargs):
    return {'kwargs': kwargs, 'types': {name: type(value).__name__ for name, value in kwargs.items()}}

@DFF.API('Everything a function can see')
def see(**kwargs):
    request = {name: plain(_DFF_HTTP_REQUEST.get(name)) for name in
               ('method', 'url', 'originalUrl', 'host', 'hostname', 'protocol', 'headers', 'query', 'body', 'rawBody', 'ip', 'ips', 'xhr')}
    return {'kwargs': kwargs, 'request': request, 'caller': plain(_DFF_CALLER), 'trace': _DFF_TRACE_ID, 'origin': [_DFF_ORIGIN, _DFF_ORIGIN_ID]}

@DFF.API('A greeting')
def hello(name: str = 'World'):
    return f'Hello, {name}!'

@DFF.API('Count the calls')
def count(key: str = 'calls'):
    value = (DFF.STORE.get(key) or 0) + 1
    DFF.STORE.set(key, value)
    return value

@DFF.API('The count so far')
def counted(key: str = 'calls'):
    return DFF.STORE.get(key) or 0

@DFF.API('Rest', timeout=60)
def rest(seconds: float = 1.0):
    time.sleep(seconds)
    return 'rested'

@DFF.API('Fail')
def fail(text: str = 'no luck'):
    raise ValueError(text)
'''

# Behind PROBE: what begun() of support/database.py waits for.
BEGIN = '''
import os
@DFF.API('Say that it has begun, then rest, or wait for a file (support/gate.py)', timeout=120)
def begin(key: str, seconds: float = 1.0, gate: str = ''):
    DFF.STORE.set('begun ' + key, True)
    if not gate:
        time.sleep(seconds)
    while gate and not os.path.exists(gate):
        time.sleep(0.02)
    return 'rested'
'''
