"""WSGI without a framework, for uWSGI: POST {a, b} -> {sum} behind HTTP Basic, with Python's own json module."""

import base64
import hmac
import json

WANTED = "Basic " + base64.b64encode(b"mia:a password of the bench").decode()


def application(environment, start_response):
    if not hmac.compare_digest(environment.get("HTTP_AUTHORIZATION", ""), WANTED):
        start_response("401 Unauthorized", [("WWW-Authenticate", 'Basic realm="bench"'), ("Content-Length", "0")])
        return [b""]
    value = json.loads(environment["wsgi.input"].read(int(environment["CONTENT_LENGTH"])))
    body = json.dumps({"sum": value["a"] + value["b"]}).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
