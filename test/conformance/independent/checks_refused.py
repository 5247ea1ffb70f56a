"""Refusals of protocol sections 4, 5, 7 and 8: each check alters one request of the client.

All but the clear ones must be sealed and signed, with the code that the order of the checks in section 5
requires.
"""
from __future__ import annotations

from binary_http import encode_request, pad
from frames import request_key
from miniseal_client import Client, encode_json
from primitives import b64u, random_bytes, secretbox
from transport import ClearProblem

BODY = {"payee": "bob", "amount": 1, "currency": "CNY", "note": ""}
JSON = {"content-type": "application/json"}


def _set(request, name: str, value: str) -> None:
    request.fields = [(key, value if key == name else old) for key, old in request.fields]


def _refused(client: Client, code: str, method="POST", target="/wallet/transfers", body=BODY, **options):
    """Sends the request and expects the code."""
    payload = encode_json(body) if body else None
    answer = client.exchange(client.prepare(method, target, payload, JSON if body else {}, **options))
    if answer.code != code:
        raise AssertionError("got %d %s instead of %s" % (answer.status, answer.code, code))
    return {"status": answer.status}


def body_altered(run):
    """The digest is checked before the signature."""
    def tamper(request):
        request.content = request.content.replace(b"bob", b"eve")
    return _refused(run.client, "digest_mismatch", tamper=tamper)


def path_altered(run):
    def tamper(request):
        request.target = "/wallet/transfers?as=eve"
    return _refused(run.client, "signature_invalid", tamper=tamper)


def signature_altered(run):
    def tamper(request):
        value = request.get("signature")
        at = len("sig=:") + 3
        _set(request, "signature", value[:at] + ("B" if value[at] == "A" else "A") + value[at + 1:])
    return _refused(run.client, "signature_invalid", tamper=tamper)


def field_not_covered(run):
    """A field of the list that is present must be covered."""
    def tamper(request):
        request.fields.append(("if-none-match", '"x"'))
    return _refused(run.client, "components_incomplete", "GET", "/wallet", None, tamper=tamper)


def other_tag(run):
    def tamper(request):
        _set(request, "signature-input", request.get("signature-input").replace('"miniseal"', '"other"'))
    return _refused(run.client, "tag_invalid", "GET", "/wallet", None, tamper=tamper)


def idempotency_key_reused(run):
    """Section 8: same key, other fingerprint: 422."""
    result = _refused(run.client, "idempotency_mismatch", idempotency_key=run.transfer_key)
    if result["status"] != 422:
        raise AssertionError("status %d" % result["status"])
    return result


def idempotency_key_omitted(run):
    return _refused(run.client, "idempotency_missing", omit=("idempotency-key",))


def token_omitted(run):
    return _refused(run.client, "token_missing", "GET", "/wallet", None, omit=("authorization",))


def token_altered(run):
    client, token = run.client, run.client.token
    head, payload, signature = token.split(".")
    client.token = ".".join((head, payload, ("B" if signature[0] == "A" else "A") + signature[1:]))
    try:
        return _refused(client, "token_invalid", "GET", "/wallet", None)
    finally:
        client.token = token


def path_unknown(run):
    result = _refused(run.client, "not_found", "GET", "/no/such/path", None)
    if result["status"] != 404:
        raise AssertionError("status %d" % result["status"])
    return result


def _clear(run, frame: bytes, code: str):
    try:
        run.client.post_frame(frame)
    except ClearProblem as problem:
        if problem.code != code:
            raise AssertionError("got %s instead of %s" % (problem, code))
        return {"status": problem.status}
    raise AssertionError("the frame was answered with a frame")


def frame_of_other_version(run):
    return _clear(run, b"\x02" + run.client.prepare("GET", "/wallet").frame[1:], "malformed_frame")


def frame_of_other_type(run):
    return _clear(run, b"\x01\x09" + run.client.prepare("GET", "/wallet").frame[2:], "malformed_frame")


def frame_too_short(run):
    return _clear(run, run.client.prepare("GET", "/wallet").frame[:40], "malformed_frame")


def session_unknown(run):
    frame = run.client.prepare("GET", "/wallet").frame
    return _clear(run, frame[:2] + random_bytes(16) + frame[18:], "unknown_session")


def agreement_key_unknown(run):
    frame = run.client.prepare_login(b64u(random_bytes(16))).frame
    return _clear(run, frame[:2] + bytes([frame[2] ^ 1]) + frame[3:], "unknown_agreement_key")


def frame_with_flipped_bit(run):
    """Section 4: a frame that does not open is answered in the clear."""
    frame = run.client.prepare("GET", "/wallet").frame
    return _clear(run, frame[:-1] + bytes([frame[-1] ^ 1]), "cannot_open")


def handshake_frame_flipped(run):
    frame = run.client.prepare_login(b64u(random_bytes(16))).frame
    return _clear(run, frame[:-1] + bytes([frame[-1] ^ 1]), "cannot_open")


def handshake_key_of_small_order(run):
    """Section 4: an all-zero X25519 result is refused. The section names no code: any clear 400 passes."""
    client, zero = run.client, bytes(32)
    sent = client.prepare_login(b64u(random_bytes(16)))
    nonce = sent.frame[42:66]                   # the box opens for a service that accepts es = 0
    key = request_key(client.configure().agreement_key(client.now()), zero, zero)
    frame = sent.frame[:10] + zero + nonce + secretbox(pad(encode_request(sent.request)), nonce, key)
    try:
        run.client.post_frame(frame)
    except ClearProblem as problem:
        if problem.status != 400:
            raise AssertionError("got %s" % problem)
        return {"code": problem.code}
    raise AssertionError("the frame was answered with a frame")


REFUSED_CHECKS = {check.__name__: check for check in (
    body_altered, path_altered, signature_altered, field_not_covered, other_tag, idempotency_key_reused,
    idempotency_key_omitted, token_omitted, token_altered, path_unknown, frame_of_other_version,
    frame_of_other_type, frame_too_short, session_unknown, agreement_key_unknown, frame_with_flipped_bit,
    handshake_frame_flipped, handshake_key_of_small_order)}
