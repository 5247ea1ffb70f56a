"""Verifies requests that the Miniseal gateway forwards: the verifier of docs/guides/python.md, unchanged."""
import base64, hashlib, json, os, re, time, urllib.request
from urllib.parse import unquote_to_bytes, urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

ORIGIN = os.environ["MINISEAL_ORIGIN"]  # the value of the service, for example https://pay.example.com
COVERED = ("content-type", "content-encoding", "content-digest", "authorization", "idempotency-key",
           "if-none-match", "step-up")
ADDED = ("miniseal-caller", "miniseal-device-key")
PARAMETERS = r'(?:;(?:created=[0-9]{1,15}|nonce="[A-Za-z0-9_-]{22}"|keyid="[A-Za-z0-9_-]{43}"|tag="[a-z-]+")){4}'
# The only accepted form of a path and of a query (protocol, section 11).
PATH = re.compile(r"/|(?:/(?:[A-Za-z0-9._~!$&'()*+,=:@-]|"
                  r"%(?:2[0-46-9A-C]|3[AC-F]|40|5[BDE]|60|7[B-D]|[89A-F][0-9A-F]))+)+/?")
QUERY = re.compile(r"[?](?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-F]{2})*")


class PublishedKeys(dict):
    """Public keys of the service for one use. Fetched for an unknown key, at most once every ten seconds."""
    fetched = 0.0

    def __init__(self, document, use):
        self.document, self.use = document, use

    def __missing__(self, kid):
        if time.time() - self.fetched > 10:
            self.fetched = time.time()
            with urllib.request.urlopen(f"{ORIGIN}/.well-known/{self.document}", timeout=5) as response:
                self.update({key["kid"]: key["x"] for key in json.load(response)["keys"]
                             if key.get("miniseal_use") == self.use})
        return self.get(kid) or refuse("a key that the service does not publish for this use")


token_keys = PublishedKeys("jwks.json", "token")
message_keys = PublishedKeys("miniseal-keys.json", "message")


def refuse(reason):
    raise ValueError(reason)


def b64u(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def unb64u(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


# ---- verifier ----
def verify(method, target, headers, body):
    """Returns the caller: user, device, session, app, acr. Raises unless the request is valid."""
    path, _, query = target.partition("?")
    if not PATH.fullmatch(path) or not QUERY.fullmatch("?" + query) or target == path + "?" or \
            {".", ".."} & set(path.split("/")):
        refuse("the path is not canonical")
    unquote_to_bytes(path).decode()
    fields = {name: headers.get_all(name) for name in (*COVERED, *ADDED, "signature-input", "signature") if name in headers}
    if any(len(values) > 1 for values in fields.values()):
        refuse("a field is repeated")
    fields = {name: value for name, (value,) in fields.items()}
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    if (body or "content-digest" in fields) and fields.get("content-digest") != f"sha-256=:{digest}:" or \
            body and "content-type" not in fields:
        refuse("the body does not match the signed digest")
    values = {**fields, "@method": method, "@authority": urlsplit(ORIGIN).netloc, "@path": path, "@query": "?" + query}
    names = ["@method", "@authority", "@path", "@query", *(name for name in COVERED if name in fields)]
    own = fields.get("miniseal-device-key", "")
    device = b64u(hashlib.sha256(f'{{"crv":"Ed25519","kty":"OKP","x":"{own}"}}'.encode()).digest())
    for label, tag, age, keys in ("sig", "miniseal", 130, {device: own}), ("gateway", "miniseal-gateway", 60, message_keys):
        names += ADDED if label == "gateway" else ()
        components = re.escape("(" + " ".join(f'"{name}"' for name in names) + ")")
        covered = re.search(f"(?:^|, ){label}=({components}({PARAMETERS}))(?:, |$)", fields.get("signature-input", ""))
        signature = re.search(f"(?:^|, ){label}=:([A-Za-z0-9+/=]+):(?:, |$)", fields.get("signature", ""))
        if not covered or not signature:
            refuse(f"no signature {label} over the required components")
        given = dict(re.findall(r';(\w+)="?([\w-]+)', covered[2]))
        if len(given) != 4 or given["tag"] != tag or not -20 <= time.time() - int(given["created"]) <= age:
            refuse(f"the signature {label} has expired or has another tag")
        base = "".join(f'"{name}": {values[name]}\n' for name in names) + f'"@signature-params": {covered[1]}'
        key = Ed25519PublicKey.from_public_bytes(unb64u(keys[given["keyid"]]))
        key.verify(base64.b64decode(signature[1]), base.encode())
    scheme, _, token = fields.get("authorization", "").partition(" ")
    head, payload, signature = token.split(".")
    header, claims = json.loads(unb64u(head)), json.loads(unb64u(payload))
    if scheme != "HTTPSig" or header["alg"] != "EdDSA" or header["typ"] != "at+jwt":
        refuse("no access token")
    key = Ed25519PublicKey.from_public_bytes(unb64u(token_keys[header["kid"]]))
    key.verify(unb64u(signature), f"{head}.{payload}".encode())
    if claims["iss"] != ORIGIN or claims["aud"] != ORIGIN or claims["exp"] + 20 < time.time():
        refuse("the access token has expired or is of another service")
    if claims["cnf"]["jkt"] != device:
        refuse("the access token is of another device")
    token_caller = {"user": claims["sub"], "device": device, "session": claims["sid"], "app": claims["client_id"]}
    for acr in "session", "soter":
        caller = {**token_caller, "acr": acr}
        if fields["miniseal-caller"] == ", ".join(f'{name}="{value}"' for name, value in caller.items()):
            return caller
    refuse("the caller does not match the access token")
# ---- end of the verifier ----
