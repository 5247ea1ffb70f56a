"""The five primitives of the Miniseal protocol, version 1 (protocol section 10), in plain Python.

X25519 (RFC 7748), Ed25519 with strict verification (RFC 8032), HKDF-SHA-256 (RFC 5869) and the
NaCl secretbox (XSalsa20-Poly1305; its code is in secretbox.py). Written to be compared with the
RFCs, and used for tests only: nothing here runs in constant time.

``python3 primitives.py`` checks this file against the published vectors.
"""
from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

from secretbox import CryptoError, secretbox, secretbox_open

__all__ = ["CryptoError", "b64u", "ed25519_public", "ed25519_sign", "ed25519_verify", "hkdf",
           "random_bytes", "secretbox", "secretbox_open", "sha256", "unb64u", "x25519",
           "x25519_public", "x25519_shared"]

P = 2**255 - 19


# ---------------------------------------------------------------- encodings (protocol section 2)

def b64u(data: bytes) -> str:
    """base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def unb64u(text: str) -> bytes:
    """Strict inverse of b64u: other alphabets, padding and stray trailing bits are refused."""
    try:
        data = base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    except (ValueError, UnicodeError) as error:
        raise CryptoError("not base64url: %s" % error)
    if b64u(data) != text:
        raise CryptoError("base64url text is not canonical")
    return data


def sha256(data: bytes) -> bytes:
    """``H`` of protocol section 2."""
    return hashlib.sha256(data).digest()


def hkdf(ikm: bytes, salt: bytes, info: bytes, length: int = 32) -> bytes:
    """HKDF-SHA-256, extract then expand (RFC 5869 section 2). An empty salt is 32 zero bytes."""
    prk = hmac.new(salt or bytes(32), ikm, hashlib.sha256).digest()
    out, block, counter = b"", b"", 1
    while len(out) < length:
        block = hmac.new(prk, block + info + bytes([counter]), hashlib.sha256).digest()
        out += block
        counter += 1
    return out[:length]


# ---------------------------------------------------------------- X25519 (RFC 7748 section 5)

def x25519(scalar: bytes, u: bytes) -> bytes:
    """The function X25519(k, u): clamped scalar, top bit of u masked, Montgomery ladder."""
    if len(scalar) != 32 or len(u) != 32:
        raise CryptoError("X25519 takes two 32 byte strings")
    k = int.from_bytes(scalar, "little") & ~7 & (2**255 - 1) | 2**254
    x1 = int.from_bytes(u, "little") & (2**255 - 1)
    x2, z2, x3, z3, swap = 1, 0, x1, 1, 0
    for t in range(254, -1, -1):
        bit = k >> t & 1
        if swap ^ bit:
            x2, z2, x3, z3 = x3, z3, x2, z2
        swap = bit
        a, b, c, d = x2 + z2, x2 - z2, x3 + z3, x3 - z3
        aa, bb, da, cb = a * a % P, b * b % P, d * a % P, c * b % P
        e = aa - bb
        x3, z3 = (da + cb) ** 2 % P, x1 * (da - cb) ** 2 % P
        x2, z2 = aa * bb % P, e * (aa + 121665 * e) % P
    if swap:
        x2, z2 = x3, z3
    return (x2 * pow(z2, P - 2, P) % P).to_bytes(32, "little")


def x25519_public(scalar: bytes) -> bytes:
    """The public key of a private scalar: X25519(k, 9)."""
    return x25519(scalar, (9).to_bytes(32, "little"))


def x25519_shared(scalar: bytes, u: bytes) -> bytes:
    """A shared secret; an all-zero result is refused (protocol section 4, RFC 7748 section 6.1)."""
    shared = x25519(scalar, u)
    if not any(shared):
        raise CryptoError("X25519 gave the all-zero result")
    return shared


# ---------------------------------------------------------------- Ed25519 (RFC 8032 section 5.1)

L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
SQRT_M1 = pow(2, (P - 1) // 4, P)
IDENTITY = (0, 1, 1, 0)


def _add(p, q):
    """Addition in extended coordinates (RFC 8032 section 5.1.4)."""
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def _double(p):
    """Doubling in extended coordinates (RFC 8032 section 5.1.4)."""
    a, b, c = p[0] * p[0] % P, p[1] * p[1] % P, 2 * p[2] * p[2] % P
    h = a + b
    e, g = h - (p[0] + p[1]) ** 2 % P, a - b
    f = c + g
    return e * f % P, g * h % P, f * g % P, e * h % P


def _multiply(scalar: int, point):
    result = IDENTITY
    for bit in bin(scalar)[2:]:
        result = _double(result)
        if bit == "1":
            result = _add(result, point)
    return result


def _equal(p, q) -> bool:
    return (p[0] * q[2] - q[0] * p[2]) % P == 0 and (p[1] * q[2] - q[1] * p[2]) % P == 0


def _small_order(point) -> bool:
    return _equal(_double(_double(_double(point))), IDENTITY)


def _compress(point) -> bytes:
    z = pow(point[2], P - 2, P)
    x, y = point[0] * z % P, point[1] * z % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def _decompress(data: bytes):
    """Decoding (RFC 8032 section 5.1.3): y >= p and "minus zero" are refused."""
    if len(data) != 32:
        raise CryptoError("an Ed25519 point has 32 bytes")
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    if y >= P:
        raise CryptoError("Ed25519 point is not canonical")
    u, v = (y * y - 1) % P, (D * y * y + 1) % P
    x = u * v**3 * pow(u * v**7 % P, (P - 5) // 8, P) % P
    if v * x * x % P != u:
        x = x * SQRT_M1 % P
        if v * x * x % P != u:
            raise CryptoError("not a point of the curve")
    if x == 0 and sign:
        raise CryptoError("Ed25519 point is not canonical")
    if x & 1 != sign:
        x = P - x
    return x, y, 1, x * y % P


BASE = _decompress((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def _expand(seed: bytes):
    if len(seed) != 32:
        raise CryptoError("an Ed25519 seed has 32 bytes")
    digest = hashlib.sha512(seed).digest()
    return int.from_bytes(digest[:32], "little") & ~7 & (2**254 - 1) | 2**254, digest[32:]


def ed25519_public(seed: bytes) -> bytes:
    """Public key of a 32 byte seed (RFC 8032 section 5.1.5)."""
    return _compress(_multiply(_expand(seed)[0], BASE))


def ed25519_sign(seed: bytes, message: bytes) -> bytes:
    """Pure Ed25519 (RFC 8032 section 5.1.6)."""
    a, prefix = _expand(seed)
    public = _compress(_multiply(a, BASE))
    r = int.from_bytes(hashlib.sha512(prefix + message).digest(), "little") % L
    head = _compress(_multiply(r, BASE))
    k = int.from_bytes(hashlib.sha512(head + public + message).digest(), "little") % L
    return head + ((r + k * a) % L).to_bytes(32, "little")


def ed25519_verify(public: bytes, message: bytes, signature: bytes) -> None:
    """Strict verification (protocol section 5, RFC 8032 section 5.1.7); raises CryptoError.

    Canonical S and points, neither A nor R of small order, equation without cofactor.
    """
    if len(signature) != 64:
        raise CryptoError("an Ed25519 signature has 64 bytes")
    s = int.from_bytes(signature[32:], "little")
    if s >= L:
        raise CryptoError("S is not canonical")
    a, r = _decompress(public), _decompress(signature[:32])
    if _small_order(a) or _small_order(r):
        raise CryptoError("point of small order")
    k = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % L
    if not _equal(_multiply(s, BASE), _add(r, _multiply(k, a))):
        raise CryptoError("the signature does not verify")


def random_bytes(count: int) -> bytes:
    """Random bytes of the operating system."""
    return secrets.token_bytes(count)


if __name__ == "__main__":
    import self_test
    raise SystemExit(self_test.main(only="primitives"))
