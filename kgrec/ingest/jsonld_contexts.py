"""Remote contexts of JSON-LD, replaced by built-in ones; nothing is fetched.

Enters: JSON-LD as a byte stream. Leaves: the same stream, in which the content of each known remote context replaces its
address. Line numbers do not change.
"""

from __future__ import annotations

import json
import re
from typing import Any

from kgrec.errors import SourceError

_KEY = re.compile(rb'(?<!\\)"@context"\s*:\s*')
_STRING = re.compile(rb'"([^"\\]*)"')
#: end of a piece that may be the beginning of a key `@context`
_BEGUN = re.compile(rb'"(@[a-z]{0,7}|@context"\s*|@context"\s*:\s*)?$')
_PIECE, _LONGEST = 1 << 16, 1 << 20
#: largest depth of contexts within contexts
_DEEPEST = 50

#: properties of schema.org whose values are addresses; values of other properties may also be text
_SCHEMA_LINKS = [
    "additionalType",
    "codeRepository",
    "contentUrl",
    "discussionUrl",
    "downloadUrl",
    "embedUrl",
    "image",
    "installUrl",
    "license",
    "logo",
    "mainEntityOfPage",
    "map",
    "paymentUrl",
    "relatedLink",
    "sameAs",
    "significantLink",
    "thumbnailUrl",
    "trackingUrl",
    "url",
]
#: schema.org's context, by its rules: terms are below its vocabulary, and addresses are nodes
_SCHEMA_ORG: dict[str, Any] = {
    "@vocab": "http://schema.org/",
    "id": "@id",
    "type": "@type",
    "schema": "http://schema.org/",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "owl": "http://www.w3.org/2002/07/owl#",
    "skos": "http://www.w3.org/2004/02/skos/core#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
    "dct": "http://purl.org/dc/terms/",
    "dcterms": "http://purl.org/dc/terms/",
    "foaf": "http://xmlns.com/foaf/0.1/",
    **{name: {"@type": "@id"} for name in _SCHEMA_LINKS},
}
#: address without scheme, www and final slash -> context
_KNOWN = dict.fromkeys(
    (
        "schema.org",
        "schema.org/docs/jsonldcontext.json",
        "schema.org/docs/jsonldcontext.jsonld",
        "schema.org/docs/jsonldcontext.json.txt",
    ),
    _SCHEMA_ORG,
)


class KnownContexts:
    """A byte stream of JSON-LD with the content of known remote contexts."""

    def __init__(self, stream: Any, name: str) -> None:
        self.stream, self.name = stream, name
        self.ready, self.given, self.held = b"", 0, b""
        self.line, self.ended = 1, False
        #: the last context and its replacement: most files repeat one
        self.written: dict[bytes, bytes] = {}

    def read(self, size: int = -1) -> bytes:
        """Read the next bytes.

        Raises:
            SourceError: A remote context is unknown.
        """
        while self.given >= len(self.ready) and not self.ended:
            data = bytes(self.stream.read(_PIECE))
            self.ended = not data
            self.ready, self.given = self._replaced(self.held + data), 0
        begin = self.given
        self.given = begin + size if size > 0 else len(self.ready)
        return self.ready[begin : self.given]

    def _replaced(self, text: bytes) -> bytes:
        """`text` with its contexts replaced, up to an incomplete one, which is held back."""
        done: list[bytes] = []
        at = 0
        while match := _KEY.search(text, at):
            self.line += text.count(b"\n", at, match.end())
            span = _value(text, match.end())
            if span is None and not self.ended and len(text) - match.start() < _LONGEST:
                self.line -= text.count(b"\n", match.start(), match.end())
                return self._hold(text, at, match.start(), done)
            done.append(text[at : match.end()])
            at = match.end()
            if span is not None:
                value, end = span
                done.append(self._written(value, text[at:end]))
                self.line += text.count(b"\n", at, end)
                at = end
        begun = None if self.ended else _BEGUN.search(text, max(at, len(text) - 1000))
        end = begun.start() if begun else len(text)
        self.line += text.count(b"\n", at, end)
        return self._hold(text, at, end, done)

    def _hold(self, text: bytes, at: int, end: int, done: list[bytes]) -> bytes:
        self.held = text[end:]
        return b"".join([*done, text[at:end]])

    def _written(self, value: Any, text: bytes) -> bytes:
        if text not in self.written:
            replaced = self._known(value, 0)
            plain = json.dumps(replaced, separators=(",", ":")).encode()
            # JSON allows line breaks between values
            self.written = {text: text if replaced == value else plain + b"\n" * text.count(b"\n")}
        return self.written[text]

    def _known(self, value: Any, depth: int) -> Any:
        """A context in which known addresses are replaced by their contexts."""
        if depth > _DEEPEST:
            raise SourceError(
                f"{self.name}:{self.line}: a JSON-LD context is nested more than {_DEEPEST} levels deep.",
                "Flatten it, or convert the file to N-Triples.",
            )
        if isinstance(value, str):
            return self._by_address(value)
        if isinstance(value, list):
            return [self._known(part, depth + 1) for part in value]
        if not isinstance(value, dict):
            return value
        own = {key: self._term(key, part, depth + 1) for key, part in value.items() if key != "@import"}
        return {**self._by_address(str(value["@import"])), **own} if "@import" in value else own

    def _term(self, key: str, value: Any, depth: int) -> Any:
        """A term of a context, which may have a context of its own."""
        if not isinstance(value, dict) or key == "@context":
            return value
        return {
            name: self._known(part, depth) if name == "@context" else part for name, part in value.items()
        }

    def _by_address(self, address: str) -> dict[str, Any]:
        short = re.sub(r"^(https?:)?//(www\.)?", "", address.strip(), flags=re.IGNORECASE).rstrip("/#")
        if short.lower() not in _KNOWN:
            raise SourceError(
                f"{self.name}:{self.line}: the JSON-LD context '{address}' is not known, and nothing is fetched.",
                'Write its content in its place, `"@context": {...}`, or convert the file to N-Triples. Known: https://schema.org.',
            )
        return _KNOWN[short.lower()]


def _value(text: bytes, at: int) -> tuple[Any, int] | None:
    """The JSON value that starts at `at`, and its end; None if it is incomplete, or not JSON."""
    if found := _STRING.match(text, at):
        return found[1].decode("utf-8", "replace"), found.end()
    for length in (4096, _LONGEST):
        # in Latin-1 each byte is a character, so the end can be found before the bytes are decoded
        try:
            _, end = json.JSONDecoder().raw_decode(text[at : at + length].decode("latin-1"))
            return json.loads(text[at : at + end].decode("utf-8")), at + end
        except (ValueError, RecursionError):
            continue
    return None
