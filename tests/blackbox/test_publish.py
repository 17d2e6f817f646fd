"""Publishing while calls are in flight (function-apis §1.1; statement 7; Publish.LosesNoCall). FUNCGATE_PUBLISH_ROUNDS: default 4."""

import os
import threading

import pytest

from support.resources import PROBE, Resources
from support.server import wait_until

ROUNDS = int(os.environ.get("FUNCGATE_PUBLISH_ROUNDS", "4"))


def generation(number: int) -> Resources:
    """Two modules that must come from the same generation: the function tells both numbers."""
    made = Resources().scripts("pub", data=f"NUMBER = {number}\n", main=f'''
        import time
        import pub__data

        @DFF.API('Both')
        def both():
            before = pub__data.NUMBER
            time.sleep(0.002)
            return [{number}, before, pub__data.NUMBER, _DFF_SCRIPT_VERSION]
    ''')
    made.fixed_field("token", {"location": "header", "name": "X-Token", "value": "a-token-of-publish"})
    return made.api("both", "pub__main.both", "token")


def resources() -> Resources:
    return generation(0)


TOKEN = {"X-Token": "a-token-of-publish"}


def test_publish_under_load(server, client):
    """0 failed and 0 mixed calls; after apply has returned, every later call uses the new version."""
    stop, problems, counts = threading.Event(), [], [0]
    lock = threading.Lock()

    def load():
        with client.connect() as connection:
            from support.wire import request_bytes
            request = request_bytes("GET", "/api/v1/al/both/s", TOKEN)
            while not stop.is_set():
                connection.send(request)
                answer = connection.read()
                numbers = answer.json if answer.status == 200 else None
                with lock:
                    counts[0] += 1
                    if numbers is None or len(set(numbers[:3])) != 1:
                        problems.append((answer.status, answer.body[:300]))

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for number in range(1, ROUNDS + 1):
            before = counts[0]
            server.apply(generation(number))
            for _ in range(5):
                assert client.get("/api/v1/al/both/s", TOKEN).expect(200).json[0] == number
            wait_until(lambda: counts[0] > before + 50, "calls go on")
    finally:
        stop.set()
        for thread in threads:
            thread.join(40)
    assert not problems, f"{len(problems)} of {counts[0]} calls failed or mixed versions: {problems[:3]}"


def test_call_in_flight_keeps_its_version(make_server):
    """§1.1: a call keeps to its end the version it started with."""
    def world(number):
        return Resources().scripts("long", main=f"import time\n@DFF.API('Long')\ndef f(seconds: float = 0):\n    time.sleep(seconds)\n    return {number}\n").api("long", "long__main.f")
    server = make_server(world(1))
    client, answers = server.client, []
    caller = threading.Thread(target=lambda: answers.append(client.get("/api/v1/al/long/s?seconds=3")))
    caller.start()
    wait_until(lambda: server.workers(), "workers run")
    server.apply(world(2))
    assert client.get("/api/v1/al/long/s").expect(200).json == 2
    caller.join(30)
    assert answers[0].expect(200).json in (1, 2)


BROKEN = {
    "syntax": ("@DFF.API('x')\ndef f(:\n    return 1\n", "main"),
    "import": ("import a_module_that_does_not_exist\n@DFF.API('x')\ndef f():\n    return 1\n", "a_module_that_does_not_exist"),
    "raises": ("raise RuntimeError('at import')\n", "at import"),
    "option": ("@DFF.API('x', timeout='30')\ndef f():\n    return 1\n", "timeout"),
    "bool": ("@DFF.API('x', timeout=True)\ndef f():\n    return 1\n", "timeout"),
    "range": ("@DFF.API('x', timeout=3601)\ndef f():\n    return 1\n", "timeout"),
    "unknown": ("@DFF.API('x', tiemout=5)\ndef f():\n    return 1\n", "tiemout"),
    "twice": ("@DFF.API('x')\ndef f():\n    return 1\n@DFF.API('y')\ndef f():\n    return 2\n", "f"),
    "exits": ("import os\nos._exit(0)\n", ""),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_scripts_are_refused(server, client, name):
    """§1.1: publishing is all or nothing; the old version stays live."""
    before = client.get("/api/v1/al/both/s", TOKEN).expect(200).json
    source, mention = BROKEN[name]
    made = Resources().scripts("pub", data="NUMBER = 99\n", main=source)
    done = server.try_apply(made)
    assert done.returncode != 0 and mention in done.stdout + done.stderr, done.stdout + done.stderr
    assert client.get("/api/v1/al/both/s", TOKEN).expect(200).json == before


def test_used_function_cannot_vanish(server, client):
    """§1.1: a function that vanishes while an API uses it is refused."""
    done = server.try_apply(Resources().scripts("pub", data="NUMBER = 99\n", main="@DFF.API('x')\ndef other():\n    return 1\n"))
    assert done.returncode != 0 and "both" in done.stdout + done.stderr
    client.get("/api/v1/al/both/s", TOKEN).expect(200)


def test_only_decorated_functions_are_reachable(server):
    """§1: nothing but decorated module-level functions can be published."""
    server.apply(Resources().scripts("plain", main="def hidden():\n    return 1\n@DFF.API('x')\ndef shown():\n    return 2\n"))
    assert server.try_apply(Resources().api("hidden", "plain__main.hidden")).returncode != 0
    server.apply(Resources().api("shown", "plain__main.shown"))


def test_module_state_and_isolation(make_server):
    """§2: module state lives across calls of one worker; isolation="call" starts afresh each time."""
    source = '''
        calls = []
        @DFF.API('Kept')
        def kept():
            calls.append(1)
            return len(calls)
        @DFF.API('Fresh', isolation='call')
        def fresh():
            calls.append(1)
            return len(calls)
    '''
    client = make_server(Resources().scripts("state", main=source).api("kept", "state__main.kept").api("fresh", "state__main.fresh")).client
    assert max(client.get("/api/v1/al/kept/s").expect(200).json for _ in range(30)) > 1
    assert {client.get("/api/v1/al/fresh/s").expect(200).json for _ in range(5)} == {1}


def test_environment_and_storage(make_server):
    """§13: variables by script set, DFF.CTX for one call, DFF.STORE survives a restart, the worker's own environment is empty of ours."""
    source = '''
        import os
        @DFF.API('Variables')
        def variables():
            return [DFF.ENV('REGION'), DFF.ENV('NUMBER'), DFF.ENV('SECRET'), DFF.ENV('FOREIGN', 'default'), DFF.ENV('ABSENT'), DFF.ENV('LIST'), DFF.ENV('FLAG')]
        @DFF.API('Put')
        def put(value: str):
            DFF.STORE.set('key', {'value': value})
            DFF.CACHE.set('key', value, expire=60)
            seen = DFF.CTX.get('n', 0)
            DFF.CTX['n'] = seen + 1
            return [seen, DFF.CACHE.get('key'), DFF.CACHE.incr('n'), DFF.STORE.keys('k')]
        @DFF.API('Take')
        def take():
            return DFF.STORE.get('key')
        @DFF.API('Process environment')
        def environ():
            return sorted(os.environ)
    '''
    world = Resources().scripts("env", main=source)
    world.variable("REGION", "string", "north", "env").variable("NUMBER", "integer", 5, "*").variable("SECRET", "password", "a-secret-variable", "env")
    world.variable("FOREIGN", "string", "x", "other").variable("LIST", "commaArray", "a,b", "env").variable("FLAG", "boolean", True, "env")
    for name in ("variables", "put", "take", "environ"):
        world.api(name, f"env__main.{name}")
    server = make_server(world)
    get = lambda path: server.client.get("/api/v1/al/" + path).expect(200).json
    assert get("variables/s") == ["north", 5, "a-secret-variable", "default", None, ["a", "b"], True]
    assert get("put/s?value=x") == [0, "x", 1, ["key"]]
    assert get("put/s?value=y") == [0, "y", 2, ["key"]]
    assert not [name for name in get("environ/s") if "FUNCGATE" in name or "SECRET" in name]
    server.stop()
    server.start()
    assert get("take/s") == {"value": "y"}
