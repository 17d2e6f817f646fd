"""Clients that people really use, unmodified: curl, wget, requests, httpx, httpie, undici, Chromium (authentication §3, §4.6)."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import httpx
import pytest
import requests
from requests.adapters import HTTPAdapter
from requests.auth import HTTPBasicAuth, HTTPDigestAuth

from support.resources import PROBE, Resources
from support.wire import fresh_address

USER, PASSWORD = "mia", "pass word:with colon"
NODE = Path(__file__).parent / "node"


def resources() -> Resources:
    made = Resources().scripts("probe", main=PROBE, files='''
        @DFF.API('Count bytes')
        def count_bytes(files=None, title: str = ''):
            return {'title': title, 'sizes': [file['size'] for file in files or []], 'caller': _DFF_CALLER['name']}
    ''')
    made.fixed_field("fixed", {"location": "header", "name": "X-Auth-Token", "value": "my-auth-token"})
    made.basic("basic", {USER: PASSWORD, "jörg": "grüße aus Köln"})
    made.digest("digest", {USER: PASSWORD, "jörg": "grüße aus Köln"})
    made.digest("md5", {USER: PASSWORD}, algorithms=["MD5"])
    made.digest("sha256", {USER: PASSWORD}, algorithms=["SHA-256"])
    made.digest("plain-name", {USER: PASSWORD}, userhash=False).digest("only-auth", {USER: PASSWORD}, qop=["auth"])
    made.api("open", "probe__main.hello")
    for name in ("fixed", "basic", "digest", "md5", "sha256", "plain-name", "only-auth"):
        made.api(name, "probe__main.hello", name)
    made.api("pair", "probe__main.hello", "only-auth", "basic")
    made.api("any", "probe__main.hello", "fixed", "basic", "digest")
    for name in ("fixed", "basic", "digest"):
        made.api(f"upload-{name}", "probe__files.count_bytes", name, acceptFiles=True)
    return made


def run(*arguments, stdin: str | None = None) -> str:
    """Output of a program that must succeed; proxies and rc files of the machine play no part."""
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    done = subprocess.run([str(argument) for argument in arguments], capture_output=True, text=True, timeout=90, env=environment,
                          input=stdin, stdin=None if stdin is not None else subprocess.DEVNULL)
    assert done.returncode == 0, f"{arguments} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


def curl(*arguments) -> str:
    return run("curl", "--disable", "--silent", "--show-error", "--max-time", "30", "--interface", fresh_address(), *arguments)


def url(server, api: str, tail: str = "/s?name=Mia") -> str:
    return server.url(f"/api/v1/func-api/{api}{tail}")


# --- curl

def test_curl_fixed_field(server):
    assert curl("-H", "x-auth-token: my-auth-token", url(server, "fixed")) == "Hello, Mia!"
    assert curl("-o", "/dev/null", "-w", "%{http_code}", "-H", "x-auth-token: my-auth-toke", url(server, "fixed")) == "401"


def test_curl_basic(server):
    assert curl("--basic", "-u", f"{USER}:{PASSWORD}", url(server, "basic")) == "Hello, Mia!"
    assert curl("-u", "jörg:grüße aus Köln", url(server, "basic")) == "Hello, Mia!"
    assert curl("-o", "/dev/null", "-w", "%{http_code}", "-u", f"{USER}:wrong", url(server, "basic")) == "401"


@pytest.mark.parametrize("api", ["digest", "md5", "sha256", "plain-name"])
def test_curl_digest(server, api):
    """§4.6: curl picks the strongest algorithm, with and without userhash. (Before 8.8 its SHA-512-256 is no SHA-512-256.)"""
    assert curl("--digest", "-u", f"{USER}:{PASSWORD}", url(server, api)) == "Hello, Mia!"
    assert curl("--digest", "-u", f"{USER}:{PASSWORD}", "-H", "Content-Type: application/json", "-d", '{"name":"Mia"}', url(server, api, "/s")) == "Hello, Mia!"
    assert curl("-o", "/dev/null", "-w", "%{http_code}", "--digest", "-u", f"{USER}:wrong", url(server, api)) == "401"


def test_curl_digest_beyond_ascii(server):
    assert curl("--digest", "-u", "jörg:grüße aus Köln", url(server, "digest")) == "Hello, Mia!"


def test_curl_digest_reuses_its_nonce(server):
    """§4.4: several requests of one run with counted nc."""
    address = url(server, "digest")
    output = curl("-w", "%{http_code}\n", "-o", "/dev/null", "-o", "/dev/null", "-o", "/dev/null", "--digest", "-u", f"{USER}:{PASSWORD}", address, address, address)
    assert output.split() == ["200", "200", "200"]


def test_curl_any(server):
    """curl chooses by itself among the challenges."""
    for api in ("basic", "digest", "any"):
        assert curl("--anyauth", "-u", f"{USER}:{PASSWORD}", url(server, api)) == "Hello, Mia!"


@pytest.mark.parametrize("how", [["-H", "x-auth-token: my-auth-token"], ["-u", f"{USER}:{PASSWORD}"], ["--digest", "-u", f"{USER}:{PASSWORD}"]], ids=["fixed", "basic", "digest"])
def test_curl_upload(server, tmp_path, how):
    """function-apis §6: uploads with each type; curl sends Expect: 100-continue for large ones."""
    file = tmp_path / "large.bin"
    file.write_bytes(os.urandom(3_000_000))
    api = "upload-fixed" if how[0] == "-H" else "upload-digest" if how[0] == "--digest" else "upload-basic"
    answer = json.loads(curl(*how, "-F", "title=März", "-F", f"file=@{file}", "-F", f"second=@{file}", url(server, api, "/s")))
    assert answer["title"] == "März" and answer["sizes"] == [3_000_000, 3_000_000]


def test_curl_forms(server):
    for arguments in (["--data-urlencode", "name=Mia"], ["-F", "name=Mia"], ["-G", "--data-urlencode", "name=Mia"], ["--json", '{"name":"Mia"}']):
        assert curl("-H", "x-auth-token: my-auth-token", *arguments, url(server, "fixed", "/s")) == "Hello, Mia!"
    assert curl("-H", "x-auth-token: my-auth-token", "--json", '{"kwargs":{"name":"Mia"}}', url(server, "fixed", "")) == "Hello, Mia!"
    assert curl("--http1.0", "-u", f"{USER}:{PASSWORD}", url(server, "basic")) == "Hello, Mia!"
    assert curl("--compressed", "-u", f"{USER}:{PASSWORD}", url(server, "basic")) == "Hello, Mia!"


# --- wget, httpie

@pytest.mark.parametrize("api", ["basic", "only-auth", "pair"])
def test_wget(server, api):
    """wget waits for the challenge and answers it. It knows no qop but `auth` alone, and no scheme but Basic, Digest and NTLM."""
    output = run("wget", "--no-config", "--no-proxy", "-q", "-O", "-", "--tries=1", "--timeout=30", f"--bind-address={fresh_address()}", f"--user={USER}", f"--password={PASSWORD}",
                 url(server, api))
    assert output == "Hello, Mia!"


@pytest.mark.parametrize("api, kind", [("basic", "basic"), ("digest", "digest"), ("any", "basic"), ("any", "digest")])
def test_httpie(server, tmp_path, api, kind):
    os.environ.setdefault("HTTPIE_CONFIG_DIR", str(tmp_path))
    output = run("http", "--ignore-stdin", "--check-status", "--body", f"--auth-type={kind}", f"--auth={USER}:{PASSWORD}", "GET", url(server, api, "/s"), "name==Mia")
    assert output.rstrip("\n") == "Hello, Mia!"


# --- Python

class FromAddress(HTTPAdapter):
    """requests from a source address of its own."""

    def init_poolmanager(self, *arguments, **more):
        super().init_poolmanager(*arguments, source_address=(fresh_address(), 0), **more)


@pytest.fixture
def session():
    with requests.Session() as session:
        session.trust_env = False
        session.mount("http://", FromAddress())
        yield session


@pytest.mark.parametrize("api, auth", [("basic", HTTPBasicAuth), ("digest", HTTPDigestAuth), ("md5", HTTPDigestAuth), ("sha256", HTTPDigestAuth), ("any", HTTPBasicAuth), ("any", HTTPDigestAuth)])
def test_requests(server, session, api, auth):
    """authentication §3, §4.6: unmodified requests, also several calls on one session and a POST."""
    session.auth = auth(USER, PASSWORD)
    for _ in range(3):
        answer = session.get(url(server, api), timeout=30)
        assert answer.status_code == 200 and answer.text == "Hello, Mia!"
    assert session.post(url(server, api, "/s"), json={"name": "Mia"}, timeout=30).text == "Hello, Mia!"
    assert session.get(url(server, api), auth=auth(USER, "wrong"), timeout=30).status_code == 401


def test_requests_upload_with_digest(server, session):
    session.auth = HTTPDigestAuth(USER, PASSWORD)
    answer = session.post(url(server, "upload-digest", "/s"), files={"file": ("a.bin", b"x" * 500_000)}, data={"title": "t"}, timeout=60)
    assert answer.status_code == 200 and answer.json()["sizes"] == [500_000]


@pytest.mark.parametrize("api, auth", [("basic", httpx.BasicAuth), ("digest", httpx.DigestAuth), ("md5", httpx.DigestAuth), ("sha256", httpx.DigestAuth), ("any", httpx.DigestAuth)])
def test_httpx(server, api, auth):
    """authentication §4.6: unmodified httpx."""
    with httpx.Client(auth=auth(USER, PASSWORD), trust_env=False, timeout=30, transport=httpx.HTTPTransport(local_address=fresh_address())) as client:
        for _ in range(3):
            answer = client.get(url(server, api))
            assert answer.status_code == 200 and answer.text == "Hello, Mia!"
        assert client.post(url(server, api, "/s"), json={"name": "Mia"}).text == "Hello, Mia!"
        assert client.get(url(server, api), auth=auth(USER, "wrong")).status_code == 401


# --- Node, Chromium

def node(script: str, **order) -> dict:
    return json.loads(run("node", NODE / script, stdin=json.dumps(order)))


@pytest.mark.parametrize("pipelining", [1, 8])
def test_undici(server, pipelining):
    """Keep-alive, pipelined and parallel."""
    import base64
    authorization = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    answers = node("undici.mjs", origin=server.url(""), path="/api/v1/func-api/basic/s?name=Mia", method="GET", headers={"authorization": authorization}, body=None,
                   count=200, connections=4, pipelining=pipelining)["answers"]
    assert answers == [{"status": 200, "body": "Hello, Mia!"}] * 200
    answers = node("undici.mjs", origin=server.url(""), path="/api/v1/func-api/fixed", method="POST", headers={"x-auth-token": "my-auth-token", "content-type": "application/json"},
                   body='{"kwargs":{"name":"Mia"}}', count=50, connections=4, pipelining=pipelining)["answers"]
    assert answers == [{"status": 200, "body": "Hello, Mia!"}] * 50


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.mark.parametrize("api", ["basic", "digest", "md5", "sha256"])
def test_chromium(server, api):
    """authentication §3, §4.6: the browser answers its dialog; parallel requests with one nonce never open it again."""
    assert CHROMIUM, "Chromium is missing: script/bootstrap installs it"
    seen = node("chromium.mjs", executable=CHROMIUM, url=url(server, api), username=USER, password=PASSWORD, parallel=24, fetch=url(server, api, "/s"))
    assert seen["status"] == 200 and "Hello, Mia!" in seen["body"]
    assert seen["fetches"] == [{"status": 200, "body": f"Hello, {number}!"} for number in range(24)]


def test_chromium_wrong_password(server):
    """The browser is refused and shows the refusal, not the answer."""
    seen = node("chromium.mjs", executable=CHROMIUM, url=url(server, "basic"), username=USER, password="wrong", parallel=0)
    assert seen["status"] in (0, 401) and "Hello" not in seen["body"]
