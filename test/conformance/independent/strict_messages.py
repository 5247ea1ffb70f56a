"""The strict parsing of a service (section 11) and the verification of a signed request.

The client in this folder does not need them: the test vectors contain inputs that a service must refuse.
"""
from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

from binary_http import (BinaryHttpError, Request, Response, decode_request, decode_response,
                         encode_request, encode_response, varint)
from message_signatures import (LABEL, REQUEST_TAG, SignatureRefused, content_digest, request_coverage,
                                signature_base)
from primitives import CryptoError, ed25519_verify, unb64u
from structured_fields import FieldError, InnerList, Item, parse_dictionary, serialize
from verdicts import Refused

FORBIDDEN = {"connection", "host", "keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade"}
MAX_FIELDS, MAX_SECTION, MAX_PATH, MAX_AUTHORITY = 64, 16384, 4096, 261
_AUTHORITY = re.compile(r"([A-Za-z0-9._~!$&'()*+,;=-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")
_SEGMENT = re.compile(r"([A-Za-z0-9._~!$&'()*+,=:@-]|%[0-9A-F]{2})+")
_QUERY = re.compile(r"([A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-F]{2})+")
_NEVER_ENCODED = set(range(0x20)) | {0x7F} | set(b"/\\;%-._~0123456789"
                                                 b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
_VALUE = re.compile(r"[\x21-\x7e]([\t\x20-\x7e]*[\x21-\x7e])?|")


def _need(condition, code: str, why: str) -> None:
    if not condition:
        raise Refused(code, why)


# ---------------------------------------------------------------- Binary HTTP

def strict_request(data: bytes) -> Request:
    """A request in the one form that is allowed; ``payload_invalid`` otherwise."""
    request = _decoded(decode_request, encode_request, data)
    path, mark, query = request.target.partition("?")
    for good, why in (
            (re.fullmatch(r"[A-Z]{1,16}", request.method), "method"),
            (re.fullmatch(r"[a-z][a-z0-9+.-]{0,15}", request.scheme), "scheme"),
            (len(request.authority) <= MAX_AUTHORITY, "authority"),
            (_AUTHORITY.fullmatch(request.authority), "authority"),
            (len(request.target) <= MAX_PATH and _is_path(path), "path"),
            (not mark or _QUERY.fullmatch(query), "query")):
        _need(good, "payload_invalid", why)
    _check_fields(request)
    return request


def _is_path(path: str) -> bool:
    """The grammar of section 11, of the part before the query."""
    if not path.startswith("/"):
        return False
    segments = path[1:].split("/")
    if segments[-1] == "":          # one trailing slash, and the path "/"
        segments.pop()
    return all(map(_is_segment, segments))


def _is_segment(segment: str) -> bool:
    if not _SEGMENT.fullmatch(segment) or segment in (".", ".."):
        return False
    try:
        unquote_to_bytes(segment).decode("utf-8")
    except UnicodeDecodeError:
        return False
    return not any(int(digits, 16) in _NEVER_ENCODED for digits in re.findall("%(..)", segment))


def strict_response(data: bytes) -> Response:
    """A response in the one form that is allowed; ``payload_invalid`` otherwise."""
    response = _decoded(decode_response, encode_response, data)
    _check_fields(response)
    return response


def _decoded(decode, encode, data: bytes):
    """Decodes and encodes again: a non-canonical form differs from its encoding."""
    try:
        message, _ = decode(data)
        again = encode(message)
    except (BinaryHttpError, UnicodeError) as error:
        raise Refused("payload_invalid", str(error))
    shortest = len(again) - (1 if message.content else 2)   # cut before empty trailers, or empty content
    _need(data.rstrip(b"\0") == again.rstrip(b"\0") and len(data) >= shortest, "payload_invalid", "form")
    return message


def _check_fields(message) -> None:
    names = [name for name, _ in message.fields]
    size = sum(len(varint(len(part))) + len(part) for field in message.fields for part in field)
    length = message.get("content-length")
    for good, why in (
            (len(names) <= MAX_FIELDS and size <= MAX_SECTION, "too many fields"),
            (len(set(names)) == len(names), "duplicate field"),
            (not FORBIDDEN & set(names), "a forbidden field"),
            (all(_VALUE.fullmatch(value) for _, value in message.fields), "a field value"),
            (length in (None, str(len(message.content))), "content-length")):
        _need(good, "payload_invalid", why)


# ---------------------------------------------------------------- signed requests, steps 5 to 9

def verify_request(data: bytes, now: int, window: dict, public: bytes) -> None:
    """Raises :class:`Refused` with the code of the first check that fails."""
    request = strict_request(data)
    created, base, signature = read_signature(request)
    _need(now - window["past"] <= created <= now + window["future"], "window_invalid", "created")
    strict_digest(request)
    try:
        ed25519_verify(public, base, signature)
    except CryptoError as error:
        raise Refused("signature_invalid", str(error))


def read_signature(request: Request):
    """``created``, the signature base and the signature of a request that has the form of section 5."""
    covered, signature = _find_signature(request)
    params = dict(covered.params)
    _need(params.get("tag") == REQUEST_TAG and type(params["tag"]) is str, "tag_invalid", "tag")
    _need("alg" not in params, "alg_not_allowed", "alg")
    created, nonce, keyid = (params.get(name) for name in ("created", "nonce", "keyid"))
    try:
        good = type(created) is int and created >= 0 and type(nonce) is type(keyid) is str \
            and len(unb64u(nonce)) == 16 and len(params) == 4
    except CryptoError as error:
        raise Refused("signature_malformed", str(error))
    _need(good, "signature_malformed", "parameters")
    for name in ("content-type", "content-digest") if request.content else ():
        _need(request.get(name) is not None, "components_incomplete", "content without " + name)
    wanted = request_coverage(request, created, nonce, keyid).items
    _need([serialize(item) for item in covered.items] == [serialize(item) for item in wanted],
          "components_incomplete", serialize(covered))
    try:
        return created, signature_base(covered, request), signature
    except SignatureRefused as error:
        raise Refused("components_incomplete", str(error))


def _find_signature(request: Request):
    texts = [request.get(name) for name in ("signature-input", "signature")]
    _need(None not in texts, "signature_missing", "fields")
    try:
        inputs, signatures = (parse_dictionary(text) for text in texts)
    except FieldError as error:
        raise Refused("signature_malformed", str(error))
    tags = [dict(member.params).get("tag") for member in inputs.values()]
    tags = [tag for tag in tags if type(tag) is str]
    _need(tags.count(REQUEST_TAG) <= 1, "signature_malformed", "two tags")
    _need(LABEL in inputs and LABEL in signatures, "signature_missing", "label")
    covered, item = inputs[LABEL], signatures[LABEL]
    _need(isinstance(covered, InnerList) and isinstance(item, Item) and isinstance(item.value, bytes)
          and not item.params and len(item.value) == 64, "signature_malformed", "form")
    return covered, item.value


def strict_digest(message) -> None:
    """Allows only the member ``sha-256`` in its canonical form."""
    value = message.get("content-digest")
    _need(value in (None, content_digest(message.content)), "digest_mismatch", "content-digest")
