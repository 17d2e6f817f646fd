"""The cookie of a console session reaches no user code, whatever the API says of credentials (authentication §9, statement 73)."""

import json

import pytest

from support.resources import Resources
from support.server import wait_until

CANARY = "canary-session-4720-value"
COOKIES = f"theme=dark; __Host-funcgate={CANARY}; funcgate={CANARY}"


def resources() -> Resources:
    made = Resources().scripts("mirror", main='''
def seen():
    headers = _DFF_HTTP_REQUEST['headers']
    return {'cookie': headers.get('cookie'), 'headers': dict(headers)}

@DFF.API('Shows what it sees')
def show(**kwargs):
    print(seen())
    return seen()

@DFF.API('The same, remembered', cache_result=60, cache_vary=['header:cookie'])
def remembered():
    return _DFF_HTTP_REQUEST['headers'].get('cookie')

@DFF.API('Tells what it sees by refusing')
def gate():
    return seen()
''')
    made.func_auth("gate", "mirror__main.gate").basic("staff", {"mia": "a password of mia"})
    made.api("open", "mirror__main.show", recordDetail=True).api("passing", "mirror__main.show", passAuthorization=True, recordDetail=True)
    made.api("remembered", "mirror__main.remembered").api("later", "mirror__main.show", execMode="async", recordDetail=True)
    return made.api("gated", "mirror__main.show", "gate")


@pytest.mark.parametrize("api", ["open", "passing"])
def test_functions_do_not_see_it(client, api):
    answer = client.get(f"/api/v1/func-api/{api}/s", [("Cookie", COOKIES), ("Cookie", f"funcgate={CANARY}")]).expect(200)
    assert CANARY not in answer.text
    assert answer.json["cookie"] == "theme=dark", "other cookies stay"


def test_authentication_functions_do_not_see_it(client):
    answer = client.get("/api/v1/func-api/gated/s", {"Cookie": COOKIES}).refused("401.99")
    assert CANARY not in answer.text
    assert answer.json["detail"]["cookie"] == "theme=dark"


def test_results_are_not_kept_per_session(client):
    path = "/api/v1/func-api/remembered/s"
    first = client.get(path, {"Cookie": f"funcgate={CANARY}-1; theme=dark"}).expect(200)
    second = client.get(path, {"Cookie": f"theme=dark; funcgate={CANARY}-2"}).expect(200)
    assert (first.header("X-Dff-Cache"), second.header("X-Dff-Cache")) == (None, "Cached")
    assert first.body == second.body and CANARY not in second.text


def test_tasks_and_records_do_not_keep_it(server, client):
    task = client.get("/api/v1/func-api/later/s", {"Cookie": COOKIES}).expect(202).json["data"]["url"]
    answer = wait_until(lambda: (found := client.get(task + "/result")).status == 200 and found, "the task ends")
    assert json.loads(answer.body)["cookie"] == "theme=dark"
    client.get("/api/v1/func-api/open/s?marker=the-last-call").expect(200)

    def files_with(needle: str) -> list[str]:
        paths = [*server.data.rglob("*"), *server.folder.glob("server-*")]
        return [path.name for path in paths if path.is_file() and needle.encode() in path.read_bytes()]

    wait_until(lambda: files_with("the-last-call"), "records are written")
    assert files_with(CANARY) == []


def test_passed_authorization_is_masked_in_records(server, client):
    """What an anonymous API with passAuthorization shows to its function stands in no record; Proxy-Authorization is not shown."""
    headers = {"Authorization": "Bearer canary-passed-4721", "Proxy-Authorization": "Basic canary-proxy-4722"}
    answer = client.get("/api/v1/func-api/passing/s?marker=the-passed-call", headers).expect(200)
    assert answer.json["headers"]["authorization"] == "Bearer canary-passed-4721"
    assert "canary-proxy" not in answer.text

    def files_with(needle: str) -> list[str]:
        return [path.name for path in server.data.rglob("*") if path.is_file() and needle.encode() in path.read_bytes()]

    client.get("/api/v1/func-api/open/s?marker=the-very-last-call").expect(200)
    wait_until(lambda: files_with("the-very-last-call"), "records are written")
    assert files_with("canary-passed") == []
