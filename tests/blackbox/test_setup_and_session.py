"""First start, sign-in and sessions of the management API, as a browser meets them."""

from __future__ import annotations

import contextlib
import json
import os
import select
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from support.database import execute
from support.management import API, LOGIN, PASSWORD, Management, api, body_without_times, cookie_of, set_up, setup_token, sign_in
from support.resources import Resources
from support.server import Server, command
from support.wire import Connection, request_bytes

CONFIG = """
[identity]
sign_in_failures_per_hour = 1000
"""


@pytest.fixture(scope="module")
def ready(tmp_path_factory):
    """A server with one administrator, for all tests that change nothing others rely on."""
    server = Server(tmp_path_factory.mktemp("ready"), CONFIG)
    server.start()
    set_up(server).expect(201)
    yield server
    assert server.stop() == 0


# --- first start


def test_a_fresh_server_has_no_account_and_says_only_that(make_server):
    server = make_server()
    for method, path in [("GET", "/users"), ("GET", "/me"), ("POST", "/session"), ("GET", "/no/such"), ("DELETE", "/session")]:
        answer = api(server.client, method, path, **({"json": {"login": "admin", "password": "admin"}} if method == "POST" else {}))
        answer.refused("503.63")
    assert server.client.get("/healthz").status == 200
    ready_answer = server.client.get("/readyz").expect(200)
    assert ready_answer.json["degraded"] == []


def test_the_token_is_in_a_private_file_and_nowhere_in_the_log(make_server):
    server = make_server()
    path = Path(server.data) / "setup-token"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    token = setup_token(server)
    assert len(token) == 43
    assert token not in server.log()
    assert token not in server.logs[-1].with_suffix(".out").read_text()
    assert any(event.get("event") == "setup.pending" and event["tokenFile"].endswith("setup-token") for event in server.events())
    for name in os.listdir(server.data):
        content = Path(server.data) / name
        if content.is_file() and name != "setup-token":
            assert token.encode() not in content.read_bytes(), name


def test_published_apis_need_no_administrator(make_server):
    resources = Resources().scripts("plain", main="""
        @DFF.API('Hello')
        def hello():
            return 'hi'
        """).api("hello", "plain__main.hello")
    server = make_server(resources)
    server.client.get("/api/v1/func-api/hello/s").expect(200)


def test_set_up_makes_the_administrator_once(make_server):
    server = make_server()
    wrong = api(server.client, "POST", "/setup", json={"token": "x" * 43, "login": "eve", "password": PASSWORD})
    wrong.refused("401.14")
    weak = api(server.client, "POST", "/setup", json={"token": setup_token(server), "login": "root", "password": "phixflow"})
    weak.refused("400.12")
    assert weak.json["detail"] == ["minLength", "minUpper", "minSpecial"]
    token = setup_token(server)
    made = set_up(server).expect(201)
    assert made.json["data"]["login"] == LOGIN
    assert [group["name"] for group in made.json["data"]["groups"]] == ["Administrators"]
    assert not (Path(server.data) / "setup-token").exists()
    again = api(server.client, "POST", "/setup", json={"token": token, "login": "second", "password": PASSWORD})
    again.refused("404.41")
    sign_in(server)


def test_of_parallel_set_ups_one_wins(make_server):
    server = make_server()
    token = setup_token(server)
    answers = []
    barrier = threading.Barrier(8)

    def attempt(number: int) -> None:
        barrier.wait()
        answers.append(api(server.client, "POST", "/setup", json={"token": token, "login": f"root{number}", "password": PASSWORD}))

    threads = [threading.Thread(target=attempt, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.status for answer in answers) == [201] + [409] * 7
    winner = next(answer for answer in answers if answer.status == 201).json["data"]["login"]
    browser = sign_in(server, winner)
    logins = [user["login"] for user in browser.call("GET", "/users").expect(200).json["data"]]
    assert sorted(logins) == sorted([winner, "system"])


def test_ten_wrong_tokens_kill_the_token_and_setup_token_makes_another(make_server):
    server = make_server()
    token = setup_token(server)
    for _ in range(10):
        api(server.client, "POST", "/setup", json={"token": "y" * 43, "login": "eve", "password": PASSWORD}).refused("401.14")
    api(server.client, "POST", "/setup", json={"token": token, "login": "root", "password": PASSWORD}).refused("401.14")
    done = command("setup-token", "--data", server.data)
    assert done.returncode == 0, done.stderr
    assert setup_token(server) != token
    set_up(server).expect(201)
    refused = command("setup-token", "--data", server.data)
    assert refused.returncode == 5
    assert "administrator" in refused.stderr


def test_a_restart_before_set_up_makes_a_new_token(make_server):
    server = make_server()
    first = setup_token(server)
    assert server.stop() == 0
    server.start()
    second = setup_token(server)
    assert first != second
    api(server.client, "POST", "/setup", json={"token": first, "login": "root", "password": PASSWORD}).refused("401.14")
    set_up(server).expect(201)


# --- without a browser: the command line on the data directory


def test_init_makes_the_administrator_without_a_server(tmp_path):
    server = Server(tmp_path / "server")
    password = tmp_path / "password"
    password.write_text(PASSWORD + "\n", encoding="ascii")
    done = command("init", "--data", server.data, "--admin-login", "Root", "--admin-password-file", password)
    assert done.returncode == 0, done.stderr
    again = command("init", "--data", server.data, "--admin-login", "other", "--admin-password-file", password)
    assert again.returncode == 5
    password.write_text("weak", encoding="ascii")
    server.start()
    try:
        sign_in(server, "root")
        busy = command("init", "--data", server.data, "--admin-login", "other", "--admin-password-file", password)
        assert busy.returncode == 5
        assert "stop the server" in busy.stderr
    finally:
        assert server.stop() == 0


def test_init_refuses_a_weak_password_and_names_the_rules(tmp_path):
    password = tmp_path / "password"
    password.write_text("phixflow", encoding="ascii")
    done = command("init", "--data", tmp_path / "data", "--admin-login", "root", "--admin-password-file", password)
    assert done.returncode == 7
    assert "minLength, minUpper, minSpecial" in done.stderr


def test_recover_admin_gives_a_password_that_is_good_for_one_thing(make_server):
    server = make_server()
    set_up(server).expect(201)
    assert server.stop() == 0
    done = command("recover-admin", "--data", server.data, "--login", "rescue")
    assert done.returncode == 0, done.stderr
    one_time = done.stdout.strip().splitlines()[-1]
    server.start()
    # Of those who have it at the same time one enters.
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: api(server.client, "POST", "/session", json={"login": "rescue", "password": one_time}), range(8)))
    assert sorted(answer.status for answer in answers)[:2] == [200, 401]
    browser = Management(server)
    (entered,) = (answer for answer in answers if answer.status == 200)
    browser.cookie, browser.csrf = cookie_of(entered), entered.json["data"]["csrfToken"]
    browser.call("GET", "/users").refused("403.17")
    changed = browser.call("PUT", "/me/password", json={"old": one_time, "new": "Fresh-Horse-33!"}).expect(204)
    assert cookie_of(changed) != browser.cookie
    sign_in(server, "rescue", "Fresh-Horse-33!").call("GET", "/users").expect(200)
    events = [event["event"] for event in sign_in(server).call("GET", "/audit?limit=200").expect(200).json["data"]]
    assert "server.recovered" in events


# --- sign-in


def test_sign_in_answers_what_the_console_needs_and_no_token(ready):
    client = ready.client.pinned()
    answer = api(client, "POST", "/session", json={"login": "ROOT", "password": PASSWORD}).expect(200)
    data = answer.json["data"]
    assert set(data) == {"user", "csrfToken", "expiresAt", "mustChangePassword"}
    cookie = answer.header("Set-Cookie")
    name_and_value, *flags = cookie.split("; ")
    name, value = name_and_value.split("=")
    # Plain HTTP on this machine: the name without the prefix that browsers tie to HTTPS.
    assert name == "funcgate"
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} == set(flags)
    assert len(value) == 43
    assert value not in answer.text
    assert "no-store" in answer.header("Cache-Control")
    assert answer.header("X-Content-Type-Options") == "nosniff"
    assert "frame-ancestors 'none'" in answer.header("Content-Security-Policy")
    assert not [name for name, _ in answer.fields if name.lower().startswith("access-control-")]


def test_unknown_login_and_wrong_password_look_the_same(ready):
    wrong = api(ready.client, "POST", "/session", json={"login": LOGIN, "password": "wrong"}).refused("401.14")
    unknown = api(ready.client, "POST", "/session", json={"login": "nobody", "password": "wrong"}).refused("401.14")
    system = api(ready.client, "POST", "/session", json={"login": "system", "password": ""}).refused("401.14")
    assert body_without_times(wrong) == body_without_times(unknown) == body_without_times(system)
    assert wrong.json["message"] == "Sign-in failed"
    assert [name for name, _ in wrong.fields] == [name for name, _ in unknown.fields]


def test_five_failures_lock_the_pair_and_not_the_person(ready):
    client = ready.client.pinned()
    for _ in range(5):
        api(client, "POST", "/session", json={"login": LOGIN, "password": "wrong"}).refused("401.14")
    locked = api(client, "POST", "/session", json={"login": LOGIN, "password": PASSWORD}).refused("429.47")
    assert 800 < int(locked.header("Retry-After")) <= 900
    browser = sign_in(ready)
    assert browser.call("GET", "/me").expect(200).json["data"]["lockedUntil"] is not None
    browser.call("POST", f"/users/{browser.user['id']}/unlock").expect(204)
    api(client, "POST", "/session", json={"login": LOGIN, "password": PASSWORD}).expect(200)


def test_the_same_for_logins_that_do_not_exist(ready):
    client = ready.client.pinned()
    for _ in range(5):
        api(client, "POST", "/session", json={"login": "ghost", "password": "wrong"}).refused("401.14")
    api(client, "POST", "/session", json={"login": "ghost", "password": "wrong"}).refused("429.47")


def test_strangers_are_told_nothing(ready):
    for method in ("GET", "PUT", "PATCH", "DELETE", "POST"):
        for path in ("/users", "/users/usr-aaaaaaaaaaaaaaaa", "/no/such", "/me", "", "/audit"):
            answer = api(ready.client, method, path, **({} if method == "GET" else {"json": {}}))
            answer.refused("401.14")
            assert answer.header("Allow") is None
    assert api(ready.client, "OPTIONS", "/users").status == api(ready.client, "OPTIONS", "/no/such").status == 204
    api(ready.client, "TRACE", "/users").refused("405.44")
    assert ready.client.get("/admin").status == 401
    assert ready.client.get("/administrator").status == 404


def test_a_stranger_cannot_make_the_server_read_a_body(ready):
    with ready.client.connect() as connection:
        connection.send(f"POST {API}/users HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                        "Content-Length: 1000000\r\nExpect: 100-continue\r\n\r\n".encode())
        answer = connection.read("POST")
        assert answer.interim == []
        answer.refused("401.14")


# --- CSRF


def test_a_write_needs_the_token_the_origin_and_no_form(ready):
    browser = sign_in(ready)
    body = {"name": "CSRF"}
    plain = [("Cookie", browser.cookie)]
    token = ("X-CSRF-Token", browser.csrf)
    api(browser.client, "POST", "/user-groups", plain, json=body).refused("403.31")
    api(browser.client, "POST", "/user-groups", plain + [("X-CSRF-Token", "A" * 43)], json=body).refused("403.31")
    other = sign_in(ready)
    api(browser.client, "POST", "/user-groups", plain + [("X-CSRF-Token", other.csrf)], json=body).refused("403.31")
    for origin in ("https://evil.example", "null", f"http://127.0.0.1:{ready.port + 1}", f"https://127.0.0.1:{ready.port}"):
        api(browser.client, "POST", "/user-groups", plain + [token, ("Origin", origin)], json=body).refused("403.31")
    api(browser.client, "POST", "/user-groups", plain + [token], form={"name": "CSRF"}).refused("403.31")
    api(browser.client, "POST", "/user-groups", plain + [token, ("Content-Type", "text/plain")], body=json.dumps(body)).refused("403.31")
    names = [group["name"] for group in browser.call("GET", "/user-groups").expect(200).json["data"]]
    assert "CSRF" not in names, "nothing was done"
    own = ("Origin", f"http://127.0.0.1:{ready.port}")
    made = api(browser.client, "POST", "/user-groups", plain + [token, own], json=body).expect(201)
    browser.delete(f"/user-groups/{made.json['data']['id']}", if_match="*").expect(204)


def test_reading_needs_no_token_and_sign_in_from_elsewhere_is_refused(ready):
    browser = sign_in(ready)
    api(browser.client, "GET", "/me", [("Cookie", browser.cookie)]).expect(200)
    answer = api(ready.client, "POST", "/session", [("Origin", "https://evil.example")], json={"login": LOGIN, "password": PASSWORD})
    answer.refused("403.31")
    assert answer.header("Set-Cookie") is None


def test_an_authorization_header_is_judged_alone(ready):
    browser = sign_in(ready)
    for value in ("Basic cm9vdDpDb3JyZWN0LUhvcnNlLTIyIQ==", "Bearer nonsense", "nonsense"):
        answer = api(ready.client, "GET", "/me", [("Cookie", browser.cookie), ("Authorization", value)])
        answer.refused("401.99")
        assert answer.header("WWW-Authenticate") == 'Bearer realm="funcgate"'
    twice = [("Authorization", "a"), ("Authorization", "b")]
    api(ready.client, "GET", "/me", twice).refused("400.43")


# --- sessions


def test_get_session_tells_the_csrf_token_again(ready):
    browser = sign_in(ready)
    assert browser.call("GET", "/session").expect(200).json["data"]["csrfToken"] == browser.csrf


def test_signing_out_ends_the_session_on_every_connection(ready):
    browser = sign_in(ready)
    out = browser.call("DELETE", "/session").expect(204)
    assert "Max-Age=0" in out.header("Set-Cookie")
    browser.call("GET", "/session").refused("401.14")


def test_a_changed_password_ends_the_other_sessions(make_server):
    server = make_server(None, CONFIG)
    set_up(server).expect(201)
    first, second = sign_in(server), sign_in(server)
    answer = first.call("PUT", "/me/password", json={"old": PASSWORD, "new": "Another-Horse-44!"}).expect(204)
    first.call("GET", "/session").refused("401.14")
    second.call("GET", "/session").refused("401.14")
    first.cookie = cookie_of(answer)
    assert first.call("GET", "/session").expect(200).json["data"]["csrfToken"] != first.csrf
    api(server.client, "POST", "/session", json={"login": LOGIN, "password": PASSWORD}).refused("401.14")


def test_sessions_survive_a_restart_and_their_tokens_stand_nowhere(make_server):
    server = make_server(None, CONFIG)
    set_up(server).expect(201)
    browser = sign_in(server)
    assert server.stop() == 0
    server.start()
    browser.client.port = server.port
    assert browser.call("GET", "/session").expect(200).json["data"]["csrfToken"] == browser.csrf
    assert server.stop() == 0
    token = browser.cookie.split("=")[1].encode()
    for path in Path(server.data).rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert token not in content and browser.csrf.encode() not in content and PASSWORD.encode() not in content, path
    assert token.decode() not in server.log() and PASSWORD not in server.log()


def test_administrators_see_and_end_sessions(ready):
    browser, other = sign_in(ready), sign_in(ready)
    rows = browser.call("GET", "/sessions?limit=200").expect(200).json["data"]
    mine = [row for row in rows if row["current"]]
    assert len(mine) == 1
    newest = max((row for row in rows if row["address"] == other.client.address), key=lambda row: row["createdAt"])
    browser.call("DELETE", f"/sessions/{newest['id']}").expect(204)
    other.call("GET", "/me").refused("401.14")


def test_a_disabled_user_is_out_at_once(ready):
    browser = sign_in(ready)
    made = browser.call("POST", "/users", json={"login": "shortlived", "password": PASSWORD}).expect(201)
    victim = sign_in(ready, "shortlived")
    victim.call("GET", "/me").expect(200)
    etag = browser.call("GET", f"/users/{made.json['data']['id']}").expect(200).header("ETag")
    browser.patch(f"/users/{made.json['data']['id']}", {"enabled": False}, etag).expect(200)
    victim.call("GET", "/me").refused("401.14")
    api(ready.client, "POST", "/session", json={"login": "shortlived", "password": PASSWORD}).refused("401.14")


def test_proxies_that_nobody_trusts_make_no_client_local(ready):
    answer = api(ready.client, "POST", "/session", [("X-Forwarded-For", "203.0.113.9")], json={"login": LOGIN, "password": PASSWORD})
    answer.refused("403.44")


# --- an address of its own


def test_the_management_api_may_have_an_address_of_its_own(make_server):
    server = make_server(None, CONFIG + '\n[admin]\nlisten = "127.0.0.1:0"\n')
    port = int(next(event for event in server.events() if event.get("event") == "admin.ready")["listen"].rsplit(":", 1)[1])
    server.client.get(API + "/me").refused("404.41")
    public, server.port = server.port, port
    set_up(server).expect(201)
    sign_in(server).call("GET", "/me").expect(200)
    server.client.get("/api/v1/func-api/anything/s").refused("404.41")
    server.port = public


# --- hashing does not stand in the way of others


def test_wrong_passwords_in_parallel_do_not_hold_up_who_is_signed_in(ready):
    """Who is signed in is answered while hashes of guesses that came before are still to be computed."""
    browser = sign_in(ready)
    body = json.dumps({"login": "guess", "password": "wrong"}).encode()
    with contextlib.ExitStack() as stack:
        guesses = [stack.enter_context(Connection(ready.port)) for _ in range(60)]
        for guess in guesses:
            guess.send(request_bytes("POST", f"{API}/session", {"Content-Type": "application/json"}, body))
        for _ in range(5):
            browser.call("GET", "/session").expect(200)
        answered = select.select([guess.socket for guess in guesses], [], [], 0)[0]
        assert len(answered) < len(guesses), "the guesses had ended before: nothing was shown"
        assert {guess.read("POST").status for guess in guesses} == {401}


# --- the end of sessions


def test_a_session_that_was_idle_too_long_is_over(make_server):
    server = make_server(None, CONFIG)
    set_up(server).expect(201)
    idle, fresh = sign_in(server), sign_in(server)
    half_an_hour_ms = 30 * 60 * 1000
    # Both sign-ins wrote when their sessions were used last; what follows is the time that a test cannot wait.
    assert execute(server.data, "UPDATE sessions SET last_used_at_ms = last_used_at_ms - ?", half_an_hour_ms - 20_000) == 2
    fresh.call("GET", "/session").expect(200)
    assert execute(server.data, "UPDATE sessions SET last_used_at_ms = last_used_at_ms - 40000") == 2
    idle.call("GET", "/session").refused("401.14")
    fresh.call("GET", "/session").expect(200)


def test_a_session_ends_however_busy_it_is(make_server):
    server = make_server(None, CONFIG)
    set_up(server).expect(201)
    browser = sign_in(server)
    browser.call("GET", "/session").expect(200)
    execute(server.data, "UPDATE sessions SET expires_at_ms = expires_at_ms - ?", 12 * 3600 * 1000)
    browser.call("GET", "/session").refused("401.14")


# --- a keystore that lacks the pepper


def test_without_pepper_nobody_signs_in_and_all_else_works(make_server):
    resources = Resources().scripts("plain", main="""
        @DFF.API('Hello')
        def hello():
            return 'hi'
        """).api("hello", "plain__main.hello")
    server = make_server(resources, CONFIG)
    set_up(server).expect(201)
    browser = sign_in(server)
    assert server.stop() == 0
    done = command("keystore", "delete", "pepperKey", "--data", server.data)
    assert done.returncode == 0, done.stderr
    server.start()
    browser.client.port = server.port
    assert server.client.get("/readyz").expect(200).json["degraded"] == ["passwords"]
    refused = api(server.client, "POST", "/session", json={"login": LOGIN, "password": PASSWORD}).refused("503.61")
    assert "pepperKey" in refused.json["message"]
    assert str(server.data) not in refused.text
    browser.call("GET", "/me").expect(200)
    server.client.get("/api/v1/func-api/hello/s").expect(200)
