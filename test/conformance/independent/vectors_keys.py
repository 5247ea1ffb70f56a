"""The vectors of keys and of the channel configuration (protocol section 3)."""
from __future__ import annotations

import re

from configuration import Configuration, ConfigurationError, thumbprint, verify_configuration
from primitives import (IDENTITY, CryptoError, L, _decompress, _equal, _multiply, _small_order, b64u,
                        ed25519_sign, ed25519_verify, sha256, unb64u, x25519_shared)
from verdicts import refuses, same

unhex = bytes.fromhex


def device_key(public: bytes) -> None:
    """A key that may enrol: canonical, not of small order, of the prime-order subgroup."""
    point = _decompress(public)
    if _small_order(point) or not _equal(_multiply(L, point), IDENTITY):
        raise CryptoError("not a point of the prime-order subgroup")


def check_keys(data) -> int:
    for vector in data["thumbprints"]:
        same(thumbprint(unhex(vector["public_key"]), vector["crv"]), vector["thumbprint"], vector["jwk"])
        same(b64u(sha256(vector["jwk"].encode("ascii"))), vector["thumbprint"], vector["jwk"])
    for vector in data["signatures"]:
        parts = (unhex(vector[name]) for name in ("public_key", "message", "signature"))
        same(not refuses(CryptoError, ed25519_verify, *parts), vector["valid"], vector["title"])
    for vector in data["device_keys"]:
        refused = refuses(CryptoError, device_key, unhex(vector["public_key"]))
        same(not refused, vector["valid"], vector["title"])
    for vector in data["x25519"]:
        secret, public = unhex(vector["secret"]), unhex(vector["public_key"])
        if vector["shared"] is None:
            same(refuses(CryptoError, x25519_shared, secret, public), True, vector["public_key"])
        else:
            same(x25519_shared(secret, public).hex(), vector["shared"], vector["public_key"])
    return sum(len(group) for group in data.values())


def strict_configuration(jws: str, roots, now: int) -> Configuration:
    """The checks of the client, and every kid, the form of iss, numbers and strings."""
    try:
        verified = verify_configuration(jws.encode("utf-8"), roots, now)
    except AttributeError as error:     # a header or a payload that is not an object
        raise ConfigurationError(str(error))
    payload = verified.payload
    numbers = [payload["iat"], payload["exp"], payload["max_frame"], *payload["window"].values()]
    numbers += [key[name] for key in verified.agreement + verified.signing for name in ("nbf", "exp")]
    for good in (all(number < 2**53 for number in numbers),
                 all(payload["log"][name] for name in ("origin", "vkey")),
                 all(key["kid"] == thumbprint(key["public"], "X25519") for key in verified.agreement),
                 re.fullmatch(r"https?://([a-z0-9.-]+|\[[0-9a-f:]+\])(:[1-9][0-9]{0,4})?", payload["iss"])):
        if not good:
            raise ConfigurationError("an invalid member")
    return verified


def check_configuration(data) -> int:
    roots = [unhex(data["root"]["public_key"])]
    parts = data["accepted"][0]["jws"].split(".")
    same([unb64u(parts[0]).decode(), unb64u(parts[1]).decode(), unb64u(parts[2]).hex()],
         [data["header"], data["payload"], data["signature"]], "parts")
    signature = ed25519_sign(unhex(data["root"]["seed"]), ".".join(parts[:2]).encode())
    same(signature.hex(), data["signature"], "signature")
    for vector in data["accepted"]:
        strict_configuration(vector["jws"], roots, vector["now"])
    for vector in data["refused"]:
        same(refuses(ConfigurationError, strict_configuration, vector["jws"], roots, vector["now"]), True,
             vector["title"])
    return len(data["accepted"]) + len(data["refused"])
