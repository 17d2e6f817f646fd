"""Fixed fields (authentication §2, statements 18 to 25)."""

import json

import pytest

from support.resources import PROBE, Resources
from support.wire import File, query

HEADER = "header-value-0001"
QUERY = "query-value-00001"
BODY = "body-value-000001"
NESTED = "nested-value-0001"
DOTTED = "dotted-value-0001"
OLD, NEW = "rotate-old-000001", "rotate-new-000001"
WORDS = ("func-api", "al", "sync", "async")
CONFIG = "[limits]\npre_auth_body_bytes = 65536\n"


def resources() -> Resources:
    made = Resources().scripts("probe", main=PROBE)
    made.fixed_field("shop", {"label": "head", "location": "header", "name": "X-Shop-Token", "value": HEADER},
                     {"label": "query", "location": "query", "name": "shop_token", "value": QUERY},
                     {"label": "body", "location": "body", "name": "shop_token", "value": BODY},
                     {"label": "nested", "location": "body", "name": "auth.token", "value": NESTED},
                     {"label": "dotted", "location": "body", "name": r"auth\.token", "value": DOTTED})
    made.fixed_field("rotating", {"label": "old", "location": "header", "name": "X-Rotate", "value": OLD},
                     {"label": "new", "location": "header", "name": "X-Rotate", "value": NEW})
    made.fixed_field("ended", {"label": "past", "location": "header", "name": "X-Past", "value": "past-value-000001", "notAfter": "2020-01-01T00:00:00Z"},
                     {"label": "off", "location": "header", "name": "X-Off", "value": "off-value-0000001", "disabled": True},
                     {"label": "ahead", "location": "header", "name": "X-Ahead", "value": "ahead-value-00001", "notAfter": "2099-01-01T00:00:00Z"})
    made.fixed_field("head-only", {"label": "head", "location": "header", "name": "X-Only", "value": HEADER})
    made.basic("users", {"mia": "a password of mia"})
    made.api("see", "probe__main.see", "shop", acceptFiles=True)
    made.api("rotating", "probe__main.see", "rotating")
    made.api("ended", "probe__main.see", "ended")
    made.api("either", "probe__main.see", "shop", "users")
    made.api("head-only", "probe__main.see", "head-only", acceptFiles=True)
    return made


FORMS = ("post-standard", "post-simplified", "post-urlencoded", "post-multipart", "get-standard", "get-simplified")


def call(client, word: str, form: str, *, headers=None, in_query=None, in_body=None, api: str = "see"):
    """The argument sku=A7 in the form, with credential fields where the caller puts them."""
    headers, in_query, in_body = dict(headers or {}), dict(in_query or {}), dict(in_body or {})
    base = f"/api/v1/{word}/{api}"
    tail = query(**in_query) if in_query else ""
    if form == "post-standard":
        return client.post(base + tail, headers, json={**in_body, "kwargs": {"sku": "A7"}})
    if form == "post-simplified":
        return client.post(base + "/s" + tail, headers, json={"sku": "A7", **in_body})
    if form == "post-urlencoded":
        return client.post(base + "/simplified" + tail, headers, form={"sku": "A7", **in_body})
    if form == "post-multipart":
        return client.post(base + "/s" + tail, headers, parts=[("sku", "A7"), *in_body.items()])
    assert not in_body
    if form == "get-standard":
        return client.get(base + query(kwargs={"sku": "A7"}, **in_query), headers)
    return client.get(base + "/s" + query(sku="A7", **in_query), headers)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("place", ["header", "query", "body"])
def test_accepted_everywhere(client, word, form, place):
    """authentication 18: all four URL words, all argument forms; body fields in the POST forms. 19: the field is gone."""
    where = {"header": {"headers": {"X-Shop-Token": HEADER}}, "query": {"in_query": {"shop_token": QUERY}},
             "body": {"in_body": {"shop_token": BODY}}}[place]
    if place == "body" and form.startswith("get"):
        with_query = {"in_query": {"shop_token": BODY}}
        call(client, word, form, **with_query).refused("401.99")  # the value of the body entry opens nothing elsewhere
        return
    seen = call(client, word, form, **where).expect(200).json
    assert seen["kwargs"] == {"sku": "A7"}
    assert seen["caller"]["type"] == "fixedField" and seen["caller"]["authId"] == "shop"
    assert seen["caller"]["name"] == {"header": "head", "query": "query", "body": "body"}[place]


@pytest.mark.parametrize("form", FORMS)
def test_absent_and_wrong_are_refused(client, form):
    """authentication §1: absent and wrong are 401.99."""
    call(client, "func-api", form).refused("401.99")
    call(client, "func-api", form, headers={"X-Shop-Token": HEADER + "x"}).refused("401.99")
    call(client, "func-api", form, headers={"X-Shop-Token": HEADER[:-1]}).refused("401.99")
    call(client, "func-api", form, headers={"X-Shop-Token": HEADER.upper()}).refused("401.99")
    call(client, "func-api", form, headers={"X-Shop-Token": ""}).refused("401.99")


def test_value_of_one_place_opens_no_other(client):
    """authentication §2: location and name are part of what is compared."""
    call(client, "func-api", "post-simplified", headers={"X-Shop-Token": QUERY}).refused("401.99")
    call(client, "func-api", "post-simplified", in_query={"shop_token": HEADER}).refused("401.99")
    call(client, "func-api", "post-simplified", in_body={"shop_token": QUERY}).refused("401.99")


def test_header_name_and_blanks(client):
    """authentication §2: any ASCII case, surrounding blanks do not count, `-` and `_` differ."""
    for name in ("x-shop-token", "X-SHOP-TOKEN", "x-Shop-toKen"):
        call(client, "al", "get-simplified", headers={name: HEADER}).expect(200)
    call(client, "al", "get-simplified", headers={"X-Shop-Token": f"  {HEADER}\t "}).expect(200)
    call(client, "al", "get-simplified", headers={"X_Shop_Token": HEADER}).refused("401.99")
    call(client, "al", "get-simplified", headers={"X-Shop_Token": HEADER}).refused("401.99")


def test_query_name_is_exact_and_decoded(client):
    """authentication §2: decoded name, exact; decoded value."""
    client.get(f"/api/v1/al/see/s?sku=A7&shop%5Ftoken={QUERY.replace('-', '%2D')}").expect(200)
    client.get(f"/api/v1/al/see/s?sku=A7&Shop_Token={QUERY}").refused("401.99")
    client.get(f"/api/v1/al/see/s?sku=A7&shop_token%20={QUERY}").refused("401.99")
    client.get(f"/api/v1/al/see/s?sku=A7&shop_token[]={QUERY}").refused("401.99")


def test_body_path_and_literal_dot(client):
    r"""authentication §2: a dot is a path, `\.` a literal dot."""
    nested = client.post("/api/v1/al/see/s", json={"sku": "A7", "auth": {"token": NESTED, "kept": 1}}).expect(200).json
    assert nested["caller"]["name"] == "nested"
    assert nested["kwargs"] == {"sku": "A7", "auth": {"kept": 1}}  # 20: the nested member is removed, its neighbours stay
    dotted = client.post("/api/v1/al/see/s", json={"sku": "A7", "auth.token": DOTTED}).expect(200).json
    assert dotted["caller"]["name"] == "dotted" and dotted["kwargs"] == {"sku": "A7"}
    client.post("/api/v1/al/see/s", json={"sku": "A7", "auth.token": NESTED}).refused("401.99")
    client.post("/api/v1/al/see/s", json={"sku": "A7", "auth": {"token": DOTTED}}).refused("401.99")


def test_all_configured_fields_are_gone(client):
    """authentication 19 and 20: whichever entry matched, every configured field is removed from everything a function sees."""
    answer = client.post(f"/api/v1/al/see/s?shop_token=in-the-query&keep=1", {"X-Shop-Token": HEADER, "X-Kept": "yes"},
                         json={"sku": "A7", "shop_token": "in-the-body", "auth": {"token": "nested-one", "kept": 1}, "auth.token": "dotted-one"})
    seen = answer.expect(200).json
    for secret in (HEADER, "in-the-query", "in-the-body", "nested-one", "dotted-one"):
        assert secret not in answer.text
    request = seen["request"]
    assert "x-shop-token" not in request["headers"] and request["headers"]["x-kept"] == "yes"
    assert request["query"] == {"keep": "1"}
    assert request["originalUrl"] == "/api/v1/al/see/s?keep=1"
    assert request["body"] == {"sku": "A7", "auth": {"kept": 1}}
    assert request["rawBody"] is None
    assert seen["kwargs"] == {"sku": "A7", "auth": {"kept": 1}}


def test_raw_body_when_nothing_was_stripped(client):
    """function-apis §12: rawBody holds the exact bytes when nothing was stripped from them."""
    body = '{ "sku" : "A7" }'
    seen = client.post("/api/v1/al/see/s", {"X-Shop-Token": HEADER, "Content-Type": "application/json"}, body).expect(200).json
    assert seen["request"]["rawBody"] == body


def test_gone_when_accepted_by_another_type(client):
    """authentication 19: also when the call was accepted by Basic."""
    import base64
    basic = "Basic " + base64.b64encode(b"mia:a password of mia").decode()
    answer = client.get("/api/v1/al/either/s?sku=A7&shop_token=some-wrong-text", {"Authorization": basic, "X-Shop-Token": "another-wrong-text"})
    seen = answer.expect(200).json
    assert seen["caller"]["type"] == "httpBasic" and seen["caller"]["name"] == "mia"
    assert seen["kwargs"] == {"sku": "A7"}
    assert "some-wrong-text" not in answer.text and "another-wrong-text" not in answer.text
    assert "authorization" not in seen["request"]["headers"]


def test_repeated_field_never_matches(client):
    """authentication 21: a field that occurs twice is refused, in every place."""
    client.get("/api/v1/al/see/s?sku=A7", [("X-Shop-Token", HEADER), ("x-shop-token", HEADER)]).refused("401.99")
    client.get(f"/api/v1/al/see/s?shop_token={QUERY}&shop_token={QUERY}").refused("401.99")
    client.post("/api/v1/al/see/s", form=[("shop_token", BODY), ("shop_token", BODY)]).refused("401.99")
    client.post("/api/v1/al/see/s", parts=[("shop_token", BODY), ("shop_token", BODY)]).refused("401.99")


def test_repeated_json_member_is_malformed(client):
    """authentication 21: repeated JSON members are 400, so no two readers can differ about the credential."""
    body = f'{{"shop_token":"{BODY}","shop_token":"other","kwargs":{{}}}}'
    client.post("/api/v1/al/see", {"Content-Type": "application/json"}, body).refused("400.43")


@pytest.mark.parametrize("value", [7, 7.0, True, False, None, "", [BODY], {"value": BODY}, 0])
def test_only_a_json_text_is_compared(client, value):
    """authentication 22: a number, true, null or empty text never equals a fixed value."""
    client.post("/api/v1/al/see/s", json={"shop_token": value}).refused("401.99")


def test_number_is_not_its_text(make_server):
    """authentication 22: the number 12345678 is not the text "12345678"."""
    world = Resources().scripts("probe", main=PROBE)
    world.fixed_field("digits", {"location": "body", "name": "pin", "value": "12345678"})
    world.api("see", "probe__main.see", "digits")
    client = make_server(world).client
    client.post("/api/v1/al/see/s", json={"pin": "12345678"}).expect(200)
    client.post("/api/v1/al/see/s", json={"pin": 12345678}).refused("401.99")
    client.post("/api/v1/al/see/s", form={"pin": "12345678"}).expect(200)


def test_multipart_before_files_only(client):
    """authentication 23: a field behind a file part does not count; before it, it does."""
    upload = File("file", "rows.csv", b"a,b\n")
    client.post("/api/v1/al/see/s", parts=[("shop_token", BODY), upload]).expect(200)
    client.post("/api/v1/al/see/s", parts=[upload, ("shop_token", BODY)]).refused("401.99")


def test_multipart_text_parts_within_64_kib(client):
    """authentication §2: the credential stands within the first 64 KiB of a multipart body."""
    client.post("/api/v1/al/see/s", parts=[("filler", "x" * 70_000), ("shop_token", BODY)]).refused("401.99")


def test_body_too_large_to_look_into(client):
    """authentication §2: larger than preAuthBodyBytes is 413.43 when a body field has to be read, not when a header suffices."""
    large = {"sku": "A7", "filler": "x" * 100_000, "shop_token": BODY}
    client.post("/api/v1/al/see/s", json=large).refused("413.43")
    large.pop("shop_token")
    client.post("/api/v1/al/see/s", {"X-Shop-Token": HEADER}, json=large).expect(200)
    client.post("/api/v1/al/head-only/s", {"X-Only": HEADER}, json=large).expect(200)
    client.post("/api/v1/al/head-only/s", json=large).refused("401.99")


def test_rotation_without_a_gap(client):
    """authentication §2: two entries of one name are the way to rotate; the caller's name is the label of the entry."""
    assert client.get("/api/v1/al/rotating/s", {"X-Rotate": OLD}).expect(200).json["caller"]["name"] == "old"
    assert client.get("/api/v1/al/rotating/s", {"X-Rotate": NEW}).expect(200).json["caller"]["name"] == "new"
    client.get("/api/v1/al/rotating/s", {"X-Rotate": OLD + NEW}).refused("401.99")


def test_expired_and_disabled_entries_never_match(client):
    """authentication §2: entries past notAfter, and disabled ones."""
    client.get("/api/v1/al/ended/s", {"X-Past": "past-value-000001"}).refused("401.99")
    client.get("/api/v1/al/ended/s", {"X-Off": "off-value-0000001"}).refused("401.99")
    client.get("/api/v1/al/ended/s", {"X-Ahead": "ahead-value-00001"}).expect(200)


def test_caller_cannot_be_forged(client):
    """authentication 17: no header, argument, query or body member changes _DFF_CALLER, in any spelling."""
    forged = {"_DFF_CALLER": {"name": "root"}, "caller": "root", "_dff_caller": "root", "X-DFF-Caller": "root"}
    headers = [("X-Shop-Token", HEADER), ("_DFF_CALLER", "root"), ("X_Forwarded_User", "root"), ("X-Remote-User", "root"), ("Remote-User", "root")]
    seen = client.post("/api/v1/al/see/s?_DFF_CALLER.name=root", headers, json=forged).expect(200).json
    assert seen["caller"]["name"] == "head" and seen["caller"]["runAs"] == "system"
    assert seen["caller"]["userId"] is None and seen["caller"]["groups"] == [] and seen["caller"]["roles"] == []


def test_message_of_the_refusal(client):
    """authentication §1: the first of the list names the failure when nothing was presented."""
    assert client.get("/api/v1/al/either/s").refused("401.99").json["message"] == "Fixed Field Auth failed"
    answer = client.get("/api/v1/al/either/s", {"Authorization": "Basic bWlhOndyb25n"}).refused("401.99")
    assert answer.json["message"] == "HTTP Basic Auth failed"  # the first that rejected
    schemes = [value.split(" ")[0] for value in answer.all("WWW-Authenticate")]
    assert schemes == ["Basic", "FixedField"]


def test_refusal_ran_nothing(make_server):
    """A refused call does not run: the function's counter stands still."""
    world = Resources().scripts("probe", main=PROBE)
    world.fixed_field("shop", {"location": "header", "name": "X-Shop-Token", "value": HEADER})
    world.api("count", "probe__main.count", "shop").api("counted", "probe__main.counted")
    client = make_server(world).client
    client.post("/api/v1/al/count/s", {"X-Shop-Token": HEADER}).expect(200)
    for _ in range(5):
        client.post("/api/v1/al/count/s", {"X-Shop-Token": "wrong-" + HEADER}).refused("401.99")
    assert json.loads(client.get("/api/v1/al/counted/s").expect(200).body) == 1
