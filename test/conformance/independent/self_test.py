"""Checks that need no service: published vectors, and the frames of this client."""
from __future__ import annotations

import json
from typing import Callable, List, Tuple

from binary_http import (Request, Response, decode_request, encode_request, encode_response,
                         open_response, pad, padded_length)
from configuration import Configuration, thumbprint
from frames import FrameError, Handshake, open_response as open_frame, request_key, response_keys, seal_request
from message_signatures import signature_base
from primitives import (CryptoError, L, ed25519_public, ed25519_sign, ed25519_verify, hkdf, random_bytes,
                        secretbox, secretbox_open, sha256, unb64u, x25519, x25519_public, x25519_shared)
from structured_fields import FieldError, parse_dictionary, serialize

CHECKS: List[Tuple[str, str, Callable[[], None]]] = []
unhex = bytes.fromhex


def check(group: str, name: str):
    def register(function):
        CHECKS.append((group, name, function))
        return function
    return register


def refuses(kind, function, *args) -> None:
    try:
        function(*args)
    except kind:
        return
    raise AssertionError("%s accepted an invalid input" % function.__name__)


ED25519 = (  # RFC 8032 section 7.1, tests 1 to 3: seed, public key, message, signature
    ("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
     "d25bf5f0595bbe24655141438e7a100b"),
    ("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
     "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c"
     "387b2eaeb4302aeeb00d291612bb0c00"),
    ("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
     "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc659"
     "4a7c15e9716ed28dc027beceea1ec40a"))


@check("primitives", "RFC 8032 tests 1 to 3")
def _():
    for seed, public, message, signature in (map(unhex, row) for row in ED25519):
        assert ed25519_public(seed) == public
        assert ed25519_sign(seed, message) == signature
        ed25519_verify(public, message, signature)
        refuses(CryptoError, ed25519_verify, public, message + b"x", signature)


@check("primitives", "Ed25519 is strict")
def _():
    _, public, message, signature = (unhex(part) for part in ED25519[1])
    s = int.from_bytes(signature[32:], "little")
    refuses(CryptoError, ed25519_verify, public, message, signature[:32] + (s + L).to_bytes(32, "little"))
    identity, zero = b"\x01" + bytes(31), bytes(32)
    refuses(CryptoError, ed25519_verify, identity, message, identity + zero)
    refuses(CryptoError, ed25519_verify, (2**255 - 18).to_bytes(32, "little"), message, identity + zero)
    refuses(CryptoError, ed25519_verify, b"\x01" + bytes(30) + b"\x80", message, identity + zero)


@check("primitives", "RFC 7748 sections 5.2 and 6.1")
def _():
    assert x25519(unhex("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4"),
                  unhex("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c")) == \
        unhex("c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552")
    k = u = (9).to_bytes(32, "little")
    for _ in range(1000):
        k, u = x25519(k, u), k
    assert k == unhex("684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51")
    alice = unhex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a")
    bob = unhex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb")
    assert x25519_public(alice) == unhex("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a")
    shared = unhex("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742")
    assert x25519_shared(alice, x25519_public(bob)) == x25519_shared(bob, x25519_public(alice)) == shared
    refuses(CryptoError, x25519_shared, alice, bytes(32))


@check("primitives", "RFC 5869 test case 1")
def _():
    assert hkdf(b"\x0b" * 22, bytes(range(13)), bytes(range(0xf0, 0xfa)), 42) == unhex(
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865")
    assert hkdf(b"\x0b" * 22, b"", b"", 42) == unhex(   # case 3: no salt
        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8")


@check("primitives", "NaCl secretbox vector")
def _():
    key = unhex("1b27556473e985d462cd51197a9a46c76009549eac6474f206c4ee0844f68389")
    nonce = unhex("69696ee955b62b73cd62bda875fc73d68219e0036b7a0b37")
    message = unhex("be075fc53c81f2d5cf141316ebeb0c7b5228c52a4c62cbd44b66849b64244ffce5ecbaaf33bd751a"
                    "1ac728d45e6c61296cdc3c01233561f41db66cce314adb310e3be8250c46f06dceea3a7fa1348057"
                    "e2f6556ad6b1318a024a838f21af1fde048977eb48f59ffd4924ca1c60902e52f0a089bc76897040"
                    "e082f937763848645e0705")
    box = unhex("f3ffc7703f9400e52a7dfb4b3d3305d98e993b9f48681273c29650ba32fc76ce48332ea7164d96a4"
                "476fb8c531a1186ac0dfc17c98dce87b4da7f011ec48c97271d2c20f9b928fe2270d6fb863d51738"
                "b48eeee314a7cc8ab932164548e526ae90224368517acfeabd6bb3732bc0e9da99832b61ca01b6de"
                "56244a9e88d5f9b37973f622a43d14a6599b1f654cb45a74e355a5")
    assert secretbox(message, nonce, key) == box
    assert secretbox_open(box, nonce, key) == message
    refuses(CryptoError, secretbox_open, box[:-1] + bytes([box[-1] ^ 1]), nonce, key)
    refuses(CryptoError, secretbox_open, box[:15], nonce, key)


@check("messages", "RFC 9292 section 5.1, known-length request; section 3.8, padding")
def _():
    wire = unhex("0003474554056874747073000a2f68656c6c6f2e747874406c0a757365722d6167656e7434637572"
                 "6c2f372e31362e33206c69626375726c2f372e31362e33204f70656e53534c2f302e392e376c207a"
                 "6c69622f312e322e3304686f73740f7777772e6578616d706c652e636f6d0f6163636570742d6c61"
                 "6e677561676506656e2c206d690000")
    fields = [("user-agent", "curl/7.16.3 libcurl/7.16.3 OpenSSL/0.9.7l zlib/1.2.3"),
              ("host", "www.example.com"), ("accept-language", "en, mi")]
    request = Request("GET", "https", "", "/hello.txt", fields)
    assert encode_request(request) == wire
    for data in (wire, wire.rstrip(b"\0"), wire + bytes(99)):
        assert decode_request(data)[0] == request
    response = Response(201, [("content-type", "text/plain")], b"x" * 300)
    assert open_response(pad(encode_response(response))) == response
    for changed in (pad(encode_response(response)) + bytes(16), encode_response(response)[:-1] + b"\1",
                   pad(encode_response(response))[:-1] + b"\1", b"\0" + encode_response(response)[1:]):
        refuses(Exception, open_response, changed)


@check("messages", "Padme")
def _():
    assert [padded_length(n) for n in (1, 256, 257, 272, 273, 511, 513, 1000, 1025, 100000)] == \
        [256, 256, 272, 272, 288, 512, 544, 1024, 1088, 100352]


@check("messages", "structured fields are strict")
def _():
    text = 'a=("x" "y";req;key="k");n=-1;s="q\\"\\\\";t=*t/1;d=1.5, b=:AQI=:;z, c, d=?0'
    assert ", ".join(k + "=" + serialize(v) for k, v in parse_dictionary(text).items()) == \
        text.replace("c, d", "c=?1, d")
    for bad in ('a=("x""y")', "a=:AQI:", "a=:AQJ=:", "a=1,", "a=1, a=2", "A=1", 'a="\u00e9"', "a=1;;b", "a=(1",
                "a=1.", "a=1234567890123456", 'a="x', "a=?2", "a=1 b=2"):
        refuses(FieldError, parse_dictionary, bad)


RFC_D, RFC_X = "n4Ni-HpISpVObnQMW0wOhCKROaIKqKtW_2ZYb2p9KcU", "JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs"


@check("messages", "RFC 7638 thumbprints (RFC 8037 A.3)")
def _():
    assert thumbprint(unb64u("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")) == \
        "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
    assert thumbprint(unb64u(RFC_X)) == "poqkLGiymh_W0uP6PZFw-dvez3QJT5SolqXBCW38r0U"


@check("messages", "RFC 9421 B.2.6")
def _():
    params = ('("date" "@method" "@path" "@authority" "content-type" "content-length")'
              ';created=1618884473;keyid="test-key-ed25519"')
    base = ('"date": Tue, 20 Apr 2021 02:07:55 GMT\n"@method": POST\n"@path": /foo\n'
            '"@authority": example.com\n"content-type": application/json\n"content-length": 18\n'
            '"@signature-params": ' + params).encode()
    fields = [("date", "Tue, 20 Apr 2021 02:07:55 GMT"), ("content-type", "application/json"),
              ("content-length", "18")]
    request = Request("POST", "https", "example.com", "/foo?param=Value&Pet=dog", fields, b'{"hello": "world"}')
    assert signature_base(parse_dictionary("sig-b26=" + params)["sig-b26"], request) == base
    signature = parse_dictionary("sig-b26=:wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A"
                                 "0w6vuQv5lIp5WPpBKRCw==:")["sig-b26"].value
    ed25519_verify(unb64u(RFC_X), base, signature)
    assert ed25519_public(unb64u(RFC_D)) == unb64u(RFC_X)
    assert ed25519_sign(unb64u(RFC_D), base) == signature


@check("frames", "handshake and session frames open as they were sealed, and no other frame opens")
def _():
    s_private, e_s_private, sid = random_bytes(32), random_bytes(32), random_bytes(16)
    s_pub, e_s_pub, limit = x25519_public(s_private), x25519_public(e_s_private), 1048576
    handshake = Handshake(s_pub)
    handshake.seal(b"p" * 256)
    frame = handshake.frame
    assert frame[:10] == b"\x01\x01" + sha256(s_pub)[:8] and len(frame) == 10 + 32 + 24 + 16 + 256
    e_c_pub, nonce, box = frame[10:42], frame[42:66], frame[66:]
    es, ee = x25519_shared(s_private, e_c_pub), x25519_shared(e_s_private, e_c_pub)
    plaintext = secretbox_open(box, nonce, request_key(s_pub, e_c_pub, es))
    k2, service = response_keys(s_pub, frame, plaintext, e_s_pub, es, ee)
    answer = b"\x01\x02" + e_s_pub + nonce + secretbox(b"r" * 256, nonce, k2)
    for changed in (b"\x02" + answer[1:], b"\x01\x04" + answer[2:], answer[:73]):
        refuses(FrameError, handshake.open, changed, limit)
    refuses(FrameError, handshake.open, answer, 100)
    refuses(CryptoError, handshake.open, answer[:-1] + bytes([answer[-1] ^ 1]), limit)
    refuses(CryptoError, handshake.open, answer[:2] + bytes(32) + answer[34:], limit)
    opened, keys = handshake.open(answer, limit)
    assert opened == b"r" * 256 and keys == service and keys.c2s != keys.s2c

    request = seal_request(keys, sid, b"q" * 256)
    assert request[:18] == b"\x01\x03" + sid and len(request) == 2 + 16 + 24 + 16 + 256
    assert secretbox_open(request[42:], request[18:42], service.c2s) == b"q" * 256
    key = hkdf(service.s2c, request[18:42], b"miniseal/1 response")
    reply = b"\x01\x04" + request[18:42] + nonce + secretbox(b"a" * 256, nonce, key)
    assert open_frame(keys, reply, request, limit) == b"a" * 256
    other = seal_request(keys, sid, b"q" * 256)
    refuses(FrameError, open_frame, keys, reply, other, limit)
    refuses(CryptoError, open_frame, keys, reply[:2] + other[18:42] + reply[26:], other, limit)


@check("configuration", "keys are active from nbf to exp")
def _():
    keys = [{"kid": "a", "public": b"a", "nbf": 1000, "exp": 0}, {"kid": "b", "public": b"b", "nbf": 0, "exp": 1900}]
    configuration = Configuration("", "", 1000, 2000, 0, keys[:1], keys, {})
    assert configuration.agreement_key(500) == b"a"
    assert [set(configuration.signing_keys(at)) for at in (999, 1000, 1900)] == [{"b"}, {"a", "b"}, {"a"}]


def main(only: str = "") -> int:
    """Runs the checks, one JSON line each; 0 when all pass."""
    failed = total = 0
    for group, name, function in CHECKS:
        if only in ("", group):
            line = {"check": "%s: %s" % (group, name), "ok": True}
            try:
                function()
            except Exception as error:  # any exception fails the check
                line.update(ok=False, error="%s: %s" % (type(error).__name__, error))
            total, failed = total + 1, failed + (not line["ok"])
            print(json.dumps(line))
    print(json.dumps({"passed": total - failed, "failed": failed}))
    return 1 if failed else 0


if __name__ == "__main__":
    import self_test
    raise SystemExit(self_test.main())
