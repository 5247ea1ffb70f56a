"""A client of the Miniseal protocol, version 1, over HTTP: ``Client``.

The client opens and verifies every response as protocol section 5 requires; it raises for any other.
"""
from __future__ import annotations

import gzip
import json
import time
from dataclasses import dataclass
from typing import Callable, List, Optional, Tuple

from binary_http import BinaryHttpError, Request, Response, encode_request, open_response, pad
from configuration import Configuration, ConfigurationError, strict_json, thumbprint, verify_configuration
from frames import FrameError, Handshake, SessionKeys, open_response as open_frame, seal_request
from message_signatures import SignatureRefused, content_digest, sign_request, verify_response
from primitives import CryptoError, b64u, ed25519_public, random_bytes, unb64u
from structured_fields import Item, serialize
from transport import PROBLEM, ClearProblem, ProtocolError, http, post_frame

NO_IDEMPOTENCY_KEY = (("POST", "/sessions"), ("POST", "/events/subscription"))
SAFE = ("GET", "HEAD", "OPTIONS")
# The user must act, and the next request uses the same key (protocol section 8).
STEP_UP = ("step_up_required", "step_up_invalid")


class Refused(Exception):
    """A sealed and signed refusal."""

    def __init__(self, answer: "Answer"):
        super().__init__("%d %s" % (answer.status, answer.code))
        self.answer = answer


class OutcomeUnknown(Exception):
    """The request with this key may have taken effect or may still take effect (protocol section 8)."""

    def __init__(self, key: str, last: str):
        super().__init__("the outcome of %s is unknown: %s" % (key, last))
        self.key = key


def needs_key(method: str, target: str) -> bool:
    """Section 5: unsafe methods require an Idempotency-Key, except on three routes."""
    if method in SAFE or (method, target) in NO_IDEMPOTENCY_KEY:
        return False
    return not (method == "DELETE" and target.startswith("/outcomes/"))


def encode_json(value) -> bytes:
    """JSON without spaces, UTF-8."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode("utf-8")


@dataclass
class Sent:
    """A frame and the signed request inside it; ``handshake`` only for frame 0x01."""
    request: Request
    frame: bytes
    handshake: Optional[Handshake] = None


@dataclass
class Answer:
    """A verified response. Fields outside the coverage are sealed, but not signed."""
    response: Response
    keyid: str
    created: int

    @property
    def status(self) -> int:
        return self.response.status

    def get(self, name: str) -> Optional[str]:
        return self.response.get(name)

    def json(self):
        """The content as JSON, after its content coding is undone."""
        content = self.response.content
        coding = self.get("content-encoding")
        if coding == "gzip":
            content = gzip.decompress(content)
        elif coding is not None:
            raise ProtocolError("content-encoding %s" % coding)
        return strict_json(content)

    def problem(self) -> dict:
        """The problem of a refusal by the service, not by a backend (protocol section 7)."""
        marked = self.get("miniseal-problem")
        if marked is None:
            raise ProtocolError("an error of the backend: %d" % self.status)
        if self.get("content-type") != PROBLEM:
            raise ProtocolError("a refusal of type %r" % self.get("content-type"))
        problem = self.json()
        if problem.get("code") != marked or problem.get("status") != self.status:
            raise ProtocolError("malformed refusal: %r" % problem)
        return problem

    @property
    def code(self) -> Optional[str]:
        """The code of a refusal by the service; None for a success or a response of a backend."""
        return None if self.status < 400 or self.get("miniseal-problem") is None else self.problem()["code"]

    @property
    def outcome(self) -> Optional[str]:
        """The ``outcome`` of a refusal by the service: ``none``, ``unknown`` or None."""
        return None if self.code is None else self.problem().get("outcome")


class Client:
    """One device and its session."""

    def __init__(self, origin: str, roots: List[bytes], appid: str, seed: Optional[bytes] = None,
                 exchange: Callable[..., Tuple[int, str, bytes]] = http, clock=time.time, wait=time.sleep):
        self.origin, self.roots, self.appid = origin.rstrip("/"), roots, appid
        self.seed = seed or random_bytes(32)
        self.public = ed25519_public(self.seed)
        self.keyid = thumbprint(self.public)
        self._http, self._clock, self._wait, self.offset = exchange, clock, wait, 0
        self.configuration: Optional[Configuration] = None
        self.keys: Optional[SessionKeys] = None
        self.sid = b""
        self.session: dict = {}
        self.token = ""

    def now(self) -> int:
        """UNIX seconds, corrected by the offset from ``window_invalid`` (protocol section 7)."""
        return int(self._clock()) + self.offset

    # -------------------------------------------------------- configuration (section 3)

    def configure(self, refetch: bool = False) -> Configuration:
        """The verified channel configuration, kept until its ``exp``."""
        if refetch or not self.configuration or self.configuration.expires <= self.now():
            status, kind, body = self._http("GET", self.origin + "/.well-known/miniseal")
            if status != 200 or kind != "application/jose":
                raise ConfigurationError("configuration answered with %d %s" % (status, kind))
            self.configuration = verify_configuration(body, self.roots, self.now())
        return self.configuration

    # -------------------------------------------------------- requests (section 5)

    def _request(self, method: str, target: str, body: Optional[bytes], fields: dict,
                 created: Optional[int]) -> Request:
        request = Request(method, "https", self.configure().authority, target)
        request.fields = [(name.lower(), value) for name, value in fields.items()]
        if body:
            request.content = body
            request.fields.append(("content-digest", content_digest(body)))
        sign_request(request, self.seed, self.keyid, self.now() if created is None else created,
                     b64u(random_bytes(16)))
        return request

    def prepare(self, method: str, target: str, body: Optional[bytes] = None,
                fields: Optional[dict] = None, created: Optional[int] = None,
                idempotency_key: Optional[str] = None, omit: Tuple[str, ...] = (),
                tamper: Optional[Callable[[Request], None]] = None) -> Sent:
        """A signed, sealed request of this session.

        For tests only: ``omit`` leaves fields out, ``tamper`` changes the request after signing.
        """
        if self.keys is None:
            raise ProtocolError("not logged in")
        fields = dict(fields or {})
        fields["authorization"] = "HTTPSig " + self.token
        if needs_key(method, target):
            key = b64u(random_bytes(16)) if idempotency_key is None else idempotency_key
            fields["idempotency-key"] = serialize(Item(key, []))
        for name in omit:
            del fields[name]
        request = self._request(method, target, body, fields, created)
        if tamper:
            tamper(request)
        return Sent(request, seal_request(self.keys, self.sid, pad(encode_request(request))))

    def post_frame(self, frame: bytes, text: bool = False) -> bytes:
        """The frame that answers a frame; raises ClearProblem for an answer in the clear."""
        return post_frame(self._http, self.origin + "/seal", frame, text, self.configure().max_frame)

    def exchange(self, sent: Sent, text: bool = False) -> Answer:
        """Sends a frame, opens and verifies its answer strictly; a login also sets the keys."""
        try:
            frame = self.post_frame(sent.frame, text)
            limit = self.configure().max_frame
            if sent.handshake:
                plaintext, keys = sent.handshake.open(frame, limit)
            else:
                plaintext, keys = open_frame(self.keys, frame, sent.frame, limit), None
            response = open_response(plaintext)
            keys_at = self.configure().signing_keys
            answer = Answer(response, *verify_response(response, sent.request, keys_at))
        except (FrameError, CryptoError, BinaryHttpError, SignatureRefused, ValueError) as error:
            raise ProtocolError("%s: %s" % (type(error).__name__, error))
        if keys and answer.status == 201:
            self.keys = keys
        return answer

    def _corrected(self, answer: Answer) -> bool:
        """After ``window_invalid``: sets the offset from the time of the service (section 5, Clock)."""
        if answer.code != "window_invalid":
            return False
        self.offset = answer.created - int(self._clock())
        return True

    def request(self, method: str, target: str, body=None, fields: Optional[dict] = None,
                text: bool = False, idempotency_key: Optional[str] = None) -> Answer:
        """One request; ``body`` is sent as JSON.

        A request with an Idempotency-Key is sent again, newly signed, until its outcome is known; only a refusal with
        the outcome ``none`` means that it had no effect. Raises OutcomeUnknown (section 8). Other requests are sent
        again once, after ``window_invalid``.
        """
        fields = dict(fields or {})
        if body is not None:
            body = encode_json(body)
            fields.setdefault("content-type", "application/json")
        key = idempotency_key or b64u(random_bytes(16))

        def attempt() -> Answer:
            return self.exchange(self.prepare(method, target, body, fields, idempotency_key=key), text)

        if needs_key(method, target):
            return self._until_settled(key, attempt)
        answer = attempt()
        return attempt() if self._corrected(answer) else answer

    def _until_settled(self, key: str, attempt: Callable[[], Answer], attempts: int = 6) -> Answer:
        last = ""
        for number in range(attempts):
            if number > 1:
                self._wait(0.1 * number)
            try:
                answer = attempt()
            except (ClearProblem, ProtocolError, OSError) as error:
                last = str(error)
                continue
            if answer.code is None or answer.code in STEP_UP or answer.outcome == "none":
                return answer
            last = answer.code
            if answer.outcome == "unknown":
                break
            if not self._corrected(answer) and answer.code == "token_expired":
                self.renew()
        raise OutcomeUnknown(key, last)

    # -------------------------------------------------------- outcomes (section 8)

    def outcome(self, key: str) -> dict:
        """GET /outcomes/{key}: the outcome of the request with this key."""
        answer = self.request("GET", "/outcomes/" + b64u(key.encode("ascii")))
        if answer.status != 200:
            raise Refused(answer)
        return answer.json()

    def cancel(self, key: str) -> dict:
        """DELETE /outcomes/{key}, until it is answered. After the outcome ``none`` no request with this key runs."""
        target = "/outcomes/" + b64u(key.encode("ascii"))
        answer = self._until_settled(key, lambda: self.exchange(self.prepare("DELETE", target)))
        if answer.status != 200:
            raise Refused(answer)
        return answer.json()

    # -------------------------------------------------------- sessions (section 6)

    def prepare_login(self, code: str, created: Optional[int] = None) -> Sent:
        """Frame 0x01 with the signed ``POST /sessions``."""
        handshake = Handshake(self.configure().agreement_key(self.now()))
        body = {"appid": self.appid, "code": code, "handshake": b64u(handshake.hash),
                "device": {"kty": "OKP", "crv": "Ed25519", "x": b64u(self.public)},
                "client": {"platform": "ios", "sdk": "independent-python", "base": "3.7.0"}}
        request = self._request("POST", "/sessions", encode_json(body),
                                {"content-type": "application/json"}, created)
        return Sent(request, handshake.seal(pad(encode_request(request))), handshake)

    def login(self, code: str) -> Answer:
        """Handshake with a wx.login code; raises Refused with the signed reason."""
        try:
            answer = self.exchange(self.prepare_login(code))
        except ClearProblem as problem:
            if problem.code != "unknown_agreement_key":
                raise
            self.configure(refetch=True)
            answer = self.exchange(self.prepare_login(code))
        if self._corrected(answer):
            answer = self.exchange(self.prepare_login(code))
        if answer.status != 201:
            raise Refused(answer)
        result = answer.json()
        self.sid = unb64u(result["session"]["id"])
        if len(self.sid) != 16 or result["device"]["id"] != self.keyid or result["token_type"] != "HTTPSig":
            raise ProtocolError("the login answer does not fit this device: %r" % result)
        self.session, self.token = result, result["access_token"]
        return answer

    def renew(self) -> Answer:
        """POST /sessions/current/token: the next access token."""
        answer = self.request("POST", "/sessions/current/token")
        if answer.status not in (200, 201):
            raise Refused(answer)
        self.token = answer.json()["access_token"]
        return answer

    def logout(self) -> Answer:
        """DELETE /sessions/current. Keeps the keys: a test uses them again."""
        return self.request("DELETE", "/sessions/current")
