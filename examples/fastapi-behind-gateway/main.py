"""A FastAPI backend behind the gateway. The dependency `caller` verifies each request before a handler sees it."""
from typing import Annotated

from cryptography.exceptions import InvalidSignature
from fastapi import Depends, FastAPI, HTTPException, Request
from starlette.concurrency import run_in_threadpool

from miniseal_verify import verify

app = FastAPI()


class Fields:
    """The interface of header fields that `miniseal_verify` uses."""

    def __init__(self, headers):
        self.headers = headers

    def __contains__(self, name):
        return name in self.headers

    def get_all(self, name):
        return self.headers.getlist(name)


async def caller(request: Request) -> dict:
    """The verified caller: user, device, session, app, acr."""
    query = request.scope["query_string"].decode("ascii")
    target = request.scope["raw_path"].decode("ascii") + (f"?{query}" if query else "")
    body = await request.body()
    try:
        # `verify` may fetch keys, which would block the event loop.
        return await run_in_threadpool(verify, request.method, target, Fields(request.headers), body)
    except (ValueError, KeyError, TypeError, OSError, InvalidSignature) as error:
        raise HTTPException(401, "the request is not verified") from error


@app.post("/orders", status_code=201)
async def order(request: Request, by: Annotated[dict, Depends(caller)]):
    return {"user": by["user"], "acr": by["acr"], "order": await request.json()}
