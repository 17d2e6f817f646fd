"""What calls of the management API refuse, record and give back, over a real server: parameters, media types, events, exports, orders."""

from __future__ import annotations

import json
import re

import pytest
import yaml

from support.keys import packed, set_secret, signed, unpacked
from support.management import PASSWORD, Management, api, quoted
from support.resources import PROBE, Resources
from support.server import Server, wait_until

ODD = "# tab\t, \"quotes\", Ünïcödé, \\ and no line end\nTEXT = '''\n---\n: [not yaml}\n\r\n'''  \n  "
VARIABLE = "kind: EnvVariable\nmetadata: {name: RULES}\nspec: {type: string, value: north}\n"
GONE = "kind: EnvVariable\nmetadata: {name: GONE}\nspec: {type: string, value: south}\n"


def resources() -> Resources:
    made = Resources().scripts("demo", probe=PROBE).fixed_field("token", {"location": "header", "name": "X-Token", "value": "a-token-of-the-test"})
    made.basic("people", {"mia": "Correct-horse-1"}).variable("REGION", "string", "north", "demo").variable("HIDDEN", "password", "word-of-the-test", "demo")
    made.api("keyed", "demo__probe.hello", "api-key", methods=["GET"]).api("later", "demo__probe.hello", execMode="async", methods=["POST"])
    return made.api("closed", "demo__probe.hello", "token", "people", methods=["GET"])


@pytest.fixture(scope="module")
def admin(server) -> Management:
    return Management.set_up(server)


def post(admin: Management, path: str, text: str | bytes, content_type: str | None = "application/yaml"):
    headers = [pair for pair in admin.headers("POST") if pair[0] != "Content-Type"]
    return api(admin.client, "POST", path, headers + ([("Content-Type", content_type)] if content_type else []), body=text)


def findings(answer) -> list[tuple[str, str]]:
    return [(one["path"], one["code"]) for one in answer.json["detail"]["errors"]]


def events(admin: Management, query: str) -> list[dict]:
    return admin.data(f"/audit?limit=200&{query}")


# --- parameters

@pytest.mark.parametrize(("query", "found"), [
    ("dryRun=1", [("dryRun", "value")]), ("dry_run=true", [("dry_run", "unknown")]), ("dryRun=True", [("dryRun", "value")]), ("dryRun", [("dryRun", "value")]),
    ("dryrun=true", [("dryrun", "unknown")]), ("dryRun=true&dryRun=false", [("dryRun", "duplicate")]), ("prune=1", [("prune", "value")]),
    ("set=a&set=b", [("set", "duplicate")]), ("prune=yes&force=true", [("prune", "value"), ("force", "unknown")]), ("limit=3", [("limit", "unknown")])])
def test_a_parameter_that_apply_does_not_have_applies_nothing(admin, query, found):
    answer = post(admin, f"/resources/apply?{query}", VARIABLE).refused("400.43")
    assert findings(answer) == found
    if query == "dry_run=true":
        assert "did you mean dryRun?" in answer.text
    admin.get("/env-variables/RULES").refused("404.41")


def test_only_true_prunes(admin):
    post(admin, "/resources/apply?set=rules", VARIABLE + "---\n" + GONE).expect(200)
    post(admin, "/resources/apply?set=rules&prune=1", VARIABLE).refused("400.43")
    post(admin, "/resources/apply?set=rules&prune=false", VARIABLE).expect(200)
    post(admin, "/resources/apply?set=rules&prune=true&dryRun=true", VARIABLE).expect(200)
    admin.get("/env-variables/GONE").expect(200)
    post(admin, "/resources/apply?set=rules&prune=true", VARIABLE).expect(200)
    admin.get("/env-variables/GONE").refused("404.41")
    post(admin, "/resources/diff?dryRun=true", VARIABLE).refused("400.43")


def test_every_call_refuses_what_it_does_not_know(admin):
    for method, path, body in [("GET", "/me", None), ("GET", "/server", None), ("GET", "/env-variables/REGION", None), ("GET", "/resources/export", None),
                               ("POST", "/users", {"login": "unknown-parameter"}), ("POST", "/audit/checkpoints", None), ("PUT", "/password-policy", {})]:
        answer = admin.call(method, f"{path}?surprise=1", body, If_Match="*").refused("400.43")
        assert findings(answer) == [("surprise", "unknown")], path
    assert admin.data("/users?login=unknown-parameter") == []


def test_strangers_learn_nothing_of_parameters(server, admin):
    Management(server).get("/me?surprise=1").refused("401.14")


# --- media types

def test_documents_are_taken_under_their_types_only(admin):
    for kind in ("application/yaml", "application/yaml; charset=utf-8", "application/x-yaml", "text/yaml"):
        post(admin, "/resources/diff", VARIABLE, kind).expect(200)
    user = admin.key_owner("typist", "Apply Resources", "Manage Environment Variables")["user"]
    typist = Management(admin_server(admin), admin.key(user, "Type", scopes=["management"])[1])
    for kind in ("text/plain", "application/json5", "application/jsonp", "multipart/form-data", "application/octet-stream", None):
        post(typist, "/resources/apply", VARIABLE.replace("RULES", "TYPED"), kind).refused("415.44")
    post(typist, "/resources/apply", b"kind: EnvVariable\nmetadata: {name: TYPED}\nspec: {type: string, value: \"\xff\xfe\"}\n").refused("400.43")
    admin.get("/env-variables/TYPED").refused("404.41")


def admin_server(admin: Management):
    """Management wants a server for its client only."""
    class Holder:
        client = admin.client
    return Holder


# --- exports

@pytest.fixture(scope="module")
def odd(admin) -> None:
    """A script whose text no writer of YAML likes."""
    post(admin, "/resources/apply", yaml.safe_dump({"kind": "ScriptSet", "metadata": {"name": "odd"}, "spec": {"scripts": {"odd": {"source": ODD}}}})).expect(200)


def test_the_exported_stream_is_applied_again_and_changes_nothing(admin, odd):
    exported = admin.get("/resources/export", Accept="application/yaml").expect(200)
    assert exported.header("Content-Type").startswith("application/yaml")
    documents = list(yaml.safe_load_all(exported.text))
    sets = {one["metadata"]["name"]: one["spec"]["scripts"] for one in documents if one["kind"] == "ScriptSet"}
    assert sets["odd"] == {"odd": {"source": ODD}}, "the text of scripts, to the last blank"
    assert {one["kind"] for one in documents} >= {"ScriptSet", "FuncApi", "ApiAuthentication", "EnvVariable", "UserGroup", "PasswordPolicy"}
    for secret in ("word-of-the-test", "a-token-of-the-test", "Correct-horse-1"):
        assert secret not in exported.text
    for path in ("/resources/diff", "/resources/apply"):
        result = post(admin, path, exported.body).expect(200).json["data"]
        assert {one["outcome"] for one in result["objects"]} == {"unchanged"}, path
        assert len(result["objects"]) == len(documents)
    assert admin.get("/resources/export", Accept="application/yaml").body == exported.body, "the same bytes for the same state"


def test_exports_are_recorded(admin, odd):
    before = len(events(admin, "event=resources.exported"))
    answer = admin.get("/resources/export", Accept="application/json").expect(200)
    assert any(one["path"].endswith("odd/odd.py") and one["content"] == ODD for one in answer.json["data"]["files"])
    records = events(admin, "event=resources.exported")
    assert len(records) == before + 1
    assert (records[0]["actor"]["login"], records[0]["outcome"], records[0]["traceId"]) == ("root", "OK", answer.json["traceId"])


# --- what is recorded

@pytest.fixture(scope="module")
def nobody(server, admin) -> Management:
    """Somebody who may sign in and nothing else."""
    admin.create("/users", login="nobody", password=PASSWORD)
    return Management(server).sign_in("nobody")


@pytest.mark.parametrize(("method", "path", "event"), [
    ("DELETE", "/users/usr-1/user-groups/grp-1", "membership.removed"), ("POST", "/users/usr-2/unlock", "user.changed"),
    ("POST", "/api-keys/key-1/revoke", "key.revoked"), ("POST", "/api-keys/key-1/reissue", "key.reissued"), ("PUT", "/users/usr-3/password", "password.reset"),
    ("DELETE", "/secret-keys/sec-1/secret", "secret.changed"), ("POST", "/scripts/a__b/publish", "script.published"),
    ("DELETE", "/func-apis/gone", "api.unpublished"), ("POST", "/resources/diff", "privilege.used"), ("GET", "/resources/export", "resources.exported")])
def test_a_refusal_is_recorded_under_the_name_of_what_was_tried(admin, nobody, method, path, event):
    answer = nobody.call(method, path, {} if method in ("PUT", "POST") else None, If_Match="*").refused("403.15")
    records = events(admin, f"actor=nobody&traceId={answer.json['traceId']}")
    assert [(one["event"], one["outcome"]) for one in records] == [(event, "DENIED")]


def test_unlocking_is_recorded(server, admin):
    user = admin.create("/users", login="locked", password=PASSWORD)
    away = Management(server, address="127.0.77.1")
    for _ in range(5):
        away.post("/session", {"login": "locked", "password": "wrong"})
    away.post("/session", {"login": "locked", "password": PASSWORD}).refused("429.47")
    assert admin.data(f"/users/{user}")["lockedUntil"] is not None
    admin.post(f"/users/{user}/unlock").expect(204)
    away.post("/session", {"login": "locked", "password": PASSWORD}).expect(200)
    record = events(admin, f"event=user.changed&object={user}")[0]
    assert (record["actor"]["login"], [change["field"] for change in record["changes"]]) == ("root", ["lockedUntil"])


def test_privileges_that_documents_need_are_recorded_as_used(admin):
    names = ("Apply Resources", "Manage Environment Variables", "Publish Scripts", "Allow Anonymous APIs")
    for name in names:
        admin.patch(f"/privileges/{quoted(name)}", {"auditAction": True}).expect(200)

    def used(answer) -> list[str]:
        return sorted(one["reason"] for one in events(admin, f"event=privilege.used&traceId={answer.json['traceId']}"))

    assert used(post(admin, "/resources/diff", VARIABLE).expect(200)) == ["Apply Resources", "Manage Environment Variables"]
    both = VARIABLE + "---\n" + VARIABLE.replace("RULES", "MORE")
    assert used(post(admin, "/resources/diff", both).expect(200)) == ["Apply Resources", "Manage Environment Variables"], "once per request"
    body = {"id": "open-one", "funcId": "demo__probe.hello", "anonymous": True, "anonymousReason": "of this test"}
    assert used(admin.post("/func-apis?dryRun=true", body).expect(200)) == ["Allow Anonymous APIs"]
    assert used(admin.post("/func-apis?dryRun=true", {**body, "anonymous": False, "apiAuthIds": ["api-key"]}).expect(200)) == []
    for name in names:
        admin.patch(f"/privileges/{quoted(name)}", {"auditAction": False}).expect(200)


def test_a_switch_that_went_forth_and_back_is_another_version(admin):
    path = f"/privileges/{quoted('View Server')}"
    first = admin.get(path).expect(200).header("ETag")
    for value in (True, False):
        admin.patch(path, {"auditAction": value}).expect(200)
    assert admin.data(path)["auditAction"] is False
    admin.patch(path, {"auditAction": True}, if_match=first).refused("412.51")
    assert admin.data(path)["auditAction"] is False


# --- reading

def test_whoever_has_an_object_already_is_told_so(server, admin):
    server.client.post("/api/v1/func-api/later", json={}).expect(202)
    wait_until(lambda: admin.data("/tasks?status=success"), "the task ends")
    task, session = admin.data("/tasks")[0]["id"], admin.data("/sessions")[0]["id"]
    for path in ("/script-sets/demo", "/scripts/demo__probe", "/scripts/demo__probe/draft", f"/tasks/{task}", "/func-apis/keyed"):
        etag = admin.get(path).expect(200).header("ETag")
        again = admin.get(path, If_None_Match=etag).expect(304)
        assert (again.body, again.header("ETag")) == (b"", etag), path
        admin.get(path, If_None_Match='"other"').expect(200)
    assert re.fullmatch(r'"[0-9a-f]{32}"', admin.get(f"/sessions/{session}").expect(200).header("ETag"))


@pytest.fixture(scope="module")
def crowd(admin) -> list[dict]:
    """Users with ties in every field."""
    for number in range(23):
        admin.create("/users", login=f"crowd{number:02}", firstName="ABC"[number % 3], surname="xy"[number % 2], email=f"c{number % 4}@example.org")
    return admin.data("/users?login=crowd*&limit=200")


@pytest.mark.parametrize("sort", ["firstName,surname", "-firstName,surname", "firstName,-surname,login", "-surname,email,-firstName", "surname,firstName,email,-login"])
def test_lists_are_sorted_by_several_fields_and_walked(admin, crowd, sort):
    fields = [(name.lstrip("-"), name.startswith("-")) for name in sort.split(",")]
    expected = sorted(crowd, key=lambda row: row["id"], reverse=fields[-1][1])
    for name, backwards in reversed(fields):
        expected.sort(key=lambda row: row[name].lower(), reverse=backwards)  # pylint: disable=cell-var-from-loop
    seen, cursor = [], ""
    while cursor is not None:
        answer = admin.get(f"/users?login=crowd*&limit=4&sort={sort}" + (f"&cursor={cursor}" if cursor else "")).expect(200).json
        seen += [row["login"] for row in answer["data"]]
        assert answer["pageInfo"]["total"] == 23
        cursor = answer["pageInfo"]["nextCursor"]
    assert seen == [row["login"] for row in expected]


def test_orders_and_cursors_of_other_lists_are_refused(admin, crowd):
    page = admin.get("/users?login=crowd*&limit=4&sort=firstName,surname").expect(200).json["pageInfo"]["nextCursor"]
    admin.get(f"/users?login=crowd*&limit=4&sort=firstName,-surname&cursor={page}").refused("400.43")
    for sort in ("firstName,firstName", "firstName,password", "", "firstName,", "login,firstName,surname,email,enabled"):
        assert findings(admin.get(f"/users?sort={sort}").refused("400.43")) == [("sort", "value")], sort


def test_keys_that_nobody_used_are_found_page_by_page(admin):
    owner = admin.key_owner("hoarder")["user"]
    made = [admin.key(owner, f"Key {number}")[0] for number in range(7)]
    own, born = f"/api-keys?user={owner}&limit=3&unusedSince=", admin.data(f"/api-keys/{made[0]}")["createdAt"]
    assert admin.data(own + "2020-01-01T00:00:00Z") == []
    assert admin.data(f"{own}{quoted(born)}&name={quoted('Key 0')}") == [], "before that moment, and not at it"
    seen, cursor = [], ""
    while cursor is not None:
        answer = admin.get(own + "2100-01-01T00:00:00%2B02:00" + (f"&cursor={cursor}" if cursor else "")).expect(200).json
        assert answer["pageInfo"]["total"] == 7
        seen += [row["id"] for row in answer["data"]]
        cursor = answer["pageInfo"]["nextCursor"]
    assert sorted(seen) == sorted(made)
    page = admin.get(own + "2100-01-01T00:00:00Z").expect(200).json["pageInfo"]["nextCursor"]
    assert findings(admin.get(f"{own}2101-01-01T00:00:00Z&cursor={page}").refused("400.43")) == [("cursor", "value")]
    for wrong in ("", "90d", "2026-01-01", "2026-01-01T00:00:00", "<2026-01-01T00:00:00Z", "0"):
        assert findings(admin.get(own + quoted(wrong)).refused("400.43")) == [("unusedSince", "value")], wrong
    assert len(admin.data(f"/users/{owner}/api-keys?unusedSince=2100-01-01T00:00:00Z")) == 7


def test_all_sessions_are_listed_page_by_page(server, admin):
    admin.create("/users", login="sitter", password=PASSWORD)
    for _ in range(7):
        Management(server).sign_in("sitter")
    seen, cursor = [], ""
    while cursor is not None:
        answer = admin.get("/sessions?login=sitter&limit=3&sort=login,-createdAt" + (f"&cursor={cursor}" if cursor else "")).expect(200).json
        assert answer["pageInfo"]["total"] == 7
        seen += answer["data"]
        cursor = answer["pageInfo"]["nextCursor"]
    assert len({row["id"] for row in seen}) == 7
    assert [row["createdAt"] for row in seen] == sorted((row["createdAt"] for row in seen), reverse=True)
    admin.delete(f"/sessions/{seen[0]['id']}").expect(204)
    admin.get(f"/sessions/{seen[0]['id']}").refused("404.41")
    assert admin.get("/sessions?login=sitter").expect(200).json["pageInfo"]["total"] == 6


# --- the audit trail

def test_checkpoints_are_a_list_like_others(admin):
    for _ in range(3):
        admin.post("/audit/checkpoints").expect(201)
    first = admin.get("/audit/checkpoints?limit=2").expect(200).json
    assert len(first["data"]) == 2 and {one["event"] for one in first["data"]} == {"audit.checkpoint"}
    second = admin.get(f"/audit/checkpoints?limit=2&cursor={first['pageInfo']['nextCursor']}").expect(200).json
    assert not {one["seq"] for one in first["data"]} & {one["seq"] for one in second["data"]}
    for query in ("limit=0", "limit=2&limit=3", "event=user.", "stream=calls", "cursor=x!"):
        admin.get(f"/audit/checkpoints?{query}").refused("400.43")


def test_calls_are_found_by_who_they_ran_as_and_how_they_ended(server, admin):
    owner = admin.key_owner("runner")["user"]
    token = admin.key(owner, "Run")[1]
    good = server.client.get("/api/v1/func-api/keyed", [("Authorization", token)]).expect(200).header("X-Trace-Id")
    bad = server.client.get("/api/v1/func-api/keyed", [("Authorization", "Bearer x.y.z")]).refused("401.99").json["traceId"]

    def traces(query: str, path: str = "/audit?stream=calls&") -> list[str]:
        return [one["traceId"] for one in admin.data(f"{path}limit=200&{query}")]

    wait_until(lambda: good in traces("api=keyed") and bad in traces("api=keyed"), "both are recorded")
    assert traces("runAs=runner") == [good]
    assert traces("runAs=runner", "/call-records?") == [good]
    assert good in traces("outcome=OK&api=keyed") and bad not in traces("outcome=OK&api=keyed")
    assert bad in traces("outcome=DENIED&object=keyed") and good not in traces("outcome=DENIED&object=keyed")
    assert traces("outcome=FAILED&api=keyed") == [] and traces("event=user.") == []
    assert good in traces(f"q={good.lower()}&event=call") and bad not in traces(f"q={good.lower()}")
    task = server.client.post("/api/v1/func-api/later", json={}).expect(202).json["data"]["id"]
    wait_until(lambda: traces(f"processId={task}"), "the call of the task is recorded")
    for query in ("outcome=ok", "page=2", "api=a&api=b"):
        admin.get(f"/audit?stream=calls&{query}").refused("400.43")
    for query in ("runAs=x", "processId=x", "status=200", "event=user.&event=role."):
        admin.get(f"/audit?{query}").refused("400.43")


def test_an_export_has_no_limit(admin):
    assert findings(admin.get("/audit?limit=5", Accept="application/x-ndjson").refused("400.43")) == [("limit", "value")]
    lines = admin.get("/audit?event=user.", Accept="application/x-ndjson").expect(200)
    assert lines.header("Next-Cursor") is None
    assert all(json.loads(line)["event"].startswith("user.") for line in lines.text.splitlines())


# --- keys that were found

def test_a_key_is_judged_as_it_would_be_when_presented(make_server):
    server: Server = make_server(resources())
    set_secret(server)
    admin = Management.set_up(server)
    owner = admin.key_owner("owner")
    key, token = admin.key(owner["user"], "Found")
    head, claims, signature = token.split(".")
    before = len(events(admin, "q=key"))

    def inspect(text: str) -> dict:
        answer = admin.post("/api-keys/inspect", {"token": text}).expect(200)
        assert text.rsplit(".", 1)[-1] not in answer.text, "nothing of the signature is shown"
        return answer.json["data"]

    def changed(**more) -> bytes:
        return json.dumps({**json.loads(unpacked(claims)), **more}).encode()

    good = inspect(token)
    assert (good["verdict"], good["status"], good["signature"], good["id"], good["name"], good["login"]) == ("ACTIVE", "ACTIVE", True, key, "Found", "owner")
    forged = inspect(f"{head}.{claims}.{packed(b'x' * 32)}")
    assert (forged["verdict"], forged["status"], forged["signature"], forged["id"]) == ("BAD_SIGNATURE", "ACTIVE", False, key)
    verdicts = {
        "BAD_ALGORITHM": signed(unpacked(head).replace(b"HS256", b"HS512"), unpacked(claims)),
        "UNKNOWN_SECRET": signed(unpacked(head).replace(json.loads(unpacked(head))["kid"].encode(), b"0011223344556677"), unpacked(claims)),
        "BAD_CLAIMS": signed(unpacked(head), changed(iss="urn:funcgate:another")),
        "UNKNOWN": signed(unpacked(head), changed(jti="key-aaaaaaaaaaaaaaaa")),
        "MISMATCH": signed(unpacked(head), changed(sub="usr-aaaaaaaaaaaaaaaa")),
        "EXPIRED": signed(unpacked(head), changed(exp=1_700_000_000)),
        "MALFORMED": f"{head}.{claims}.=",
    }
    for verdict, text in verdicts.items():
        assert inspect(text)["verdict"] == verdict
        server.client.get("/api/v1/func-api/keyed", [("Authorization", text)]).expect(401)
    server.client.get("/api/v1/func-api/keyed", [("Authorization", token)]).expect(200)
    admin.patch(f"/users/{owner['user']}", {"enabled": False}).expect(200)
    assert inspect(token)["verdict"] == "OWNER_DISABLED"
    admin.patch(f"/users/{owner['user']}", {"enabled": True}).expect(200)
    admin.unlink(f"/user-groups/{owner['group']}/users/{owner['user']}")
    assert inspect(token)["verdict"] == "OWNER_UNPRIVILEGED"
    admin.post(f"/api-keys/{key}/revoke").expect(200)
    assert inspect(token)["verdict"] == "REVOKED"
    assert inspect(f"{head}.{claims}.{packed(b'x' * 32)}")["verdict"] == "BAD_SIGNATURE"
    for body in ({}, {"token": ""}, {"token": 5}, {"token": "x" * 5000}, {"token": "x", "kid": "y"}):
        admin.post("/api-keys/inspect", body).refused("400.43")
    assert len(events(admin, "q=key")) - before <= 3, "inspection writes no record"
    assert signature not in server.log()
