#!/usr/bin/python3
"""bench/faults.py publish|kill [--seconds N] [--connections N]

What happens to calls while things change. Prints one JSON object; exit 1 if a promise was broken.

  publish  a publish every second under load: no call may fail, and no answer may mix two versions
  kill     kill -9 of a random worker every half second under load: only calls in execution may fail, with 502.99

Needs build/release (script/build) and wrk. Everything runs on loopback in a temporary folder.
"""
import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from processes import BINARY, run_program, workers_of
from product import Product

RESOURCES = """
{kind: ScriptSet, metadata: {name: load}, spec: {title: Load, scripts: {a: {file: a.py}, b: {file: b.py}}, publish: true}}
---
{kind: FuncApi, metadata: {name: versions}, spec: {funcId: load__a.versions, anonymous: true, anonymousReason: load test}}
"""
A = """import load__b
VERSION = %d
@DFF.API('Both versions')
def versions():
    return {'a': VERSION, 'b': load__b.VERSION}
"""
B = "VERSION = %d\n"
# Counts what is neither 200 nor of one version; wrk prints the sums at its end.
LUA = """
local threads = {}
function setup(thread) table.insert(threads, thread) end
function init(args) refused, other, mixed = 0, 0, 0 end
function response(status, headers, body)
  if status == 502 and string.find(body, '502.99', 1, true) then refused = refused + 1
  elseif status ~= 200 then other = other + 1
  else
    local a, b = string.match(body, '"a":(%d+),"b":(%d+)')
    if a == nil or a ~= b then mixed = mixed + 1 end
  end
end
function done(summary, latency, requests)
  local refused, other, mixed = 0, 0, 0
  for _, thread in ipairs(threads) do
    refused = refused + thread:get('refused'); other = other + thread:get('other'); mixed = mixed + thread:get('mixed')
  end
  local e = summary.errors
  io.write(string.format('RESULT {"calls":%d,"lost502":%d,"other":%d,"mixed":%d,"socketErrors":%d,"p99ms":%.2f}\\n', summary.requests,
    refused, other, mixed, e.connect + e.read + e.write + e.timeout, latency:percentile(99) / 1000))
end
"""


def write_version(folder: Path, version: int) -> None:
    (folder / "resources.yaml").write_text(RESOURCES)
    (folder / "a.py").write_text(A % version)
    (folder / "b.py").write_text(B % version)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mode", choices=["publish", "kill"])
    parser.add_argument("--seconds", type=int, default=15)
    parser.add_argument("--connections", type=int, default=64)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "resources"
        folder.mkdir()
        write_version(folder, 1)
        server = Product(Path(temporary) / "server", BINARY).start(folder)
        try:
            script = Path(temporary) / "check.lua"
            script.write_text(LUA)
            load = subprocess.Popen(["wrk", "-t1", f"-c{options.connections}", f"-d{options.seconds}s", "-s", script,
                                     f"{server.url}/api/v1/func-api/versions/s"], stdout=subprocess.PIPE, text=True)
            done, wanted, slowest_ms = 0, len(workers_of(server.pid)), 0.0
            while load.poll() is None:
                if options.mode == "publish":
                    time.sleep(1)
                    done += 1
                    write_version(folder, done + 1)
                    server.command("apply", "-f", folder)
                else:
                    time.sleep(0.5)
                    alive = workers_of(server.pid)
                    if not alive:
                        continue
                    victim, begun = random.choice(alive), time.monotonic()
                    os.kill(victim, signal.SIGKILL)
                    done += 1
                    while time.monotonic() - begun < 5:
                        now = workers_of(server.pid)
                        if len(now) >= wanted and victim not in now:
                            break
                        time.sleep(0.001)
                    slowest_ms = max(slowest_ms, (time.monotonic() - begun) * 1000)
            output = load.stdout.read()
            metrics = urllib.request.urlopen(server.url + "/metrics", timeout=10).read().decode()
        finally:
            server.stop()
    result = json.loads(output.split("RESULT ", 1)[1].splitlines()[0])
    result[{"publish": "publishes", "kill": "kills"}[options.mode]] = done
    if options.mode == "kill":
        result["slowestReplacementMs"] = round(slowest_ms, 1)
    refused = [line for line in metrics.splitlines() if line.startswith("funcgate_journal_places_refused_total ")]
    result["refusedForWantOfARecord"] = int(float(refused[0].split()[1])) if refused else 0
    print(json.dumps(result))
    broken = result["other"] or result["mixed"] or result["socketErrors"]
    lost_max = done * 1 if options.mode == "kill" else 0
    return 1 if broken or result["lost502"] > lost_max else 0


if __name__ == "__main__":
    sys.exit(run_program(main))
