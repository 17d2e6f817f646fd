"""Secret keys: what outgoing requests need and nobody may read, over the management API and as documents."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from support.management import PASSWORD, Management
from support.credentials import traces
from support.resources import Resources
from support.server import Server, command, wait_until

OWNER = {"kind": "action", "application": "Actionflow Advanced", "flow": "Call API", "action": "callApi"}
CONFIGURATION = {"kind": "httpConfiguration", "application": "Actionflow Advanced", "httpConfiguration": "Partner"}
VALUE = "pq7-Partner/secret+value 42"


def resources() -> Resources:
    return Resources()


@pytest.fixture(scope="module")
def admin(server) -> Management:
    return Management.set_up(server)


def made(admin: Management, name: str, owner: dict = OWNER, value: str | None = None) -> dict:
    secret = admin.post("/secret-keys", {"owner": owner, "name": name}).expect(201).json["data"]
    if value is not None:
        admin.put(f"/secret-keys/{secret['id']}/secret", {"secret": value}).expect(204)
    return admin.data(f"/secret-keys/{secret['id']}")


def member(server: Server, admin: Management, login: str, group: str) -> Management:
    user = admin.create("/users", login=login, password=PASSWORD)
    group_id = admin.data(f"/user-groups?name={group}")[0]["id"]
    admin.link(f"/user-groups/{group_id}/users/{user}")
    return Management(server).sign_in(login, PASSWORD)


def test_a_secret_key_is_made_filled_renamed_emptied_and_deleted(admin):
    created = admin.post("/secret-keys", {"owner": OWNER, "name": "APIKey"}).expect(201)
    secret = created.json["data"]
    assert created.header("ETag") == '"1"'
    assert created.header("Location") == f"/admin/api/v1/secret-keys/{secret['id']}"
    assert re.fullmatch(r"sec-[a-z2-7]{16}", secret["id"])
    assert secret["key"] == secret["key"].lower() and secret["key"].startswith("apikey.")
    assert (secret["enabled"], secret["hasValue"], secret["source"], secret["value"]) == (True, False, "NONE", None)
    path = f"/secret-keys/{secret['id']}"
    admin.put(f"{path}/secret", {"secret": VALUE}).expect(204)
    filled = admin.data(path)
    assert (filled["hasValue"], filled["source"], filled["value"], filled["isInstanceApiKey"]) == (True, "SEALED", "********", False)
    admin.patch(path, {"name": "X"}, if_match=None).refused("428.52")
    admin.patch(path, {"name": "X"}, if_match='"1"').refused("412.51")
    renamed = admin.patch(path, {"name": "X", "enabled": False}, if_match=f'"{filled["version"]}"').expect(200).json["data"]
    assert (renamed["name"], renamed["enabled"], renamed["key"]) == ("X", False, secret["key"])
    assert admin.patch(path, {"name": "APIKey"}).expect(200).json["data"]["key"] == secret["key"]
    admin.delete(f"{path}/secret").expect(204)
    assert admin.data(path)["source"] == "NONE"
    admin.delete(path).refused("428.52")
    admin.delete(path, if_match="*").expect(204)
    admin.get(path).refused("404.41")
    events = [record["event"] for record in reversed(admin.data(f"/audit?object={secret['id']}"))]
    assert events == ["secret.created", "secret.value_set", "secret.changed", "secret.changed", "secret.changed", "secret.deleted"]


@pytest.mark.parametrize(("body", "path"), [
    ({"name": "NoOwner"}, "owner"),
    ({"owner": OWNER, "name": "1st"}, "name"),
    ({"owner": OWNER, "name": "a-b"}, "name"),
    ({"owner": {**OWNER, "httpConfiguration": "Partner"}, "name": "Two"}, "owner.httpConfiguration"),
    ({"owner": {"kind": "action", "application": "A", "flow": "F"}, "name": "Half"}, "owner.action"),
    ({"owner": OWNER, "name": "Value", "secret": "x"}, "secret"),
    ({"owner": OWNER, "name": "More", "colour": "red"}, "colour"),
])
def test_a_secret_key_that_cannot_be_is_refused_with_its_field(admin, body, path):
    errors = admin.post("/secret-keys", body).refused("400.43").json["detail"]["errors"]
    assert path in [error["path"] for error in errors]


def test_names_are_unique_for_their_owner_only(admin):
    made(admin, "Unique")
    admin.post("/secret-keys", {"owner": OWNER, "name": "UNIQUE"}).refused("409.42")
    made(admin, "Unique", CONFIGURATION)
    made(admin, "Unique", {**OWNER, "action": "another"})


@pytest.mark.parametrize("body", [{"secret": ""}, {"secret": "x" * 8193}, {"secret": 7}, {}, {"secret": "x", "more": 1}])
def test_a_value_that_cannot_be_is_refused_and_not_repeated(admin, body):
    secret = made(admin, f"Bad{abs(hash(str(body)))}")
    refused = admin.put(f"/secret-keys/{secret['id']}/secret", body).refused("400.43")
    assert "xxxx" not in refused.text
    assert admin.data(f"/secret-keys/{secret['id']}")["hasValue"] is False


def test_read_only_members_can_be_sent_back_and_not_changed(admin):
    secret = made(admin, "ReadOnly")
    path = f"/secret-keys/{secret['id']}"
    admin.patch(path, {"key": secret["key"], "id": secret["id"]}).expect(200)
    admin.patch(path, {"key": "another"}).refused("400.43")
    admin.patch(path, {"owner": CONFIGURATION}).refused("400.43")


def test_the_list_filters_and_walks(admin):
    for number in range(3):
        made(admin, f"Walker{number}", {**OWNER, "flow": "Walking"})
    page = admin.get("/secret-keys?flow=Walking&limit=2&sort=-name").expect(200).json
    assert [row["name"] for row in page["data"]] == ["Walker2", "Walker1"]
    assert page["pageInfo"]["total"] == 3
    admin.get("/secret-keys?colour=red").refused("400.43")


def test_a_key_of_this_instance_is_recognised(admin):
    user = admin.create("/users", login="keyowner")
    token = admin.key(user, "Own")[1]
    for number, value in enumerate((token, f"Bearer {token}")):
        assert made(admin, f"Own{number}", value=value)["isInstanceApiKey"] is True
    changed = token[:-2] + ("A" if token[-2] != "A" else "B") + token[-1]
    assert made(admin, "Forged", value=changed)["isInstanceApiKey"] is False


def test_a_keystore_alias_equal_to_the_key_is_the_value(server, admin):
    secret = made(admin, "FromKeystore")
    (server.folder / "value").write_text("a value of the keystore")
    done = command("keystore", "set", secret["key"], "--from-file", server.folder / "value", "--data", server.data)
    assert done.returncode == 0, done.stderr
    found = admin.data(f"/secret-keys/{secret['id']}")
    assert (found["source"], found["hasValue"]) == ("KEYSTORE", True)
    command("keystore", "delete", secret["key"], "--data", server.data)
    assert admin.data(f"/secret-keys/{secret['id']}")["source"] == "NONE"


@pytest.mark.parametrize(("group", "read", "write"), [("Designers", True, True), ("Operators", True, False), ("Auditors", False, False)])
def test_who_may_read_and_write(server, admin, group, read, write):
    secret = made(admin, f"For{group}")
    person = member(server, admin, f"of-{group.lower()}", group)
    path = f"/secret-keys/{secret['id']}"
    calls = [(lambda: person.get(path), read), (lambda: person.get("/secret-keys"), read), (lambda: person.patch(path, {"enabled": False}), write),
             (lambda: person.put(f"{path}/secret", {"secret": "x"}), write), (lambda: person.delete(f"{path}/secret"), write),
             (lambda: person.post("/secret-keys", {"owner": OWNER, "name": f"By{group}"}), write)]
    for call, allowed in calls:
        answer = call()
        assert (answer.status < 300) is allowed, answer.text
        if not allowed:
            answer.refused("403.15")
    for call in (lambda: person.get("/keystore"), lambda: person.post("/keystore/reload"), lambda: person.post("/keystore/rotate", {"alias": "pepperKey"})):
        assert call().refused("403.15").json["message"] == 'Privilege "Administer Server" is required'


def as_resources(*secrets: tuple[str, dict]) -> Resources:
    written = Resources()
    for name, spec in secrets:
        written.document("SecretKey", name, spec)
        written.documents[-1]["metadata"]["application"] = "Actionflow Advanced"
    return written


def with_value(value: str, **spec) -> Resources:
    written = as_resources(("APIKey", {"flow": "Documented", "action": "callApi", **spec}))
    written.documents[-1]["spec"]["valueFrom"] = written.secret(value)
    return written


def test_documents_are_applied_once_exported_without_values_and_pruned(server, admin, tmp_path):
    name = "SecretKey Actionflow Advanced/Documented/callApi/APIKey"
    assert f"{name}: created" in server.apply(with_value(VALUE), "--set", "secrets").stdout
    secret = admin.data("/secret-keys?flow=Documented")[0]
    assert (secret["source"], secret["enabled"]) == ("SEALED", True)
    assert f"{name}: unchanged" in server.apply(with_value(VALUE), "--set", "secrets").stdout
    assert admin.data(f"/secret-keys/{secret['id']}")["version"] == secret["version"]
    assert f"{name}: changed (enabled, value)" in server.apply(with_value("another value", enabled=False), "--set", "secrets").stdout
    keep = as_resources(("APIKey", {"flow": "Documented", "action": "callApi", "valueFrom": {"keep": True}}))
    assert f"{name}: changed (enabled)" in server.apply(keep, "--set", "secrets").stdout
    after = admin.data(f"/secret-keys/{secret['id']}")
    assert (after["key"], after["source"]) == (secret["key"], "SEALED")

    exported = tmp_path / "exported"
    assert command("export", "--data", server.data, "-o", exported).returncode == 0
    file = exported / "secret-keys/Actionflow%20Advanced/Documented/callApi/APIKey.yaml"
    text = file.read_text()
    assert "keep: true" in text and "application: Actionflow Advanced" in text
    report = server.apply(exported / "secret-keys", "--set", "secrets").stdout
    assert f"{name}: unchanged" in report and "created" not in report and "changed (" not in report
    assert f"{name}: pruned" in server.apply(as_resources(("Other", {"flow": "Documented", "action": "callApi"})), "--set", "secrets", "--prune").stdout
    admin.get(f"/secret-keys/{secret['id']}").refused("404.41")


def test_two_owners_may_have_a_secret_of_one_name_in_one_folder(server, admin):
    both = as_resources(("Token", {"flow": "Twice", "action": "a"}), ("Token", {"flow": "Twice", "action": "b"}), ("Token", {"httpConfiguration": "Twice"}))
    report = server.apply(both).stdout
    assert report.count("created") == 3
    again = server.try_apply(as_resources(("Token", {"flow": "Twice", "action": "a"}), ("Token", {"flow": "Twice", "action": "a"})))
    assert again.returncode == 7 and "written twice" in again.stderr


@pytest.mark.parametrize(("spec", "path"), [
    ({"flow": "F"}, "action"),
    ({"flow": "F", "action": "a", "httpConfiguration": "P"}, "httpConfiguration"),
    ({"flow": "F", "action": "a", "colour": "red"}, "colour"),
    ({"flow": "F", "action": "a", "valueFrom": {"keystore": "pepperKey"}}, "valueFrom"),
    ({"flow": "F", "action": "a", "valueFrom": {"keystore": "nobody"}}, "valueFrom"),
])
def test_documents_that_cannot_be_are_refused_with_their_place(server, spec, path):
    refused = server.try_apply(as_resources(("APIKey", spec)))
    assert refused.returncode == 7
    assert "resources.yaml:" in refused.stderr and path in refused.stderr


def test_a_value_is_found_in_no_file_no_log_and_no_answer(server, admin, tmp_path):
    value = "canary-4711-of-a-secret-key"
    secret = made(admin, "Canary", value=value)
    server.apply(with_value(value + "-applied"))
    answers = [admin.get(path).body for path in (f"/secret-keys/{secret['id']}", "/secret-keys", "/audit", "/keystore", "/resources/export", "/settings")]
    wait_until(lambda: b"secret.value_set" in admin.get("/audit").body, "the change is recorded")
    files = [path for path in server.folder.rglob("*") if path.is_file() and "resources-" not in str(path)]
    places = {str(path): Path(path).read_bytes() for path in files} | {f"answer {number}": body for number, body in enumerate(answers)}
    for trace in traces(value):
        for place, content in places.items():
            assert trace not in content, place
