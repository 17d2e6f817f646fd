"""ASGI without a framework: about the least that Python code behind uvicorn can do, with orjson and a Basic check by comparison.

POST /sum {a, b} -> {sum}   POST /length {text} -> {length}   POST /echo JSON -> the same JSON, parsed and written   POST /bytes: not parsed
"""

import base64
import hmac

import orjson

WANTED = b"Basic " + base64.b64encode(b"mia:a password of the bench")
HEADERS = (b"content-type", b"application/json")


def answer(path: str, body: bytes) -> bytes:
    if path == "/bytes":
        return body
    value = orjson.loads(body)
    if path == "/sum":
        return orjson.dumps({"sum": value["a"] + value["b"]})
    if path == "/length":
        return orjson.dumps({"length": len(value["text"])})
    return orjson.dumps(value)


async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    given = b""
    for name, value in scope["headers"]:
        if name == b"authorization":
            given = value
    if not hmac.compare_digest(given, WANTED):
        await send({"type": "http.response.start", "status": 401, "headers": [(b"www-authenticate", b'Basic realm="bench"'), (b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})
        return
    message = await receive()
    body = message["body"]
    if message.get("more_body"):
        parts = [body]
        while message.get("more_body"):
            message = await receive()
            parts.append(message["body"])
        body = b"".join(parts)
    result = answer(scope["path"], body)
    await send({"type": "http.response.start", "status": 200, "headers": [HEADERS, (b"content-length", b"%d" % len(result))]})
    await send({"type": "http.response.body", "body": result})
