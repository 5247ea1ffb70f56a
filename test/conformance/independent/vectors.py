"""Checks the test vectors of this repository with the cryptography and the parsers of this folder.

``python3 vectors.py <folder with the JSON files>`` prints one JSON line per file and a summary.
"""
from __future__ import annotations

import json
import sys
from pathlib import Path
from urllib.parse import urlsplit

import backend
from binary_http import Request, Response, encode_request, encode_response, pad, padded_length
from configuration import thumbprint
from message_signatures import (SignatureRefused, content_digest, response_coverage, sign_request,
                                signature_base, verify_response)
from primitives import b64u, ed25519_public, ed25519_sign, unb64u
from strict_messages import verify_request, read_signature, strict_digest, strict_request, strict_response
from structured_fields import InnerList, Item, serialize
from vectors_keys import check_configuration, check_keys
from vectors_log import check_log
from vectors_sealing import check_frames, check_handshake, check_session
from verdicts import Refused, code_of, refuses, same

unhex = bytes.fromhex


def request_of(m) -> Request:
    return Request(m["method"], m["scheme"], m["authority"], m["path"], [tuple(f) for f in m["fields"]],
                   unhex(m["content"]))


def response_of(m) -> Response:
    return Response(m["status"], [tuple(f) for f in m["fields"]], unhex(m["content"]))


def check_padding(data) -> int:
    for length, padded in data["lengths"]:
        same(padded_length(length), padded, str(length))
    for vector in data["messages"]:
        same(pad(unhex(vector["message"])).hex(), vector["padded"], vector["title"])
    for vector in data["tolerated"]:
        padded, message = (strict_request(unhex(vector[name])) for name in ("padded", "message"))
        same(padded, message, vector["title"])
    for vector in data["refused"]:
        same(code_of(strict_request, unhex(vector["padded"])), vector["code"], vector["title"])
    return sum(len(group) for group in data.values())


def check_messages(data) -> int:
    for vector in data["requests"]:
        same(encode_request(request_of(vector["message"])).hex(), vector["encoded"], vector["title"])
    for vector in data["responses"]:
        same(encode_response(response_of(vector["message"])).hex(), vector["encoded"], vector["title"])
        same(strict_response(unhex(vector["encoded"])), response_of(vector["message"]), vector["title"])
    for vector in data["requests"] + data["tolerated"]:
        same(strict_request(unhex(vector["encoded"])), request_of(vector["message"]), vector["title"])
    for vector in data["refused"]:
        parse = strict_request if vector["kind"] == "request" else strict_response
        same(code_of(parse, unhex(vector["encoded"])), vector["code"], vector["title"])
    return sum(len(group) for group in data.values())


def digested(message):
    if message.content:
        message.fields.append(("content-digest", content_digest(message.content)))
    return message


def check_request(data) -> int:
    seed, keyid = unhex(data["device"]["seed"]), data["device"]["keyid"]
    public = ed25519_public(seed)
    same((public.hex(), thumbprint(public)), (data["device"]["public_key"], keyid), "device key")
    for vector in data["requests"]:
        request = digested(request_of(vector["message"]))
        sign_request(request, seed, keyid, vector["created"], b64u(unhex(vector["nonce"])))
        same(request, request_of(vector["signed"]), vector["title"])
        same(pad(encode_request(request)).hex(), vector["plaintext"], vector["title"])
        created, base, signature = read_signature(strict_request(unhex(vector["plaintext"])))
        same((created, base.decode(), signature.hex()),
             (vector["created"], vector["base"], vector["signature"]), vector["title"])
    return len(data["requests"])


def check_response(data, requests) -> int:
    seed, keyid = unhex(data["service"]["seed"]), data["service"]["keyid"]
    sent = {vector["title"]: request_of(vector["signed"]) for vector in requests["requests"]}
    for vector in data["responses"]:
        response, request = digested(response_of(vector["message"])), sent.get(vector["request"])
        covered = response_coverage(response, request or next(iter(sent.values())), vector["created"], keyid)
        if request is None:
            covered = InnerList([item for item in covered.items if not item.params], covered.params)
        base = signature_base(covered, response, request)
        signature = ed25519_sign(seed, base)
        same((base.decode(), signature.hex()), (vector["base"], vector["signature"]), vector["title"])
        response.fields += [("signature-input", "sig=" + serialize(covered)),
                            ("signature", "sig=" + serialize(Item(signature, [])))]
        same(response, response_of(vector["signed"]), vector["title"])
        same(pad(encode_response(response)).hex(), vector["plaintext"], vector["title"])
    return len(data["responses"])


def verify_strict_response(response: Response, request: Request, keys: dict) -> None:
    """The client's verification, with the strict digest of a service."""
    verify_response(response, request, lambda created: keys)
    strict_digest(response)


def check_refusals(data) -> int:
    public = unhex(data["device"]["public_key"])
    for vector in data["requests"]:
        same(code_of(verify_request, unhex(vector["encoded"]), data["now"], data["window"], public),
             vector["code"], "a request " + vector["title"])
    keys = {key["kid"]: unhex(key["public_key"]) for key in data["service_keys"]}
    for vector in data["responses"]:
        response = strict_response(unhex(vector["encoded"]))
        request = strict_request(unhex(vector["request"]))
        refused = refuses((SignatureRefused, Refused), verify_strict_response, response, request, keys)
        same(refused, vector["code"] is not None, "a response " + vector["title"])
    return len(data["requests"]) + len(data["responses"])


def check_gateway(data) -> int:
    """Verified by ``backend.py``."""
    keys = [{key["kid"]: unb64u(key["x"]) for key in data[name]["keys"] if key.get("miniseal_use") == use}
            for name, use in (("token_keys", "token"), ("message_keys", "message"))]
    for vector in data["requests"]:
        request = Request(vector["method"], "https", urlsplit(data["origin"]).netloc, vector["path"],
                          [tuple(field) for field in vector["fields"]], unhex(vector["content"]))
        refused = refuses(backend.REFUSALS, backend.verify, request, data["origin"], *keys, data["now"])
        same(refused, vector["code"] is not None, "a request " + vector["title"])
    return len(data["requests"])


CHECKS = {"configuration": check_configuration, "frames": check_frames, "gateway": check_gateway,
          "handshake": check_handshake,
          "keys": check_keys, "log": check_log, "messages": check_messages, "padding": check_padding,
          "refusals": check_refusals, "request": check_request, "response": check_response,
          "session": check_session}


def main(folder: str) -> int:
    """One line per file with the number of its vectors; 0 when all pass."""
    files = {path.stem: json.loads(path.read_text("utf-8")) for path in sorted(Path(folder).glob("*.json"))}
    failed = 0
    for name, data in files.items():
        line = {"check": name, "ok": True}
        try:
            arguments = (data, files["request"]) if name == "response" else (data,)
            line["vectors"] = CHECKS[name](*arguments)
        except Exception as error:  # any exception fails the check
            line.update(ok=False, error="%s: %s" % (type(error).__name__, error))
            failed += 1
        print(json.dumps(line))
    print(json.dumps({"passed": len(files) - failed, "failed": failed}))
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))
