"""`queue`: pools of workers, and functions that ask for one which nobody configured (function-apis §2)."""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from support.resources import Resources
from support.server import wait_until
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
    script = "import time\n@DFF.API('Slow')\ndef slow():\n    time.sleep(3)\n    return {answer}\n"
    server = make_server(Resources().scripts("pools", main=script.format(answer=1)).api("slow", "pools__main.slow"))
    with ThreadPoolExecutor(12) as pool:
        calls = [pool.submit(lambda: server.client.get("/api/v1/al/slow/s")) for _ in range(12)]
        time.sleep(0.5)  # they run, or wait behind those that run
        server.apply(Resources().scripts("pools", main=script.format(answer=2)).api("slow", "pools__main.slow"))
        before = processor_seconds(server.process.pid)
        time.sleep(2)  # the time whose cost is measured
        spent = processor_seconds(server.process.pid) - before
        assert spent < 0.5, "the server was busy while it had nothing to do"
        assert {call.result().expect(200).json for call in calls} == {1}


WAITING = """
import os, time
@DFF.API('Process')
def process():
    return os.getpid()
@DFF.API('Slow')
def slow():
    time.sleep(0.5)
    return {answer}
"""


def waiting_resources(answer: int) -> Resources:
    made = Resources().scripts("pools", main=WAITING.replace("{answer}", str(answer)))
    return made.api("process", "pools__main.process").api("slow", "pools__main.slow")


def connections_of_one_thread(server, count: int) -> list:
    """An idle server answers each connection with the first worker of its own io thread: equal processes, equal threads."""
    groups: dict[int, list] = {}
    while True:
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
    rounds = 5
    connections = connections_of_one_thread(server, threads * rounds)
    begin = time.monotonic()
    for connection in connections:
        connection.send(request_bytes("GET", "/api/v1/al/slow/s"))
    server.apply(waiting_resources(2))
    assert {connection.read().expect(200).json for connection in connections} == {1}
    spent = time.monotonic() - begin
    # Were only the thread of the connections to work, there would be nearly `threads` times as many rounds.
    assert spent < (rounds + 2) * 0.5, "calls waited beside idle workers"
    for connection in connections:
        connection.close()


def pool_of(line: str) -> str | None:
    """The pool of a gauge of living workers that is not 0."""
    name, _, value = line.rpartition(" ")
    return name.split('pool="')[1].split('"')[0] if name.startswith("funcgate_workers{") and float(value) > 0 else None
