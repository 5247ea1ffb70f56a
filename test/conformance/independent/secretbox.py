"""The NaCl secretbox, XSalsa20-Poly1305 (protocol section 2), in plain Python; see primitives.py."""
from __future__ import annotations

import hmac
import struct


class CryptoError(Exception):
    """A key, a box or a signature was refused."""


_M = 0xFFFFFFFF
_SIGMA = struct.unpack("<4I", b"expand 32-byte k")
_QUARTERS = ((0, 4, 8, 12), (5, 9, 13, 1), (10, 14, 2, 6), (15, 3, 7, 11),
             (0, 1, 2, 3), (5, 6, 7, 4), (10, 11, 8, 9), (15, 12, 13, 14))


def _salsa_rounds(key: bytes, block16: bytes):
    """Initial state and state after 20 rounds of Salsa20."""
    k, n = struct.unpack("<8I", key), struct.unpack("<4I", block16)
    start = [_SIGMA[0], *k[:4], _SIGMA[1], *n, _SIGMA[2], *k[4:], _SIGMA[3]]
    x = start[:]
    for _ in range(10):
        for a, b, c, d in _QUARTERS:
            t = x[a] + x[d] & _M
            x[b] ^= t << 7 & _M | t >> 25
            t = x[b] + x[a] & _M
            x[c] ^= t << 9 & _M | t >> 23
            t = x[c] + x[b] & _M
            x[d] ^= t << 13 & _M | t >> 19
            t = x[d] + x[c] & _M
            x[a] ^= t << 18 & _M | t >> 14
    return start, x


def _xsalsa20_stream(key: bytes, nonce: bytes, length: int) -> bytes:
    """HSalsa20 over the first 16 nonce bytes, Salsa20 in counter mode over the last 8."""
    _, x = _salsa_rounds(key, nonce[:16])
    subkey = struct.pack("<8I", x[0], x[5], x[10], x[15], x[6], x[7], x[8], x[9])
    out = b""
    for counter in range((length + 63) // 64):
        start, x = _salsa_rounds(subkey, nonce[16:] + struct.pack("<Q", counter))
        out += struct.pack("<16I", *(a + b & _M for a, b in zip(start, x)))
    return out[:length]


def _poly1305(key: bytes, message: bytes) -> bytes:
    r = int.from_bytes(key[:16], "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
    acc = 0
    for i in range(0, len(message), 16):
        acc = (acc + int.from_bytes(message[i:i + 16] + b"\x01", "little")) * r % (2**130 - 5)
    return ((acc + int.from_bytes(key[16:], "little")) % 2**128).to_bytes(16, "little")


def _xor(data: bytes, stream: bytes) -> bytes:
    n = len(data)
    return (int.from_bytes(data, "little") ^ int.from_bytes(stream, "little")).to_bytes(n, "little")


def secretbox(message: bytes, nonce: bytes, key: bytes) -> bytes:
    """crypto_secretbox_easy: Poly1305 tag, then the ciphertext (protocol section 2)."""
    if len(key) != 32 or len(nonce) != 24:
        raise CryptoError("secretbox takes a 32 byte key and a 24 byte nonce")
    stream = _xsalsa20_stream(key, nonce, 32 + len(message))
    ciphertext = _xor(message, stream[32:])
    return _poly1305(stream[:32], ciphertext) + ciphertext


def secretbox_open(box: bytes, nonce: bytes, key: bytes) -> bytes:
    """Inverse of secretbox; the tag is checked before anything is decrypted."""
    if len(key) != 32 or len(nonce) != 24 or len(box) < 16:
        raise CryptoError("the box is too short")
    stream = _xsalsa20_stream(key, nonce, 16 + len(box))
    if not hmac.compare_digest(_poly1305(stream[:32], box[16:]), box[:16]):
        raise CryptoError("the box does not open")
    return _xor(box[16:], stream[32:])
