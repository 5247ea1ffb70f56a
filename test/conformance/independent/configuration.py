"""The channel configuration: a compact JWS under a pinned root key (protocol section 3)."""
from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Dict, List
from urllib.parse import urlsplit

from primitives import CryptoError, b64u, ed25519_verify, sha256, unb64u


class ConfigurationError(Exception):
    """The channel configuration was refused."""


def thumbprint(public: bytes, curve: str = "Ed25519") -> str:
    """RFC 7638 SHA-256 thumbprint of an OKP key (members of RFC 8037 section 2), b64u."""
    return b64u(sha256(('{"crv":"%s","kty":"OKP","x":"%s"}' % (curve, b64u(public))).encode("ascii")))


def strict_json(data: bytes):
    """JSON in UTF-8; duplicate names are refused."""
    def unique(pairs):
        if len(dict(pairs)) != len(pairs):
            raise ValueError("duplicate JSON name")
        return dict(pairs)
    return json.loads(data.decode("utf-8"), object_pairs_hook=unique)


@dataclass
class Configuration:
    """A verified configuration, valid until ``expires``."""
    issuer: str
    authority: str                  # host[:port] of iss: the inner @authority
    issued: int
    expires: int
    max_frame: int
    agreement: List[dict]           # kid, public, nbf, exp
    signing: List[dict]
    payload: dict

    def agreement_key(self, now: int) -> bytes:
        """The first agreement key listed that is active now.

        ``iat`` is a lower bound of the time, so that a slow clock still finds a fresh key.
        """
        for key in self.agreement:
            if _active(key, max(now, self.issued)):
                return key["public"]
        raise ConfigurationError("no active agreement key")

    def signing_keys(self, time: int) -> Dict[str, bytes]:
        """The signing keys that are active at a time, by kid."""
        return {key["kid"]: key["public"] for key in self.signing if _active(key, time)}


def _active(key: dict, now: int) -> bool:
    """nbf <= now < exp; ``exp`` 0 is read as "no end", as in the example of section 3."""
    return key["nbf"] <= now and (key["exp"] == 0 or now < key["exp"])


def _integer(value, what: str) -> int:
    if type(value) is not int or value < 0:
        raise ConfigurationError("%s is not a number" % what)
    return value


def _keys(entries, what: str) -> List[dict]:
    if not isinstance(entries, list) or not entries:
        raise ConfigurationError("no %s keys" % what)
    keys = []
    for entry in entries:
        public = unb64u(entry["x"])
        if len(public) != 32 or not isinstance(entry["kid"], str):
            raise ConfigurationError("malformed %s key" % what)
        keys.append({"kid": entry["kid"], "public": public, "nbf": _integer(entry["nbf"], "nbf"),
                     "exp": _integer(entry["exp"], "exp")})
    if len({key["kid"] for key in keys}) != len(keys):
        raise ConfigurationError("duplicate kid among the %s keys" % what)
    return keys


def authority_of(issuer: str) -> str:
    """host[:port] of an origin, lower case, without the default port of its scheme."""
    parts = urlsplit(issuer)
    if parts.scheme not in ("https", "http") or not parts.hostname or "@" in parts.netloc \
            or parts.path or parts.query or parts.fragment:
        raise ConfigurationError("iss is not an origin: %r" % issuer)
    default = {"https": 443, "http": 80}[parts.scheme]
    host = "[%s]" % parts.hostname if ":" in parts.hostname else parts.hostname
    return host if parts.port in (None, default) else "%s:%d" % (host, parts.port)


def verify_configuration(jws: bytes, roots: List[bytes], now: int) -> Configuration:
    """Verifies the JWS (RFC 7515, EdDSA of RFC 8037) and every member the client uses."""
    try:
        return _verify(jws, roots, now)
    except (CryptoError, ValueError, KeyError, TypeError, UnicodeError) as error:
        raise ConfigurationError("%s: %s" % (type(error).__name__, error))


def _verify(jws: bytes, roots: List[bytes], now: int) -> Configuration:
    pinned = {thumbprint(root): root for root in roots}
    parts = jws.decode("ascii").split(".")
    if len(parts) != 3:
        raise ConfigurationError("not a compact JWS")
    header = strict_json(unb64u(parts[0]))
    kid = header.get("kid")
    if header != {"alg": "EdDSA", "typ": "miniseal-config+jws", "kid": kid}:
        raise ConfigurationError("unexpected JWS header %r" % header)
    if kid not in pinned:
        raise ConfigurationError("%r is not a pinned root key" % kid)
    ed25519_verify(pinned[kid], (parts[0] + "." + parts[1]).encode("ascii"), unb64u(parts[2]))

    payload = strict_json(unb64u(parts[1]))
    if payload["version"] != 1:
        raise ConfigurationError("unknown configuration version %r" % payload["version"])
    issued, expires = _integer(payload["iat"], "iat"), _integer(payload["exp"], "exp")
    if issued >= expires or expires <= now:
        raise ConfigurationError("the configuration has expired")
    signing = _keys(payload["signing"], "signing")
    for key in signing:
        if key["kid"] != thumbprint(key["public"]):
            raise ConfigurationError("kid %s is not the thumbprint of its key" % key["kid"])
    for name in ("past", "future"):
        _integer(payload["window"][name], name)
    for name in ("origin", "vkey"):
        if not isinstance(payload["log"][name], str):
            raise ConfigurationError("log.%s is not a string" % name)
    policy = payload["log"].get("policy", "none")
    if not isinstance(policy, str) or not policy:
        raise ConfigurationError("log.policy is not a string")
    ended = payload["log"].get("ended", [])
    if not isinstance(ended, list) or len(ended) > 16 or not all(isinstance(key, str) and key for key in ended):
        raise ConfigurationError("log.ended is not a list of at most 16 strings")
    return Configuration(payload["iss"], authority_of(payload["iss"]), issued, expires,
                         _integer(payload["max_frame"], "max_frame"),
                         _keys(payload["agreement"], "agreement"), signing, payload)
