"""Recomputes an unpacked evidence bundle with nothing but the standard library: groups, leaf, place in the log."""
import base64, hashlib, json, pathlib, sys

place = pathlib.Path(sys.argv[1])
sha = lambda data: hashlib.sha256(data).digest()
leaf = (place / "leaf.json").read_bytes()
members = json.loads(leaf)

for path in sorted((place / "groups").glob("*.json")):
    group = json.loads(path.read_text())
    head = f"miniseal-audit/1\n{path.stem}\n".encode()
    committed = head + base64.b64decode(group["salt"]) + group["value"].encode()
    assert base64.b64encode(sha(committed)).decode() == members["c"][path.stem], path
    assert (place / "groups" / f"{path.stem}.bin").read_bytes() == committed, path

proof, note = (place / "leaf.tlog-proof").read_text().split("\n\n", 1)
head, index, *hashes = proof.split("\n")
assert head == "c2sp.org/tlog-proof@v1"
origin, size, root = note.split("\n")[:3]
assert (place / "checkpoint.txt").read_text() == f"{origin}\n{size}\n{root}\n"

# RFC 9162, section 2.1.3.2
fn, sn, r = int(index.split()[1]), int(size) - 1, sha(b"\0" + leaf)
for p in map(base64.b64decode, hashes):
    assert sn > 0
    if fn & 1 or fn == sn:
        r = sha(b"\1" + p + r)
        while not fn & 1 and fn:
            fn, sn = fn >> 1, sn >> 1
    else:
        r = sha(b"\1" + r + p)
    fn, sn = fn >> 1, sn >> 1
assert sn == 0 and base64.b64encode(r).decode() == root, "another root"
print("ok")
