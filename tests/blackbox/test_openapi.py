"""GET /openapi.json (function-apis §18, statement 25)."""

import re
import time
from datetime import datetime, timezone

import pytest

from support.management import Management
from support.resources import Resources
from support.server import wait_until

SHOP = '''
from typing import Literal, Optional

@DFF.API('Price of a basket', tags=['shop'])
def quote(sku: str, qty: int = 1, size: Literal['S', 'M'] = 'M', notes: Optional[list[str]] = None) -> dict:
    """Total price in cents."""
    return {}

@DFF.API('Hidden', is_hidden=True)
def hidden():
    return 1

@DFF.API('Job')
def job(n: int):
    return n
'''
CONSTANT = "a-constant-of-the-api"
SECRET = "a-value-of-the-field"


def world(**more) -> Resources:
    made = Resources().scripts("shop", main=SHOP)
    made.fixed_field("fixed", {"location": "header", "name": "X-Shop-Token", "value": SECRET}).basic("basic", {"secretuser": "a password of the user"}).digest("digest", {"secretuser": "a password of the user"})
    made.api("quote", "shop__main.quote", "fixed", "basic", showInDoc=True, **more)
    made.api("constant", "shop__main.quote", "digest", showInDoc=True, funcCallKwargs={"sku": CONSTANT, "qty": "INPUT_BY_CALLER"})
    made.api("open", "shop__main.quote", showInDoc=True).api("job", "shop__main.job", "basic", execMode="async", showInDoc=True)
    made.api("undocumented", "shop__main.quote", "basic").api("hidden", "shop__main.hidden", "basic", showInDoc=True)
    made.api("disabled", "shop__main.quote", "basic", showInDoc=True, isDisabled=True).api("expired", "shop__main.quote", "basic", showInDoc=True, expireTime="2020-01-01T00:00:00Z")
    return made


def resources() -> Resources:
    return world()


@pytest.fixture
def document(client) -> dict:
    return client.get("/openapi.json").expect(200).json


def paths_of(document: dict, api: str) -> list[str]:
    return [path for path in document["paths"] if re.search(rf"/{re.escape(api)}(/|$)", path)]


def test_shape(client):
    """§18: OpenAPI 3.1, public by default, with an ETag."""
    answer = client.get("/openapi.json").expect(200)
    document = answer.json
    assert document["openapi"].startswith("3.1.") and document["info"]["title"] and document["info"]["version"]
    assert answer.header("Content-Type").startswith("application/json")
    assert client.get("/openapi.json", {"If-None-Match": answer.header("ETag")}).expect(304).body == b""


def test_listed_apis(document):
    """§18: enabled, unexpired, showInDoc, not hidden; two forms each."""
    for api in ("quote", "constant", "open", "job"):
        assert len(paths_of(document, api)) == 2, api
    for api in ("undocumented", "hidden", "disabled", "expired"):
        assert not paths_of(document, api), api


def operations(document: dict, api: str) -> list[dict]:
    return [operation for path in paths_of(document, api) for method, operation in document["paths"][path].items() if method in ("get", "post")]


def test_operations(document):
    """§18: operationId unique, alternatives in security, `[]` when anonymous, responses and the component Error."""
    ids = [operation["operationId"] for path in document["paths"].values() for operation in path.values() if isinstance(operation, dict) and "operationId" in operation]
    assert len(ids) == len(set(ids)) and ids
    for operation in operations(document, "quote"):
        assert [sorted(alternative) for alternative in operation["security"]] == [["fixed"], ["basic"]]
        assert {"200", "400", "401", "403", "404", "413", "429", "500", "503", "504"} <= set(operation["responses"])
        assert {operation["responses"][status]["$ref"] for status in ("400", "401", "500", "503")} == {"#/components/responses/Error"}
    for operation in operations(document, "open"):
        assert operation["security"] == []
    for operation in operations(document, "job"):
        assert "202" in operation["responses"] and "200" not in operation["responses"]
    content = document["components"]["responses"]["Error"]["content"]["application/json"]["schema"]
    assert content == {"$ref": "#/components/schemas/Error"} or {"ok", "error", "reason", "message"} <= set(content["properties"])


def test_security_schemes(document):
    """§18: one entry per configuration used."""
    schemes = document["components"]["securitySchemes"]
    assert set(schemes) == {"fixed", "basic", "digest"}
    assert schemes["basic"]["type"] == "http" and schemes["basic"]["scheme"] == "basic"
    assert schemes["digest"]["type"] == "http" and schemes["digest"]["scheme"] == "digest"
    assert schemes["fixed"]["type"] == "apiKey" and schemes["fixed"]["in"] == "header" and schemes["fixed"]["name"].lower() == "x-shop-token"


def test_parameters(document):
    """§18: parameters from the schema, without constants."""
    def names(api):
        found = set()
        for path in paths_of(document, api):
            operation = document["paths"][path].get("get", {})
            if path.endswith(("/s", "/simplified")):
                found |= {parameter["name"] for parameter in operation.get("parameters", []) if parameter["in"] == "query"}
        return found
    assert names("quote") == {"sku", "qty", "size", "notes"}
    assert "sku" not in names("constant") and "qty" in names("constant")


def test_nothing_confidential(client):
    """authentication 25, §18: names of fixed fields appear; values, users, constants and function names never."""
    text = client.get("/openapi.json").expect(200).text
    assert "x-shop-token" in text.lower()
    for mark in (SECRET, "secretuser", CONSTANT, "shop__main", "a password of the user"):
        assert mark not in text, mark


def references(value):
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for member in value.values():
            yield from references(member)
    elif isinstance(value, list):
        for member in value:
            yield from references(member)


def test_references_resolve(document):
    """§18: the document validates: every reference leads somewhere."""
    for reference in references(document):
        assert reference.startswith("#/"), reference
        place = document
        for step in reference[2:].split("/"):
            place = place[step.replace("~1", "/").replace("~0", "~")]


def test_changes_with_the_api(make_server):
    """§18: the document changes with the same publish that changes the API."""
    server = make_server(world())
    first = server.client.get("/openapi.json").expect(200)
    server.apply(world(title="Another title of the API"))
    second = server.client.get("/openapi.json", {"If-None-Match": first.header("ETag")}).expect(200)
    assert "Another title of the API" in second.text and second.header("ETag") != first.header("ETag")


def test_access_off(make_server):
    """§18: [openapi] access = off."""
    server = make_server(world(), config='[openapi]\naccess = "off"\n')
    server.client.get("/openapi.json").refused("404.41")


def test_expiry(make_server):
    """§18: an API that expires leaves the document at that moment, and the ETag changes."""
    moment = time.time() + 6
    at = datetime.fromtimestamp(moment, timezone.utc).isoformat()
    made = Resources().scripts("shop", main=SHOP).api("stays", "shop__main.quote", showInDoc=True).api("leaves", "shop__main.quote", showInDoc=True, expireTime=at)
    client = make_server(made).client
    first = client.get("/openapi.json").expect(200)
    assert time.time() < moment and paths_of(first.json, "leaves")
    wait_until(lambda: time.time() > moment, "the moment is past")
    client.get("/api/v1/al/leaves/s?sku=a").refused("403.21")
    second = client.get("/openapi.json", {"If-None-Match": first.header("ETag")}).expect(200)
    assert not paths_of(second.json, "leaves") and paths_of(second.json, "stays") and second.header("ETag") != first.header("ETag")
    client.get("/openapi.json", {"If-None-Match": second.header("ETag")}).expect(304)


def test_access_signed_in(make_server):
    """§18: [openapi] access = signed-in: a session or a management key, nobody who only knows credentials of an API."""
    server = make_server(world(), config='[openapi]\naccess = "signed-in"\n')
    server.client.get("/openapi.json").expect(503)  # nobody can be signed in before the set-up
    person = Management.set_up(server)
    for headers in ({}, {"X-Shop-Token": SECRET}, {"Authorization": "Bearer a.b.c"}, {"Cookie": "funcgate=wrong"}):
        assert server.client.get("/openapi.json", headers).status == 401
    document = server.client.get("/openapi.json", {"Cookie": person.cookie}).expect(200)
    assert document.json["openapi"].startswith("3.1")
