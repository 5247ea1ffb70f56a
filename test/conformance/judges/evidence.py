"""Verifies an unpacked evidence bundle with the standard library only: groups, leaf, inclusion, and that the device signed
the request of the entry. With `-` instead of a folder: only the last check, with groups as JSON on standard input."""
import base64, hashlib, json, pathlib, re, sys

sha = lambda data: hashlib.sha256(data).digest()
FIELDS = ["content-type", "content-encoding", "content-digest", "authorization", "idempotency-key", "if-none-match", "step-up"]
PARAMETERS = r'((?:;(?:created=[0-9]{1,15}|nonce="[\w-]{22}"|keyid="[\w-]{43}"|tag="miniseal")){4})'


def check_request(core, pay, sig, leaf, origin):
    """The signed request is the request of the entry (docs/reference/protocol.md, sections 5 and 12)."""
    *lines, last = sig["base"].split("\n")
    values = dict(re.fullmatch(r'"([^"]+)": ([\t -~]*)', line).groups() for line in lines)
    names = ["@method", "@authority", "@path", "@query", *(name for name in FIELDS if name in values)]
    assert list(values) == names and len(lines) == len(names), "another coverage"
    listed = re.escape(" ".join(f'"{name}"' for name in names))
    found = re.fullmatch(rf'"@signature-params": \({listed}\){PARAMETERS}', last)
    assert found, "other parameters, or another tag"
    given = dict(re.findall(r';(\w+)="?([\w-]+)', found[1]))
    assert len(given) == 4, "a parameter twice"
    assert given["keyid"] == sig["keyid"] and int(given["created"]) == sig["created"], "another key or time"
    query = "" if values["@query"] == "?" else values["@query"]
    assert (values["@method"], values["@path"] + query) == (core.get("method"), core.get("path")), "another request"
    assert values.get("idempotency-key") == core.get("idempotency_key"), "another Idempotency-Key"
    assert values.get("content-digest") == pay.get("request_digest"), "another body"
    assert origin.startswith(values["@authority"] + "/"), "another service"
    arrived = core.get("started_at", (leaf["ts"] - core.get("duration_ms", 0)) / 1000)
    assert arrived - 130 <= sig["created"] <= arrived + 70, "another time"


def check_bundle(place):
    leaf = (place / "leaf.json").read_bytes()
    members, groups = json.loads(leaf), {}
    for path in sorted((place / "groups").glob("*.json")):
        group = json.loads(path.read_text())
        head = f"miniseal-audit/1\n{path.stem}\n".encode()
        committed = head + base64.b64decode(group["salt"]) + group["value"].encode()
        assert base64.b64encode(sha(committed)).decode() == members["c"][path.stem], path
        assert (place / "groups" / f"{path.stem}.bin").read_bytes() == committed, path
        groups[path.stem] = json.loads(group["value"])

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

    if {"core", "pay", "sig"} <= set(groups):
        assert (place / "signature-base.txt").read_text() == groups["sig"]["base"]
        check_request(groups["core"], groups["pay"], groups["sig"], members, origin)


if sys.argv[1] == "-":
    # One verdict a line for each entry of a list.
    for given in json.load(sys.stdin):
        try:
            check_request(*(given[name] for name in ("core", "pay", "sig", "leaf", "origin")))
            print("ok")
        except AssertionError as error:
            print("refused:", error)
else:
    check_bundle(pathlib.Path(sys.argv[1]))
    print("ok")
