"""What survives when a process is killed at a bad moment (function-apis §9, §11; statements 56 and 86; identity I12).

FUNCGATE_KILL_ROUNDS repeats the tests of the whole server, default 5.
"""

import os
import random
import signal
import subprocess
import threading
import time

import pytest

from support.database import begun
from support.resources import BEGIN, PROBE, Resources
from support.server import BINARY, wait_until

ROUNDS = int(os.environ.get("FUNCGATE_KILL_ROUNDS", "5"))


def resources() -> Resources:
    made = Resources().scripts("probe", main=PROBE + BEGIN + '''
@DFF.API('Die')
def die():
    import os
    os._exit(3)

@DFF.API('Eat memory', timeout=30)
def eat():
    kept = []
    while True:
        kept.append(bytearray(32 << 20))
''')
    for name in ("hello", "begin", "die", "eat", "count", "counted"):
        made.api(name, f"probe__main.{name}")
    return made.api("job", "probe__main.count", execMode="async", retryOnCrash=True)


def pool_is_back(client) -> None:
    wait_until(lambda: client.get("/api/v1/al/hello/s").status == 200, "the pool is back")
    for _ in range(10):
        client.get("/api/v1/al/hello/s").expect(200)


def test_function_ends_its_process(client):
    """502.99: the worker died; the caller is told, the pool is back."""
    answer = client.get("/api/v1/al/die/s").refused("502.99")
    assert answer.json["reason"] == "EWorkerNoResponse"
    pool_is_back(client)


def test_workers_killed_during_a_call(server, client):
    """authentication 86: a worker killed in the middle of a call fails exactly that call, within the deadline."""
    answers = []
    caller = threading.Thread(target=lambda: answers.append(client.get("/api/v1/al/begin/s?key=killed&seconds=20")))
    caller.start()
    wait_until(lambda: begun(server.data, "killed"), "the call runs")
    workers = wait_until(server.workers, "there are workers")
    for pid in workers:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    caller.join(30)
    assert answers and answers[0].error == "502.99", answers and answers[0].body
    pool_is_back(client)
    assert not set(workers) & set(server.workers())


def worker_version() -> str:
    worker = BINARY.with_name("funcgate-worker")
    return subprocess.run([worker, "--version"], capture_output=True, text=True, timeout=30, check=True).stdout


def test_worker_over_its_memory(make_server):
    """function-apis §19: worker_memory_bytes: the call fails, the server and the next call do not."""
    if "memory is not limited" in worker_version():
        pytest.skip("a worker that was built with a sanitizer says that it does not limit memory")
    server = make_server(resources(), config="[limits]\nworker_memory_bytes = 268435456\n")
    answer = server.client.get("/api/v1/al/eat/s")
    assert answer.error in ("500.1", "502.99"), answer.body
    pool_is_back(server.client)


def test_server_ends_with_calls_in_flight(make_server):
    """SIGTERM: calls in flight are finished, new ones are not accepted."""
    server = make_server(resources())
    answers = []
    client = server.client
    caller = threading.Thread(target=lambda: answers.append(client.get("/api/v1/al/begin/s?key=ending&seconds=1.5")))
    caller.start()
    wait_until(lambda: begun(server.data, "ending"), "the call runs")
    children = server.descendants(server.process.pid)
    assert server.stop() == 0
    caller.join(30)
    assert answers and answers[0].status == 200 and answers[0].text == "rested"
    wait_until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in children), "all processes of the server are gone")


def generation(number: int) -> Resources:
    """Three objects that belong together: a function, a token and an API that all carry the number."""
    made = Resources().scripts("gen", main=f"@DFF.API('Number')\ndef number():\n    return {number}\n", probe=PROBE)
    made.fixed_field("token", {"location": "header", "name": "X-Token", "value": f"token-of-number-{number}"})
    return made.api("number", "gen__main.number", "token", note=f"number {number}")


@pytest.mark.timeout(120 + 10 * ROUNDS)
def test_killed_during_apply(make_server):
    """identity I12: a killed apply leaves the state before or after it, never a mixture, and the server starts again."""
    server = make_server(generation(0))
    current = 0
    for number in range(1, ROUNDS + 1):
        folder = server.write(generation(number))
        apply = subprocess.Popen([BINARY, "apply", "-f", folder, "--data", server.data], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        time.sleep(random.uniform(0, 0.6))  # another moment of the apply each time
        server.kill()
        apply.wait(60)
        server.start()
        found = {n: server.client.get("/api/v1/al/number/s", {"X-Token": f"token-of-number-{n}"}) for n in (current, number)}
        accepted = [n for n, answer in found.items() if answer.status == 200]
        assert len(accepted) == 1, {n: answer.body for n, answer in found.items()}
        assert found[accepted[0]].json == accepted[0], "the token of one apply runs the function of another"
        current = accepted[0]
    server.apply(generation(1000))
    assert server.client.get("/api/v1/al/number/s", {"X-Token": "token-of-number-1000"}).expect(200).json == 1000


@pytest.mark.timeout(900 + 10 * ROUNDS)
def test_killed_with_tasks(make_server):
    """function-apis §11: every task that was answered 202 is known after the crash and ends."""
    server = make_server(resources())
    urls: list[str] = []
    for number in range(ROUNDS):
        stop = threading.Event()

        def flood(client):
            while not stop.is_set():
                try:
                    answer = client.post("/api/v1/al/job", json={"kwargs": {"key": "jobs"}})
                    if answer.status == 202:
                        urls.append(answer.json["data"]["url"])
                except (OSError, AssertionError):
                    return  # the server is gone: nothing was promised

        threads = [threading.Thread(target=flood, args=(server.client,)) for _ in range(2)]
        for thread in threads:
            thread.start()
        time.sleep(random.uniform(0.2, 0.8))  # another moment each time
        server.kill()
        stop.set()
        for thread in threads:
            thread.join(30)
        server.start()
    assert urls, "no task was accepted"
    client = server.client

    def status_of(url):
        return client.get(url).expect(200).json["data"]["status"]

    # All are known, whatever they have come to; the newest wait behind up to `tasks_waiting` others.
    for url in urls:
        assert status_of(url) in ("waiting", "running", "success", "failure")
    for url in urls[-300:]:
        def ended():
            status = status_of(url)
            return status if status not in ("waiting", "running") else None
        assert wait_until(ended, f"{url} ends", 600, 0.12) in ("success", "failure")
