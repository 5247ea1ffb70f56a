"""A backend behind the gateway, in Python alone: verifies every request by docs/guides/integration.md, "Verifying for yourself".

``python3 backend.py`` listens on a free port, prints it, reads the service's origin from standard input, and answers
each request with the verified caller, or with 401 and the reason.
"""
from __future__ import annotations

import json
import re
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Dict, Tuple
from urllib.parse import unquote_to_bytes, urlsplit

from binary_http import Request
from message_signatures import (REQUEST_DERIVED, REQUEST_FIELDS, SignatureRefused, check_content_digest,
                                signature_base)
from primitives import CryptoError, b64u, ed25519_verify, sha256, unb64u
from structured_fields import FieldError, InnerList, Item, parse_dictionary, serialize
from transport import http

GATEWAY_FIELDS = ("miniseal-caller", "miniseal-device-key")
# Each may occur only once.
DECISIVE = REQUEST_FIELDS + GATEWAY_FIELDS + ("signature-input", "signature")
PATH_OCTET = r"[A-Za-z0-9._~!$&'()*+,=:@-]|%(?:2[0-46-9A-C]|3[AC-F]|40|5[BDE]|60|7[B-D]|[89A-F][0-9A-F])"
PATH = re.compile("(?:/(?:%s)+)*/?" % PATH_OCTET)
QUERY = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-F]{2})+")
CLAIMS = {"user": "sub", "device": None, "session": "sid", "app": "client_id", "acr": None}


class Refused(Exception):
    """The gateway would not send this request."""


REFUSALS = (Refused, SignatureRefused, FieldError, CryptoError, KeyError, ValueError)


def require(condition: object, reason: str) -> None:
    """Refuses with ``reason`` unless ``condition`` holds."""
    if not condition:
        raise Refused(reason)


def published_keys(origin: str, name: str, use: str) -> Dict[str, bytes]:
    """The Ed25519 keys of one JWK Set of the service that are for one use, by their ``kid``."""
    status, _, body = http("GET", origin + "/.well-known/" + name)
    require(status == 200, "no JWK Set")
    return {key["kid"]: unb64u(key["x"]) for key in json.loads(body)["keys"] if key.get("miniseal_use") == use}


def check_target(target: str) -> None:
    """Requires the canonical form of path and query (protocol, section 11)."""
    path, mark, query = target.partition("?")
    require(path.startswith("/") and PATH.fullmatch(path), "path is not canonical")
    require(not {".", ".."} & set(path.split("/")), "dot segment")
    require(not mark or QUERY.fullmatch(query), "query is not canonical")
    unquote_to_bytes(path).decode()


def thumbprint(public_key: bytes) -> str:
    """RFC 7638 for an Ed25519 key."""
    return b64u(sha256(b'{"crv":"Ed25519","kty":"OKP","x":"%s"}' % b64u(public_key).encode()))


def verify_token(field: str, origin: str, keys: Dict[str, bytes], now: float) -> dict:
    """The claims of the access token (step 1)."""
    scheme, _, token = field.partition(" ")
    parts = token.split(".")
    require(scheme == "HTTPSig" and len(parts) == 3, "no HTTPSig token")
    header, claims = json.loads(unb64u(parts[0])), json.loads(unb64u(parts[1]))
    require(header.get("alg") == "EdDSA" and header.get("typ") == "at+jwt", "not an access token")
    require(header.get("kid") in keys, "unknown token key")
    ed25519_verify(keys[header["kid"]], (parts[0] + "." + parts[1]).encode(), unb64u(parts[2]))
    require(claims["iss"] == origin and claims["aud"] == origin, "token of another service")
    require(claims["exp"] + 20 > now, "token expired")
    return claims


def signature_of(request: Request, label: str, tag: str, extra: Tuple[str, ...]) -> Tuple[dict, bytes, bytes]:
    """Parameters, base and bytes of one signature, its coverage, tag and form checked (steps 3 to 5)."""
    covered = parse_dictionary(request.get("signature-input") or "").get(label)
    item = parse_dictionary(request.get("signature") or "").get(label)
    require(isinstance(covered, InnerList), "no signature " + label)
    require(isinstance(item, Item) and isinstance(item.value, bytes), "no signature " + label)
    params = dict(covered.params)
    require(set(params) == {"created", "nonce", "keyid", "tag"} and params["tag"] == tag, "wrong parameters or tag")
    require(type(params["created"]) is int and len(unb64u(params["nonce"])) == 16, "malformed parameter")
    names = REQUEST_DERIVED + tuple(n for n in REQUEST_FIELDS if request.get(n) is not None) + extra
    require([serialize(part) for part in covered.items] == ['"%s"' % name for name in names], "wrong coverage")
    return params, signature_base(covered, request), item.value


def verify(request: Request, origin: str, token_keys: Dict[str, bytes], message_keys: Dict[str, bytes],
           now: float) -> dict:
    """The caller of a request, or an exception."""
    check_target(request.target)
    names = [name for name, _ in request.fields]
    require(not [name for name in DECISIVE if names.count(name) > 1], "duplicate field")
    require(not request.content or request.get("content-digest"), "content without content-digest")
    require(not request.content or request.get("content-type") is not None, "content without content-type")
    if request.get("content-digest") is not None:
        check_content_digest(request.get("content-digest"), request.content)
    device, device_base, device_signature = signature_of(request, "sig", "miniseal", ())
    gateway, gateway_base, gateway_signature = signature_of(
        request, "gateway", "miniseal-gateway", GATEWAY_FIELDS)
    require(-130 <= device["created"] - now <= 20, "device signature outside its window")
    require(-60 <= gateway["created"] - now <= 20, "gateway signature outside its window")
    public_key = unb64u(request.get("miniseal-device-key") or "")
    require(thumbprint(public_key) == device["keyid"], "device key does not match keyid")
    ed25519_verify(public_key, device_base, device_signature)
    claims = verify_token(request.get("authorization") or "", origin, token_keys, now)
    require(claims["cnf"] == {"jkt": device["keyid"]}, "token of another device")
    require(gateway["keyid"] in message_keys, "unknown gateway key")
    ed25519_verify(message_keys[gateway["keyid"]], gateway_base, gateway_signature)
    members = parse_dictionary(request.get("miniseal-caller") or "")
    caller = {name: member.value for name, member in members.items()}
    require(list(caller) == list(CLAIMS), "malformed caller")
    require(caller["device"] == device["keyid"], "caller of another device")
    require(caller["acr"] in ("session", "soter"), "unknown acr")
    for name, claim in CLAIMS.items():
        require(claim is None or caller[name] == claims[claim], "caller does not match the token")
    return caller


class Handler(BaseHTTPRequestHandler):
    """Answers every request with its verified caller."""
    protocol_version = "HTTP/1.1"
    origin = ""
    token_keys: Dict[str, bytes] = {}
    message_keys: Dict[str, bytes] = {}

    def answer(self) -> None:
        self.close_connection = self.close_connection or "transfer-encoding" in self.headers
        content = self.rfile.read(int(self.headers.get("content-length") or 0))
        fields = [(name.lower(), value) for name, value in self.headers.items()]
        request = Request(self.command, "https", urlsplit(self.origin).netloc, self.path, fields, content)
        try:
            caller = verify(request, self.origin, self.token_keys, self.message_keys, time.time())
            status, value = 200, {"caller": caller, "path": self.path}
        except REFUSALS as error:
            status, value = 401, {"refused": str(error)}
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_DELETE = answer

    def log_message(self, *_args) -> None:
        """Keeps standard output for the port."""


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_port, flush=True)
    Handler.origin = sys.stdin.readline().strip()
    Handler.token_keys = published_keys(Handler.origin, "jwks.json", "token")
    Handler.message_keys = published_keys(Handler.origin, "miniseal-keys.json", "message")
    print("ready", flush=True)
    server.serve_forever()
