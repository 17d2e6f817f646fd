"""Throttling of APIs and of wrong credentials, disabled and expired APIs (function-apis §10, authentication §8, statements 69 to 72, 84)."""

import time

import pytest

from support.credentials import basic
from support.digest import DigestClient
from support.resources import PROBE, Resources
from support.server import wait_until
from support.wire import fresh_address

PASSWORD = "a password of mia"


def resources() -> Resources:
    made = Resources().scripts("probe", main=PROBE).basic("staff", {"mia": PASSWORD, "tom": PASSWORD}).digest("digest", {"mia": PASSWORD})
    made.fixed_field("tokens", {"location": "header", "name": "X-Token", "value": "a-token-0000001"})
    made.func_auth("door", "probe__main.closed")
    for name in ("basic", "second"):
        made.api(name, "probe__main.hello", "staff", methods=["GET", "POST"])
    made.api("fixed", "probe__main.hello", "tokens").api("either", "probe__main.hello", "staff", "tokens").api("digest", "probe__main.hello", "digest")
    made.api("func", "probe__main.hello", "door")
    made.api("minute", "probe__main.hello", "staff", throttling={"byMinute": 5}).api("caller", "probe__main.hello", "staff", throttling={"byHour": 3, "per": "caller"})
    made.api("address", "probe__main.hello", throttling={"byHour": 3, "per": "address"}).api("two", "probe__main.hello", throttling={"bySecond": 1000, "byDay": 4})
    made.api("cached", "probe__main.cached", throttling={"byHour": 3}).api("later", "probe__main.hello", execMode="async", throttling={"byHour": 2})
    made.api("one", "probe__main.rest", maxConcurrent=1)
    made.api("disabled", "probe__main.hello", "staff", isDisabled=True).api("expired", "probe__main.hello", "staff", expireTime="2020-01-01T00:00:00Z")
    made.api("expired-later", "probe__main.hello", "staff", execMode="async", expireTime="2020-01-01T00:00:00Z")
    source = made.documents[0]["spec"]["scripts"]["main"]["file"]
    made.files[source] += b'''
@DFF.API('Closed door')
def closed():
    return False

@DFF.API('Cached', cache_result=60, cache_vary=[])
def cached():
    return 'cached'
'''
    return made


def get(client, api: str, headers=(), word: str = "al"):
    return client.get(f"/api/v1/{word}/{api}/s", headers)


# --- API throttling

def throttled(answer, rule: str, limit: int):
    answer.refused("429.46")
    assert answer.json["reason"] == "EClientRateLimit.APIThrottling"
    detail = answer.json["detail"]
    assert set(detail) == {"rule", "limit", "currentCount", "waitSeconds"} and detail["rule"] == rule and detail["limit"] == limit
    assert int(answer.header("Retry-After")) >= 1 and int(answer.header("Retry-After")) - 1 <= detail["waitSeconds"] <= int(answer.header("Retry-After"))


def await_fresh_minute() -> None:
    """Windows are aligned to the epoch: a test that counts within one waits for the next when little is left of it."""
    left = 60 - time.time() % 60
    if left < 15:
        time.sleep(left + 0.2)  # the clock is the condition


def test_by_minute(client):
    """function-apis §10: over the limit 429.46 with rule, limit, count and wait."""
    await_fresh_minute()
    for _ in range(5):
        get(client, "minute", basic("mia", PASSWORD)).expect(200)
    for _ in range(3):
        throttled(get(client, "minute", basic("tom", PASSWORD)), "byMinute", 5)


def test_strangers_cannot_use_up_the_quota(client):
    """function-apis §15 step 11: only verified callers count."""
    for _ in range(8):
        get(client, "caller").refused("401.99")
    for _ in range(3):
        get(client, "caller", basic("mia", PASSWORD)).expect(200)
    throttled(get(client, "caller", basic("mia", PASSWORD)), "byHour", 3)
    get(client, "caller", basic("tom", PASSWORD)).expect(200)  # per caller: another one has a count of its own


def test_per_address(client):
    """function-apis §10: per address."""
    one, other = client.pinned(), client.pinned()
    for _ in range(3):
        get(one, "address").expect(200)
    throttled(get(one, "address"), "byHour", 3)
    throttled(get(one, "address", {"X-Forwarded-For": "9.9.9.9"}), "byHour", 3)
    get(other, "address").expect(200)


def test_several_rules(client):
    """function-apis §10: the rule that is over is named."""
    for _ in range(4):
        get(client, "two").expect(200)
    throttled(get(client, "two"), "byDay", 4)


def test_hits_of_the_cache_count(client):
    """function-apis §8, §10: a hit counts, and an async API is throttled the same way."""
    for _ in range(3):
        get(client, "cached").expect(200)
    throttled(get(client, "cached"), "byHour", 3)
    for _ in range(2):
        get(client, "later").expect(202)
    throttled(get(client, "later"), "byHour", 2)


def test_max_concurrent(client):
    """function-apis §10: maxConcurrent: 503.1 with Retry-After: 1, at once."""
    from concurrent.futures import ThreadPoolExecutor
    with ThreadPoolExecutor(4) as pool:
        def hold():
            # The calls that poll may be there first: then this one is the refused one and tries again.
            return wait_until(lambda: (lambda a: a if a.status != 503 else None)(client.get("/api/v1/al/one/s?seconds=3")), "it runs")
        first = pool.submit(hold)
        def refused():
            answer = client.get("/api/v1/al/one/s?seconds=0")
            return answer if answer.status == 503 else None
        answer = wait_until(refused, "a second call is refused while the first runs", pause_s=0.1)
        answer.refused("503.1")
        assert answer.header("Retry-After") == "1"
        first.result().expect(200)
    client.get("/api/v1/al/one/s?seconds=0").expect(200)


# --- disabled, expired (84)

@pytest.mark.parametrize("api, reason", [("disabled", "EBizCondition.APIDisabled"), ("expired", "EBizCondition.APIExpired"), ("expired-later", "EBizCondition.APIExpired")])
def test_state_is_told_to_callers_only(client, api, reason):
    """authentication 84: 403.21 only to verified callers, 401 to others."""
    assert get(client, api, basic("mia", PASSWORD)).refused("403.21").json["reason"] == reason
    get(client, api).refused("401.99")
    get(client, api, basic("mia", "wrong password")).refused("401.99")


# --- wrong credentials

def blocked(answer):
    answer.refused("429.47")
    assert answer.json["reason"] == "EClientRateLimit.AuthThrottling" and 1 <= int(answer.header("Retry-After")) <= 60
    assert "detail" not in answer.json


def test_address_is_blocked(client):
    """authentication §8: 10 wrong credentials in 60 s block the address, also for the right one; other addresses are not concerned."""
    here = client.pinned()
    for number in range(10):
        get(here, "basic", basic(f"name-{number}", "wrong password")).refused("401.99")
    blocked(get(here, "basic", basic("name-x", "wrong password")))
    blocked(get(here, "basic", basic("mia", PASSWORD)))
    get(client, "basic", basic("mia", PASSWORD)).expect(200)


def test_failures_feed_the_same_counters(client):
    """authentication 69: through any URL word, API and letter case of the name."""
    here = client.pinned()
    for number in range(10):
        word, api = ("func-api", "al", "sync", "async")[number % 4], ("basic", "second", "either")[number % 3]
        get(here, api, basic(f"name-{number}", "wrong password"), word).refused("401.99")
    blocked(get(here, "second", basic("mia", PASSWORD)))


def test_account_is_blocked(client):
    """authentication §8: 5 wrong in a row block the pair of name and address, in any letter case, also for names that do not exist."""
    for name in ("mia", "nobody"):
        here = client.pinned()
        for number in range(5):
            get(here, "basic", basic((name, name.upper(), name.title())[number % 3], "wrong password")).refused("401.99")
        blocked(get(here, "basic", basic(name, "wrong password")))
        get(here, "basic", basic("tom", PASSWORD)).expect(200)  # another account from the same address


def test_lock_does_not_follow_the_owner(client):
    """authentication 70: locking a name from one address never locks its owner elsewhere."""
    attacker, owner = client.pinned(), client.pinned()
    for _ in range(5):
        get(attacker, "basic", basic("mia", "wrong password")).refused("401.99")
    blocked(get(attacker, "basic", basic("mia", PASSWORD)))
    get(owner, "basic", basic("mia", PASSWORD)).expect(200)


def test_success_resets_the_row(client):
    """authentication §8: success resets the account's counter."""
    here = client.pinned()
    for _ in range(2):
        for _ in range(4):
            get(here, "basic", basic("mia", "wrong password")).refused("401.99")
        get(here, "basic", basic("mia", PASSWORD)).expect(200)


def test_absent_never_counts(client):
    """authentication 71: absent credentials and browsers' first requests never count."""
    here = client.pinned()
    for _ in range(30):
        get(here, "basic").refused("401.99")
    get(here, "basic", basic("mia", PASSWORD)).expect(200)


def test_stale_and_foreign_nonces_never_count(client):
    """authentication 71: stale nonces do not count; wrong responses do."""
    here = client.pinned()
    mia = DigestClient(here, "/api/v1/al/digest/s", "mia", PASSWORD)
    sent = mia.sign(mia.challenge())
    mia.send(sent).expect(200)
    for _ in range(15):
        mia.send(sent).refused("401.99")
        mia.send(mia.sign({**mia.challenge(), "nonce": "A" * 43})).refused("401.99")
    mia.call()[1].expect(200)
    for number in range(10):
        mia.call(username=f"name-{number}")[1].refused("401.99")
    blocked(here.get("/api/v1/al/digest/s"))


def test_fixed_field_and_function_count(client):
    """authentication §8: wrong fixed fields count, and rejections of an authentication function."""
    here = client.pinned()
    for number in range(10):
        get(here, "fixed", {"X-Token": f"wrong-token-{number}"}).refused("401.99")
    blocked(get(here, "fixed", {"X-Token": "a-token-0000001"}))
    for _ in range(10):
        get(here, "func").refused("401.99")
    blocked(get(here, "func"))


def test_other_entries_still_accept(client):
    """authentication §8: a blocked entry is not evaluated; if another accepts, the call goes on."""
    here = client.pinned()
    for number in range(10):
        get(here, "either", basic(f"name-{number}", "wrong password")).refused("401.99")
    get(here, "either", {"X-Token": "a-token-0000001"}).expect(200)
    blocked(get(here, "either", basic("mia", PASSWORD)))


def test_forwarding_headers_evade_nothing(client):
    """authentication 72: rotating forwarding headers from an untrusted peer evades no counter."""
    here = client.pinned()
    for number in range(10):
        headers = {**basic(f"name-{number}", "wrong password"), "X-Forwarded-For": f"9.9.9.{number}", "Forwarded": f"for=9.9.8.{number}", "X-Real-IP": f"9.9.7.{number}"}
        get(here, "basic", headers).refused("401.99")
    blocked(get(here, "basic", {**basic("mia", PASSWORD), "X-Forwarded-For": "9.9.9.99"}))


def test_trusted_proxy_is_believed(make_server):
    """authentication §8, function-apis §12: behind a trusted proxy the forwarded address counts."""
    world = Resources().scripts("probe", main=PROBE).basic("staff", {"mia": PASSWORD}).api("basic", "probe__main.hello", "staff").api("see", "probe__main.see")
    client = make_server(world, '[server]\ntrusted_proxies = ["127.0.0.0/8"]\n').client.pinned(fresh_address())
    request = client.get("/api/v1/al/see/s", {"X-Forwarded-For": "198.51.100.7"}).expect(200).json["request"]
    assert request["ip"] == "198.51.100.7" and request["ips"] == ["198.51.100.7", client.address]
    chain = client.get("/api/v1/al/see/s", {"X-Forwarded-For": "9.9.9.9, 198.51.100.7, 127.0.0.9"}).expect(200).json["request"]
    assert chain["ips"] == ["198.51.100.7", "127.0.0.9", client.address], "what the caller claims himself is not believed"
    assert client.get("/api/v1/al/see/s").expect(200).json["request"]["ips"] == [client.address]
    for number in range(10):
        get(client, "basic", {**basic(f"name-{number}", "wrong password"), "X-Forwarded-For": "198.51.100.8"}).refused("401.99")
    blocked(get(client, "basic", {**basic("mia", PASSWORD), "X-Forwarded-For": "198.51.100.8"}))
    get(client, "basic", {**basic("mia", PASSWORD), "X-Forwarded-For": "198.51.100.9"}).expect(200)
