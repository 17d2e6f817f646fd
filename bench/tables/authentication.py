"""Authentication alone: no Python runs, because the answer comes from the result cache, behind the check of the credential."""

from __future__ import annotations

import json
from pathlib import Path

from digest import Credential
from load import Call
from measure import Bench, Case
from outcome import Outcome, compared
from peers import ANSWER, BASIC, PASSWORD, TOKEN, USER, WRONG_BASIC, WRONG_TOKEN, haproxy, nginx
from peers.funcgate import CALL, Funcgate
from peers.haproxy import Haproxy
from peers.lighttpd import Lighttpd
from peers.nginx import Nginx
from peers.optional import Apache, Caddy
from tables import Table, rate_table
from tables.calls import CREDENTIALS, SCHEMES, cost_of_authentication

SAID = json.loads(ANSWER)
PAIR = ({"Authorization": BASIC}, {"Authorization": WRONG_BASIC})


def ours(product: Funcgate) -> list[Case]:
    made = []
    for scheme in SCHEMES:
        title, right, wrong = CREDENTIALS[scheme]
        stored = ", stored with Argon2id" if scheme == "basic" else ""
        made.append(Case(scheme, f"Funcgate, {title}{stored}", product, Call(CALL.format(f"answer-{scheme}"), headers=right), wrong, SAID, ours=True))
    made.append(Case("digest", "Funcgate, Digest SHA-256", product, Call(CALL.format("answer-digest")), expected=SAID,
                     credential=Credential(USER, PASSWORD), ours=True))
    return made


def theirs() -> list[Case]:
    basic = lambda name, title, peer, expected=SAID: Case(name, title, peer, Call(headers=PAIR[0]), PAIR[1], expected)
    digest = lambda title, peer: Case(peer.name, title, peer, Call(), expected=SAID, credential=Credential(USER, PASSWORD))
    return [
        Case("nginx-token", "nginx, token in a header by map", Nginx("nginx-token", nginx.BEHIND_TOKEN),
             Call(headers={"X-Auth-Token": TOKEN}), {"X-Auth-Token": WRONG_TOKEN}, SAID),
        basic("nginx-basic-sha1", "nginx Basic, SHA-1", Nginx("nginx-basic-sha1", nginx.BEHIND_BASIC, nginx.sha1_entry), None),
        basic("nginx-basic-apr1", "nginx Basic, apr1 (htpasswd's default)", Nginx("nginx-basic-apr1", nginx.BEHIND_BASIC, nginx.apr1_entry), None),
        basic("lighttpd-basic", "lighttpd Basic, bcrypt with its cache", Lighttpd("lighttpd-basic", "basic")),
        digest("lighttpd Digest SHA-256, with its cache", Lighttpd("lighttpd-digest", "digest")),
        digest("lighttpd Digest SHA-256, users read from the file", Lighttpd("lighttpd-digest-file", "digest", cached=False)),
        basic("haproxy-basic", "HAProxy Basic, password in clear", Haproxy("haproxy-basic", "basic")),
        Case("haproxy-jwt", "HAProxy JWT HS256", Haproxy("haproxy-jwt", "token"), Call(headers={"Authorization": f"Bearer {haproxy.GOOD_TOKEN}"}),
             {"Authorization": f"Bearer {haproxy.WRONG_TOKEN}"}, SAID),
        basic("caddy-basic", "Caddy Basic, bcrypt with its cache", Caddy()),
        Case("apache-digest", "Apache Digest MD5", Apache(), Call(), expected=SAID, credential=Credential(USER, PASSWORD, "MD5")),
    ]


def cases(binary: Path) -> list[Case]:
    return [*ours(Funcgate(binary)), *theirs()]


def run(bench: Bench) -> Outcome:
    outcome = rate_table(bench, "authentication", "Authentication alone, answered from the result cache", cases(bench.options.binary), bench.server_core)
    for scheme in ("fixed", "key", "basic"):
        title = CREDENTIALS[scheme][0]
        compared(outcome, f"requests/s, {title}, of nginx return 200", "requestsPerSecond", scheme, "nginx", "higher", 0.8, 0.95)
    # The targets were set for lighttpd as it comes, 0.42 of nginx. Its cache remembers users for as long as it is told, and forgets
    # nobody before; it never looks at the counts of a nonce. No target, but both stand there.
    for peer, how, targets in (("lighttpd-digest-file", "as it comes", (1.2, 1.6)), ("lighttpd-digest", "with its cache", ())):
        compared(outcome, f"requests/s, Digest SHA-256, of lighttpd's {how}", "requestsPerSecond", "digest", peer, "higher", *targets)
        compared(outcome, f"CPU, lighttpd's Digest {how}, of Funcgate's", "cpuMicroseconds", peer, "digest", "higher", *targets)
    compared(outcome, "requests/s, API key, of HAProxy JWT", "requestsPerSecond", "key", "haproxy-jwt", "higher", 1.0, 1.25)
    compared(outcome, "CPU, HAProxy JWT, of Funcgate's API key", "cpuMicroseconds", "haproxy-jwt", "key", "higher", 1.0, 1.25)
    compared(outcome, "CPU, lighttpd Basic, of Funcgate's", "cpuMicroseconds", "lighttpd-basic", "basic", "higher")
    compared(outcome, "CPU, HAProxy Basic, of Funcgate's", "cpuMicroseconds", "haproxy-basic", "basic", "higher")
    outcome.comparisons += cost_of_authentication(bench, "authentication", cases(bench.options.binary))
    return outcome


TABLES = (Table("authentication", "authentication alone, answered from the result cache, beside nginx, lighttpd and HAProxy",
                ("anonymous", "fixed", "basic", "key", "digest", "nginx-token", "nginx-basic-sha1", "nginx-basic-apr1", "lighttpd-basic",
                 "lighttpd-digest", "lighttpd-digest-file", "haproxy-basic", "haproxy-jwt", "caddy-basic", "apache-digest"), run),)
