"""The audit log (protocol section 12): leaves, groups, the tree, notes, tiles, proofs, policies.

Every reader accepts exactly one encoding of a value.
"""
from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass, field
from typing import Dict, List, Optional, Tuple

from primitives import CryptoError, ed25519_sign, ed25519_verify, sha256

SAFE = 2**53 - 1
KINDS = ("request login refused refused-aggregate session-ended device-added key-rotated audit-read "
         "audit-exported erased gap outcome-unknown log-started").split()
LABELS = ("core", "net", "pay", "sig", "sub")
TYPES = {1: "log", 4: "witness"}
SPACES = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200b)))


class LogRefused(Exception):
    """A refused input, with the reason code of section 12.6 where there is one."""

    def __init__(self, why: str, reason: str = "malformed"):
        super().__init__("%s: %s" % (reason, why))
        self.reason = reason


def require(good, why: str, reason: str = "malformed") -> None:
    if not good:
        raise LogRefused(why, reason)


# ---------------------------------------------------------------- leaves and groups (12.1, 12.2)

def b64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def unb64(text: str) -> bytes:
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (ValueError, UnicodeError) as error:
        raise LogRefused("not base64: %s" % error)
    require(b64(data) == text, "base64 is not canonical")
    return data


def canonical(value) -> bytes:
    """RFC 8785, for objects whose names are ASCII and whose numbers are integers."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    try:
        return text.encode("utf-8")
    except UnicodeError:
        raise LogRefused("a lone surrogate")


def parsed(data: bytes):
    try:
        value = json.loads(data.decode("utf-8"))
    except (ValueError, UnicodeError, RecursionError) as error:
        raise LogRefused("not JSON: %s" % error)
    require(type(value) is dict, "not an object")
    return value


def check_flat(members: Dict[str, object]) -> None:
    for name, value in members.items():
        require(re.fullmatch(r"[a-z][a-z0-9_]{0,39}", name), "a name")
        require(type(value) is str or (type(value) is int and abs(value) <= SAFE), "a value")


def read_group(data: bytes) -> Dict[str, object]:
    require(len(data) <= 65536, "too long")
    group = parsed(data)
    check_flat(group)
    require(canonical(group) == data, "not canonical")
    return group


def read_leaf(data: bytes) -> Dict[str, object]:
    require(len(data) <= 2048, "too long")
    leaf = parsed(data)
    names = set(leaf)
    require({"id", "k", "r", "rc", "ts", "v"} <= names <= {"app", "c", "id", "k", "r", "rc", "ts", "v", "x"}, "members")
    for name, form in (("id", r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"),
                       ("app", r"[A-Za-z0-9_-]{2,64}"), ("rc", r"[1-9][0-9]{0,3}[dy]"),
                       ("r", r"ok|refused|failed|unknown"), ("k", "|".join(KINDS))):
        require(name not in leaf or (type(leaf[name]) is str and re.fullmatch(form, leaf[name])), name)
    require(type(leaf["ts"]) is int and 0 <= leaf["ts"] <= SAFE, "ts")
    require(type(leaf["v"]) is int and leaf["v"] == 1, "v")
    if "c" in leaf:
        require(type(leaf["c"]) is dict and leaf["c"] and set(leaf["c"]) <= set(LABELS), "c")
        for value in leaf["c"].values():
            require(type(value) is str and len(unb64(value)) == 32, "a commitment")
    if "x" in leaf:
        require(type(leaf["x"]) is dict and 1 <= len(leaf["x"]) <= 16, "x")
        check_flat(leaf["x"])
        for value in leaf["x"].values():
            require(type(value) is int or re.fullmatch(r"[\x20-\x7e]{0,256}", value), "a fact")
    require(canonical(leaf) == data and data.isascii(), "not canonical")
    return leaf


def commitment(label: str, salt: bytes, group: bytes) -> bytes:
    require(len(salt) == 32, "a salt has 32 bytes")
    return sha256(b"miniseal-audit/1\n" + label.encode("ascii") + b"\n" + salt + group)


# ---------------------------------------------------------------- the tree (12.3)

def leaf_hash(leaf: bytes) -> bytes:
    return sha256(b"\x00" + leaf)


def node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right)


def root_of(hashes: List[bytes]) -> bytes:
    """MTH of RFC 6962, section 2.1, over leaf hashes."""
    if len(hashes) < 2:
        return hashes[0] if hashes else sha256(b"")
    k = 1 << (len(hashes) - 1).bit_length() - 1
    return node(root_of(hashes[:k]), root_of(hashes[k:]))


def verify_inclusion(leaf: bytes, index: int, size: int, root: bytes, proof: List[bytes]) -> None:
    """Recursive over the tree of RFC 6962, unlike the iterative algorithm of RFC 9162."""
    def climb(index: int, size: int, rest: List[bytes]) -> bytes:
        if size == 1:
            require(not rest, "too long", "inclusion_wrong")
            return leaf
        require(rest, "too short", "inclusion_wrong")
        k = 1 << (size - 1).bit_length() - 1
        if index < k:
            return node(climb(index, k, rest[:-1]), rest[-1])
        return node(rest[-1], climb(index - k, size - k, rest[:-1]))
    require(0 <= index < size and all(len(each) == 32 for each in [leaf, *proof]), "range", "inclusion_wrong")
    require(climb(index, size, proof) == root, "another root", "inclusion_wrong")


def verify_consistency(older: int, older_root: bytes, newer: int, newer_root: bytes, proof: List[bytes]) -> None:
    wrong = "consistency_wrong"

    def climb(older: int, newer: int, is_older: bool, rest: List[bytes]) -> Tuple[bytes, bytes]:
        if older == newer:
            if is_older:
                require(not rest, "too long", wrong)
                return older_root, older_root
            require(len(rest) == 1, "length", wrong)
            return rest[0], rest[0]
        require(rest, "too short", wrong)
        k = 1 << (newer - 1).bit_length() - 1
        if older <= k:
            left = climb(older, k, is_older, rest[:-1])
            return left[0], node(left[1], rest[-1])
        right = climb(older - k, newer - k, False, rest[:-1])
        return node(rest[-1], right[0]), node(rest[-1], right[1])
    require(0 <= older <= newer and all(len(each) == 32 for each in [older_root, *proof]), "range", wrong)
    if older in (0, newer):
        require(not proof and older_root == (newer_root if older else sha256(b"")), "another root", wrong)
        require(newer or newer_root == sha256(b""), "the root of an empty tree", wrong)
        return
    require(climb(older, newer, True, proof) == (older_root, newer_root), "another root", wrong)


# ---------------------------------------------------------------- tiles (12.5)

def tile_path(level: Optional[int], index: int, width: int) -> str:
    digits = [index % 1000]
    while index >= 1000:
        index //= 1000
        digits.insert(0, index % 1000)
    numbers = "/".join(["x%03d" % each for each in digits[:-1]] + ["%03d" % digits[-1]])
    return "tile/%s/%s%s" % ("entries" if level is None else level, numbers, "" if width == 256 else ".p/%d" % width)


def read_tile_path(path: str) -> Tuple[Optional[int], int, int]:
    match = re.fullmatch(r"tile/(entries|[0-9]{1,2})/((?:x[0-9]{3}/){0,5}[0-9]{3})(?:\.p/([0-9]{1,3}))?", path)
    require(match, "not a path")
    level = None if match[1] == "entries" else int(match[1])
    index, width = int(re.sub(r"[x/]", "", match[2])), int(match[3] or 256)
    require((level is None or level < 64) and index <= SAFE and 0 < width <= 256, "out of range")
    require(tile_path(level, index, width) == path, "not canonical")
    return level, index, width


# ---------------------------------------------------------------- notes and checkpoints (12.4)

@dataclass
class VerifierKey:
    kind: str
    name: str
    public: bytes

    @property
    def key_id(self) -> bytes:
        number = next(number for number, kind in TYPES.items() if kind == self.kind)
        return sha256(self.name.encode("utf-8") + b"\n" + bytes([number]) + self.public)[:4]


def check_name(name: str) -> None:
    require(name and not set(name) & set(SPACES + "+") and not re.search(r"[\x00-\x1f]", name), "a name of a key")


def read_verifier_key(text: str) -> VerifierKey:
    parts = text.split("+", 2)
    require(len(parts) == 3, "not a verifier key")
    data = unb64(parts[2])
    require(len(data) == 33 and data[0] in TYPES, "an unknown type")
    key = VerifierKey(TYPES[data[0]], parts[0], data[1:])
    check_name(key.name)
    require(key.key_id.hex() == parts[1], "not the id of the key")
    return key


@dataclass
class Note:
    text: str
    signatures: List[Tuple[str, bytes, bytes]] = field(default_factory=list)    # name, key id, signature


def read_note(note: str) -> Note:
    try:
        note.encode("utf-8")
    except UnicodeError:
        raise LogRefused("a lone surrogate")
    require(len(note) <= 131072 and "\n\n" in note and note.endswith("\n"), "not a note")
    text, lines = note.rsplit("\n\n", 1)
    require(not re.search(r"[\x00-\x09\x0b-\x1f]", note), "a control character")
    read = Note(text + "\n")
    for line in lines[:-1].split("\n"):
        parts = line.split(" ")
        require(len(parts) == 3 and parts[0] == "\u2014", "not a signature line")
        check_name(parts[1])
        data = unb64(parts[2])
        require(len(data) > 4, "a signature is too short")
        read.signatures.append((parts[1], data[:4], data[4:]))
    require(1 <= len(read.signatures) <= 64, "signatures")
    return read


def read_checkpoint(text: str) -> Tuple[str, int, bytes]:
    require(text.endswith("\n"), "no last line feed")
    lines = text[:-1].split("\n")
    require(len(lines) >= 3 and all(lines), "lines")
    check_name(lines[0])
    require(re.fullmatch(r"0|[1-9][0-9]{0,15}", lines[1]) and int(lines[1]) <= SAFE, "a size")
    root = unb64(lines[2])
    require(len(root) == 32, "a root")
    return lines[0], int(lines[1]), root


def signed_message(kind: str, text: str, signature: bytes) -> Tuple[bytes, bytes]:
    """The signed bytes, and the Ed25519 signature over them."""
    if kind == "log":
        return text.encode("utf-8"), signature
    require(len(signature) == 72 and any(signature[:8]), "not a cosignature", "signature_wrong")
    time = int.from_bytes(signature[:8], "big")
    return ("cosignature/v1\ntime %d\n%s" % (time, text)).encode("utf-8"), signature[8:]


def sign(kind: str, seed: bytes, text: str, time: int = 0) -> bytes:
    if kind == "log":
        return ed25519_sign(seed, text.encode("utf-8"))
    return time.to_bytes(8, "big") + ed25519_sign(seed, ("cosignature/v1\ntime %d\n%s" % (time, text)).encode("utf-8"))


def has_signed(note: Note, key: VerifierKey) -> bool:
    """Whether the note has a valid signature of the key. Raises for an invalid one."""
    own = [signature for name, key_id, signature in note.signatures if (name, key_id) == (key.name, key.key_id)]
    for signature in own:
        try:
            message, ed25519 = signed_message(key.kind, note.text, signature)
            ed25519_verify(key.public, message, ed25519)
        except CryptoError as error:
            raise LogRefused(str(error), "signature_wrong")
    return bool(own)


# ---------------------------------------------------------------- policies and proofs (12.6, 12.7)

@dataclass
class Policy:
    logs: List[VerifierKey] = field(default_factory=list)
    witnesses: Dict[str, VerifierKey] = field(default_factory=dict)
    groups: Dict[str, Tuple[int, List[str]]] = field(default_factory=dict)
    quorum: Optional[str] = None


def read_policy(text: str) -> Policy:
    try:
        text.encode("utf-8")
    except UnicodeError:
        raise LogRefused("a lone surrogate")
    require(len(text) <= 65536 and text.endswith("\n"), "length")
    require(not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", text), "a control character")
    policy = Policy()
    for line in text[:-1].split("\n"):
        words = [word for word in re.split(r"[ \t]+", line) if word]
        if words and not words[0].startswith("#"):
            read_policy_line(policy, words)
    require(policy.quorum is not None, "no quorum")
    require(max(map(len, (policy.logs, policy.witnesses, policy.groups))) <= 64, "too many")
    return policy


def read_policy_line(policy: Policy, words: List[str]) -> None:
    names = {**policy.witnesses, **policy.groups}
    if words[0] == "log" and 2 <= len(words) <= 3:
        key = read_verifier_key(words[1])
        require(key.kind == "log" and all(key.public != other.public for other in policy.logs), "a log")
        policy.logs.append(key)
    elif words[0] == "witness" and 3 <= len(words) <= 4:
        key = read_verifier_key(words[2])
        require(key.kind == "witness" and words[1] not in names and words[1] != "none", "a witness")
        require(all(key.public != other.public for other in policy.witnesses.values()), "duplicate key")
        policy.witnesses[words[1]] = key
    elif words[0] == "group" and len(words) >= 4:
        name, rule, members = words[1], words[2], words[3:]
        grouped = [member for _, others in policy.groups.values() for member in others]
        require(name not in names and name != "none" and all(member in names for member in members), "a group")
        require(len(set(grouped + members)) == len(grouped + members), "duplicate member")
        require(rule in ("all", "any") or re.fullmatch(r"[1-9][0-9]*", rule), "a rule")
        threshold = {"all": len(members), "any": 1}.get(rule) or int(rule)
        require(threshold <= len(members), "a threshold")
        policy.groups[name] = (threshold, members)
    elif words[0] == "quorum" and len(words) == 2:
        require(policy.quorum is None and (words[1] == "none" or words[1] in names), "a quorum")
        policy.quorum = words[1]
    else:
        raise LogRefused("not a line of a policy")


def verify_checkpoint(note: Note, policy: Policy) -> Tuple[str, int, bytes]:
    """Steps 2 and 3 of section 12.6."""
    checkpoint = read_checkpoint(note.text)
    logs = [key for key in policy.logs if key.name == checkpoint[0]]
    require(logs, "another log", "origin_wrong")
    require([key for key in logs if has_signed(note, key)], "the log has not signed", "signature_missing")
    reached = {name for name, key in policy.witnesses.items() if has_signed(note, key)}
    for name, (threshold, members) in policy.groups.items():
        if len(reached.intersection(members)) >= threshold:
            reached.add(name)
    require(policy.quorum == "none" or policy.quorum in reached, "too few", "quorum_missing")
    return checkpoint


def read_proof(text: str) -> Tuple[int, List[bytes], Note]:
    require(len(text) <= 262144 and "\n\n" in text, "not a proof")
    head, note = text.split("\n\n", 1)
    lines = head.split("\n")
    require(lines.pop(0) == "c2sp.org/tlog-proof@v1" and lines, "not a proof")
    if lines[0].startswith("extra "):
        require(unb64(lines.pop(0)[6:]), "empty extra data")
    match = re.fullmatch(r"index (0|[1-9][0-9]{0,15})", lines.pop(0) if lines else "")
    require(match and int(match[1]) <= SAFE and len(lines) <= 63, "an index")
    hashes = [unb64(line) for line in lines]
    require(all(len(each) == 32 for each in hashes), "a hash")
    read = read_note(note)
    read_checkpoint(read.text)
    return int(match[1]), hashes, read


def verify_proof(text: str, leaf: bytes, policy: Policy) -> None:
    """Section 12.6, from the leaf's bytes."""
    index, hashes, note = read_proof(text)
    _, size, root = verify_checkpoint(note, policy)
    verify_inclusion(leaf_hash(leaf), index, size, root, hashes)
