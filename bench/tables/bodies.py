"""Large bodies: a megabyte of JSON in and out, beside orjson in a process that does nothing else; an upload and a file, beside nginx.

The JSON is a list of records with texts, numbers and lists, a million bytes. An upload goes to disk on both servers: with us as a part
of a multipart body, as callers send it, with nginx by PUT. The file is sparse, so that no disk is measured. curl sends and receives.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from load import Call, Round
from measure import Bench, Case, Stage, interleaved, one_round, present
from outcome import Column, Comparison, Outcome, Picture, Row, compared
from peers import BASIC, VENV, WRONG_BASIC, Running
from peers.asgi import Uvicorn
from peers.funcgate import CALL, Funcgate
from peers.nginx import FILES, Nginx
from processes import Failure, cpu_seconds, forget_peaks, peak_bytes, pinned, resident_bytes
from tables import Table, reference, versions

JSON_BYTES = 1_000_000
UPLOAD_BYTES, FILE_BYTES = 100_000_000, 1_000_000_000
MOVE_S = 300
JSON_NAMES = ("funcgate", "orjson", "asgi", "asgi-bytes")
JSON_COLUMNS = [Column("cpuMilliseconds", "CPU ms per MB in and out", 2), Column("megabytesPerSecond", "MB/s, in and out together", 0)]
IN_PROCESS = """
import sys, time, orjson
text = open(sys.argv[1], "rb").read()
until, begin, count = time.monotonic() + float(sys.argv[2]), time.process_time(), 0
while time.monotonic() < until:
    assert len(orjson.dumps(orjson.loads(text))) == len(text)
    count += 1
print((time.process_time() - begin) / count * 1e3)
"""


def document() -> dict:
    """About JSON_BYTES when written without blanks."""
    records, length = [], 0
    while length < JSON_BYTES:
        number = len(records)
        records.append({"id": number, "name": f"Article number {number}", "price": number * 1.25 + 0.1, "tags": ["shop", "north", f"shelf-{number % 97}"],
                        "stock": {"here": number % 13, "there": number % 7, "ordered": number % 3 == 0},
                        "note": None if number % 5 else "käuflich \"nur\" hier"})
        length += len(json.dumps(records[-1], separators=(",", ":"), ensure_ascii=False).encode()) + 1
    return {"data": records}


def in_process(bench: Bench, path: Path) -> float:
    """CPU ms of orjson.loads and dumps of the document, in a process of its own on the core of the servers."""
    arguments = pinned(bench.server_core, VENV / "bin/python", "-c", IN_PROCESS, path, str(min(2.0, bench.options.duration)))
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=120)
    if done.returncode:
        raise Failure(f"orjson in process: {done.stderr[-1000:]}")
    return float(done.stdout)


def run_json(bench: Bench) -> Outcome:
    value = document()
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
    path = bench.folder / "document.json"
    path.write_bytes(text)
    headers, wrong, load = {"Content-Type": "application/json", "Authorization": BASIC}, {"Authorization": WRONG_BASIC}, {"connections": 8}
    by_hand = Uvicorn("asgi", "asgi_by_hand")
    cases = [Case("funcgate", "Funcgate, Basic", Funcgate(bench.options.binary),
                  Call(CALL.format("echo-basic"), "POST", headers, text), wrong, value, None, load, True),
             Case("asgi", "ASGI by hand, orjson", by_hand, Call("/echo", "POST", headers, text), wrong, value, None, load),
             Case("asgi-bytes", "ASGI by hand, bytes not parsed", by_hand, Call("/bytes", "POST", headers, text), wrong, value, None, load)]
    chosen = present(bench, [reference()] + [case for case in cases if bench.chosen("json", case.name)])[1:]
    with_orjson = bench.chosen("json", "orjson") and (VENV / "bin/python").exists()
    rows = {case.name: Row(case.name, case.title, {column.figure: [] for column in JSON_COLUMNS}, case.ours) for case in chosen}
    if with_orjson:
        rows["orjson"] = Row("orjson", "orjson loads and dumps in process, no server", {"cpuMilliseconds": []})

    def served(case: Case, running: Running, seconds: float) -> tuple[Round]:
        return (one_round(bench, case, running, seconds=seconds),)

    for measured in interleaved(bench, chosen, bench.server_core, served, bench.options.duration, warm_s=1.0):
        for name, (made,) in measured.items():
            rows[name].figures["cpuMilliseconds"].append(made.cpu_us / 1000)
            rows[name].figures["megabytesPerSecond"].append(made.rate * 2 * len(text) / 1e6)
        if with_orjson:
            rows["orjson"].figures["cpuMilliseconds"].append(in_process(bench, path))
    outcome = Outcome("json", "A megabyte of JSON in and out", JSON_COLUMNS, list(rows.values()), [], [
        Picture("bars", "cpuMilliseconds", "CPU ms for a megabyte in and out: shorter is better")], versions(chosen))
    compared(outcome, "CPU, Funcgate, of orjson in process", "cpuMilliseconds", "funcgate", "orjson", "lower", 2.0, 1.1)
    compared(outcome, "CPU, Funcgate, of ASGI by hand", "cpuMilliseconds", "funcgate", "asgi", "lower")
    return outcome


# --- files

TRANSFER_NAMES = ("upload", "download")
TRANSFER_COLUMNS = [Column("megabytesPerSecond", "MB/s", 0), Column("cpuMillisecondsPer100Megabytes", "CPU ms per 100 MB", 1),
                    Column("extraMebibytes", "extra memory, MiB", 1)]


def move(bench: Bench, running, idle_bytes: int, size: int, *arguments: str | Path) -> tuple[float, float, float]:
    """One transfer by curl: MB/s, CPU ms per 100 MB, MiB by which the peak of the server's memory exceeded `idle_bytes` meanwhile."""
    forget_peaks(running.pid)
    cpu = cpu_seconds(running.pid)
    command = pinned(bench.load_core, "curl", "-s", "-S", "--noproxy", "*", "--max-time", str(MOVE_S), "-o", "/dev/null", "-w",
                     "%{http_code} %{time_total} %{size_upload} %{size_download}", *arguments)
    done = subprocess.run(command, capture_output=True, text=True, timeout=MOVE_S + 30, stdin=subprocess.DEVNULL)
    words = done.stdout.split()
    if done.returncode or not words[0].startswith("2") or max(int(words[2]), int(words[3])) < size:
        raise Failure(f"curl {arguments[-1]} ended with {done.returncode}: {done.stdout} {done.stderr[-500:]}")
    spent = cpu_seconds(running.pid) - cpu
    return size / float(words[1]) / 1e6, spent * 1000 / (size / 1e8), max(0.0, (peak_bytes(running.pid) - idle_bytes) / 2**20)


def run_transfer(bench: Bench) -> Outcome:
    upload = bench.folder / "upload.bin"
    with upload.open("wb") as file:
        for number in range(100):
            file.write(bytes([number]) * (UPLOAD_BYTES // 100))
    product, nginx = Funcgate(bench.options.binary, large_bytes=FILE_BYTES), Nginx("nginx-files", FILES)
    present(bench, [Case("nginx", "nginx", nginx, Call())])
    rows: dict[str, Row] = {}
    with Stage(bench, bench.server_core) as stage:
        ours, theirs = stage.of(product), stage.of(nginx)
        served = next(bench.folder.glob("nginx-files-*/www"))
        with (served / "large.bin").open("wb") as file:
            file.truncate(FILE_BYTES)
        base, other = f"http://127.0.0.1:{ours.port}", f"http://127.0.0.1:{theirs.port}"
        moves = [("upload", "nginx-upload", "nginx, upload of 100 MB by PUT", theirs, UPLOAD_BYTES, ("-T", upload, f"{other}/upload.bin"), False),
                 ("upload", "upload", "Funcgate, upload of 100 MB", ours, UPLOAD_BYTES, ("-F", f"files=@{upload}", base + CALL.format("take")), True),
                 ("download", "nginx-download", "nginx, file of 1 GB", theirs, FILE_BYTES, (f"{other}/large.bin",), False),
                 ("download", "download", "Funcgate, file of 1 GB", ours, FILE_BYTES, (base + CALL.format("large"),), True)]
        idle = {running.pid: resident_bytes(running.pid) for running in (ours, theirs)}
        moves = [entry for entry in moves if bench.chosen("transfer", entry[0])]
        for number in range(-1, bench.options.rounds):  # the first one warms up
            for _, name, title, running, size, arguments, is_ours in moves:
                row = rows.setdefault(name, Row(name, title, {column.figure: [] for column in TRANSFER_COLUMNS}, is_ours))
                values = move(bench, running, idle[running.pid], size, *arguments)
                for column, value in zip(TRANSFER_COLUMNS, values if number >= 0 else ()):
                    row.figures[column.figure].append(value)
            if number >= 0:
                bench.say(f"round {number + 1} of {bench.options.rounds}")
    outcome = Outcome("transfer", "Uploads and files", TRANSFER_COLUMNS, list(rows.values()), [], [
        Picture("bars", "megabytesPerSecond", "MB/s: longer is better")], {"funcgate": product.version(), "nginx": nginx.version()})
    for name, title in (("upload", "upload of 100 MB"), ("download", "file of 1 GB")):
        compared(outcome, f"MB/s, {title}, of nginx", "megabytesPerSecond", name, f"nginx-{name}", "higher", 0.5, 0.8)
        if row := outcome.row(name):
            outcome.comparisons.append(Comparison(f"extra memory, {title}", row.figures["extraMebibytes"], "lower", 4, 1, "MiB"))
    return outcome


TABLES = (Table("json", "a megabyte of JSON in and out, beside orjson in process", JSON_NAMES, run_json),
          Table("transfer", "an upload of 100 MB and a file of 1 GB, beside nginx", TRANSFER_NAMES, run_transfer))
