"""Load with HTTP Digest: every request carries a response of its own, as RFC 7616 wants it.

As if 64 clients had asked for a nonce each: before a round 64 nonces are fetched, and the requests take them in turn, each nonce with
nc = 1, 2, 3, …. wrk does not tell Lua on which connection a request goes out; with a nonce for each of many clients the counts of one
nonce arrive nearly in order, whatever the order of the connections is.

Responses are computed while wrk sends, by libcrypto through LuaJIT's FFI: the hash of `HA1:nonce:` is prepared, so that a request costs
one or two blocks of the hash and no allocation but the text itself, 1 to 2 µs of the load generator's core. A list made beforehand
would cost hundreds of bytes of memory per request that no cache holds. The server's CPU per request does not depend on it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass

NONCES = 64
HASHES = {"SHA-256": "sha256", "MD5": "md5"}
CNONCE = "benchbenchbench1"

LUA = r"""
local ffi = require("ffi")
ffi.cdef[[
int SHA256_Init(void *state); int SHA256_Update(void *state, const void *data, size_t length); int SHA256_Final(unsigned char *hash, void *state);
int MD5_Init(void *state); int MD5_Update(void *state, const void *data, size_t length); int MD5_Final(unsigned char *hash, void *state);
]]
local found, crypto = pcall(ffi.load, "libcrypto.so.3")
if not found then crypto = ffi.C end
local md5 = @ALGORITHM@ == "MD5"
local begin = md5 and crypto.MD5_Init or crypto.SHA256_Init
local update = md5 and crypto.MD5_Update or crypto.SHA256_Update
local finish = md5 and crypto.MD5_Final or crypto.SHA256_Final
local hash_bytes = md5 and 16 or 32
local state_bytes = 256                       -- more than either of the two needs
local digits = ffi.new("uint8_t[16]", {48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 97, 98, 99, 100, 101, 102})
local band, rshift = bit.band, bit.rshift
local state, hash = ffi.new("uint8_t[?]", state_bytes), ffi.new("unsigned char[32]")

-- A client: the request's text in a buffer, with places for nc (8 digits) and response, and the hash after "HA1:nonce:".
local function client(prefix, rest, head, middle, tail)
  local made = {state = ffi.new("uint8_t[?]", state_bytes), count = 0, rest_length = 8 + #rest}
  begin(made.state); update(made.state, prefix, #prefix)
  made.rest = ffi.new("uint8_t[?]", made.rest_length)
  ffi.copy(made.rest + 8, rest, #rest)
  made.length = #head + 8 + #middle + 2 * hash_bytes + #tail
  made.text = ffi.new("uint8_t[?]", made.length)
  ffi.copy(made.text, head, #head)
  made.count_at, made.response_at = #head, #head + 8 + #middle
  ffi.copy(made.text + made.count_at + 8, middle, #middle)
  ffi.copy(made.text + made.response_at + 2 * hash_bytes, tail, #tail)
  return made
end

local clients = {@CLIENTS@}
local turn = 0
function request()
  turn = turn % #clients + 1
  local it = clients[turn]
  it.count = it.count + 1
  local left = it.count
  for i = 7, 0, -1 do
    local digit = digits[band(left, 15)]
    it.rest[i], it.text[it.count_at + i] = digit, digit
    left = rshift(left, 4)
  end
  ffi.copy(state, it.state, state_bytes)
  update(state, it.rest, it.rest_length)
  finish(hash, state)
  local at = it.response_at
  for i = 0, hash_bytes - 1 do
    it.text[at + 2 * i], it.text[at + 2 * i + 1] = digits[rshift(hash[i], 4)], digits[band(hash[i], 15)]
  end
  return ffi.string(it.text, it.length)
end
"""


@dataclass(frozen=True)
class Credential:
    username: str
    password: str
    algorithm: str = "SHA-256"


def hashed(algorithm: str, text: str) -> str:
    return hashlib.new(HASHES[algorithm], text.encode()).hexdigest()


def challenge_of(answer: tuple[int, dict[str, str], bytes], algorithm: str) -> dict[str, str]:
    """realm, nonce and perhaps opaque of the challenge with this algorithm in a 401."""
    for line in answer[1].get("www-authenticate", "").split("\n"):
        fields = {name: quoted or bare for name, quoted, bare in re.findall(r'(\w+)=(?:"([^"]*)"|([^",\s]+))', line)}
        if line.lower().startswith("digest ") and fields.get("algorithm", "MD5").upper() == algorithm and "nonce" in fields:
            return fields
    raise ValueError(f"answer {answer[0]} has no Digest challenge with {algorithm}: {answer[1].get('www-authenticate')!r}")


@dataclass(frozen=True)
class Parts:
    """The text of a request around nc and response, and the text that is hashed around nc. GET only."""

    prefix: str
    rest: str
    head: str
    middle: str
    tail: str


def parts(credential: Credential, target: str, challenge: dict[str, str], host: str) -> Parts:
    algorithm, realm, nonce = credential.algorithm, challenge["realm"], challenge["nonce"]
    ha1 = hashed(algorithm, f"{credential.username}:{realm}:{credential.password}")
    ha2 = hashed(algorithm, f"GET:{target}")
    opaque = f', opaque="{challenge["opaque"]}"' if "opaque" in challenge else ""
    head = (f'GET {target} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Digest username="{credential.username}", realm="{realm}", nonce="{nonce}", '
            f'uri="{target}", algorithm={algorithm}, qop=auth, nc=')
    return Parts(f"{ha1}:{nonce}:", f":{CNONCE}:auth:{ha2}", head, f', cnonce="{CNONCE}"{opaque}, response="', '"\r\n\r\n')


def header(credential: Credential, target: str, challenge: dict[str, str], count: int = 1) -> str:
    """The Authorization header of one request, for the check before the measurement."""
    made = parts(credential, target, challenge, "127.0.0.1")
    response = hashed(credential.algorithm, f"{made.prefix}{count:08x}{made.rest}")
    whole = f"{made.head}{count:08x}{made.middle}{response}{made.tail}"
    return re.search(r"Authorization: ([^\r]*)", whole).group(1)


def script(credential: Credential, target: str, unauthorised: Callable[[], tuple[int, dict[str, str], bytes]], port: int) -> str:
    """Lua for wrk. `unauthorised` calls without a credential and gives the answer, whose nonce is used."""
    clients = []
    for _ in range(NONCES):
        made = parts(credential, target, challenge_of(unauthorised(), credential.algorithm), f"127.0.0.1:{port}")
        # JSON strings of ASCII without control characters but \r and \n are Lua strings as well.
        clients.append("client(" + ", ".join(json.dumps(text) for text in (made.prefix, made.rest, made.head, made.middle, made.tail)) + ")")
    return LUA.replace("@ALGORITHM@", json.dumps(credential.algorithm)).replace("@CLIENTS@", ",\n".join(clients))
