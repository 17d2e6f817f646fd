"""anonymousUntil: from that instant as if apiAuthIds: [api-key] stood there (function-apis §3)."""

import time
from datetime import datetime, timedelta, timezone

from support.resources import Resources

SCRIPT = '''
@DFF.API('Tells who calls and with what')
def who():
    return {'caller': _DFF_CALLER.get('type'), 'authorization': _DFF_HTTP_REQUEST['headers'].get('authorization')}
'''


def at(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def refused_as_by_a_key(answer) -> None:
    answer.refused("401.99")
    assert answer.json["message"] == "API Key Auth failed"
    assert answer.all("WWW-Authenticate") == ['Bearer realm="funcgate"']


def test_open_until_then_and_closed_from_then_on(make_server):
    """Calls, calls whose Authorization was passed on, and polls and cancellations of tasks that were made in time."""
    server = make_server()
    end = datetime.now(timezone.utc).replace(microsecond=0) + timedelta(seconds=8)
    made = Resources().scripts("open", main=SCRIPT).api("open", "open__main.who", anonymousUntil=at(end))
    made.api("passing", "open__main.who", anonymousUntil=at(end), passAuthorization=True)
    made.api("later", "open__main.who", execMode="async", anonymousUntil=at(end))
    made.api("disabled", "open__main.who", isDisabled=True, anonymousUntil=at(end))
    server.apply(made)
    client = server.client
    assert client.get("/api/v1/func-api/open/s").expect(200).json["caller"] == "anonymous"
    assert client.get("/api/v1/func-api/passing/s", {"Authorization": "Basic eA=="}).expect(200).json["authorization"] == "Basic eA=="
    client.get("/api/v1/func-api/disabled/s").refused("403.21")
    task = client.get("/api/v1/func-api/later/s").expect(202).json["data"]["url"]
    client.get(task).expect(200)

    time.sleep(max(0.0, (end - datetime.now(timezone.utc)).total_seconds()) + 0.05)  # the instant is the subject of this test
    for api in ("open", "passing", "disabled"):
        refused_as_by_a_key(client.get(f"/api/v1/func-api/{api}/s"))
    refused_as_by_a_key(client.get("/api/v1/func-api/passing/s", {"Authorization": "Basic eA=="}))
    for method in ("GET", "DELETE"):
        refused_as_by_a_key(client.call(method, task))
    refused_as_by_a_key(client.get(task + "/result"))
