"""docs/openapi.yaml says what the server does: the same routes, the same privileges, and answers of the described form."""

from __future__ import annotations

import json
import re
import subprocess

import jsonschema
import pytest
import yaml

from support.credentials import basic
from support.management import PASSWORD, Management, quoted
from support.resources import PROBE, Resources
from support.server import ROOT, command

DOCUMENT = ROOT / "docs/openapi.yaml"
SPEC = yaml.safe_load(DOCUMENT.read_text(encoding="utf-8"))
METHODS = ("get", "post", "put", "patch", "delete")
OPERATIONS = {(method.upper(), path): operation for path, item in SPEC["paths"].items() for method, operation in item.items() if method in METHODS}
GETS = sorted(path for method, path in OPERATIONS if method == "GET")


def resources() -> Resources:
    made = Resources().scripts("demo", probe=PROBE).fixed_field("token", {"location": "header", "name": "X-Token", "value": "a-token-of-the-test"})
    made.basic("people", {"mia": "Correct-horse-1"}).variable("REGION", "string", "north", "demo").variable("HIDDEN", "password", "word-of-the-test", "demo")
    made.api("greet", "demo__probe.hello", methods=["GET"]).api("keyed", "demo__probe.hello", "api-key", methods=["GET"])
    return made.api("later", "demo__probe.hello", execMode="async", methods=["POST"]).api("closed", "demo__probe.hello", "token", "people", methods=["GET"])


@pytest.fixture(scope="module")
def routes() -> dict:
    done = command("routes")
    assert done.returncode == 0, done.stderr
    return {(route["method"], route["path"]): route for route in json.loads(done.stdout)}


def test_server_and_document_have_the_same_routes(routes):
    assert len(routes) > 100
    assert sorted(set(routes) - set(OPERATIONS)) == [], "routes without a description"
    assert sorted(set(OPERATIONS) - set(routes)) == [], "descriptions without a route"


def test_each_description_names_who_may_call(routes):
    for key, route in routes.items():
        operation = OPERATIONS[key]
        assert operation["x-access"] == route["access"], key
        assert operation.get("x-privileges", []) == route["privileges"], key
        assert (operation.get("security") == []) == (route["access"] == "open"), key
        if route["access"] != "open" and key[0] != "GET":
            assert operation["security"] == [{"key": []}, {"session": [], "csrf": []}], key


def parameters(key) -> list[str]:
    given = SPEC["paths"][key[1]].get("parameters", []) + OPERATIONS[key].get("parameters", [])
    found = [SPEC["components"]["parameters"][one["$ref"].rsplit("/", 1)[1]] if "$ref" in one else one for one in given]
    return [f"{one['in']} {one['name']}" for one in found]


def test_headers_of_writes_are_described(routes):
    for key, route in routes.items():
        assert ("header If-Match" in parameters(key)) == route["ifMatch"], key
        assert ("header Idempotency-Key" in parameters(key)) == (key[0] == "POST" and route["access"] != "open"), key
        wanted = {f"path {part[1:-1]}" for part in key[1].split("/") if part.startswith("{")}
        assert wanted == {one for one in parameters(key) if one.startswith("path ")}, key


def test_query_parameters_are_described(routes):
    """Of lists the server's readers know more than the table of routes: `limit` is in each."""
    for key, route in routes.items():
        described = {one.removeprefix("query ") for one in parameters(key) if one.startswith("query ")}
        if route["query"] is None:
            assert "limit" in described, key
        else:
            assert described == set(route["query"]), key


def test_documents_that_are_not_json_are_described(routes):
    for key, route in routes.items():
        content = OPERATIONS[key].get("requestBody", {}).get("content", {})
        assert ("application/yaml" in content) == route["rawBody"], key


def commands_of_calls() -> dict[tuple[str, str], str]:
    """What the table of remote commands calls: (method, path without names of parameters) → a command."""
    found = {}
    for source in sorted((ROOT / "src/app/cli").glob("*.cpp")):
        text = source.read_text(encoding="utf-8")
        for words, row in re.findall(r'\.words = "([^"]+)"(.*?)(?=\.words = "|\Z)', text, re.S):
            if target := re.search(r'\.target = "([^"?]+)', row):
                method = re.search(r'\.method = "([A-Z]+)"', row)
                found[(method.group(1) if method else "GET", nameless(target.group(1)))] = words
    # Commands that also work without a server and choose by themselves what to call.
    remote = (ROOT / "src/app/cli/apply_remote.cpp").read_text(encoding="utf-8")
    for method, path, words in (("POST", "/resources/apply", "apply"), ("POST", "/resources/diff", "diff"), ("GET", "/resources/export", "export")):
        assert f'"{path}"' in remote
        found[(method, path)] = words
    return found


def nameless(path: str) -> str:
    return re.sub(r"\{[^}]*\}", "{}", path)


def test_calls_without_a_command_are_those_of_the_page():
    """docs/management-api.md, section 5: exactly the calls that no remote command makes."""
    commands = commands_of_calls()
    assert len(commands) > 50
    tree = json.loads(command("commands").stdout)["commands"]
    known = {one["words"].removeprefix("funcgate ") for group in tree for one in [group, *group["commands"]]}
    assert set(commands.values()) <= known
    without = {key for key in OPERATIONS if (key[0], nameless(key[1])) not in commands}
    section = (ROOT / "docs/management-api.md").read_text(encoding="utf-8").split("## 5. Calls without a command", 1)[1].split("\n## ", 1)[0]
    named = set()
    for row in re.findall(r"^\| (`.+?`) \|", section, re.M):
        for method, path in re.findall(r"`(?:([A-Z]+) )?(/[^`]+)`", row):
            meant = {key for key in OPERATIONS if key == (method, path) or not method and f"{key[1]}/".startswith(f"{path}/")}
            assert meant, f"the page names {method} {path}, which is no call"
            named |= meant
    assert sorted(without - named) == [], "neither a command nor a line of the page"
    assert sorted(named - without) == [], "the page says that there is no command, but there is"


def test_every_operation_tells_its_refusals():
    for key, operation in OPERATIONS.items():
        responses = operation["responses"]
        assert {"400", "401", "403", "500", "503"} <= set(responses), key
        assert any(code.startswith("2") for code in responses), key
        assert ("412" in responses and "428" in responses) == ("header If-Match" in parameters(key)), key


def test_the_document_passes_its_linter():
    node = ROOT / "tests/blackbox/node/lint_openapi.mjs"
    done = subprocess.run(["node", node, ROOT / "redocly.yaml", DOCUMENT], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_the_linter_finds_what_is_wrong(tmp_path):
    broken = tmp_path / "broken.yaml"
    broken.write_text(DOCUMENT.read_text(encoding="utf-8").replace("operationId: whoAmI", "operationId: showSession", 1), encoding="utf-8")
    done = subprocess.run(["node", ROOT / "tests/blackbox/node/lint_openapi.mjs", ROOT / "redocly.yaml", broken], capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert "operation-operationId-unique" in done.stderr


# --- answers have the described form

def validate(schema: dict, value, what: str) -> None:
    validator = jsonschema.Draft202012Validator({"components": SPEC["components"], **schema})
    problems = [f"{problem.json_path}: {problem.message[:300]}" for problem in validator.iter_errors(value)]
    assert not problems, f"{what}: {problems[:5]}"


def described(method: str, path: str, status: int) -> dict:
    response = OPERATIONS[(method, path)]["responses"][str(status)]
    if "$ref" in response:
        response = SPEC["components"]["responses"][response["$ref"].rsplit("/", 1)[1]]
    return response["content"]["application/json"]["schema"]


def check(method: str, path: str, answer) -> None:
    validate(described(method, path, answer.status), answer.json, f"{method} {path} {answer.status}")


@pytest.fixture(scope="module")
def admin(server) -> Management:
    return Management.set_up(server)


@pytest.fixture(scope="module")
def world(server, admin) -> dict[str, str]:
    """An object of every kind; the values of the parameters of the paths."""
    made = {}

    def post(path: str, body: dict, described_as: str | None = None):
        answer = admin.post(path, body).expect(201)
        check("POST", described_as or path, answer)
        return answer.json["data"]

    made["/users/{id}"] = post("/users", {"login": "described", "firstName": "All", "surname": "Fields", "password": PASSWORD})["id"]
    made["/user-groups/{id}"] = post("/user-groups", {"name": "Described"})["id"]
    made["/roles/{id}"] = post("/roles", {"name": "Described", "privileges": ["Use API Key"]})["id"]
    made["/applications/{id}"] = post("/applications", {"name": "Described", "access": {"allUsers": False, "groups": ["Described"]}})["id"]
    admin.link(f"/roles/{made['/roles/{id}']}/user-groups/{made['/user-groups/{id}']}")
    admin.link(f"/user-groups/{made['/user-groups/{id}']}/users/{made['/users/{id}']}")
    key = post(f"/users/{made['/users/{id}']}/api-keys", {"name": "Described", "addresses": ["127.0.0.0/8"]}, "/users/{id}/api-keys")
    made["/api-keys/{id}"] = key["key"]["id"]
    server.client.get("/api/v1/func-api/keyed", [("Authorization", key["token"])]).expect(200)
    made["/privileges/{name}"] = quoted("Use API Key")
    made["/sessions/{id}"] = admin.data("/sessions")[0]["id"]
    made["/func-apis/{id}"] = "greet"
    made["/api-authentications/{id}"] = "people"
    made["/env-variables/{id}"] = "REGION"
    made["/script-sets/{id}"] = "demo"
    made["/scripts/{id}"] = "demo__probe"
    made["/functions/{id}"] = "demo__probe.hello"
    made["/explain/{traceId}"] = server.client.get("/api/v1/func-api/keyed").expect(401).json["traceId"]
    server.client.post("/api/v1/func-api/later", json={}).expect(202)
    made["/tasks/{id}"] = admin.data("/tasks")[0]["id"]
    owner = {"kind": "action", "application": "Described", "flow": "Call", "action": "call"}
    made["/secret-keys/{id}"] = post("/secret-keys", {"name": "APIKey", "owner": owner})["id"]
    # A person with a key of his own, for /me/api-keys/{id}.
    everything = admin.create("/roles", name="Own keys", privileges=["Use API Key", "Generate Own API Key"])
    group = next(group["id"] for group in admin.data("/user-groups") if group["name"] == "Administrators")
    admin.link(f"/roles/{everything}/user-groups/{group}")
    made["/me/api-keys/{id}"] = post("/me/api-keys", {"name": "Own", "scopes": ["management"]})["key"]["id"]
    return made


QUERIES = {"/access/who-can": "?api=keyed", "/access/what-can": "?user=described"}


@pytest.mark.parametrize("path", GETS)
def test_answers_to_reading_are_as_described(admin, world, path):
    address = path
    for pattern in sorted((one for one in world if path.startswith(one)), key=len, reverse=True)[:1]:
        address = world_path(pattern, world[pattern]) + path[len(pattern):]
    assert "{" not in address, f"the test makes nothing for {path}"
    answer = admin.get(address + QUERIES.get(path, ""), Accept="application/json").expect(200)
    check("GET", path, answer)
    if "304" in OPERATIONS[("GET", path)]["responses"]:
        assert admin.get(address, If_None_Match=answer.header("ETag")).status == 304


def world_path(pattern: str, value: str) -> str:
    return pattern[:pattern.index("{")] + value


@pytest.mark.parametrize(("method", "path", "address", "body", "headers", "error"), [
    ("POST", "/users", "/users", {"surname": "nobody", "colour": "red"}, {}, "400.43"),
    ("POST", "/users", "/users", {"login": "weak", "password": "phixflow"}, {}, "400.12"),
    ("POST", "/users", "/users", {"login": "described"}, {}, "409.42"),
    ("GET", "/users/{id}", "/users/usr-aaaaaaaaaaaaaaaa", None, {}, "404.41"),
    ("PATCH", "/users/{id}", "/users/usr-system0000000000", {"surname": "x"}, {}, "428.52"),
    ("PATCH", "/users/{id}", "/users/usr-system0000000000", {"surname": "x"}, {"If_Match": '"77"'}, "412.51"),
    ("POST", "/session", "/session", {"login": "nobody", "password": "wrong"}, {}, "401.14"),
    ("POST", "/resources/apply", "/resources/apply", {"documents": 5}, {}, "400.43"),
])
def test_refusals_are_as_described(admin, world, method, path, address, body, headers, error):
    answer = admin.call(method, address, body, **headers).refused(error)
    check(method, path, answer)


def test_strangers_get_a_described_refusal(server, world):
    for method, path in sorted(OPERATIONS):
        if OPERATIONS[(method, path)]["x-access"] == "open":
            continue
        answer = Management(server).call(method, path.replace("{", "").replace("}", "")).expect(401)
        check(method, path, answer)


def test_changes_are_as_described(admin, world):
    for path, patch in {"/users/{id}": {"surname": "Changed"}, "/user-groups/{id}": {"description": "Changed"}, "/roles/{id}": {"description": "Changed"},
                        "/api-keys/{id}": {"name": "Changed"}, "/secret-keys/{id}": {"enabled": False}, "/privileges/{name}": {"auditAction": True},
                        "/func-apis/{id}": {"title": "Changed"}, "/script-sets/{id}": {"title": "Changed"}}.items():
        answer = admin.patch(world_path(path, world[path]), patch).expect(200)
        check("PATCH", path, answer)
        assert answer.header("ETag")
    check("POST", "/audit/verify", admin.post("/audit/verify").expect(200))
    check("POST", "/audit/checkpoints", admin.post("/audit/checkpoints").expect(201))


def test_verdicts_on_samples_are_as_described(admin, world):
    key = admin.post(f"/users/{world['/users/{id}']}/api-keys", {"name": "Sampled"}).expect(201).json["data"]["token"]
    for configuration, sample in (("people", {}), ("people", {"headers": basic("mia", "Correct-horse-1")}), ("people", {"headers": basic("mia", "wrong")}),
                                  ("token", {"body": {"a": ["b"]}}), ("api-key", {"headers": {"Authorization": key}})):
        check("POST", "/api-authentications/{id}/test", admin.post(f"/api-authentications/{configuration}/test", sample).expect(200))
    check("POST", "/api-authentications/{id}/test", admin.post("/api-authentications/people/test", {"colour": "red"}).refused("400.43"))
