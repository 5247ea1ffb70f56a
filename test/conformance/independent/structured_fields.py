"""Structured field dictionaries and items, strictly (RFC 8941; protocol section 5: "strictly").

Values: str = String, int = Integer, Decimal = Decimal, bool = Boolean, bytes = Byte Sequence,
Token = Token. Parameters are a list of (name, value) in their order. Duplicate names are
refused; RFC 8941 uses the last one.
"""
from __future__ import annotations

import base64
import re
from decimal import Decimal
from typing import NamedTuple


class FieldError(Exception):
    """A structured field does not parse."""


class Token(str):
    """An sf-token; a str is an sf-string."""


class Item(NamedTuple):
    value: object
    params: list


class InnerList(NamedTuple):
    items: list
    params: list


_KEY = re.compile(r"[a-z*][a-z0-9_\-.*]*")
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_STRING = re.compile(r'"((?:[\x20-\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"')
_TOKEN = re.compile(r"[A-Za-z*][A-Za-z0-9!#$%&'*+\-.^_`|~:/]*")
_BYTES = re.compile(r":([A-Za-z0-9+/=]*):")
_BOOL = re.compile(r"\?([01])")


class _Parser:
    def __init__(self, text: str):
        self.text, self.at = text, 0

    def peek(self) -> str:
        return self.text[self.at:self.at + 1]

    def take(self, pattern):
        match = pattern.match(self.text, self.at)
        if not match:
            raise FieldError("malformed structured field at %d: %r" % (self.at, self.text))
        self.at = match.end()
        return match

    def skip(self, characters: str) -> None:
        while self.peek() and self.peek() in characters:
            self.at += 1

    def bare_item(self):
        """RFC 8941 section 4.2.3.1."""
        first = self.peek()
        if first == '"':
            return re.sub(r"\\(.)", r"\1", self.take(_STRING).group(1))
        if first == ":":
            text = self.take(_BYTES).group(1)
            try:
                data = base64.b64decode(text, validate=True)
            except ValueError as error:
                raise FieldError("malformed byte sequence: %s" % error)
            if base64.b64encode(data).decode() != text:
                raise FieldError("byte sequence is not canonical")
            return data
        if first == "?":
            return self.take(_BOOL).group(1) == "1"
        if first.isdigit() or first == "-":
            match = self.take(_NUMBER)
            whole, _, part = match.group().lstrip("-").partition(".")
            if len(whole) > (12 if part else 15) or len(part) > 3:
                raise FieldError("number out of range")
            return Decimal(match.group()) if part else int(match.group())
        return Token(self.take(_TOKEN).group())

    def params(self) -> list:
        """RFC 8941 section 4.2.3.2."""
        out = []
        while self.peek() == ";":
            self.at += 1
            self.skip(" ")
            name, value = self.take(_KEY).group(), True
            if self.peek() == "=":
                self.at += 1
                value = self.bare_item()
            if name in dict(out):
                raise FieldError("duplicate parameter %s" % name)
            out.append((name, value))
        return out

    def item(self) -> Item:
        value = self.bare_item()
        return Item(value, self.params())

    def member(self):
        """Item or inner list (RFC 8941 sections 4.2.1.1 and 4.2.1.2)."""
        if self.peek() != "(":
            return self.item()
        self.at += 1
        items = []
        while True:
            self.skip(" ")
            if self.peek() == ")":
                self.at += 1
                return InnerList(items, self.params())
            items.append(self.item())
            if self.peek() not in (" ", ")"):
                raise FieldError("malformed inner list")


def parse_dictionary(text: str) -> dict:
    """RFC 8941 section 4.2.2: name -> Item or InnerList, in order."""
    parser, out = _Parser(text), {}
    parser.skip(" ")
    while parser.peek():
        name = parser.take(_KEY).group()
        if name in out:
            raise FieldError("duplicate dictionary key %s" % name)
        if parser.peek() == "=":
            parser.at += 1
            out[name] = parser.member()
        else:
            out[name] = Item(True, parser.params())
        parser.skip(" \t")
        if not parser.peek():
            break
        parser.take(re.compile(","))
        parser.skip(" \t")
        if not parser.peek():
            raise FieldError("dictionary ends with a comma")
    return out


def serialize_bare(value) -> str:
    """RFC 8941 section 4.1.3.1."""
    if isinstance(value, bool):
        return "?1" if value else "?0"
    if isinstance(value, Token):
        return str(value)
    if isinstance(value, (bytes, bytearray)):
        return ":%s:" % base64.b64encode(value).decode()
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Decimal):
        text = format(value, "f").rstrip("0")
        return text + "0" if text.endswith(".") else text
    if isinstance(value, str) and re.fullmatch(r"[\x20-\x7e]*", value):
        return '"%s"' % value.replace("\\", "\\\\").replace('"', '\\"')
    raise FieldError("no structured field form for %r" % (value,))


def serialize_params(params) -> str:
    """RFC 8941 section 4.1.1.2: a true parameter is its bare name."""
    return "".join(";" + name if value is True else ";%s=%s" % (name, serialize_bare(value))
                   for name, value in params)


def serialize(member) -> str:
    """An Item or an InnerList."""
    if isinstance(member, InnerList):
        inner = " ".join(serialize(item) for item in member.items)
        return "(%s)%s" % (inner, serialize_params(member.params))
    return serialize_bare(member.value) + serialize_params(member.params)
