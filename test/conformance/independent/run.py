r"""Checks a running service with a client written from docs/reference/protocol.md alone.

    python3 run.py --origin http://127.0.0.1:8787 --root <b64u> --sandbox http://127.0.0.1:8788 \
                   --appid wx0123456789abcdef
    python3 run.py --self-test

One JSON line per check, then {"passed": n, "failed": m}. The exit code is 0 only if all pass.
``--root`` is the raw 32 byte Ed25519 root key, b64u; it may be given more than once.
"""
from __future__ import annotations

import argparse
import base64
import json
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))

from checks_refused import REFUSED_CHECKS  # noqa: E402
from configuration import strict_json, thumbprint  # noqa: E402
from miniseal_client import Client, Refused, encode_json  # noqa: E402
from primitives import b64u, ed25519_verify, random_bytes, unb64u  # noqa: E402
from transport import ClearProblem, http  # noqa: E402

TRANSFER = {"payee": "bob", "amount": 1250, "currency": "CNY", "note": "lunch"}


def require(condition, message: str) -> None:
    if not condition:
        raise AssertionError(message)


def expect(answer, status: int):
    """The JSON of a success with this status."""
    require(answer.status == status, "status %d %s" % (answer.status, answer.code or ""))
    return answer.json()


class Run:
    """State shared by the checks of one run."""

    def __init__(self, origin: str, roots, sandbox: str, appid: str):
        self.client = Client(origin, roots, appid)
        self.sandbox, self.appid = sandbox.rstrip("/"), appid
        self.transfer_key, self.transfer_id, self.balance = b64u(random_bytes(16)), None, None
        self.transfer_frame = self.list_frame = None
        self.code = None

    def login_code(self) -> str:
        status, _, body = http("POST", self.sandbox + "/sandbox/codes",
                               json.dumps({"appid": self.appid}).encode(), "application/json")
        require(status in (200, 201), "the sandbox answered %d" % status)
        return strict_json(body)["code"]

    # ---------------------------------------------------- checks; each returns details for its line

    def configuration(self):
        """Section 3: JWS under the pinned root key."""
        configuration = self.client.configure()
        return {"iss": configuration.issuer, "max_frame": configuration.max_frame,
                "window": configuration.payload["window"]}

    def configuration_agreement_kids(self):
        """Section 3: the kid of an agreement key is its RFC 7638 thumbprint."""
        for key in self.client.configure().agreement:
            require(key["kid"] == thumbprint(key["public"], "X25519"), "kid %s" % key["kid"])

    def login(self):
        """Section 6: handshake with a wx.login code."""
        self.code = self.login_code()
        result = self.client.login(self.code).json()
        require(type(result["device"]["new"]) is bool, "device.new is not a boolean")
        require(type(result["time"]) is int and abs(result["time"] - time.time()) < 120, "time is off")
        require(result["session"]["expires_at"] > result["time"], "the session is over already")
        require(result["expires_in"] == 600, "expires_in is %r" % result["expires_in"])
        return {"user": result["user"], "device_new": result["device"]["new"]}

    def access_token(self):
        """Section 6: at+jwt bound to the device key, under a key of the JWKS."""
        header, payload, signature = self.client.token.split(".")
        head, claims = strict_json(unb64u(header)), strict_json(unb64u(payload))
        require(head.get("alg") == "EdDSA" and head.get("typ") == "at+jwt", "header %r" % head)
        status, _, body = http("GET", self.client.origin + "/.well-known/jwks.json")
        require(status == 200, "the JWKS answered %d" % status)
        keys = {key.get("kid"): key for key in strict_json(body)["keys"]}
        require(head.get("kid") in keys, "kid %r is not in the JWKS" % head.get("kid"))
        require({key.get("miniseal_use") for key in keys.values()} == {"token"}, "a key of the JWKS is for no token")
        status, _, body = http("GET", self.client.origin + "/.well-known/miniseal-keys.json")
        signing = {key["kid"]: key for key in strict_json(body)["keys"]}
        require({key.get("miniseal_use") for key in signing.values()} == {"message"}, "a key that signs no message")
        require(set(signing) == {key["kid"] for key in self.client.configure().signing}, "not the configuration's keys")
        require(not set(signing) & set(keys), "a key has two purposes")
        ed25519_verify(unb64u(keys[head["kid"]]["x"]), ("%s.%s" % (header, payload)).encode(), unb64u(signature))
        missing = [n for n in "iss aud sub exp iat jti client_id sid cnf".split() if n not in claims]
        require(not missing, "claims missing: %s" % missing)
        require(claims["cnf"] == {"jkt": self.client.keyid}, "cnf %r" % claims["cnf"])
        require(claims["exp"] - claims["iat"] == 600, "the token does not live 10 minutes")
        require(claims["iss"] == self.client.configure().issuer, "iss %r" % claims["iss"])

    def wallet(self):
        expect(self.client.request("GET", "/wallet"), 200)

    def transfer(self):
        self.transfer_frame = self.client.prepare("POST", "/wallet/transfers", encode_json(TRANSFER),
                                                  {"content-type": "application/json"},
                                                  idempotency_key=self.transfer_key)
        answer = self.client.exchange(self.transfer_frame)
        result = expect(answer, 201)
        missing = [name for name in ("id", "status", "balance") if name not in result]
        require(not missing, "members missing: %s" % missing)
        self.transfer_id, self.balance = result["id"], result["balance"]
        return {"result": result, "receipt": answer.get("miniseal-receipt")}

    def transfer_listed(self):
        self.list_frame = self.client.prepare("GET", "/wallet/transfers")
        answer = self.client.exchange(self.list_frame)
        text = json.dumps(expect(answer, 200))
        require(json.dumps(self.transfer_id) in text, "the transfer is not in the list")

    def same_frame_again(self):
        """Section 5, nonce claimed: a sealed, signed refusal ``replayed``."""
        return self._replayed(self.list_frame)

    def same_transfer_frame_again(self):
        return self._replayed(self.transfer_frame)

    def _replayed(self, sent):
        answer = self.client.exchange(sent)
        require(answer.code == "replayed", "got %d %s" % (answer.status, answer.code))
        return {"status": answer.status}

    def idempotent_retry(self):
        """Section 8: new frame, same key: the stored answer, newly signed."""
        answer = self.client.request("POST", "/wallet/transfers", TRANSFER, idempotency_key=self.transfer_key)
        result = expect(answer, 201)
        require(result["id"] == self.transfer_id and result["balance"] == self.balance, "another answer")
        require(answer.get("idempotency-replayed") == "true", "no Idempotency-Replayed: true")

    def outcome_stored(self):
        """Section 8: GET /outcomes/{key} gives the stored answer."""
        outcome = self.client.outcome(self.transfer_key)
        require(outcome["outcome"] == "done" and outcome["answer"]["status"] == 201, "got %r" % outcome)
        stored = strict_json(base64.b64decode(outcome["answer"]["content"], validate=True))
        require(stored["id"] == self.transfer_id, "another answer")
        require(self.client.outcome("never used") == {"outcome": "unclaimed"}, "an unused key")

    def duplicate_delivered_first(self):
        """Section 8: the network delivers a copy first. ``replayed`` does not settle the outcome; there is one effect."""
        left = [1]

        def copying(method, url, body=None, kind=None):
            if left and url.endswith("/seal"):
                left.pop()
                http(method, url, body, kind)
            return http(method, url, body, kind)

        self.client._http = copying
        try:
            answer = self.client.request("POST", "/wallet/transfers", TRANSFER)
        finally:
            self.client._http = http
        result = expect(answer, 201)
        require(answer.get("idempotency-replayed") == "true", "the copy did not run")
        require(result["balance"] == self.balance - TRANSFER["amount"], "not one effect")
        self.balance = result["balance"]

    def cancelled(self):
        """Section 8: a delayed frame does not run after its key was cancelled."""
        key = b64u(random_bytes(16))
        held = self.client.prepare("POST", "/wallet/transfers", encode_json(TRANSFER),
                                   {"content-type": "application/json"}, idempotency_key=key)
        for _ in range(2):
            require(self.client.cancel(key) == {"outcome": "none", "cancelled": True}, "not cancelled")
        answer = self.client.exchange(held)
        require((answer.code, answer.outcome, answer.status) == ("request_cancelled", "none", 409), "got %s" % answer.code)
        require(self.client.outcome(key) == {"outcome": "none", "cancelled": True}, "outcome not stored")
        require(expect(self.client.request("GET", "/wallet"), 200)["balance"] == self.balance, "it ran")
        require(self.client.cancel(self.transfer_key)["outcome"] == "done", "a completed request was cancelled")

    def refusal_stored(self):
        """Section 8: ``none`` settles the key with the refusal."""
        key = b64u(random_bytes(16))
        first = self.client.request("POST", "/nothing-here", TRANSFER, idempotency_key=key)
        require((first.code, first.outcome) == ("not_found", "none"), "got %s %s" % (first.code, first.outcome))
        again = self.client.request("POST", "/nothing-here", TRANSFER, idempotency_key=key)
        require(again.problem() == first.problem(), "another refusal")
        require(again.get("idempotency-replayed") == "true", "no Idempotency-Replayed: true")
        require(self.client.cancel(key) == {"outcome": "none", "cancelled": False}, "cancelled")

    def created_one_hour_off(self):
        """Section 7: ``window_invalid`` carries ``time``."""
        answer = self.client.exchange(self.client.prepare("GET", "/wallet", created=self.client.now() - 3600))
        require(answer.code == "window_invalid", "got %d %s" % (answer.status, answer.code))
        stamp = answer.problem().get("time")
        require(type(stamp) is int and abs(stamp - time.time()) < 120, "time is %r" % stamp)
        return {"status": answer.status, "time": stamp}

    def clock_corrected_once(self):
        """Section 7: with a clock one hour slow, the client takes the offset and signs again."""
        self.client.offset = -3600
        try:
            expect(self.client.request("GET", "/wallet"), 200)
            require(abs(self.client.offset) < 120, "offset %d" % self.client.offset)
        finally:
            self.client.offset = 0

    def token_renewed(self):
        before = self.client.token
        answer = self.client.renew()
        require(self.client.token != before, "the token is the same")
        expect(self.client.request("GET", "/wallet"), 200)
        return {"status": answer.status}

    def base64_text_form(self):
        """Section 4: the answer comes in the same form."""
        expect(self.client.request("GET", "/wallet", text=True), 200)

    def login_code_twice(self):
        """Section 6: a refused login is sealed and signed, in a frame 0x02."""
        other = Client(self.client.origin, self.client.roots, self.appid)
        try:
            other.login(self.code)
        except Refused as refusal:
            require(refusal.answer.code in ("login_code_used", "login_code_invalid"), "got %s" % refusal)
            return {"code": refusal.answer.code, "status": refusal.answer.status}
        raise AssertionError("a code was accepted twice")

    def logout(self):
        answer = self.client.logout()
        require(200 <= answer.status < 300, "status %d %s" % (answer.status, answer.code or ""))
        return {"status": answer.status}

    def after_logout(self):
        """``session_ended`` sealed, or ``unknown_session`` in the clear."""
        try:
            answer = self.client.exchange(self.client.prepare("GET", "/wallet"))
        except ClearProblem as problem:
            require(problem.code == "unknown_session", "got %s" % problem)
            return {"code": problem.code, "sealed": False}
        require(answer.code == "session_ended", "got %d %s" % (answer.status, answer.code))
        return {"code": answer.code, "sealed": True}


CHECKS = ("configuration", "configuration_agreement_kids", "login", "access_token", "wallet", "transfer",
          "transfer_listed", "same_frame_again", "same_transfer_frame_again", "idempotent_retry",
          "outcome_stored", "duplicate_delivered_first", "cancelled", "refusal_stored",
          "created_one_hour_off", "clock_corrected_once", "token_renewed", "base64_text_form",
          *REFUSED_CHECKS, "login_code_twice", "logout", "after_logout")


def main() -> int:
    parser = argparse.ArgumentParser(description="Independent check of a Miniseal service")
    parser.add_argument("--self-test", action="store_true")
    parser.add_argument("--origin", default="http://127.0.0.1:8787")
    parser.add_argument("--root", action="append", default=[])
    parser.add_argument("--sandbox", default="http://127.0.0.1:8788")
    parser.add_argument("--appid", default="wx0123456789abcdef")
    options = parser.parse_args()
    if options.self_test:
        import self_test
        return self_test.main()
    if not options.root:
        parser.error("--root is needed")
    run = Run(options.origin, [unb64u(root) for root in options.root], options.sandbox, options.appid)
    failed = 0
    for name in CHECKS:
        check = REFUSED_CHECKS.get(name) or getattr(Run, name)
        line = {"check": name, "ok": True}
        try:
            line.update(check(run) or {})
        except Exception as error:  # any exception fails the check
            line.update(ok=False, error="%s: %s" % (type(error).__name__, error))
            failed += 1
        print(json.dumps(line), flush=True)
    print(json.dumps({"passed": len(CHECKS) - failed, "failed": failed}))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
