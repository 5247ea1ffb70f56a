"""The vectors of the audit log (protocol section 12)."""
from __future__ import annotations

from audit_log import (LogRefused, b64, commitment, leaf_hash, read_checkpoint, read_group, read_leaf, read_note,
                       read_policy, read_proof, read_tile_path, read_verifier_key, root_of, sign, tile_path,
                       verify_checkpoint, verify_consistency, verify_inclusion, verify_proof)
from primitives import ed25519_public, sha256
from verdicts import refuses, same

unhex = bytes.fromhex


def text_bytes(text: str) -> bytes:
    """UTF-8; a lone surrogate becomes bytes that are not UTF-8."""
    return text.encode("utf-8", "surrogatepass")


def check_forms(data) -> None:
    for vector in data["leaves"]:
        read_leaf(text_bytes(vector["leaf"]))
        same(leaf_hash(text_bytes(vector["leaf"])).hex(), vector["hash"], vector["title"])
    for vector in data["groups"]:
        group = text_bytes(vector["group"])
        read_group(group)
        same(commitment(vector["label"], unhex(vector["salt"]), group).hex(), vector["commitment"], vector["label"])
    for name, read in (("leaves", read_leaf), ("groups", read_group)):
        for vector in data["refused_" + name]:
            same(refuses(LogRefused, read, text_bytes(vector["text"])), True, name + " with " + vector["title"])
    for name, read in (("verifier_keys", read_verifier_key), ("notes", read_note), ("checkpoints", read_checkpoint),
                       ("policies", read_policy), ("proofs", read_proof)):
        for vector in data["refused_" + name]:
            same(refuses(LogRefused, read, vector["text"]), True, name + " with " + vector["title"])


def check_tree(data) -> None:
    hashes = [leaf_hash(b"entry %d" % i) for i in range(max(vector["size"] for vector in data["roots"]))]
    for vector in data["roots"]:
        same(root_of(hashes[:vector["size"]]).hex(), vector["root"], "root of %d" % vector["size"])

    def inclusion(vector):
        verify_inclusion(unhex(vector["leaf_hash"]), vector["index"], vector["size"], unhex(vector["root"]),
                         [unhex(each) for each in vector["hashes"]])

    def consistency(vector):
        older, newer = vector["older"], vector["newer"]
        verify_consistency(older["size"], unhex(older["root"]), newer["size"], unhex(newer["root"]),
                           [unhex(each) for each in vector["hashes"]])
    for name, verify in (("inclusion", inclusion), ("consistency", consistency)):
        for vector in data[name]:
            verify(vector)
        for vector in data["refused_" + name]:
            same(refuses(LogRefused, verify, vector), True, name + " " + vector["title"])


def check_tiles(data) -> None:
    for vector in data["tile_levels"]:
        levels, hashes = [], vector["size"]
        while hashes:
            levels.append({"level": len(levels), "full": hashes // 256, "partial": hashes % 256})
            hashes //= 256
        same(levels, vector["levels"], "tiles of %d" % vector["size"])
    for vector in data["tile_paths"]:
        tile = (vector["level"], vector["index"], vector["width"])
        same((tile_path(*tile), read_tile_path(vector["path"])), (vector["path"], tile), vector["path"])
    for path in data["refused_tile_paths"]:
        same(refuses(LogRefused, read_tile_path, path), True, path)
    entries = [unhex(entry) for entry in data["bundle"]["entries"]]
    bundle = b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)
    same(bundle.hex(), data["bundle"]["bytes"], "bundle")


def check_notes(data) -> None:
    keys = []
    for vector in data["verifier_keys"]:
        key = read_verifier_key(vector["text"])
        same(key.public, ed25519_public(unhex(vector["seed"])), vector["text"])
        keys.append(key)
    log, witness = keys
    note = read_note(data["log"]["checkpoint"])
    cosigned = read_note(data["witness"]["checkpoint"])
    name, key_id, cosignature = cosigned.signatures[1]
    same((name, key_id), (witness.name, witness.key_id), "witness")
    time = int.from_bytes(cosignature[:8], "big")
    lines = [(log, sign("log", unhex(data["log"]["seed"]), note.text)),
             (witness, sign("witness", unhex(data["witness"]["seed"]), note.text, time))]
    written = ["\u2014 %s %s\n" % (key.name, b64(key.key_id + signature)) for key, signature in lines]
    same(note.text + "\n" + written[0], data["log"]["checkpoint"], "checkpoint")
    same(note.text + "\n" + "".join(written), data["witness"]["checkpoint"], "cosigned checkpoint")


def check_proofs(data) -> None:
    for text in data["policies"]:
        read_policy(text)
    policy = read_policy(data["policy"])
    verify_checkpoint(read_note(data["witness"]["checkpoint"]), policy)
    for vector in data["proofs"]:
        verify_proof(vector["proof"], vector["entry"].encode("ascii"), policy)
    for vector in data["wrong_proofs"]:
        try:
            verify_proof(vector["proof"], vector["entry"].encode("ascii"), policy)
            reason = None
        except LogRefused as error:
            reason = error.reason
        same(reason, vector["reason"], "a proof " + vector["title"])


def check_log(data) -> int:
    same(root_of([]), sha256(b""), "empty tree")
    for check in (check_forms, check_tree, check_tiles, check_notes, check_proofs):
        check(data)
    return sum(len(group) for group in data.values() if isinstance(group, list))
