"""Argument forms, validation, fixed arguments and options (function-apis §4 and §5, statement 85)."""

import json

import pytest

from support.resources import PROBE, Resources
from support.wire import File, query

TYPED = '''
import enum
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal, Optional, TypedDict
from uuid import UUID

class Color(enum.Enum):
    RED = 'red'
    BLUE = 'blue'

@dataclass
class Address:
    street: str
    zip: int = 0

class Point(TypedDict):
    x: int
    y: int

def told(value):
    return {'type': type(value).__name__, 'repr': repr(value)}

@DFF.API('int')
def an_int(v: int): return told(v)
@DFF.API('float')
def a_float(v: float): return told(v)
@DFF.API('bool')
def a_bool(v: bool): return told(v)
@DFF.API('str')
def a_str(v: str): return told(v)
@DFF.API('any')
def an_any(v: Any): return told(v)
@DFF.API('none')
def a_bare(v): return told(v)
@DFF.API('list')
def a_list(v: list[int]): return told(v)
@DFF.API('strings')
def strings(v: list[str]): return told(v)
@DFF.API('tuple')
def a_tuple(v: tuple[int, str]): return told(v)
@DFF.API('set')
def a_set(v: set[int]): return told(v)
@DFF.API('dict')
def a_dict(v: dict[str, int]): return told(v)
@DFF.API('typed dict')
def a_point(v: Point): return told(v)
@DFF.API('dataclass')
def an_address(v: Address): return told(v)
@DFF.API('optional')
def an_optional(v: Optional[int] = 5): return told(v)
@DFF.API('optional text')
def optional_text(v: str | None = None): return told(v)
@DFF.API('literal')
def a_literal(v: Literal['S', 'M', 3]): return told(v)
@DFF.API('enum')
def an_enum(v: Color): return told(v)
@DFF.API('date')
def a_date(v: date): return told(v)
@DFF.API('datetime')
def a_datetime(v: datetime): return told(v)
@DFF.API('uuid')
def a_uuid(v: UUID): return told(v)
@DFF.API('decimal')
def a_decimal(v: Decimal): return told(v)
@DFF.API('bytes')
def some_bytes(v: bytes): return told(v)

@DFF.API('Several')
def several(a: int, b: str = 'x', *, c: bool = False): return [a, b, c]
@DFF.API('Positional only')
def positional(a: int = 1, /, b: int = 2): return [a, b]
@DFF.API('No arguments')
def nothing(): return 'nothing'
'''
NAMES = ("an_int", "a_float", "a_bool", "a_str", "an_any", "a_bare", "a_list", "strings", "a_tuple", "a_set", "a_dict", "a_point", "an_address",
         "an_optional", "optional_text", "a_literal", "an_enum", "a_date", "a_datetime", "a_uuid", "a_decimal", "some_bytes", "several", "nothing", "positional")


def resources() -> Resources:
    made = Resources().scripts("typed", shapes=TYPED, probe=PROBE)
    for name in NAMES:
        made.api(name, f"typed__shapes.{name}")
    made.api("echo", "typed__probe.echo", methods=["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"])
    made.api("see", "typed__probe.see")
    made.api("rest", "typed__probe.rest")
    made.api("off", "typed__shapes.an_int", validation="off")
    made.api("fixed", "typed__probe.echo", funcCallKwargs={"constant": {"secret": "constant-value"}, "open": "INPUT_BY_CALLER", "other": "FROM_PARAMETER"})
    made.api("fixed-default", "typed__shapes.several", funcCallKwargs={"a": 7, "b": "INPUT_BY_CALLER"})
    made.api("later", "typed__probe.echo", execMode="async")
    return made


# --- forms (§4)

WORDS = ("func-api", "al", "sync", "async")


@pytest.mark.parametrize("word", WORDS)
def test_every_word_and_form(client, word):
    """§4: all four words mean the same API; /normal and nothing, /s and /simplified are the same form. The spelling never changes execMode."""
    base = f"/api/v1/{word}/echo"
    for tail in ("", "/normal"):
        assert client.post(base + tail, json={"kwargs": {"sku": "A7", "qty": 2}}).expect(200).json["kwargs"] == {"sku": "A7", "qty": 2}
        assert client.get(base + tail + query(kwargs={"sku": "A7", "qty": 2})).expect(200).json["kwargs"] == {"sku": "A7", "qty": 2}
        assert client.get(base + tail).expect(200).json["kwargs"] == {}
        assert client.post(base + tail, json={}).expect(200).json["kwargs"] == {}
    for tail in ("/s", "/simplified"):
        assert client.post(base + tail, json={"sku": "A7", "qty": 2}).expect(200).json["kwargs"] == {"sku": "A7", "qty": 2}
        assert client.post(base + tail, form={"sku": "A7", "qty": 2}).expect(200).json["kwargs"] == {"sku": "A7", "qty": "2"}
        assert client.post(base + tail, parts=[("sku", "A7"), ("qty", "2")]).expect(200).json["kwargs"] == {"sku": "A7", "qty": "2"}
        assert client.get(base + tail + "?sku=A7&qty=2").expect(200).json["kwargs"] == {"sku": "A7", "qty": "2"}
        assert client.get(base + tail).expect(200).json["kwargs"] == {}
        assert client.post(base + tail).expect(200).json["kwargs"] == {}


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_put_and_patch_follow_post(client, method):
    """§4: PUT and PATCH follow the POST rules."""
    assert client.call(method, "/api/v1/al/echo?sku=query", json={"kwargs": {"a": 1}}).expect(200).json["kwargs"] == {"a": 1}
    assert client.call(method, "/api/v1/al/echo/s", json={"a": 1}).expect(200).json["kwargs"] == {"a": 1}


def test_delete_follows_get(client):
    """§4: DELETE follows the GET rules."""
    assert client.call("DELETE", "/api/v1/al/echo/s?a=1").expect(200).json["kwargs"] == {"a": "1"}
    assert client.call("DELETE", "/api/v1/al/echo" + query(kwargs={"a": 1})).expect(200).json["kwargs"] == {"a": 1}


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_body_where_none_belongs(client, method):
    """§4: a body on GET, HEAD or DELETE is 400.43."""
    client.call(method, "/api/v1/al/echo/s", json={"a": 1}).refused("400.43")


def test_body_on_head(client):
    """§4."""
    assert client.call("HEAD", "/api/v1/al/echo/s", json={"a": 1}).status == 400


def test_query_never_supplies_arguments_of_post(client):
    """§4 (c)."""
    assert client.post("/api/v1/al/echo/s?a=query", json={"b": 1}).expect(200).json["kwargs"] == {"b": 1}
    assert client.post("/api/v1/al/echo?kwargs=%7B%22a%22%3A1%7D", json={"kwargs": {"b": 1}}).expect(200).json["kwargs"] == {"b": 1}
    assert client.post("/api/v1/al/echo/s?a=query", form={"b": "1"}).expect(200).json["kwargs"] == {"b": "1"}


@pytest.mark.parametrize("body", [{"kwargs": {}, "extra": 1}, {"sku": "A7"}, {"kwargs": []}, {"kwargs": "x"}, {"kwargs": None}, {"kwargs": {}, "options": []},
                                  {"kwargs": {}, "options": "x"}, {"Kwargs": {}}, {"kwargs ": {}}], ids=str)
def test_standard_form_keys(client, body):
    """§4 (a), (b): only kwargs and options, both objects."""
    client.post("/api/v1/al/echo", json=body).refused("400.43")


@pytest.mark.parametrize("tail", ["?kwargs=x", "?kwargs=[]", "?kwargs=1", "?kwargs=", "?kwargs={}&extra=1", "?sku=A7", "?kwargs={}&kwargs={}",
                                  "?kwargs={}&options=[]", "?kwargs={}&options=x", "?Kwargs={}"])
def test_standard_get_keys(client, tail):
    """§4 (a), (b) on GET."""
    from urllib.parse import quote
    client.get("/api/v1/al/echo" + quote(tail, safe="?&=")).refused("400.43")


def test_repeated_names_become_lists(client):
    """§4 (d): a list of texts; brackets and dots have no meaning."""
    assert client.get("/api/v1/al/echo/s?n=1&n=2&m=3").expect(200).json["kwargs"] == {"n": ["1", "2"], "m": "3"}
    assert client.post("/api/v1/al/echo/s", form=[("n", "1"), ("n", "2")]).expect(200).json["kwargs"] == {"n": ["1", "2"]}
    assert client.post("/api/v1/al/echo/s", parts=[("n", "1"), ("n", "2")]).expect(200).json["kwargs"] == {"n": ["1", "2"]}
    assert client.get("/api/v1/al/echo/s?a[]=1&b.c=2&d[e]=3").expect(200).json["kwargs"] == {"a[]": "1", "b.c": "2", "d[e]": "3"}


def test_percent_decoding(client):
    """§4: names and values are percent-decoded once; plus is a blank."""
    kwargs = client.get("/api/v1/al/echo/s?a%20b=%C3%BC+x%2B&c=%2525&d=&e").expect(200).json["kwargs"]
    assert kwargs == {"a b": "ü x+", "c": "%25", "d": "", "e": ""}


@pytest.mark.parametrize("tail", ["?a=%ff", "?a=%c3%28", "?%ff=a", "?a=%ed%a0%80"])
def test_undecodable_query(client, tail):
    """§4 (h): invalid UTF-8 is 400.43."""
    client.get("/api/v1/al/echo/s" + tail).refused("400.43")


def test_text_body(client):
    """§4 (e): text/* is one argument `text`; undecodable is 400.43."""
    kwargs = client.post("/api/v1/al/echo/s", {"Content-Type": "text/plain; charset=utf-8"}, "grüße").expect(200).json["kwargs"]
    assert kwargs == {"text": "grüße"}
    client.post("/api/v1/al/echo/s", {"Content-Type": "text/plain"}, b"\xff\xfe").refused("400.43")
    assert client.post("/api/v1/al/echo/s", {"Content-Type": "text/csv"}, "a,b").expect(200).json["kwargs"] == {"text": "a,b"}


def test_other_media_types_become_base64(client):
    """§4 (e), (f): any other or no media type with a body is one argument `base64`; the body is never looked into."""
    for headers in ({"Content-Type": "application/octet-stream"}, {}, {"Content-Type": "application/xml"}):
        assert client.post("/api/v1/al/echo/s", headers, b'{"a":1}').expect(200).json["kwargs"] == {"base64": "eyJhIjoxfQ=="}


@pytest.mark.parametrize("body", ["[1]", '"text"', "1", "null", "{", '{"a":}', "{'a':1}", '{"a":1}x', '{"a":1,}', '{"a":NaN}', '{"a":Infinity}', '{"a":-Infinity}',
                                  '{"a":1e999}', '{"a":01}', '{"a":"\x01"}', '{"a":1,"a":2}', '{"a":{"b":1,"b":2}}'],
                         ids=lambda body: repr(body)[:20])
def test_bodies_that_are_not_json_objects(client, body):
    """§4 (e), (h), (i): malformed JSON, non-objects, non-finite numbers, repeated members."""
    client.post("/api/v1/al/echo/s", {"Content-Type": "application/json"}, body).refused("400.43")


def test_invalid_utf8_in_json(client):
    """§4 (h)."""
    client.post("/api/v1/al/echo/s", {"Content-Type": "application/json"}, b'{"a":"\xff"}').refused("400.43")


def test_json_depth(client):
    """§4 (h): depth over 64 is 400.43."""
    def nested(depth: int) -> str:
        return '{"a":' + "[" * (depth - 1) + "]" * (depth - 1) + "}"
    json_type = {"Content-Type": "application/json"}
    client.post("/api/v1/al/echo/s", json_type, nested(60)).expect(200)
    for depth in (66, 1000, 100_000):
        client.post("/api/v1/al/echo/s", json_type, nested(depth)).refused("400.43")


def test_json_with_charset_and_suffix(client):
    """§4 (f): the media type decides, its parameters do not."""
    assert client.post("/api/v1/al/echo/s", {"Content-Type": "Application/JSON; charset=UTF-8"}, b'{"a":1}').expect(200).json["kwargs"] == {"a": 1}


def test_numbers_keep_their_values(client):
    """§4: types are kept in JSON; integers beyond 64 bits included."""
    body = '{"big":123456789012345678901234567890,"small":-1,"float":2.0,"exponent":1e2,"text":"1","null":null,"true":true}'
    answer = client.post("/api/v1/al/echo/s", {"Content-Type": "application/json"}, body).expect(200).json
    assert answer["kwargs"]["big"] == 123456789012345678901234567890
    assert answer["types"] == {"big": "int", "small": "int", "float": "float", "exponent": "float", "text": "str", "null": "NoneType", "true": "bool"}


# --- conversion and validation (§5.1)

FROM_TEXT = [
    ("an_int", "42", "42"), ("an_int", "-7", "-7"), ("an_int", "123456789012345678", "123456789012345678"), ("a_float", "1.5", "1.5"),
    ("a_float", "1e3", "1000.0"), ("a_float", "2", "2.0"), ("a_bool", "true", "True"), ("a_bool", "FALSE", "False"), ("a_bool", "1", "True"), ("a_bool", "0", "False"),
    ("a_str", "7", "'7'"), ("a_str", "", "''"), ("an_any", "7", "'7'"), ("a_bare", "7", "'7'"), ("a_list", "[1,2]", "[1, 2]"), ("a_list", "5", "[5]"),
    ("a_dict", '{"a":1}', "{'a': 1}"), ("an_address", '{"street":"Main","zip":5}', "Address(street='Main', zip=5)"), ("an_optional", "", "None"),
    ("an_optional", "3", "3"), ("optional_text", "", "''"), ("a_literal", "S", "'S'"), ("a_literal", "3", "3"), ("an_enum", "red", "<Color.RED: 'red'>"),
    ("a_date", "2026-03-02", "datetime.date(2026, 3, 2)"), ("a_uuid", "12345678-1234-5678-1234-567812345678", "UUID('12345678-1234-5678-1234-567812345678')"),
    ("a_decimal", "1.10", "Decimal('1.10')"), ("some_bytes", "AP8=", r"b'\x00\xff'"), ("a_point", '{"x":1,"y":2}', "{'x': 1, 'y': 2}"),
]


@pytest.mark.parametrize("api, text, shown", FROM_TEXT)
def test_texts_are_converted(client, api, text, shown):
    """§5.1: GET simplified and urlencoded values are converted to the annotation."""
    for answer in (client.get(f"/api/v1/al/{api}/s" + query(v=text)), client.post(f"/api/v1/al/{api}/s", form={"v": text}),
                   client.post(f"/api/v1/al/{api}/s", parts=[("v", text)])):
        assert answer.expect(200).json["repr"] == shown


def test_repeated_texts_for_collections(client):
    """§5.1: a repeated name for list, tuple and set."""
    assert client.get("/api/v1/al/a_list/s?v=1&v=2").expect(200).json["repr"] == "[1, 2]"
    assert client.get("/api/v1/al/strings/s?v=a&v=b").expect(200).json["repr"] == "['a', 'b']"
    assert client.get("/api/v1/al/a_set/s?v=1&v=2&v=1").expect(200).json["type"] == "set"
    assert client.get("/api/v1/al/a_tuple/s?v=1&v=b").expect(200).json["repr"] == "(1, 'b')"


BAD_TEXT = [("an_int", "2.0"), ("an_int", "+1"), ("an_int", " 1"), ("an_int", "1234567890123456789"), ("an_int", ""), ("an_int", "0x1"), ("an_int", "１"),
            ("a_float", "nan"), ("a_float", "inf"), ("a_float", "1e999"), ("a_float", "x"), ("a_bool", "yes"), ("a_bool", ""), ("a_bool", "2"),
            ("a_list", "x"), ("a_list", "[1,"), ("a_list", '["a"]'), ("a_dict", "x"), ("a_dict", "[]"), ("a_dict", '{"a":"b"}'), ("an_address", '{"zip":1}'),
            ("an_address", '{"street":"a","more":1}'), ("a_point", '{"x":1,"y":2,"z":3}'), ("a_point", '{"x":1}'), ("an_optional", "x"), ("a_literal", "L"),
            ("an_enum", "green"), ("a_date", "02.03.2026"), ("a_date", "2026-02-30"), ("a_datetime", "yesterday"), ("a_uuid", "x"), ("a_decimal", "x"), ("some_bytes", "!")]


@pytest.mark.parametrize("api, text", BAD_TEXT)
def test_texts_that_do_not_fit(client, api, text):
    """§5.1: 400.43 with path, code, expected, found; the value is not repeated."""
    answer = client.get(f"/api/v1/al/{api}/s" + query(v=text)).refused("400.43")
    errors = answer.json["detail"]["errors"]
    assert answer.json["message"] == "Invalid arguments" and 1 <= len(errors) <= 20
    for error in errors:
        assert error["path"].startswith("kwargs.v") and error["code"] in ("type", "value", "missing", "unknown")
        assert {"path", "code", "message"} <= set(error) <= {"path", "code", "message", "expected", "found"}


FROM_JSON = [("an_int", 42, "42"), ("a_float", 1.5, "1.5"), ("a_float", 2, None), ("a_bool", True, "True"), ("a_str", "x", "'x'"), ("a_bare", {"a": [1]}, "{'a': [1]}"),
             ("an_any", None, "None"), ("a_list", [1, 2], "[1, 2]"), ("a_tuple", [1, "b"], "(1, 'b')"), ("a_set", [1], "{1}"), ("a_dict", {"a": 1}, "{'a': 1}"),
             ("a_point", {"x": 1, "y": 2}, "{'x': 1, 'y': 2}"), ("an_address", {"street": "Main"}, "Address(street='Main', zip=0)"), ("an_optional", None, "None"),
             ("a_literal", 3, "3"), ("an_enum", "blue", "<Color.BLUE: 'blue'>"), ("a_date", "2026-03-02", "datetime.date(2026, 3, 2)"), ("some_bytes", "AP8=", r"b'\x00\xff'")]


@pytest.mark.parametrize("api, value, shown", FROM_JSON)
def test_json_values_that_fit(client, api, value, shown):
    """§5.1: JSON values satisfy the schema without conversion."""
    for answer in (client.post(f"/api/v1/al/{api}", json={"kwargs": {"v": value}}), client.post(f"/api/v1/al/{api}/s", json={"v": value}),
                   client.get(f"/api/v1/al/{api}" + query(kwargs={"v": value}))):
        told = answer.expect(200).json
        assert told["repr"] == shown if shown else told["repr"] in ("2", "2.0")


BAD_JSON = [("an_int", "42"), ("an_int", 2.0), ("an_int", True), ("an_int", None), ("an_int", [1]), ("a_float", "1.5"), ("a_float", True), ("a_bool", 1), ("a_bool", "true"),
            ("a_str", 1), ("a_str", None), ("a_list", "1"), ("a_list", [1, "b"]), ("a_list", {"0": 1}), ("a_tuple", [1]), ("a_tuple", [1, "b", 2]), ("a_dict", [["a", 1]]),
            ("a_dict", {"a": "1"}), ("a_point", {"x": 1}), ("a_point", {"x": 1, "y": 2, "z": 3}), ("an_address", {"street": "Main", "more": 1}), ("an_address", {}),
            ("an_optional", "1"), ("a_literal", "3"), ("a_literal", "L"), ("an_enum", "RED"), ("a_date", 1), ("a_date", "2026-13-01"), ("a_uuid", 5), ("some_bytes", "*")]


@pytest.mark.parametrize("api, value", BAD_JSON, ids=str)
def test_json_values_that_do_not_fit(client, api, value):
    """§5.1: no conversion of JSON; `2.0` is no integer, `true` is no int."""
    answer = client.post(f"/api/v1/al/{api}", json={"kwargs": {"v": value}}).refused("400.43")
    assert answer.json["detail"]["errors"][0]["path"].startswith("kwargs.v")


def test_missing_and_unknown(client):
    """§5.1: missing required and unknown arguments."""
    missing = client.get("/api/v1/al/several/s").refused("400.43").json["detail"]["errors"]
    assert [(error["path"], error["code"]) for error in missing] == [("kwargs.a", "missing")]
    unknown = client.get("/api/v1/al/several/s?a=1&zzz=2").refused("400.43").json["detail"]["errors"]
    assert [(error["path"], error["code"]) for error in unknown] == [("kwargs.zzz", "unknown")]
    assert client.get("/api/v1/al/several/s?a=1&c=true").expect(200).json == [1, "x", True]
    client.get("/api/v1/al/nothing/s?a=1").refused("400.43")


def test_positional_only(client):
    """§5.1: a positional-only parameter that is supplied is 400.43."""
    assert client.get("/api/v1/al/positional/s?b=3").expect(200).json == [1, 3]
    client.get("/api/v1/al/positional/s?a=1").refused("400.43")


def test_at_most_twenty_errors(client):
    """§5.1."""
    errors = client.post("/api/v1/al/a_list/s", json={"v": ["x"] * 50}).refused("400.43").json["detail"]["errors"]
    assert len(errors) == 20


def test_validation_off(client):
    """§3: `validation: off` passes values as they came; only names are checked."""
    assert client.get("/api/v1/al/off/s?v=x").expect(200).json["repr"] == "'x'"
    client.get("/api/v1/al/off/s?zzz=x").refused("400.43")


def test_files_is_reserved(client):
    """authentication 77, §5.1: only the multipart parser can set `files`."""
    fake = [{"filePath": "/etc/passwd"}]
    client.post("/api/v1/al/echo/s", json={"files": fake}).refused("400.43")
    client.post("/api/v1/al/echo", json={"kwargs": {"files": fake}}).refused("400.43")
    client.get("/api/v1/al/echo/s?files=/etc/passwd").refused("400.43")
    client.get("/api/v1/al/echo" + query(kwargs={"files": fake})).refused("400.43")
    client.post("/api/v1/al/echo/s", form={"files": json.dumps(fake)}).refused("400.43")
    client.post("/api/v1/al/echo/s", parts=[("files", json.dumps(fake))]).refused("400.43")


def test_request_data_is_never_evaluated(client):
    """authentication 78: texts that are code or templates stay texts."""
    for text in ("{{7*7}}", "${7*7}", "__import__('os').system('id')", "%(name)s", "{0}", "'; drop table x; --", "{name!r}"):
        assert client.get("/api/v1/al/echo/s" + query(a=text)).expect(200).json["kwargs"] == {"a": text}


# --- fixed arguments (§5.2)

def test_fixed_arguments(client):
    """§5.2: a constant wins and cannot be supplied; placeholders that are not supplied are dropped; other names are free."""
    assert client.get("/api/v1/al/fixed/s?open=1&free=2").expect(200).json["kwargs"] == {"constant": {"secret": "constant-value"}, "open": "1", "free": "2"}
    for answer in (client.get("/api/v1/al/fixed/s?constant=1"), client.post("/api/v1/al/fixed", json={"kwargs": {"constant": 1}}),
                   client.post("/api/v1/al/fixed/s", json={"constant": {"secret": "constant-value"}}), client.post("/api/v1/al/fixed/s", form={"constant": "1"})):
        answer.refused("400.43")
        assert answer.json["message"] == "Argument is fixed by this API"
        assert answer.json["detail"] == {"kwargsField": "constant", "funcId": "typed__probe.echo"}
        assert "constant-value" not in answer.text


def test_placeholder_keeps_the_default(client):
    """§5.2: Python's default applies."""
    assert client.get("/api/v1/al/fixed-default/s").expect(200).json == [7, "x", False]
    assert client.get("/api/v1/al/fixed-default/s?b=y").expect(200).json == [7, "y", False]


# --- options (§5.3)

def both(client, api: str, options: dict):
    return (client.post(f"/api/v1/al/{api}", json={"kwargs": {}, "options": options}), client.get(f"/api/v1/al/{api}" + query(kwargs={}, options=options)))


@pytest.mark.parametrize("option", ["funcId", "funcCallKwargs", "origin", "originId", "queue", "ignoreResult", "taskRecordLimit", "caller", "userId", "errorDetail",
                                    "anonymous", "apiAuthIds", "unknown", "Timeout", "unbox "])
def test_options_outside_the_whitelist(client, option):
    """authentication 85, §5.3: every other name is 400.43 naming the option, on GET and POST."""
    for answer in both(client, "echo", {option: 1}):
        answer.refused("400.43")
        assert answer.json["detail"] == {"option": option}


@pytest.mark.parametrize("options", [{"timeout": 0}, {"timeout": -1}, {"timeout": "5"}, {"timeout": 1.5}, {"timeout": True}, {"timeout": None}, {"expires": 0},
                                     {"expires": "x"}, {"unbox": "false"}, {"unbox": 0}, {"returnType": "xml"}, {"returnType": 1}, {"delay": 5}, {"eta": "2099-01-01T00:00:00Z"}], ids=str)
def test_options_of_wrong_type_or_range(client, options):
    """§5.3: wrong type or range; delay and eta only for async APIs."""
    for answer in both(client, "echo", options):
        answer.refused("400.43")
        assert answer.json["detail"] == {"option": next(iter(options))}


@pytest.mark.parametrize("options", [{"delay": 0}, {"delay": 604801}, {"delay": "1"}, {"eta": "tomorrow"}, {"eta": "2099-01-01T00:00:00Z"}, {"delay": 1, "eta": "2099-01-01T00:00:00Z"}], ids=str)
def test_delay_and_eta_ranges(client, options):
    """§5.3: 1 to 604800 s, at most 7 days ahead, one of them."""
    for answer in both(client, "later", options):
        answer.refused("400.43")


def test_ignored_options(client):
    """§5.3: apiTimeout, execMode and saveResult are accepted without effect."""
    for answer in both(client, "echo", {"apiTimeout": 1, "execMode": "async", "saveResult": True}):
        answer.expect(200)


def test_options_shape_the_answer(client):
    """§5.3, §7: unbox and returnType."""
    for answer in both(client, "echo", {"unbox": False}):
        assert answer.expect(200).json["data"]["result"] == {"kwargs": {}, "types": {}}
    for answer in both(client, "nothing", {"returnType": "jsonDumps"}):
        assert answer.expect(200).body == b'"nothing"' and answer.header("Content-Type").startswith("application/json")


def test_timeout_may_only_shorten(client):
    """§5.3: a shorter timeout ends the call early."""
    answer = client.post("/api/v1/al/rest", json={"kwargs": {"seconds": 10}, "options": {"timeout": 1}}).refused("504.2")
    assert answer.json["detail"]["timeout"] == 1 and answer.json["detail"]["id"].startswith("task-")


def test_options_do_not_exist_in_the_simplified_form(client):
    """§4: in the simplified form `options` is an argument like any other."""
    assert client.get("/api/v1/al/echo/s?options=x").expect(200).json["kwargs"] == {"options": "x"}


# --- what a request looks like to the function (§12)

def test_http_request(client):
    """function-apis §12: the request as the function sees it."""
    answer = client.pinned("127.77.1.2").get("/api/v1/al/see/s?a=1&a=2&b=%C3%BC", [("X-One", "1"), ("x-one", "2"), ("X-Requested-With", "XMLHttpRequest"), ("X_Under", "u")])
    request = answer.expect(200).json["request"]
    assert request["method"] == "GET" and request["url"] == "/api/v1/al/see/s" and request["originalUrl"] == "/api/v1/al/see/s?a=1&a=2&b=%C3%BC"
    assert request["host"] == f"127.0.0.1:{client.port}" and request["hostname"] == "127.0.0.1" and request["protocol"] == "http"
    assert request["query"] == {"a": ["1", "2"], "b": "ü"} and request["body"] is None
    assert request["ip"] == "127.77.1.2" and request["xhr"] is True
    assert request["headers"]["x-one"] == "1, 2" and request["headers"]["x_under"] == "u"


def test_anonymous_caller(client):
    """function-apis §12: the caller of an anonymous API."""
    seen = client.get("/api/v1/al/see/s").expect(200).json
    assert seen["caller"] == {"type": "anonymous", "authId": None, "name": "system", "userId": None, "keyId": None, "keyName": None, "groups": [], "roles": [],
                              "attributes": {}, "runAs": "system"}
    assert seen["origin"] == ["funcAPI", "see"]


def test_forwarding_headers_of_strangers_change_nothing(client):
    """authentication 13: an untrusted peer cannot change the seen address, host or protocol."""
    headers = [("X-Forwarded-For", "9.9.9.9"), ("Forwarded", "for=9.9.9.9;proto=https;host=evil"), ("X-Real-IP", "9.9.9.9"), ("X-Forwarded-Proto", "https"),
               ("X-Forwarded-Host", "evil.example"), ("X-Original-URL", "/admin"), ("X-Rewrite-URL", "/admin")]
    request = client.pinned("127.77.1.3").get("/api/v1/al/see/s", headers).expect(200).json["request"]
    assert request["ip"] == "127.77.1.3" and request["protocol"] == "http" and request["hostname"] == "127.0.0.1" and request["url"] == "/api/v1/al/see/s"


# --- uploads (§6)

UPLOADS = '''
import os

@DFF.API('Look at uploads')
def look(files=None, **kwargs):
    found = []
    for file in files or []:
        with open(file['filePath'], 'rb') as stream:
            content = stream.read()
        folder = os.path.dirname(file['filePath'])
        found.append({**file, 'content': content.decode('latin-1'), 'mode': oct(os.stat(folder).st_mode & 0o777)})
    return {'files': found, 'kwargs': kwargs}
'''


@pytest.fixture(scope="module")
def uploads(tmp_path_factory):
    from support.server import Server
    world = Resources().scripts("up", load=UPLOADS).fixed_field("token", {"location": "header", "name": "X-Token", "value": "a-token-for-uploads"})
    world.api("upload", "up__load.look", "token", acceptFiles=True).api("no-files", "up__load.look", "token").api("small", "up__load.look", "token", acceptFiles=True, maxUploadBytes=1000)
    instance = Server(tmp_path_factory.mktemp("uploads"), "[limits]\nupload_files = 3\n")
    instance.start(instance.write(world))
    yield instance
    assert instance.stop() == 0


TOKEN = {"X-Token": "a-token-for-uploads"}


def test_upload(uploads):
    """§6: what a function gets of a file part."""
    content = bytes(range(256)) * 100
    answer = uploads.client.post("/api/v1/al/upload/s", TOKEN, parts=[("title", "März"), File("file", "a.bin", content, "image/png"), File("other", "b.txt", b"")])
    seen = answer.expect(200).json
    assert seen["kwargs"] == {"title": "März"} and len(seen["files"]) == 2
    first, second = seen["files"]
    assert first["originalname"] == "a.bin" and first["size"] == len(content) and first["mimetype"] == "image/png"
    assert first["content"].encode("latin-1") == content and first["mode"] == "0o700"
    assert second["originalname"] == "b.txt" and second["size"] == 0
    assert first["filePath"] != second["filePath"] and "a.bin" not in first["filePath"]


def test_upload_folder_is_deleted(uploads):
    """§6: the folder is deleted when the call ends."""
    from pathlib import Path
    from support.server import wait_until
    path = uploads.client.post("/api/v1/al/upload/s", TOKEN, parts=[File("f", "a", b"x")]).expect(200).json["files"][0]["filePath"]
    wait_until(lambda: not Path(path).parent.exists(), "the folder of the call is gone")


@pytest.mark.parametrize("name, kept", [("../../etc/passwd", "passwd"), ("/etc/passwd", "passwd"), ("C:\\\\temp\\\\a.txt", "a.txt"), ("..", None), ("ü.txt", "ü.txt")])
def test_original_name_is_a_last_component(uploads, name, kept):
    """§6: originalname is reduced to its last path component."""
    seen = uploads.client.post("/api/v1/al/upload/s", TOKEN, parts=[File("f", name, b"x")]).expect(200).json["files"][0]
    assert "/" not in seen["originalname"] and "\\" not in seen["originalname"] and seen["originalname"] not in (".", "..")
    assert kept is None or seen["originalname"] == kept
    assert len(seen["originalname"].encode()) <= 255


def test_long_original_name(uploads):
    """§6: at most 255 bytes."""
    seen = uploads.client.post("/api/v1/al/upload/s", TOKEN, parts=[File("f", "x" * 600, b"x")]).expect(200).json["files"][0]
    assert len(seen["originalname"].encode()) <= 255


def test_uploads_where_they_are_not_accepted(uploads):
    """§6: a file part is 415.44 where the API does not accept files, and in the standard form."""
    uploads.client.post("/api/v1/al/no-files/s", TOKEN, parts=[File("f", "a", b"x")]).refused("415.44")
    uploads.client.post("/api/v1/al/no-files/s", TOKEN, parts=[("a", "1")]).expect(200)
    answer = uploads.client.post("/api/v1/al/upload", TOKEN, parts=[File("f", "a", b"x")])
    assert answer.error in ("415.44", "400.43")


def test_uploads_too_large_or_too_many(uploads):
    """§6: 413.43."""
    uploads.client.post("/api/v1/al/small/s", TOKEN, parts=[File("f", "a", b"x" * 5000)]).refused("413.43")
    uploads.client.post("/api/v1/al/upload/s", TOKEN, parts=[File("f", "a", b"x")] * 4).refused("413.43")


def stored_bytes(folder) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_nothing_is_stored_for_strangers(uploads):
    """authentication 23 and 24: without credentials no byte of a file is written, and little is read."""
    before = stored_bytes(uploads.data)
    head = b"POST /api/v1/al/upload/s HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 10737418240\r\n\r\n"
    with uploads.client.connect() as connection:
        connection.send(head + b'--b\r\nContent-Disposition: form-data; name="f"; filename="a"\r\n\r\n')
        connection.read("POST").refused("401.99")
        sent = 0
        try:
            while sent < 64 << 20:
                sent += connection.socket.send(b"x" * 65536)
        except OSError:
            pass
        assert sent < 64 << 20, "the server keeps reading the body of a stranger"
    assert stored_bytes(uploads.data) - before < 1 << 20


@pytest.mark.parametrize("body", [b"--b", b"--b\r\n", b"--b\r\n\r\nno disposition\r\n--b--\r\n", b"no boundary at all",
                                  b'--b\r\nContent-Disposition: form-data; name="f"; filename="a"\r\n\r\nno end',
                                  b'--b\r\nContent-Disposition: form-data; filename="a"\r\n\r\nx\r\n--b--\r\n'])
def test_malformed_multipart(uploads, body):
    """§4: malformed multipart is 400.43, never a crash."""
    uploads.client.post("/api/v1/al/upload/s", {**TOKEN, "Content-Type": "multipart/form-data; boundary=b"}, body).refused("400.43")


def test_multipart_without_boundary(uploads):
    """§4."""
    uploads.client.post("/api/v1/al/upload/s", {**TOKEN, "Content-Type": "multipart/form-data"}, b"x").refused("400.43")
