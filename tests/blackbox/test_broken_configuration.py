"""Configurations that are missing, damaged, moved or sealed for another place close their APIs (authentication §1, §4.4)."""

import json

import pytest

from support.credentials import basic
from support.database import document, execute, set_document
from support.digest import DigestClient
from support.resources import PROBE, Resources
from support.server import Server

PASSWORD = "a password of mia"
TOKEN = {"X-Token": "a-token-0000001"}
HEALTHY = {"X-Healthy": "a-healthy-token"}
BADGE = {"X-Badge": "a badge"}
TYPES = ("fixed", "staff", "stock", "badge")
TARGET = "/api/v1/func-api/{}/s"


def resources() -> Resources:
    made = Resources().scripts("probe", main=PROBE + '''
@DFF.API('Badge')
def badge():
    return _DFF_HTTP_REQUEST['headers'].get('x-badge') == 'a badge'
''')
    made.fixed_field("fixed", {"location": "header", "name": "X-Token", "value": TOKEN["X-Token"]}).basic("staff", {"mia": PASSWORD})
    made.digest("stock", {"mia": PASSWORD, "eve": PASSWORD}, realm="stock").digest("other-stock", {"mia": "another password"}, realm="stock")
    made.func_auth("badge", "probe__main.badge")
    made.fixed_field("healthy", {"location": "header", "name": "X-Healthy", "value": HEALTHY["X-Healthy"]})
    for name in TYPES:
        made.api(name, "probe__main.hello", name).api(f"{name}-or-healthy", "probe__main.hello", name, "healthy")
    return made.api("other-stock", "probe__main.hello", "other-stock")


def answers(client, api: str, digest_header: str | None = None) -> list:
    """What callers with the right credential of each type, with a wrong one and with none get."""
    target = TARGET.format(api)
    presented = [TOKEN, basic("mia", PASSWORD), BADGE, {}, {"X-Token": "a-wrong-token-1"}, basic("mia", "wrong word"), {"X-Badge": "wrong"}]
    if digest_header:
        presented.append({"Authorization": digest_header})
    return [client.get(target, headers) for headers in presented]


def closed(answer) -> None:
    """503.99 as the specification words it, without a word about the cause."""
    answer.refused("503.99")
    assert answer.header("Retry-After") == "5" and answer.all("WWW-Authenticate") == []
    assert answer.json["message"] == "Authentication is not available" and "detail" not in answer.json


def change_type(to: str):
    def change(data, name):
        parsed = json.loads(document(data, "api_authentications", name))
        assert parsed["type"] != to
        set_document(data, "api_authentications", name, json.dumps({**parsed, "type": to}))
    return change


def write(text: str | bytes):
    return lambda data, name: set_document(data, "api_authentications", name, text)


def cut_short(data, name):
    text = document(data, "api_authentications", name)
    set_document(data, "api_authentications", name, text[: len(text) // 2])


def delete(data, name):
    assert execute(data, "DELETE FROM api_authentications WHERE id = ?", name) == 1


def rename(data, name):
    assert execute(data, "UPDATE api_authentications SET id = ? WHERE id = ?", name + "-renamed", name) == 1


DAMAGES = {
    "removed": delete,
    "renamed": rename,
    "cut short": cut_short,
    "empty": write(""),
    "no JSON": write("accept everybody"),
    "not text": write(b"\x00\xff\xfe"),
    "null": write("null"),
    "a list": write("[]"),
    "nothing in it": write("{}"),
    "of an unknown type": change_type("kerberos"),
    "without a type": change_type(None),
    "true as type": change_type(True),
    "anonymous as type": change_type("anonymous"),
}


def works(server) -> str:
    """Every type accepts its credential; the Digest header that was accepted, to be tried again later."""
    client = server.client
    client.get(TARGET.format("fixed"), TOKEN).expect(200)
    client.get(TARGET.format("staff"), basic("mia", PASSWORD)).expect(200)
    client.get(TARGET.format("badge"), BADGE).expect(200)
    mia = DigestClient(client, TARGET.format("stock"), "mia", PASSWORD)
    mia.call()[1].expect(200)
    return mia.sign(mia.challenge()).header


def all_closed(server, digest_header: str) -> None:
    for name in TYPES:
        for answer in answers(server.client, name, digest_header):
            closed(answer)
        # A healthy entry beside it still decides, with its own credential only.
        target = TARGET.format(f"{name}-or-healthy")
        server.client.get(target, HEALTHY).expect(200)
        for headers in ({}, TOKEN, basic("mia", PASSWORD), BADGE, {"X-Healthy": "wrong-wrong"}, {"Authorization": digest_header}):
            closed(server.client.get(target, headers))


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_row_closes_after_a_restart(make_server, damage):
    """authentication 3, 5: right, wrong and no credentials get 503.99, never 2xx; a healthy entry beside it works on."""
    server = make_server(resources())
    digest_header = works(server)
    assert server.stop() == 0
    for name in TYPES:
        DAMAGES[damage](server.data, name)
    server.start()
    all_closed(server, digest_header)


@pytest.mark.parametrize("damage", ["removed", "renamed", "cut short", "of an unknown type", "not text"])
def test_damaged_row_closes_with_the_next_change(make_server, damage):
    """authentication 3, 5: the same while the server runs, as soon as anything else is changed, in the connection at hand too."""
    server = make_server(resources())
    digest_header = works(server)
    for name in TYPES:
        DAMAGES[damage](server.data, name)
    server.apply(Resources().variable("UNRELATED", "string", "x", "probe"))
    all_closed(server, digest_header)
    # The same again puts everything right: nothing was lost that the documents can bring.
    server.apply(resources())
    works(server)


def test_closed_configuration_opens_when_it_is_repaired(make_server):
    """authentication 3: after the row is as it was, the next change opens it again."""
    server = make_server(resources())
    before = document(server.data, "api_authentications", "staff")
    cut_short(server.data, "staff")
    server.apply(Resources().variable("ONE", "string", "x", "probe"))
    closed(server.client.get(TARGET.format("staff"), basic("mia", PASSWORD)))
    set_document(server.data, "api_authentications", "staff", before)
    server.apply(Resources().variable("TWO", "string", "x", "probe"))
    server.client.get(TARGET.format("staff"), basic("mia", PASSWORD)).expect(200)


# --- secrets at another place

def edit(server: Server, name: str, change) -> None:
    parsed = json.loads(document(server.data, "api_authentications", name))
    change(parsed)
    set_document(server.data, "api_authentications", name, json.dumps(parsed))


def sealed_of(server: Server, name: str, user: str) -> list[str]:
    """The sealed HA1s as they are stored, one for each algorithm."""
    users = json.loads(document(server.data, "api_authentications", name))["users"]
    texts = next(entry for entry in users if entry["username"] == user)["sealedHa1"]
    assert len(texts) == 2 and all(texts)
    return texts


def put_sealed(server: Server, name: str, user: str, texts: list[str]) -> None:
    def change(parsed):
        next(entry for entry in parsed["users"] if entry["username"] == user)["sealedHa1"] = texts
    edit(server, name, change)


MOVES = {
    "to another user": lambda server: put_sealed(server, "stock", "eve", sealed_of(server, "stock", "mia")),
    "to another configuration": lambda server: put_sealed(server, "stock", "mia", sealed_of(server, "other-stock", "mia")),
    "to another realm": lambda server: edit(server, "stock", lambda parsed: parsed.update(realm="elsewhere")),
    "to the other algorithm": lambda server: put_sealed(server, "stock", "mia", sealed_of(server, "stock", "mia")[::-1]),
    "under another name": lambda server: edit(server, "stock", lambda parsed: parsed["users"][0].update(username="root")),
}


@pytest.mark.parametrize("move", MOVES)
def test_sealed_ha1_opens_at_its_place_only(make_server, move):
    """authentication 51, 3: a sealed HA1 copied to another user, realm or configuration cannot be opened; the configuration closes."""
    server = make_server(resources())
    works(server)
    DigestClient(server.client, TARGET.format("other-stock"), "mia", "another password").call()[1].expect(200)
    assert server.stop() == 0
    MOVES[move](server)
    server.start()
    header = "Digest username=\"mia\""
    for answer in answers(server.client, "stock", header):
        closed(answer)
    # Nothing else is concerned.
    DigestClient(server.client, TARGET.format("other-stock"), "mia", "another password").call()[1].expect(200)
    server.client.get(TARGET.format("staff"), basic("mia", PASSWORD)).expect(200)


def test_secrets_of_another_instance(make_server):
    """authentication 3: rows of an instance with other keys admit nobody: sealed ones close, hashed ones match nothing."""
    ours, theirs = make_server(resources()), make_server(resources())
    works(ours)
    assert ours.stop() == 0
    for name in TYPES:
        set_document(ours.data, "api_authentications", name, document(theirs.data, "api_authentications", name))
    ours.start()
    for answer in answers(ours.client, "stock"):
        closed(answer)
    ours.client.get(TARGET.format("staff"), basic("mia", PASSWORD)).refused("401.99")
    ours.client.get(TARGET.format("fixed"), TOKEN).refused("401.99")
    ours.client.get(TARGET.format("badge"), BADGE).expect(200)  # holds no secret


# --- the API's own row

@pytest.mark.parametrize("damage", ["no list", "empty list", "cut short", "anonymous as a text", "no JSON"])
def test_damaged_api_closes(make_server, damage):
    """authentication 1: an API with neither list nor `anonymous`, written past validation, answers 503.99."""
    server = make_server(resources())
    works(server)
    assert server.stop() == 0
    text = document(server.data, "function_apis", "staff")
    spec = json.loads(text)
    without = {name: value for name, value in spec.items() if name != "apiAuthIds"}
    changed = {"no list": json.dumps(without), "empty list": json.dumps({**spec, "apiAuthIds": []}), "cut short": text[: len(text) // 2],
               "anonymous as a text": json.dumps({**without, "anonymous": "true"}), "no JSON": "open to everybody"}
    set_document(server.data, "function_apis", "staff", changed[damage])
    server.start()
    for answer in answers(server.client, "staff"):
        closed(answer)
    server.client.get(TARGET.format("fixed"), TOKEN).expect(200)
