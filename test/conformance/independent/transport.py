"""The outer HTTP exchange: ``POST /seal`` in both forms, and answers in the clear (protocol section 4)."""
from __future__ import annotations

import base64
import urllib.error
import urllib.request
from typing import Optional, Tuple

from configuration import strict_json

BINARY, TEXT = "application/vnd.miniseal", "application/vnd.miniseal+base64"
PROBLEM = "application/problem+json"
CLEAR_CODES = {"malformed_frame": (400,), "unknown_agreement_key": (409,), "unknown_session": (401,),
               "frame_too_large": (413,), "cannot_open": (400,), "overloaded": (429, 503)}


class ProtocolError(Exception):
    """The service did something the protocol does not allow."""


class ClearProblem(Exception):
    """An answer in the clear: a hint, never the result of a request (protocol section 4)."""

    def __init__(self, status: int, code: str, problem: dict):
        super().__init__("%d %s" % (status, code))
        self.status, self.code, self.problem = status, code, problem


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args, **kwargs):
        return None


_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect)


def http(method: str, url: str, body: Optional[bytes] = None,
         content_type: Optional[str] = None) -> Tuple[int, str, bytes]:
    """One plain HTTP exchange: status, media type without parameters, body."""
    call = urllib.request.Request(url, data=body, method=method)
    if content_type:
        call.add_header("Content-Type", content_type)
    try:
        with _OPENER.open(call, timeout=20) as reply:
            status, kind, data = reply.status, reply.headers.get("Content-Type", ""), reply.read()
    except urllib.error.HTTPError as reply:
        status, kind, data = reply.code, reply.headers.get("Content-Type", ""), reply.read()
    return status, kind.split(";")[0].strip().lower(), data


def post_frame(exchange, url: str, frame: bytes, text: bool, limit: int) -> bytes:
    """POST /seal in binary or text form; the frame of the answer (section 4, "Over HTTP").

    A clear answer raises ClearProblem when it is one of the closed list, ProtocolError otherwise.
    """
    if len(frame) > limit:
        raise ProtocolError("the frame is larger than max_frame")
    form = TEXT if text else BINARY
    status, kind, body = exchange("POST", url, base64.b64encode(frame) if text else frame, form)
    if status != 200:
        try:
            problem = strict_json(body)
            code = problem["code"]
        except (ValueError, KeyError, TypeError):
            raise ProtocolError("clear answer %d is not problem+json with a code" % status)
        if kind != PROBLEM or status not in CLEAR_CODES.get(code, ()):
            raise ProtocolError("clear answer %d %s %r" % (status, kind, code))
        raise ClearProblem(status, code, problem)
    if kind != form:
        raise ProtocolError("the answer to %s has the type %r" % (form, kind))
    if not text:
        return body
    try:
        answer = base64.b64decode(body, validate=True)
    except ValueError:
        answer = b""
    if base64.b64encode(answer) != body:
        raise ProtocolError("the text form is not canonical base64")
    return answer
