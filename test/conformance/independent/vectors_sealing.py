"""The vectors of frames, handshakes and sessions (protocol section 4)."""
from __future__ import annotations

import struct

from frames import handshake_hash, request_key, response_keys
from primitives import (P, CryptoError, b64u, hkdf, secretbox, secretbox_open, sha256, x25519_public,
                        x25519_shared)
from verdicts import Refused, code_of, same

unhex = bytes.fromhex
MAX_FRAME = 1048576
#: The parts after version and type with their lengths; the rest is the ``box`` of at least 16 bytes.
LAYOUT = {1: ("handshake-request", ("kid8", 8), ("e_c_pub", 32), ("nonce", 24)),
          2: ("handshake-response", ("e_s_pub", 32), ("nonce", 24)),
          3: ("request", ("sid", 16), ("nonce", 24)),
          4: ("response", ("request_nonce", 24), ("nonce", 24)),
          5: ("event", ("nonce", 24)),
          15: ("refusal",)}


def parse_frame(frame: bytes, limit: int = MAX_FRAME):
    """Kind and parts of a frame (protocol section 4)."""
    if len(frame) > limit:
        raise Refused("frame_too_large")
    if len(frame) < 2 or frame[0] != 1 or frame[1] not in LAYOUT:
        raise Refused("malformed_frame")
    kind, *layout = LAYOUT[frame[1]]
    parts, at = {}, 2
    for name, length in layout:
        parts[name], at = frame[at:at + length], at + length
    if kind != "refusal" and len(frame) < at + 16:
        raise Refused("malformed_frame")
    parts["problem" if kind == "refusal" else "box"] = frame[at:]
    return kind, parts


def check_frames(data) -> int:
    for vector in data["frames"]:
        kind, parts = parse_frame(unhex(vector["frame"]), vector["limit"])
        texts = {name: part.hex() for name, part in parts.items()}
        same((kind, texts), (vector["kind"], vector["parts"]), kind)
    for vector in data["refused"]:
        same(code_of(parse_frame, unhex(vector["frame"]), vector["limit"]), vector["code"], vector["title"])
    return len(data["frames"]) + len(data["refused"])


def agree(secret: bytes, public: bytes) -> bytes:
    """X25519; refuses a non-canonical public key (protocol section 3)."""
    if int.from_bytes(public, "little") >= P:
        raise CryptoError("the key is not canonical")
    return x25519_shared(secret, public)


def open_at_service(vector, frame: bytes) -> bytes:
    parts = parse_frame(frame)[1]
    es = agree(unhex(vector["s"]), parts["e_c_pub"])
    k1 = request_key(unhex(vector["s_pub"]), parts["e_c_pub"], es)
    return secretbox_open(parts["box"], parts["nonce"], k1)


def open_at_client(vector, frame: bytes) -> bytes:
    parts, e_c, s_pub = parse_frame(frame)[1], unhex(vector["e_c"]), unhex(vector["s_pub"])
    k2, _ = response_keys(s_pub, unhex(vector["request_frame"]), unhex(vector["request_plaintext"]),
                          parts["e_s_pub"], agree(e_c, s_pub), agree(e_c, parts["e_s_pub"]))
    return secretbox_open(parts["box"], parts["nonce"], k2)


def check_schedule(v) -> None:
    """Every value of one handshake from its secrets, nonces and plaintexts."""
    b = {name: unhex(text) for name, text in v.items() if name not in ("title", "handshake")}
    for secret in ("s", "e_c", "e_s"):
        same(x25519_public(b[secret]), b[secret + "_pub"], secret)
    same((agree(b["e_c"], b["s_pub"]), agree(b["s"], b["e_c_pub"])), (b["es"], b["es"]), "es")
    same((agree(b["e_c"], b["e_s_pub"]), agree(b["e_s"], b["e_c_pub"])), (b["ee"], b["ee"]), "ee")
    same(sha256(b["s_pub"])[:8], b["kid8"], "kid8")
    same(handshake_hash(b["s_pub"], b["e_c_pub"]), b["k1_salt"], "K1 salt")
    same(b64u(b["k1_salt"]), v["handshake"], "handshake")
    same(request_key(b["s_pub"], b["e_c_pub"], b["es"]), b["k1"], "K1")
    same(b"\1\1" + b["kid8"] + b["e_c_pub"] + b["request_nonce"]
         + secretbox(b["request_plaintext"], b["request_nonce"], b["k1"]), b["request_frame"], "frame 0x01")
    same(sha256(b["request_frame"]), b["request_frame_hash"], "hash of the frame")
    same(sha256(b["request_plaintext"]), b["request_plaintext_hash"], "hash of the plaintext")
    same(sha256(struct.pack(">H10sH", 10, b"miniseal/1", 32) + b["s_pub"] + b["request_frame_hash"]
                + b["request_plaintext_hash"] + b["e_s_pub"]), b["th"], "th")
    k2, keys = response_keys(b["s_pub"], b["request_frame"], b["request_plaintext"], b["e_s_pub"],
                             b["es"], b["ee"])
    same((k2, keys.c2s, keys.s2c), (b["k2"], b["c2s"], b["s2c"]), "K2, c2s, s2c")
    same(b"\1\2" + b["e_s_pub"] + b["response_nonce"]
         + secretbox(b["response_plaintext"], b["response_nonce"], k2), b["response_frame"], "frame 0x02")
    same(open_at_service(v, b["request_frame"]), b["request_plaintext"], "opened 0x01")
    same(open_at_client(v, b["response_frame"]), b["response_plaintext"], "opened 0x02")


def check_handshake(data) -> int:
    for vector in data["handshakes"]:
        check_schedule(vector)
    first = data["handshakes"][0]
    for name, opened in (("refused_requests", open_at_service), ("refused_responses", open_at_client)):
        for vector in data[name]:
            code = code_of(opened, first, unhex(vector["frame"]))
            same(code, vector["code"], name + ": " + vector["title"])
    for vector in data["refused_agreement_keys"]:
        same(code_of(agree, unhex(first["e_c"]), unhex(vector["s_pub"])), vector["code"], vector["title"])
    return sum(len(group) for group in data.values())


def open_in_session(data, frame: bytes):
    kind, parts = parse_frame(frame)
    c2s, s2c = unhex(data["c2s"]), unhex(data["s2c"])
    key = {"request": c2s, "event": hkdf(s2c, b"", b"miniseal/1 event"),
           "response": hkdf(s2c, parts.get("request_nonce", b""), b"miniseal/1 response")}[kind]
    content = secretbox_open(parts["box"], parts["nonce"], key)
    if kind != "event":
        return key.hex(), content.hex()
    if len(content) < 8 or content[:8] >= struct.pack(">Q", 2**53):
        raise Refused("cannot_open")
    return key.hex(), (struct.unpack(">Q", content[:8])[0], content[8:].hex())


def check_session(data) -> int:
    for kind in ("request", "response"):
        vector = data[kind]
        same(open_in_session(data, unhex(vector["frame"])), (vector["key"], vector["plaintext"]), kind)
    event = data["event"]
    same(open_in_session(data, unhex(event["frame"])),
         (event["key"], (event["sequence"], event["event"])), "event")
    for vector in data["refused"]:
        same(code_of(open_in_session, data, unhex(vector["frame"])), vector["code"], vector["title"])
    return 3 + len(data["refused"])
