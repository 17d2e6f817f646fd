"""FastAPI, everything `async def`: the sum of two numbers behind HTTP Basic, with models for both directions.

A model as return type is what FastAPI's documentation recommends for speed: pydantic writes the JSON.
"""

import secrets
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, status
from fastapi.security import HTTPBasic, HTTPBasicCredentials
from pydantic import BaseModel

app = FastAPI(openapi_url=None)
basic = HTTPBasic(realm="bench")


class Pair(BaseModel):
    a: int
    b: int


class Sum(BaseModel):
    sum: int


class Text(BaseModel):
    text: str


class Length(BaseModel):
    length: int


async def caller(credentials: Annotated[HTTPBasicCredentials, Depends(basic)]) -> str:
    name = secrets.compare_digest(credentials.username.encode(), b"mia")
    password = secrets.compare_digest(credentials.password.encode(), b"a password of the bench")
    if not (name and password):
        raise HTTPException(status.HTTP_401_UNAUTHORIZED, headers={"WWW-Authenticate": "Basic"})
    return credentials.username


Caller = Annotated[str, Depends(caller)]


@app.post("/sum")
async def total(pair: Pair, name: Caller) -> Sum:
    return Sum(sum=pair.a + pair.b)


@app.post("/length")
async def length(text: Text, name: Caller) -> Length:
    return Length(length=len(text.text))
