"""The error envelope byte for byte, and the headers every answer carries (function-apis §16 and §17)."""

import re

import pytest

from support.resources import PROBE, Resources

UUID = r"[0-9A-F]{8}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{12}"
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
TOKEN = {"X-Token": "a-token-of-the-envelope"}
QUERY_TOKEN = "query-token-of-the-envelope"


def resources() -> Resources:
    shop = '''
        @DFF.API('Price of a basket')
        def quote(sku: str, qty: int = 1):
            return {'cents': 250 * qty}

        @DFF.API('A page')
        def page(kind: str = 'html'):
            return DFF.RESP('<p>page</p>', content_type=kind)

        @DFF.API('Own cache rule')
        def cached():
            return DFF.RESP('x', headers={'Cache-Control': 'max-age=60', 'Server': 'mine', 'X-Trace-Id': 'mine', 'X-Mine': 'yes'})
    '''
    made = Resources().scripts("shop", prices=shop, probe=PROBE)
    made.fixed_field("tokens", {"location": "header", "name": "X-Token", "value": TOKEN["X-Token"]},
                     {"location": "query", "name": "token", "value": QUERY_TOKEN})
    made.api("basket", "shop__prices.quote", "tokens")
    made.api("open", "shop__prices.quote")
    made.api("page", "shop__prices.page")
    made.api("cached", "shop__prices.cached", "tokens")
    made.api("echo", "shop__probe.echo")
    for level in ("type", "message", "traceback"):
        made.api(f"fail-{level}", "shop__probe.fail", errorDetail=level)
    return made


def pattern(server, *, error: str, reason: str, message: str, status: int, method: str, path: str, detail: str | None = None,
            trace: str = "TRACE-" + UUID, client_time: str = "null") -> str:
    """The whole body as a regular expression: members in their order, nothing between them, only ids and times variable.

    `detail` is a regular expression; everything else is literal text, except `trace` and `message`, which are expressions too.
    """
    inner = f'"detail":{detail},' if detail else ""
    url = re.escape(f"http://127.0.0.1:{server.port}{path}")
    return (rf'\{{"ok":false,"error":{re.escape(error)},"reason":"{re.escape(reason)}","message":"{message}",{inner}"status":{status},'
            rf'"reqDump":\{{"method":"{method}","url":"{url}"\}},"traceId":"{trace}","clientTime":{client_time},'
            rf'"reqTime":"{TIME}","respTime":"{TIME}","reqCost":\d+\}}')


def check(answer, expression: str) -> None:
    assert re.fullmatch(expression, answer.text), f"\n got  {answer.text}\n want {expression}"
    assert answer.header("Content-Type").startswith("application/json")


def test_404_unknown_api(server, client):
    """function-apis §16: members in this order, the query is dropped on 404."""
    answer = client.get("/api/v1/func-api/nowhere/s?token=secret-in-query").expect(404)
    check(answer, pattern(server, error="404.41", reason="EClientNotFound", message='[^"]+', status=404, method="GET",
                          path="/api/v1/func-api/nowhere/s"))


def test_unknown_ids_look_alike(client):
    """function-apis §15 step 2: every unknown id looks alike, with credentials or without."""
    answers = [client.get("/api/v1/func-api/" + name, headers).expect(404) for name in ("nowhere", "Basket", "basket-2", "x" * 60) for headers in ({}, TOKEN)]
    assert len({(answer.error, answer.json["reason"], answer.json["message"], tuple(answer.json)) for answer in answers}) == 1


def test_401_fixed_field(server, client):
    """authentication §1: message of the entry, no detail."""
    answer = client.get("/api/v1/func-api/basket/s?sku=A7").expect(401)
    check(answer, pattern(server, error="401.99", reason="EAPIAuth", message="Fixed Field Auth failed", status=401, method="GET",
                          path="/api/v1/func-api/basket/s?sku=A7"))
    assert answer.all("WWW-Authenticate") == ['FixedField realm="tokens"']


def test_reqdump_hides_credential_fields(server, client):
    """function-apis §16, authentication 20: credential fields in reqDump.url read ***."""
    answer = client.get("/api/v1/func-api/basket/s?sku=A7&token=wrong-secret-value&qty=2").expect(401)
    assert "wrong-secret-value" not in answer.text
    assert answer.json["reqDump"]["url"].endswith("/api/v1/func-api/basket/s?sku=A7&token=***&qty=2")


def test_400_arguments(server, client):
    """function-apis §16, the example: types and places, never values."""
    answer = client.post("/api/v1/func-api/basket", TOKEN, json={"kwargs": {"sku": "A7", "qty": "two-secret"}}).expect(400)
    check(answer, pattern(server, error="400.43", reason="EClientBadRequest", message="Invalid arguments", status=400, method="POST",
                          path="/api/v1/func-api/basket",
                          detail=r'\{"errors":\[\{"path":"kwargs\.qty","code":"type","message":"[^"]+","expected":"integer","found":"string"\}\]\}'))
    assert "two-secret" not in answer.text


def test_405_method(server, client):
    """function-apis §15 step 4: 405.44 with Allow."""
    answer = client.call("DELETE", "/api/v1/func-api/basket/s").expect(405)
    check(answer, pattern(server, error="405.44", reason="EClientUnsupported.Method", message='[^"]+', status=405, method="DELETE",
                          path="/api/v1/func-api/basket/s"))
    assert {name.strip() for name in answer.header("Allow").split(",")} >= {"GET", "POST"}


TASK = (r'"name":"Func\.Runner","id":"task-[0-9A-Za-z]+","triggerTime":\d+\.\d+,"startTime":\d+\.\d+,"endTime":\d+\.\d+,'
        r'"status":"failure","exceptionType":"UserScriptException"')


def test_500_function_raised_type(server, client):
    """function-apis §16: `errorDetail: type` shows the type and no text of the exception; 500.10 prints 500.1."""
    answer = client.get("/api/v1/func-api/fail-type/s?text=confidential").expect(500)
    check(answer, pattern(server, error="500.1", reason="EFuncFailed", message='[^"]+', status=500, method="GET",
                          path="/api/v1/func-api/fail-type/s?text=confidential",
                          detail=rf'\{{{TASK},"exceptionFrom":"userScript","originExceptionType":"ValueError"\}}'))
    assert '"error":500.1,' in answer.text


def test_500_function_raised_message(server, client):
    """function-apis §16: `errorDetail: message` adds the texts, in the order of authentication §6.2."""
    answer = client.get("/api/v1/func-api/fail-message/s").expect(500)
    check(answer, pattern(server, error="500.1", reason="EFuncFailed", message='[^"]+', status=500, method="GET",
                          path="/api/v1/func-api/fail-message/s",
                          detail=rf"""\{{{TASK},"exception":"In User Script: ValueError\('no luck'\)","exceptionFrom":"userScript","""
                                 r""""originExceptionType":"ValueError","originException":"ValueError\('no luck'\)"\}"""))
    assert "Traceback" not in answer.text


def test_500_function_raised_traceback(client):
    """function-apis §16: `errorDetail: traceback` adds a text `traceback`."""
    detail = client.get("/api/v1/func-api/fail-traceback/s").refused("500.1").json["detail"]
    assert "ValueError" in detail["traceback"] and "fail" in detail["traceback"]
    assert detail["originException"] == "ValueError('no luck')"


def test_success_envelope(server, client):
    """function-apis §7: `unbox: false` wraps the result."""
    answer = client.post("/api/v1/func-api/open", json={"kwargs": {"sku": "A7", "qty": 2}, "options": {"unbox": False}}).expect(200)
    assert re.fullmatch(rf'\{{"ok":true,"error":200,"message":"","data":\{{"result":\{{"cents":500\}}\}},"traceId":"TRACE-{UUID}"'
                        rf'(,"clientTime":null)?,"reqTime":"{TIME}","respTime":"{TIME}","reqCost":\d+\}}', answer.text), answer.text


@pytest.mark.parametrize("trace", ["a", "TRACE-1", "x.y_z-0", "A" * 64])
def test_trace_id_is_taken_over(client, trace):
    """function-apis §16: an incoming X-Trace-Id of the right shape is the trace id."""
    for target in ("/api/v1/func-api/nowhere", "/api/v1/func-api/open/s?sku=A7"):
        assert client.get(target, {"X-Trace-Id": trace}).header("X-Trace-Id") == trace
    assert client.get("/api/v1/func-api/nowhere", {"X-Trace-Id": trace}).json["traceId"] == trace


@pytest.mark.parametrize("trace", ["", "A" * 65, "trace 1q", "ü", "trace;1q", "<script>", "trace/1q", '"quoted"'])
def test_malformed_trace_id_is_replaced(server, client, trace):
    """authentication 75: a malformed or long trace id is not echoed and not logged raw."""
    answer = client.get("/api/v1/func-api/nowhere", [("X-Trace-Id", trace.encode("utf-8"))]).expect(404)
    assert re.fullmatch("TRACE-" + UUID, answer.header("X-Trace-Id"))
    assert answer.json["traceId"] == answer.header("X-Trace-Id")
    if len(trace) > 1:
        assert trace not in answer.text and trace not in server.log()


def test_client_time(client):
    """function-apis §16 and §17: X-Client-Time is echoed when it is printable and short."""
    answer = client.get("/api/v1/func-api/nowhere", {"X-Client-Time": "2026-03-02T09:15:00Z"})
    assert answer.json["clientTime"] == "2026-03-02T09:15:00Z"
    assert answer.header("X-Client-Time") == "2026-03-02T09:15:00Z"


@pytest.mark.parametrize("value", [b"x" * 65, b"a\tb\xff", "zeit-ü".encode()])
def test_malformed_client_time_is_dropped(client, value):
    """authentication 75."""
    answer = client.get("/api/v1/func-api/nowhere", [("X-Client-Time", value)]).expect(404)
    assert answer.json["clientTime"] is None
    assert answer.header("X-Client-Time") is None


@pytest.mark.parametrize("target, headers, status", [
    ("/api/v1/func-api/open/s?sku=A7", {}, 200),
    ("/api/v1/func-api/basket/s?sku=A7", TOKEN, 200),
    ("/api/v1/func-api/basket/s?sku=A7", {}, 401),
    ("/api/v1/func-api/nowhere", {}, 404),
    ("/api/v1/func-api/open/s", {}, 400),
    ("/api/v1/func-api/fail-type/s", {}, 500),
])
def test_headers_of_every_answer(client, target, headers, status):
    """function-apis §17: the headers that every answer carries, once each."""
    answer = client.get(target, headers).expect(status)
    for name in ("X-Trace-Id", "X-Request-Time", "X-Response-Time", "X-Request-Cost", "Content-Length", "Date"):
        assert len(answer.all(name)) == 1, (name, answer.fields)
    assert answer.header("X-Request-Cost").isdigit()
    assert answer.all("X-Content-Type-Options") == ["nosniff"]
    assert answer.all("Server") == ["funcgate"]
    assert answer.header("X-Client-Time") is None


def test_authenticated_answers_are_not_stored(client):
    """function-apis §17: Cache-Control on authenticated answers unless the function set its own."""
    assert client.get("/api/v1/func-api/basket/s?sku=A7", TOKEN).expect(200).all("Cache-Control") == ["private, no-store"]
    assert client.get("/api/v1/func-api/cached/s", TOKEN).expect(200).all("Cache-Control") == ["max-age=60"]


def test_function_cannot_set_headers_of_the_server(client):
    """function-apis §7: Server and X-Trace-Id of the function are ignored, others pass."""
    answer = client.get("/api/v1/func-api/cached/s", TOKEN).expect(200)
    assert answer.all("Server") == ["funcgate"]
    assert answer.all("X-Trace-Id") != ["mine"] and len(answer.all("X-Trace-Id")) == 1
    assert answer.header("X-Mine") == "yes"


@pytest.mark.parametrize("kind, sandboxed", [("html", True), ("image/svg+xml", True), ("application/xml", True), ("text", False)])
def test_active_content_is_sandboxed(client, kind, sandboxed):
    """function-apis §17: HTML, SVG and XML carry a sandboxing Content-Security-Policy."""
    answer = client.get("/api/v1/func-api/page/s", body=None).expect(200) if kind == "html" else \
        client.post("/api/v1/func-api/page/s", form={"kind": kind}).expect(200)
    policy = answer.header("Content-Security-Policy")
    assert (policy == "sandbox allow-scripts allow-forms") if sandboxed else (policy is None)


def test_head_has_the_headers_and_no_body(make_server):
    """function-apis §4, authentication §7: HEAD gets the same headers without a body, also on a refusal."""
    world = Resources().scripts("shop", probe=PROBE).fixed_field("tokens", {"location": "header", "name": "X-Token", "value": TOKEN["X-Token"]})
    world.api("hello", "shop__probe.hello", "tokens", methods=["GET", "HEAD"])
    client = make_server(world).client
    for headers, status in (({}, 401), (TOKEN, 200)):
        with client.connect() as connection:
            line = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
            target = "/api/v1/func-api/hello/s"
            connection.send(f"HEAD {target} HTTP/1.1\r\nHost: x\r\n{line}\r\nGET {target} HTTP/1.1\r\nHost: x\r\n{line}\r\n".encode())
            head, get = connection.read("HEAD").expect(status), connection.read("GET").expect(status)
            assert head.header("Content-Type") == get.header("Content-Type")
            assert head.all("WWW-Authenticate") == get.all("WWW-Authenticate")


def test_public_url_is_used_in_reqdump(make_server):
    """function-apis §16: reqDump.url starts with the configured public base URL."""
    server = make_server(resources(), config='[server]\npublic_url = "https://fn.example.net"\n')
    answer = server.client.get("/api/v1/func-api/basket/s?sku=A7").refused("401.99")
    assert answer.json["reqDump"]["url"] == "https://fn.example.net/api/v1/func-api/basket/s?sku=A7"
