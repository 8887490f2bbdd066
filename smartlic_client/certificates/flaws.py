"""What can be wrong with a certificate as such, whoever presents it to whom."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Flaw", "FlawKind"]


class FlawKind(StrEnum):
    """The kinds; each with what makes it one. They never change: reports carry them."""

    UNREADABLE = "unreadable"
    """It is no certificate in DER; nothing else is known of it."""
    TRAILING_DATA = "trailing-data"
    """Bytes follow the certificate."""
    BAD_VERSION = "bad-version"
    """None of versions 1 to 3, or extensions in an earlier one than 3 (RFC 5280, section 4.1.2.1)."""
    BAD_SERIAL = "bad-serial"
    """Negative, zero, or of more than 20 octets (RFC 5280, section 4.1.2.2)."""
    BAD_NAME = "bad-name"
    """Subject or issuer, or a string in it, can't be read (RFC 5280, section 4.1.2.4)."""
    BAD_DATE = "bad-date"
    """A time of the validity can't be read, or is in the wrong form for its year (section 4.1.2.5)."""
    NEVER_VALID = "never-valid"
    """The validity ends before it begins."""
    BAD_KEY = "bad-key"
    """The key can't be read."""
    UNKNOWN_ALGORITHM = "unknown-algorithm"
    """An algorithm or a curve that is not in the table."""
    ALGORITHMS_DIFFER = "algorithms-differ"
    """The two places that name the signature's algorithm disagree (RFC 5280, section 4.1.1.2)."""
    BAD_EXTENSION = "bad-extension"
    """An extension can't be read, or the list of them."""
    DUPLICATE_EXTENSION = "duplicate-extension"
    """An extension stands there twice (RFC 5280, section 4.2); neither counts."""
    UNKNOWN_CRITICAL_EXTENSION = "unknown-critical-extension"
    """A critical extension that no client has to know: those that don't must refuse (section 4.2)."""


@dataclass(frozen=True, slots=True)
class Flaw:
    """One thing that is wrong. `part`: where, e.g. `subject`; `detail`: how, as the end of a sentence."""

    kind: FlawKind
    part: str
    detail: str

    @property
    def sentence(self) -> str:
        return f"The certificate's {self.part}: {self.detail}."
