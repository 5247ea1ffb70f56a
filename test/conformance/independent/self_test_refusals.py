"""Self test, second half: the client's own verification must refuse everything but the exact answer.

A tiny service side lives here in memory. It proves that handshake, frames and verification agree
with each other; it proves nothing about a real service.
"""
from __future__ import annotations

import json

from binary_http import Request, Response
from configuration import ConfigurationError, thumbprint, verify_configuration
from frames import FrameError, Handshake, open_response, request_key, response_keys, seal_request
from message_signatures import (SignatureRefused, content_digest, response_coverage, sign_request,
                                signature_base, verify_response)
from primitives import (CryptoError, b64u, ed25519_public, ed25519_sign, hkdf, random_bytes, secretbox,
                        secretbox_open, sha256, x25519_public, x25519_shared)
from self_test import check, refuses
from structured_fields import InnerList, Item, serialize

SERVICE, DEVICE, ROOT = (bytes([n]) * 32 for n in (1, 2, 3))
KID = thumbprint(ed25519_public(SERVICE))
KEYS = {KID: ed25519_public(SERVICE)}


def keys_at(created: int) -> dict:
    return KEYS if created == 1764000001 else {}


def signed_request() -> Request:
    request = Request("POST", "https", "pay.example.com", "/wallet/transfers?x=1",
                      [("content-type", "application/json"), ("authorization", "HTTPSig t"),
                       ("idempotency-key", '"k"')], b"{}")
    request.fields.append(("content-digest", content_digest(b"{}")))
    sign_request(request, DEVICE, thumbprint(ed25519_public(DEVICE)), 1764000000, b64u(bytes(16)))
    return request


def signed_response(request: Request, seed=SERVICE, keyid=KID, edit=None, label="sig") -> Response:
    content = b'{"id":"1"}'
    response = Response(201, [("content-type", "application/json"), ("miniseal-receipt", "abc"),
                              ("content-digest", content_digest(content))], content)
    covered = response_coverage(response, request, 1764000001, keyid)
    if edit:
        covered = edit(covered)
    signature = ed25519_sign(seed, signature_base(covered, response, request))
    response.fields += [("signature-input", label + "=" + serialize(covered)),
                        ("signature", label + "=" + serialize(Item(signature, [])))]
    return response


@check("refusals", "the signed request has the bytes of section 5")
def _():
    request = signed_request()
    assert request.get("signature-input") == (
        'sig=("@method" "@authority" "@path" "@query" "content-type" "content-digest" "authorization" '
        '"idempotency-key");created=1764000000;nonce="AAAAAAAAAAAAAAAAAAAAAA";keyid="%s";tag="miniseal"'
        % thumbprint(ed25519_public(DEVICE)))


@check("refusals", "the exact response is accepted, and its coverage has the bytes of section 5")
def _():
    request = signed_request()
    response = signed_response(request)
    assert verify_response(response, request, keys_at) == (KID, 1764000001)
    assert response.get("signature-input") == (
        'sig=("@status" "content-type" "content-digest" "miniseal-receipt" "@method";req "@authority";req '
        '"@path";req "@query";req "content-digest";req "signature-input";req;key="sig" '
        '"signature";req;key="sig");created=1764000001;keyid="%s";tag="miniseal-response"' % KID)


@check("refusals", "any other response is refused")
def _():
    request = signed_request()

    def parameters(change):
        return lambda covered: InnerList(covered.items, change(list(covered.params)))

    edits = [lambda c, i=i: InnerList(c.items[:i] + c.items[i + 1:], c.params) for i in range(11)]
    edits += [lambda c: InnerList(c.items[::-1], c.params),
              parameters(lambda p: p[:2] + [("tag", "miniseal")]), parameters(lambda p: p[:2]),
              parameters(lambda p: p[1:]), parameters(lambda p: p + [("alg", "ed25519")]),
              parameters(lambda p: p[::-1])]
    for edit in edits:
        refuses(SignatureRefused, verify_response, signed_response(request, edit=edit), request, keys_at)
    refuses(SignatureRefused, verify_response, signed_response(request, label="other"), request, keys_at)
    refuses(SignatureRefused, verify_response, signed_response(request, seed=DEVICE), request, keys_at)
    other = thumbprint(ed25519_public(DEVICE))
    refuses(SignatureRefused, verify_response, signed_response(request, DEVICE, other), request, keys_at)

    for name, value in (("status", 200), ("content", b'{"id":"2"}'), ("content", b"")):
        response = signed_response(request)
        setattr(response, name, value)
        refuses(SignatureRefused, verify_response, response, request, keys_at)
    for index in range(5):
        response = signed_response(request)
        del response.fields[index]
        refuses(SignatureRefused, verify_response, response, request, keys_at)
    for extra in (("content-encoding", "gzip"), ("content-type", "text/plain"), ("signature", "a=:AA==:")):
        response = signed_response(request)
        response.fields.append(extra)
        refuses(SignatureRefused, verify_response, response, request, keys_at)
    response = signed_response(request)
    response.fields[3] = ("signature-input", response.fields[3][1] + ', two=();tag="miniseal-response"')
    refuses(SignatureRefused, verify_response, response, request, keys_at)


@check("refusals", "a response to another request is refused")
def _():
    request = signed_request()
    response = signed_response(request)
    for name, value in (("method", "PUT"), ("authority", "evil.example.com"), ("target", "/wallet?x=1"),
                        ("target", "/wallet/transfers?x=2")):
        other = signed_request()
        setattr(other, name, value)
        refuses(SignatureRefused, verify_response, response, other, keys_at)
    for index in (3, 4, 5):     # content-digest, signature-input, signature
        other = signed_request()
        del other.fields[index]
        refuses(SignatureRefused, verify_response, response, other, keys_at)
    again = signed_request()
    again.fields = again.fields[:4]
    sign_request(again, DEVICE, "k", 1764000000, b64u(random_bytes(16)))
    refuses(SignatureRefused, verify_response, response, again, keys_at)


@check("refusals", "handshake and message frames agree with a service side, and open nothing else")
def _():
    s_private, e_s_private, sid = random_bytes(32), random_bytes(32), random_bytes(16)
    s_pub, e_s_pub, limit = x25519_public(s_private), x25519_public(e_s_private), 1048576
    handshake = Handshake(s_pub)
    handshake.seal(b"p" * 256)
    frame = handshake.frame
    assert frame[:10] == b"\x01\x01" + sha256(s_pub)[:8] and len(frame) == 10 + 32 + 24 + 16 + 256
    e_c_pub, nonce, box = frame[10:42], frame[42:66], frame[66:]
    es, ee = x25519_shared(s_private, e_c_pub), x25519_shared(e_s_private, e_c_pub)
    plaintext = secretbox_open(box, nonce, request_key(s_pub, e_c_pub, es))
    k2, service = response_keys(s_pub, frame, plaintext, e_s_pub, es, ee)
    answer = b"\x01\x02" + e_s_pub + nonce + secretbox(b"r" * 256, nonce, k2)
    for spoilt in (b"\x02" + answer[1:], b"\x01\x04" + answer[2:], answer[:73]):
        refuses(FrameError, handshake.open, spoilt, limit)
    refuses(FrameError, handshake.open, answer, 100)
    refuses(CryptoError, handshake.open, answer[:-1] + bytes([answer[-1] ^ 1]), limit)
    refuses(CryptoError, handshake.open, answer[:2] + bytes(32) + answer[34:], limit)
    opened, keys = handshake.open(answer, limit)
    assert opened == b"r" * 256 and keys == service and keys.c2s != keys.s2c

    request = seal_request(keys, sid, b"q" * 256)
    assert request[:18] == b"\x01\x03" + sid and len(request) == 2 + 16 + 24 + 16 + 256
    assert secretbox_open(request[42:], request[18:42], service.c2s) == b"q" * 256
    key = hkdf(service.s2c, request[18:42], b"miniseal/1 response")
    reply = b"\x01\x04" + request[18:42] + nonce + secretbox(b"a" * 256, nonce, key)
    assert open_response(keys, reply, request, limit) == b"a" * 256
    other = seal_request(keys, sid, b"q" * 256)
    refuses(FrameError, open_response, keys, reply, other, limit)
    refuses(CryptoError, open_response, keys, reply[:2] + other[18:42] + reply[26:], other, limit)


@check("refusals", "the configuration is accepted only under a pinned root, in time, with its own kids")
def _():
    root, s_pub = ed25519_public(ROOT), x25519_public(DEVICE)

    log = {"origin": "o", "vkey": "v"}

    def config(header=None, seed=ROOT, **changes) -> bytes:
        payload = {"iss": "https://Pay.example.com:8443", "iat": 1000, "exp": 2000, "version": 1,
                   "agreement": [{"kid": "a", "x": b64u(s_pub), "nbf": 1000, "exp": 0}],
                   "signing": [{"kid": KID, "x": b64u(KEYS[KID]), "nbf": 0, "exp": 1900}],
                   "log": log, "window": {"past": 120, "future": 10},
                   "max_frame": 1048576, **changes}
        header = header or {"alg": "EdDSA", "typ": "miniseal-config+jws", "kid": thumbprint(root)}
        text = ".".join(b64u(json.dumps(part).encode()) for part in (header, payload))
        return (text + "." + b64u(ed25519_sign(seed, text.encode()))).encode()

    good = verify_configuration(config(), [root], 1500)
    assert good.authority == "pay.example.com:8443" and good.agreement_key(500) == s_pub
    assert good.signing_keys(1500) == KEYS and good.signing_keys(1900) == {}
    kid = thumbprint(root)
    for spoilt in (config(seed=DEVICE), config(exp=1400), config(version=2), config(iss="pay.example.com"),
                   config(signing=[{"kid": "x", "x": b64u(KEYS[KID]), "nbf": 0, "exp": 0}]), config()[:-3],
                   config({"alg": "none", "typ": "miniseal-config+jws", "kid": kid}), config(max_frame="9"),
                   config({"alg": "EdDSA", "typ": "JWT", "kid": kid}), config(agreement=[])):
        refuses(ConfigurationError, verify_configuration, spoilt, [root], 1500)
    verify_configuration(config(log={**log, "ended": ["v"] * 16}), [root], 1500)
    for ended in (None, "v", {}, [1], [""], ["v"] * 17):
        refuses(ConfigurationError, verify_configuration, config(log={**log, "ended": ended}), [root], 1500)
    refuses(ConfigurationError, verify_configuration, config(), [ed25519_public(DEVICE)], 1500)
