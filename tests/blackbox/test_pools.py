"""`queue`: pools of workers, and functions that ask for one which nobody configured (function-apis §2)."""

import os
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from support.database import begun
from support.gate import PASS, Gate
from support.resources import Resources
from support.server import NO_FILE, wait_until
from support.wire import request_bytes

SCRIPT = '''
@DFF.API('Where', queue={queue})
def where():
    return _DFF_QUEUE

@DFF.API('Starts another')
def start():
    return DFF.FUNC('pools__main.where', queue=9)
'''


def resources(queue: int) -> Resources:
    made = Resources().scripts("pools", main=SCRIPT.replace("{queue}", str(queue))).api("where", "pools__main.where")
    return made.api("later", "pools__main.where", execMode="async").api("start", "pools__main.start")


def result_of(client, url: str):
    task = client.get(url + "?wait=20").expect(200).json["data"]
    assert task["status"] == "success", task
    return task["result"]


def test_pool_that_is_not_configured(make_server):
    """Publish warns, and the default pool of the kind of call runs it."""
    server = make_server()
    done = server.apply(resources(7))
    warnings = [line for line in done.stderr.splitlines() if line.startswith("warning: ")]
    assert len(warnings) == 1 and "queue=7" in warnings[0] and "pools__main" in warnings[0] and "where" in warnings[0], done
    assert server.client.get("/api/v1/al/where/s").expect(200).json == 1
    assert result_of(server.client, server.client.get("/api/v1/al/later/s").expect(202).json["data"]["url"]) == 3
    again = server.apply(resources(7))
    assert "unchanged" in again.stdout


def test_pool_that_is_configured(make_server):
    """No warning, and the pool is that one."""
    server = make_server(config="[pools.7]\nworkers = 1\n")
    assert "warning" not in server.apply(resources(7)).stderr
    assert server.client.get("/api/v1/al/where/s").expect(200).json == 7
    assert result_of(server.client, server.client.get("/api/v1/al/later/s").expect(202).json["data"]["url"]) == 7


def test_task_for_a_pool_that_is_not_configured(make_server):
    """DFF.FUNC may name any number: the task runs, in the pool of tasks."""
    server = make_server(resources(1))
    server.client.get("/api/v1/al/start/s").expect(200)
    wait_until(lambda: any(pool_of(line) == "tasks" for line in server.client.get("/metrics").expect(200).text.splitlines()), "the pool of tasks has started")


def processor_seconds(pid: int) -> float:
    """Of this process and its threads, without its children."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_calls_that_wait_for_busy_workers_of_an_older_generation_cost_nothing(make_server):
    """Workers of the new generation are idle, but cannot take them: nobody hands them round and round."""
    server = make_server(config="[limits]\npool_workers = 2\n")
    server.apply(waiting_resources(1))
    keys = [f"call-{number}" for number in range(12)]
    with Gate(server) as gate:
        connections = [server.client.connect() for _ in keys]
        for key, connection in zip(keys, connections):
            connection.send(slow_call(key, gate))
        wait_until(lambda: running(server, keys) == 2 and queue_length(server) == 10, "two run, and the others wait behind them")
        server.apply(waiting_resources(2))
        before = processor_seconds(server.process.pid)
        time.sleep(2)  # the time whose cost is measured
        spent = processor_seconds(server.process.pid) - before
        assert running(server, keys) == 2
    assert spent < 1, "the server was busy while it had nothing to do"
    assert {connection.read().expect(200).json for connection in connections} == {1}


WAITING = PASS + """
import os
@DFF.API('Process')
def process():
    return os.getpid()
@DFF.API('Slow', timeout=120)
def slow(key: str, gate: str):
    DFF.STORE.set('begun ' + key, True)
    pass_gate(gate)
    return {answer}
"""


def waiting_resources(answer: int) -> Resources:
    made = Resources().scripts("pools", main=WAITING.replace("{answer}", str(answer)))
    return made.api("process", "pools__main.process").api("slow", "pools__main.slow")


def slow_call(key: str, gate: Gate) -> bytes:
    return request_bytes("GET", f"/api/v1/al/slow/s?key={key}&gate={gate.path}")


def running(server, keys: list[str]) -> int:
    """How many of the calls have begun."""
    return sum(begun(server.data, key) for key in keys)


def queue_length(server) -> float:
    lines = server.client.get("/metrics").expect(200).text.splitlines()
    return next(float(line.split()[-1]) for line in lines if line.startswith('funcgate_queue_length{pool="default"}'))


def connections_of_one_thread(server, count: int) -> list:
    """An idle server answers each connection with the first worker of its own io thread: equal processes, equal threads."""
    groups: dict[int, list] = {}
    until = time.monotonic() + 60
    while True:
        assert time.monotonic() < until, f"no {count} connections came to one thread: {[len(group) for group in groups.values()]}"
        connection = server.client.connect()
        connection.send(request_bytes("GET", "/api/v1/al/process/s"))
        group = groups.setdefault(connection.read().expect(200).json, [])
        group.append(connection)
        if len(group) == count:
            for other in groups.values():
                for unused in other if other is not group else ():
                    unused.close()
            return group


@pytest.mark.parametrize("threads", [2, 3])
def test_calls_of_an_older_generation_find_its_idle_workers_on_other_threads(make_server, threads):
    """Every call came in on one io thread. After a publish the others have idle workers of both generations: the old ones help."""
    server = make_server(config=f"[server]\nthreads = {threads}\n\n[limits]\npool_workers = {threads}\n")
    server.apply(waiting_resources(1))
    keys = [f"call-{number}" for number in range(3 * threads)]
    connections = connections_of_one_thread(server, len(keys))
    gates = {key: Gate(server, key) for key in keys}
    with ExitStack() as all_gates:
        for gate, connection in zip(gates.values(), connections):
            all_gates.enter_context(gate)
            connection.send(slow_call(gate.path.name, gate))
        wait_until(lambda: running(server, keys) == threads, "every worker has a call")
        server.apply(waiting_resources(2))
        for key in [key for key in keys if begun(server.data, key)]:
            gates[key].open()
        # Were only the thread of the connections to work, one would follow.
        wait_until(lambda: running(server, keys) >= 2 * threads, "the workers of the other threads help")
    assert {connection.read().expect(200).json for connection in connections} == {1}
    for connection in connections:
        connection.close()


def test_two_cores_share_an_io_thread(make_server):
    """The default, without a file; what else runs in these tests has two of them, whatever the machine."""
    server = make_server(resources(1), config=NO_FILE)
    names = list(threads_of(server.process.pid))
    assert len([name for name in names if name.startswith("io-")]) == (os.cpu_count() + 1) // 2, names
    assert server.client.get("/api/v1/al/where/s").expect(200).json == 1


def threads_of(pid: int) -> dict[str, tuple[int, int]]:
    """Nice and policy of a process's threads, by their names."""
    found = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        fields = (task / "stat").read_text().rsplit(")", 1)[1].split()  # from field 3 of proc(5) on
        found[(task / "comm").read_text().strip()] = int(fields[16]), int(fields[38])
    return found


@pytest.mark.parametrize("calls, journal", [("batched", os.SCHED_BATCH), ("before_reply", os.SCHED_OTHER)])
def test_who_works_behind_the_calls_steps_aside(make_server, calls, journal):
    """Whom callers wait for keeps the system's default; what comes in bursts lets them go first; hashing also gets less."""
    server = make_server(resources(1), config=f'[audit]\ncalls = "{calls}"\n')
    own = os.getpriority(os.PRIO_PROCESS, server.process.pid)
    expected = dict.fromkeys(["io-0", "io-1", "blocking", "admin"], (own, os.SCHED_OTHER))
    expected |= {"sign-in": (own, os.SCHED_BATCH), "strangers": (own, os.SCHED_BATCH), "journal": (own, journal), "funcgate-hash": (max(own, 10), os.SCHED_BATCH)}
    # Each thread steps aside by itself, when it comes to run.
    wait_until(lambda: {name: of for name, of in threads_of(server.process.pid).items() if name in expected} == expected, f"threads with {expected}")
    workers = [threads_of(pid) for pid in server.descendants(server.process.pid)]
    assert len(workers) > 1 and {of for worker in workers for of in worker.values()} == {(own, os.SCHED_OTHER)}


def pool_of(line: str) -> str | None:
    """The pool of a gauge of living workers that is not 0."""
    name, _, value = line.rpartition(" ")
    return name.split('pool="')[1].split('"')[0] if name.startswith("funcgate_workers{") and float(value) > 0 else None
