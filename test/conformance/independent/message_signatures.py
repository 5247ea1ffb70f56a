"""HTTP Message Signatures (RFC 9421) and Content-Digest (RFC 9530) as protocol section 5 needs them."""
from __future__ import annotations

import hashlib
import hmac
import re
from typing import Callable, Dict, List, Optional, Tuple

from binary_http import Request, Response
from primitives import CryptoError, ed25519_sign, ed25519_verify
from structured_fields import FieldError, InnerList, Item, parse_dictionary, serialize

LABEL = "sig"
REQUEST_TAG, RESPONSE_TAG = "miniseal", "miniseal-response"
REQUEST_DERIVED = ("@method", "@authority", "@path", "@query")
REQUEST_FIELDS = ("content-type", "content-encoding", "content-digest", "authorization",
                  "idempotency-key", "if-none-match", "step-up")
RESPONSE_FIELDS = ("content-type", "content-encoding", "content-digest", "miniseal-receipt",
                   "miniseal-problem")


class SignatureRefused(Exception):
    """A signed message violates protocol section 5."""


# ---------------------------------------------------------------- RFC 9530

def content_digest(content: bytes) -> str:
    """The field value for a body: ``sha-256=:...:``."""
    return "sha-256=" + serialize(Item(hashlib.sha256(content).digest(), []))


def check_content_digest(value: str, content: bytes) -> None:
    """sha-256 must be there and right; a sha-512 beside it must be right too."""
    members = parse_dictionary(value)
    if "sha-256" not in members:
        raise SignatureRefused("content-digest has no sha-256")
    for name, algorithm in (("sha-256", hashlib.sha256), ("sha-512", hashlib.sha512)):
        if name in members:
            digest = getattr(members[name], "value", None)
            if not isinstance(digest, bytes) or not hmac.compare_digest(digest, algorithm(content).digest()):
                raise SignatureRefused("content-digest %s does not match the content" % name)


# ---------------------------------------------------------------- RFC 9421 section 2

def component_value(component: Item, message, request: Optional[Request] = None) -> str:
    """The value of one component; ``;req`` looks into the request of a response (section 2.4)."""
    name, params = component.value, dict(component.params)
    if params.pop("req", False):
        message = request
    key = params.pop("key", None)
    if params or message is None:
        raise SignatureRefused("component %s is not supported" % serialize(component))
    if name.startswith("@"):
        return _derived(name, message)
    value = message.get(name)
    if value is None:
        raise SignatureRefused("covered field %s is absent" % name)
    if key is not None:                                             # section 2.1.2
        members = parse_dictionary(value)
        if key not in members:
            raise SignatureRefused("%s has no member %s" % (name, key))
        value = serialize(members[key])
    if not re.fullmatch(r"[\x20-\x7e\t]*", value):
        raise SignatureRefused("field %s is not ASCII" % name)
    return value


def _derived(name: str, message) -> str:
    """RFC 9421 section 2.2. ``@query`` with no query is ``?``."""
    if name == "@status" and isinstance(message, Response):
        return "%03d" % message.status
    if isinstance(message, Request):
        path, _, query = message.target.partition("?")
        values = {"@method": message.method, "@authority": message.authority.lower(),
                  "@path": path or "/", "@query": "?" + query}
        if name in values:
            return values[name]
    raise SignatureRefused("derived component %s is not supported" % name)


def signature_base(covered: InnerList, message, request: Optional[Request] = None) -> bytes:
    """RFC 9421 section 2.5."""
    lines, seen = [], set()
    for component in covered.items:
        identifier = serialize(component)
        if identifier in seen:
            raise SignatureRefused("duplicate component %s" % identifier)
        seen.add(identifier)
        lines.append("%s: %s" % (identifier, component_value(component, message, request)))
    lines.append('"@signature-params": ' + serialize(covered))
    return "\n".join(lines).encode("ascii")


# ---------------------------------------------------------------- the signed request

def request_coverage(request: Request, created: int, nonce: str, keyid: str) -> InnerList:
    """Components and parameters of a signed request, in the order of protocol section 5."""
    names = REQUEST_DERIVED + tuple(n for n in REQUEST_FIELDS if request.get(n) is not None)
    params = [("created", created), ("nonce", nonce), ("keyid", keyid), ("tag", REQUEST_TAG)]
    return InnerList([Item(name, []) for name in names], params)


def sign_request(request: Request, seed: bytes, keyid: str, created: int, nonce: str) -> None:
    """Adds Signature-Input and Signature under the label ``sig``."""
    covered = request_coverage(request, created, nonce, keyid)
    signature = ed25519_sign(seed, signature_base(covered, request))
    request.fields.append(("signature-input", "%s=%s" % (LABEL, serialize(covered))))
    request.fields.append(("signature", "%s=%s" % (LABEL, serialize(Item(signature, [])))))


# ---------------------------------------------------------------- the signed response

def response_coverage(response: Response, request: Request, created: int, keyid: str) -> InnerList:
    """Exactly the components and parameters a response must have; absent fields are left out."""
    items = [Item("@status", [])]
    items += [Item(name, []) for name in RESPONSE_FIELDS if response.get(name) is not None]
    items += [Item(name, [("req", True)]) for name in REQUEST_DERIVED]
    if request.get("content-digest") is not None:
        items.append(Item("content-digest", [("req", True)]))
    items += [Item(name, [("req", True), ("key", LABEL)]) for name in ("signature-input", "signature")]
    return InnerList(items, [("created", created), ("keyid", keyid), ("tag", RESPONSE_TAG)])


def _single(response: Response, name: str) -> Optional[str]:
    values = [value for key, value in response.fields if key == name]
    if len(values) > 1:
        raise SignatureRefused("duplicate field %s" % name)
    return values[0] if values else None


def verify_response(response: Response, request: Request,
                    keys_at: Callable[[int], Dict[str, bytes]]) -> Tuple[str, int]:
    """Verifies a response to ``request`` (protocol section 5); returns its key id and ``created``.

    ``keys_at(created)`` returns the signing keys that are active at ``created``, the time of the service: a
    client with a wrong clock must be able to verify ``window_invalid``. Refused: other coverage or order, other parameters, a second signature with the tag, a key that
    is not a signing key of the configuration, a wrong digest, a body that is not covered.
    """
    try:
        return _verify_response(response, request, keys_at)
    except (FieldError, CryptoError) as error:
        raise SignatureRefused(str(error))


def _verify_response(response, request, keys_at):
    for name in RESPONSE_FIELDS:
        _single(response, name)
    inputs = parse_dictionary(_single(response, "signature-input") or "")
    signatures = parse_dictionary(_single(response, "signature") or "")
    tagged: List[str] = [label for label, member in inputs.items()
                         if dict(member.params).get("tag") == RESPONSE_TAG]
    if tagged != [LABEL]:
        raise SignatureRefused("not exactly one signature sig with the tag: %r" % tagged)
    covered, item = inputs[LABEL], signatures.get(LABEL)
    if not isinstance(item, Item) or not isinstance(item.value, bytes) or item.params:
        raise SignatureRefused("the signature itself is missing or malformed")
    params = dict(covered.params)
    created, keyid = params.get("created"), params.get("keyid")
    if type(created) is not int or type(keyid) is not str:
        raise SignatureRefused("created or keyid is missing")
    expected = serialize(response_coverage(response, request, created, keyid))
    if not isinstance(covered, InnerList) or serialize(covered) != expected:
        raise SignatureRefused("coverage is %s instead of %s" % (serialize(covered), expected))
    keys = keys_at(created)
    if keyid not in keys:
        raise SignatureRefused("key %s is not a signing key of the configuration" % keyid)
    if response.get("content-digest") is not None:
        check_content_digest(response.get("content-digest"), response.content)
    elif response.content:
        raise SignatureRefused("a body without content-digest")
    if response.content and response.get("content-type") is None:
        raise SignatureRefused("a body without content-type")
    ed25519_verify(keys[keyid], signature_base(covered, response, request), item.value)
    return keyid, created
