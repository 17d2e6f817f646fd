"""Secrets leave no trace (statements 20, 26, 61, 73, 75)."""

import base64
import os
import subprocess
from pathlib import Path

import pytest

from support.credentials import basic, traces
from support.digest import DigestClient, digest
from support.resources import PROBE, Resources
from support.server import wait_until
from support.wire import File, query

# Each secret goes through one place and is searched for everywhere.
PASSWORD = "canary-password-4711-basic"
DIGEST_PASSWORD = "canary-password-4712-digest"
FIELD = "canary-field-4713-value"
QUERY_FIELD = "canary-query-4714-value"
BODY_FIELD = "canary-body-4715-value"
VARIABLE = "canary-variable-4716-value"
BADGE = "canary-badge-4717-value"
WRONG = "canary-wrong-4718"  # prefix of everything that is sent and refused
STORED = (PASSWORD, DIGEST_PASSWORD, FIELD, QUERY_FIELD, BODY_FIELD, VARIABLE)


def resources() -> Resources:
    made = Resources().scripts("probe", main=PROBE + '''
@DFF.API('Prints secrets')
def chatty(**kwargs):
    print('variable', DFF.ENV('SECRET'), 'kwargs', kwargs)
    return 'done'

@DFF.API('Raises with a secret')
def raising():
    raise ValueError('variable is ' + DFF.ENV('SECRET'))

@DFF.API('Badge')
def badge():
    print('badge is', _DFF_HTTP_REQUEST['headers'].get('x-badge'))
    if _DFF_HTTP_REQUEST['headers'].get('x-badge') == 'raise':
        raise ValueError('x')
    return False
''')
    made.basic("basic", {"mia": PASSWORD}).digest("digest", {"mia": DIGEST_PASSWORD})
    made.fixed_field("fixed", {"location": "header", "name": "X-Shop-Token", "value": FIELD}, {"location": "query", "name": "shop_token", "value": QUERY_FIELD},
                     {"location": "body", "name": "shop_token", "value": BODY_FIELD})
    made.func_auth("badge", "probe__main.badge", credentialFields=[{"location": "header", "name": "X-Badge"}])
    made.variable("SECRET", "password", VARIABLE, "probe")
    for name in ("basic", "digest", "fixed"):
        made.api(name, "probe__main.hello", name, methods=["GET", "POST"], acceptFiles=True)
    made.api("badge", "probe__main.hello", "badge").api("chatty", "probe__main.chatty", recordDetail=True).api("raising", "probe__main.raising", "basic", errorDetail="type")
    return made.api("later", "probe__main.hello", "fixed", execMode="async", recordDetail=True)


def exercise(server) -> list:
    """Puts every secret through its place, rightly and wrongly; the answers."""
    client, answers = server.client, []
    hello = "/api/v1/func-api/{}/s"
    answers.append(client.get(hello.format("basic"), basic("mia", PASSWORD)).expect(200))
    answers.append(client.get(hello.format("basic"), basic("mia", WRONG + "-password")))
    answers.append(client.get(hello.format("basic"), basic(WRONG + "-name", PASSWORD)))
    answers.append(client.get(hello.format("basic"), {"Authorization": f"Bearer {WRONG}-bearer"}))
    answers.append(client.get(hello.format("basic"), {"Authorization": f"{WRONG}-bare"}))
    answers.append(client.get(hello.format("basic"), {"Cookie": f"session={WRONG}-cookie"}))
    mia = DigestClient(client, hello.format("digest"), "mia", DIGEST_PASSWORD)
    answers += [mia.call()[1].expect(200), mia.call(password=WRONG + "-digest")[1], mia.call(username=WRONG + "-digest-name")[1]]
    fixed = hello.format("fixed")
    answers.append(client.get(fixed, {"X-Shop-Token": FIELD}).expect(200))
    answers.append(client.get(fixed + query(shop_token=QUERY_FIELD)).expect(200))
    answers.append(client.post(fixed, json={"shop_token": BODY_FIELD}).expect(200))
    answers.append(client.post(fixed, parts=[("shop_token", BODY_FIELD), File("f", "a", b"x")]))
    answers.append(client.get(fixed, {"X-Shop-Token": WRONG + "-field"}))
    answers.append(client.get(fixed + query(shop_token=WRONG + "-query")))
    answers.append(client.post(fixed, json={"shop_token": WRONG + "-body"}))
    answers.append(client.post(hello.format("later"), {"X-Shop-Token": FIELD}, json={"shop_token": WRONG + "-stripped"}).expect(202))
    answers.append(client.get("/api/v1/func-api/" + WRONG + "-path/s?token=" + WRONG + "-tail"))
    answers.append(client.get("/" + WRONG + "-route?" + WRONG))
    answers.append(client.get(hello.format("badge"), {"X-Badge": BADGE}))
    answers.append(client.get(hello.format("badge"), {"X-Badge": "raise"}))
    answers.append(client.get(hello.format("chatty")).expect(200))
    answers.append(client.get(hello.format("raising"), basic("mia", PASSWORD)))
    answers.append(client.get(hello.format("basic"), {"X-Trace-Id": WRONG + " trace", "X-Client-Time": "ü" + WRONG}))
    return answers


@pytest.fixture(scope="module")
def exercised(server):
    answers = exercise(server)
    metrics = server.client.get("/metrics").body
    # Records are written within 2 s (function-apis §14): what is searched must hold them. An argument of the last call, which is
    # no secret, marks the end where records keep arguments in clear.
    server.client.get("/api/v1/func-api/chatty/s?marker=the-last-call").expect(200)
    wait_until(lambda: in_data(server, [b"the-last-call"]), "the last call has its record", pause_s=0.1)
    return answers, metrics


def in_data(server, needles: list[bytes]) -> list[str]:
    """Files of the data directory, logs and output of the server that contain one of the needles."""
    found = []
    for path in [*server.data.rglob("*"), *server.folder.glob("server-*")]:
        if path.is_file() and not path.is_symlink():
            content = path.read_bytes()
            found += [f"{path.name}: {needle[:40]!r}" for needle in needles if needle in content]
    return found


@pytest.mark.parametrize("secret", STORED)
def test_stored_secrets_are_nowhere_in_clear(server, exercised, secret):
    """authentication 26, 73: no stored secret in data, log, answers or metrics, in no usual encoding."""
    answers, metrics = exercised
    assert in_data(server, traces(secret)) == []
    for needle in traces(secret):
        assert needle not in metrics
        for answer in answers:
            assert needle not in answer.body and not any(needle in value.encode("latin-1", "replace") for _, value in answer.fields)


def test_refused_credentials_are_nowhere_in_clear(server, exercised):
    """authentication 73: what strangers typed into credential places is in no log, record or metric."""
    _, metrics = exercised
    needles = [f"{WRONG}-{place}".encode() for place in ("password", "name", "bearer", "bare", "cookie", "digest", "field", "query", "body", "stripped", "tail")]
    needles += [base64.b64encode(f"mia:{WRONG}-password".encode()), BADGE.encode()]
    assert in_data(server, needles) == []
    assert not [needle for needle in needles if needle in metrics]


def test_errors_do_not_echo_credentials(exercised):
    """authentication 20: no error body repeats what was sent as a credential."""
    answers, _ = exercised
    for answer in answers:
        for place in ("password", "bearer", "bare", "cookie", "digest", "field", "query", "body"):
            assert f"{WRONG}-{place}".encode() not in answer.body


def test_no_digest_hash_in_clear(server, exercised):
    """authentication 26, 51: HA1 stands nowhere in the data directory."""
    needles = [digest(algorithm, "mia", "digest", DIGEST_PASSWORD) for algorithm in ("MD5", "SHA-256")]
    assert in_data(server, [needle.encode() for needle in needles] + [bytes.fromhex(needle) for needle in needles]) == []


def test_command_lines_and_environments(server, exercised):
    """authentication 73: no secret in a command line or environment of the server's processes."""
    for pid in [server.process.pid, *server.descendants(server.process.pid)]:
        for name in ("cmdline", "environ"):
            try:
                content = Path(f"/proc/{pid}/{name}").read_bytes()
            except (FileNotFoundError, PermissionError, ProcessLookupError):
                continue
            for secret in STORED:
                assert secret.encode() not in content


def test_workers_hold_nothing_worth_stealing(server, exercised):
    """architecture §2: a worker inherits no environment, and no descriptor of database, keystore or listener."""
    for pid in server.workers():
        try:
            names = [os.readlink(f"/proc/{pid}/fd/{number}") for number in os.listdir(f"/proc/{pid}/fd")]
        except (FileNotFoundError, PermissionError, ProcessLookupError):
            continue
        assert not [name for name in names if str(server.data) in name and name.endswith((".db", ".sqlite", ".p12", ".lock"))], names


def test_data_directory_is_private(server, exercised):
    """SECURITY.md: what holds secrets is readable by the owner only."""
    assert server.data.stat().st_mode & 0o077 == 0
    done = subprocess.run(["find", str(server.data), "-type", "f", "-perm", "/o+rw"], capture_output=True, text=True, timeout=30)
    assert done.stdout == ""


def test_metric_labels_stay_bounded(server):
    """authentication 74: random names and ids make no new labels."""
    client = server.client
    client.get("/api/v1/func-api/basic/s", basic("name-0", "wrong password"))
    client.get("/api/v1/func-api/unknown-0")
    before = len(client.get("/metrics").expect(200).body.splitlines())
    for number in range(1, 60):
        client.get("/api/v1/func-api/basic/s", basic(f"name-{number}", "wrong password"))
        client.get(f"/api/v1/func-api/unknown-{number}")
        client.get("/api/v1/func-api/basic/s", {"X-Trace-Id": f"trace-{number}"})
    after = client.get("/metrics").expect(200)
    assert len(after.body.splitlines()) - before < 40
    assert b"name-1" not in after.body and b"unknown-1" not in after.body and b"trace-1" not in after.body
