"""FastAPI, everything `def`, as most of its examples are: the sum of two numbers behind HTTP Basic, in its thread pool."""

import secrets
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, status
from fastapi.security import HTTPBasic, HTTPBasicCredentials
from fastapi_async import Pair, Sum

app = FastAPI(openapi_url=None)
basic = HTTPBasic(realm="bench")


def caller(credentials: Annotated[HTTPBasicCredentials, Depends(basic)]) -> str:
    name = secrets.compare_digest(credentials.username.encode(), b"mia")
    password = secrets.compare_digest(credentials.password.encode(), b"a password of the bench")
    if not (name and password):
        raise HTTPException(status.HTTP_401_UNAUTHORIZED, headers={"WWW-Authenticate": "Basic"})
    return credentials.username


@app.post("/sum")
def total(pair: Pair, name: Annotated[str, Depends(caller)]) -> Sum:
    return Sum(sum=pair.a + pair.b)
