"""Frames and their keys (protocol section 4)."""
from __future__ import annotations

import struct
from typing import NamedTuple, Tuple

from primitives import (hkdf, random_bytes, secretbox, secretbox_open, sha256, x25519_public,
                        x25519_shared)

VERSION = 1
HANDSHAKE_REQUEST, HANDSHAKE_RESPONSE, REQUEST, RESPONSE = 1, 2, 3, 4
NONCE, TAG = 24, 16
_HEADER = {HANDSHAKE_RESPONSE: 2 + 32 + NONCE, RESPONSE: 2 + NONCE + NONCE}


class FrameError(Exception):
    """A frame is not the one that was expected."""


def lp(data: bytes) -> bytes:
    """u16 length, then the data (protocol section 2)."""
    return struct.pack(">H", len(data)) + data


def _check(frame: bytes, kind: int, max_frame: int) -> None:
    """Everything that is refused before any cryptography."""
    if len(frame) > max_frame:
        raise FrameError("the frame is larger than max_frame")
    if len(frame) < _HEADER[kind] + TAG or frame[0] != VERSION or frame[1] != kind:
        raise FrameError("not a frame 0x%02x of version 1: %s..." % (kind, frame[:2].hex()))


class SessionKeys(NamedTuple):
    """``c2s`` and ``s2c``."""
    c2s: bytes
    s2c: bytes


def handshake_hash(s_pub: bytes, e_c_pub: bytes) -> bytes:
    """The member ``handshake`` of a login (protocol section 6), and the salt of K1."""
    return sha256(b"miniseal/1" + s_pub + e_c_pub)


def request_key(s_pub: bytes, e_c_pub: bytes, es: bytes) -> bytes:
    """K1."""
    return hkdf(es, handshake_hash(s_pub, e_c_pub), b"miniseal/1 handshake request")


def response_keys(s_pub: bytes, frame: bytes, plaintext: bytes, e_s_pub: bytes, es: bytes,
                  ee: bytes) -> Tuple[bytes, SessionKeys]:
    """K2 and the session keys, all bound to ``th``."""
    th = sha256(lp(b"miniseal/1") + lp(s_pub) + sha256(frame) + sha256(plaintext) + e_s_pub)
    k2, c2s, s2c = (hkdf(es + ee, th, b"miniseal/1 " + info) for info in
                    (b"handshake response", b"client to service", b"service to client"))
    return k2, SessionKeys(c2s, s2c)


class Handshake:
    """The client's side of one handshake: frame 0x01 out, frame 0x02 in."""

    def __init__(self, s_pub: bytes):
        self._s_pub, self._plaintext, self.frame = s_pub, b"", b""
        self._private = random_bytes(32)
        self._e_c_pub = x25519_public(self._private)
        self._es = x25519_shared(self._private, s_pub)
        self.hash = handshake_hash(s_pub, self._e_c_pub)

    def seal(self, plaintext: bytes) -> bytes:
        """Frame 0x01. The login in ``plaintext`` contains ``hash``."""
        self._plaintext, nonce = plaintext, random_bytes(NONCE)
        self.frame = (bytes([VERSION, HANDSHAKE_REQUEST]) + sha256(self._s_pub)[:8] + self._e_c_pub + nonce
                      + secretbox(plaintext, nonce, request_key(self._s_pub, self._e_c_pub, self._es)))
        return self.frame

    def open(self, frame: bytes, max_frame: int) -> Tuple[bytes, SessionKeys]:
        """The plaintext of frame 0x02 and the session keys; the ephemeral key is dropped."""
        _check(frame, HANDSHAKE_RESPONSE, max_frame)
        e_s_pub, nonce, box = frame[2:34], frame[34:58], frame[58:]
        ee = x25519_shared(self._private, e_s_pub)
        k2, keys = response_keys(self._s_pub, self.frame, self._plaintext, e_s_pub, self._es, ee)
        plaintext = secretbox_open(box, nonce, k2)
        self._private = self._es = b""
        return plaintext, keys


def seal_request(keys: SessionKeys, sid: bytes, plaintext: bytes) -> bytes:
    """Frame 0x03."""
    nonce = random_bytes(NONCE)
    return bytes([VERSION, REQUEST]) + sid + nonce + secretbox(plaintext, nonce, keys.c2s)


def open_response(keys: SessionKeys, frame: bytes, request_frame: bytes, max_frame: int) -> bytes:
    """The plaintext of frame 0x04, the response to ``request_frame``."""
    _check(frame, RESPONSE, max_frame)
    request_nonce, nonce, box = frame[2:26], frame[26:50], frame[50:]
    if request_nonce != request_frame[18:42]:
        raise FrameError("the response belongs to another request")
    return secretbox_open(box, nonce, hkdf(keys.s2c, request_nonce, b"miniseal/1 response"))
