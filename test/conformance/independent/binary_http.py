"""Binary HTTP, known-length form (RFC 9292), and the padding of protocol section 5."""
from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import List, Optional, Tuple

KNOWN_LENGTH_REQUEST, KNOWN_LENGTH_RESPONSE = 0, 1
_NAME = re.compile(r"[a-z0-9!#$%&'*+\-.^_`|~]+")
_BAD_VALUE = re.compile(r"[\x00\r\n]|^[ \t]|[ \t]$")


class BinaryHttpError(Exception):
    """The bytes are not the known-length message that was expected."""


class _Fields:
    fields: List[Tuple[str, str]]

    def get(self, name: str) -> Optional[str]:
        """The combined value of a field (RFC 9110 section 5.3), None when it is absent."""
        values = [value.strip(" \t") for key, value in self.fields if key == name.lower()]
        return ", ".join(values) if values else None


@dataclass
class Request(_Fields):
    """An inner request; ``target`` is the path with its query."""
    method: str
    scheme: str
    authority: str
    target: str
    fields: List[Tuple[str, str]] = field(default_factory=list)
    content: bytes = b""


@dataclass
class Response(_Fields):
    """An inner response."""
    status: int
    fields: List[Tuple[str, str]] = field(default_factory=list)
    content: bytes = b""


# ---------------------------------------------------------------- writing

def varint(number: int) -> bytes:
    """Variable-length integer, shortest form (RFC 9000 section 16)."""
    for prefix, size in ((0, 1), (1, 2), (2, 4), (3, 8)):
        if number < 1 << (8 * size - 2):
            return (number | prefix << (8 * size - 2)).to_bytes(size, "big")
    raise BinaryHttpError("number too large")


def _sized(data: bytes) -> bytes:
    return varint(len(data)) + data


def _field_section(fields) -> bytes:
    lines = b""
    for name, value in fields:
        if not _NAME.fullmatch(name) or _BAD_VALUE.search(value):
            raise BinaryHttpError("field %r cannot be written" % name)
        lines += _sized(name.encode("ascii")) + _sized(value.encode("latin-1"))
    return _sized(lines)


def encode_request(request: Request) -> bytes:
    """RFC 9292 sections 3.1 and 3.4; an empty trailer section is written out as one zero byte."""
    control = b"".join(_sized(part.encode("ascii")) for part in
                       (request.method, request.scheme, request.authority, request.target))
    return (varint(KNOWN_LENGTH_REQUEST) + control + _field_section(request.fields)
            + _sized(request.content) + _sized(b""))


def encode_response(response: Response) -> bytes:
    """RFC 9292 sections 3.1 and 3.5."""
    return (varint(KNOWN_LENGTH_RESPONSE) + varint(response.status)
            + _field_section(response.fields) + _sized(response.content) + _sized(b""))


def padded_length(length: int) -> int:
    """max(256, Padme(L)) of protocol section 5."""
    if length <= 256:
        return 256
    e = length.bit_length() - 1
    zero_bits = e - e.bit_length()          # E - S, with S = floor(log2 E) + 1
    mask = (1 << zero_bits) - 1
    return length + mask & ~mask


def pad(message: bytes) -> bytes:
    """The plaintext that is sealed: the message, then zeros."""
    return message.ljust(padded_length(len(message)), b"\0")


# ---------------------------------------------------------------- reading

class _Reader:
    def __init__(self, data: bytes):
        self.data, self.at = data, 0

    def take(self, count: int) -> bytes:
        if self.at + count > len(self.data):
            raise BinaryHttpError("the message is cut short")
        self.at += count
        return self.data[self.at - count:self.at]

    def varint(self) -> int:
        size = 1 << (self.take(1)[0] >> 6)
        self.at -= 1
        return int.from_bytes(self.take(size), "big") & (1 << (8 * size - 2)) - 1

    def sized(self) -> bytes:
        return self.take(self.varint())

    def ended(self) -> bool:
        return self.at == len(self.data)

    def text(self) -> str:
        try:
            return self.sized().decode("ascii")
        except UnicodeDecodeError:
            raise BinaryHttpError("control data is not ASCII")

    def field_section(self) -> List[Tuple[str, str]]:
        """RFC 9292 section 3.6: names in lower case, no pseudo-fields."""
        section, out = _Reader(self.sized()), []
        while not section.ended():
            name = section.sized().decode("latin-1")
            value = section.sized().decode("latin-1")
            if not _NAME.fullmatch(name) or _BAD_VALUE.search(value):
                raise BinaryHttpError("invalid field %r" % name)
            out.append((name, value))
        return out

    def rest(self):
        """Fields, content, trailers, padding; sections cut off at the end are empty (section 3.8).

        Trailers cannot be covered by the signature of protocol section 5, so they are refused.
        """
        fields = [] if self.ended() else self.field_section()
        content = b"" if self.ended() else self.sized()
        trailers = [] if self.ended() else self.field_section()
        if trailers:
            raise BinaryHttpError("trailers are not part of the protocol")
        if any(self.data[self.at:]):
            raise BinaryHttpError("padding is not zero")
        return fields, content


def decode_request(data: bytes) -> Tuple[Request, int]:
    """A known-length request and the length of its unpadded form."""
    reader = _Reader(data)
    if reader.varint() != KNOWN_LENGTH_REQUEST:
        raise BinaryHttpError("not a known-length request")
    method, scheme, authority, target = (reader.text() for _ in range(4))
    fields, content = reader.rest()
    return Request(method, scheme, authority, target, fields, content), reader.at


def decode_response(data: bytes) -> Tuple[Response, int]:
    """A known-length final response and the length of its unpadded form."""
    reader = _Reader(data)
    if reader.varint() != KNOWN_LENGTH_RESPONSE:
        raise BinaryHttpError("not a known-length response")
    status = reader.varint()
    if not 200 <= status <= 599:
        raise BinaryHttpError("status %d is not a final status" % status)
    fields, content = reader.rest()
    return Response(status, fields, content), reader.at


def open_response(plaintext: bytes) -> Response:
    """A sealed response: the message and exactly the padding of protocol section 5."""
    response, used = decode_response(plaintext)
    if len(plaintext) != padded_length(used):
        raise BinaryHttpError("padded to %d instead of %d" % (len(plaintext), padded_length(used)))
    return response
