"""Helpers of the vector checks: comparisons and codes of refusals."""
from __future__ import annotations

from primitives import CryptoError


class Refused(Exception):
    """A refusal with its code (protocol section 7)."""

    def __init__(self, code: str, why: str = ""):
        super().__init__("%s: %s" % (code, why))
        self.code = code


def same(actual, expected, title: str) -> None:
    if actual != expected:
        raise AssertionError("%s: %r instead of %r" % (title, actual, expected))


def code_of(function, *args):
    """The code of a refusal, None for success. A CryptoError means ``cannot_open``."""
    try:
        function(*args)
    except Refused as error:
        return error.code
    except CryptoError:
        return "cannot_open"
    return None


def refuses(kind, function, *args) -> bool:
    try:
        function(*args)
    except kind:
        return True
    return False
