"""Explains errors in RDF files, with the line and a remedy.

Enters: an error of the parser, whose message is for developers, and the file. Leaves: a `SourceError`.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any
from urllib.parse import quote
from xml.parsers import expat

from kgrec.errors import SourceError
from kgrec.ingest.batches import line_not_in
from kgrec.ingest.build_report import shown
from kgrec.ingest.compressed import open_bytes
from kgrec.ingest.rdf_sniff import NAMES, is_another, rdf_by_content
from kgrec.ingest.sources import Source

_HEAD, _LONGEST = 10_000, 1 << 16
#: errors of expat for incomplete XML
_UNCLOSED = [
    expat.errors.codes[text]
    for text in (expat.errors.XML_ERROR_NO_ELEMENTS, expat.errors.XML_ERROR_UNCLOSED_TOKEN)
]
_SKIPS = "or convert the file to N-Triples, in which bad lines are counted and skipped"
_NO_XML = "Convert it to a table, JSON lines or RDF; kgrec reads no other XML."
_INCOMPLETE = (
    "Complete it: the download may be incomplete, or a quote or a bracket that opens there is never closed."
)
#: message of the parsers -> what is wrong, and the remedy; {0} is the part that the message names
_MEANINGS: list[tuple[str, str, str]] = [
    (
        r"The prefix (\S*?):? has not been declared",
        "the prefix '{0}:' is not declared",
        "Declare it at the beginning of the file: @prefix {0}: <http://...> .",
    ),
    (
        r"Unknown prefix (\S*?):",
        "the prefix '{0}:' is not declared",
        'Declare it in the first element: xmlns:{0}="http://..."',
    ),
    (
        r"Invalid IRI code point '(.+?)'",
        "an IRI has the character '{0}', which no IRI may have",
        f"Write {{1}} instead, {_SKIPS}.",
    ),
    (
        r"Invalid IRI percent encoding",
        "an IRI has a '%' without two hexadecimal digits after it",
        f"Write %25 instead, {_SKIPS}.",
    ),
    (
        r"No scheme found in an absolute IRI|relative IRI",
        "an IRI is not complete",
        "Write it with its beginning, such as http://, or declare a base in the file.",
    ),
    (
        r"duplicated attribute",
        "an element has the same attribute twice",
        f"Remove one of them, {_SKIPS}.",
    ),
    (
        r"unrecognized entity `(\w+)`",
        "the entity '&{0};' is not declared",
        "Write the character itself; XML knows only &amp; &lt; &gt; &quot; &apos;.",
    ),
    (r"Cannot find ';' after '&'", "an '&' is not part of an entity", "Write &amp; instead."),
    (
        r"expected `(</\S+>)`, but `(</\S+>)` was found",
        "'{1}' occurs where '{0}' must close the element",
        f"Close the elements in reverse order, {_SKIPS}.",
    ),
    (r"XML namespaces are required", "it is XML without RDF", _NO_XML),
    (
        r"Unexpected text event",
        "there is text outside the elements of RDF/XML",
        f"Check that the file is RDF/XML, {_SKIPS}.",
    ),
    (
        r"already contains one root element",
        "a second JSON value begins, but JSON-LD has only one",
        "Put the values into one array, for example with: jq -s .",
    ),
    (
        r"Only UTF-8 is supported",
        "it declares another encoding than UTF-8",
        "Save it as UTF-8, for example with iconv, and take `encoding=` out of its first line.",
    ),
    (
        r"Unexpected escape character '(\\?.+?)'",
        "a string has the escape '{0}', which does not exist",
        "Write two backslashes for one backslash.",
    ),
    (r"Trailing commas", "a comma precedes a closing bracket", "Remove the comma."),
    (
        r"Max stack size",
        "it is nested more than 1,000 levels deep",
        "Flatten it, or convert it to N-Triples.",
    ),
    (
        r"remote contexts",
        "it names a JSON-LD context by its address, and nothing is fetched",
        'Replace the address with the content of the context: `"@context": {...}`.',
    ),
    (
        r"A dot is expected at the end of statements",
        "a statement does not end in '.', or has too many parts",
        f"End it with ' .', {_SKIPS}.",
    ),
    (r"Unexpected end|tag not closed", "it ends within a statement that begins there", _INCOMPLETE),
    (r"@context value must be", "`@context` is not an object, an address or a list", "Correct it."),
    (r"Invalid (@\w+) value", "'{0}' has an invalid value", "Correct it."),
]


def explained(error: SyntaxError, source: Source, kind: str, line: int) -> SourceError:
    """The error for a file that cannot be parsed.

    Args:
        error: What the parser raised.
        source: The file.
        kind: The format in which it was read.
        line: Line of the error; 0 if the parser does not give it.
    """
    refuse_another(source, kind, _head(source))
    if bad := line_not_in(source, "utf-8"):
        return _not_utf8(source, bad)
    words = re.sub(
        r"^Parser error.*?(at|between) line.*?: |\s*\(line \d+\)$", "", str(error.msg or error).strip()
    )
    line = line or (_line_of_xml(source, words) if kind == "rdfxml" else 0)
    text = _text_of(source, line)
    place = f"{source.name}:{line}" if line else source.name
    if "\0" in text or "\0" in words:
        return _nul(place)
    for pattern, what, way_out in _MEANINGS:
        if match := re.search(pattern, words):
            named = [*match.groups(), *(quote(group, safe="") for group in match.groups())]
            return SourceError(f"{place}: {what.format(*named)}.", way_out.format(*named))
    near = f": {shown(text)}" if text else ""
    return SourceError(f"{place}: this is not valid {NAMES[kind]}{near}.", f"Correct it, {_SKIPS}.")


def no_line(source: Source, kind: str) -> SourceError:
    """The error for a file in a line-based format, if no line can be read."""
    with open_bytes(source.path) as stream:
        lines = enumerate(_lines(stream), 1)
        number, first = next(((n, line) for n, line in lines if line.strip() and line[:1] != b"#"), (1, b""))
    if bad := line_not_in(source, "utf-8"):
        return _not_utf8(source, bad)
    text = shown(first.decode("utf-8", "replace").strip())
    return SourceError(
        f"{source.name}:{number}: no line is {NAMES[kind]}, the first is {text}.",
        "Give the right `format:` beside `file:` in the mapping; tables are read under `nodes:` or `edges:`.",
    )


def refuse_another(source: Source, kind: str, head: bytes) -> None:
    """Raise SourceError for a file whose first bytes show that it has another format.

    Raises:
        SourceError: The file has another format.
    """
    found = rdf_by_content(head)
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise SourceError(
            f"{source.name} is encoded in UTF-16.",
            "Save it as UTF-8, for example: iconv -f utf-16 -t utf-8.",
        )
    if not is_another(found, kind):
        return
    assert found is not None
    problem = f"{source.name} is {NAMES[found]}, not {NAMES[kind]}."
    if found == "html":
        raise SourceError(problem, "Download the data itself instead of the page that shows or offers it.")
    if found == "xml":
        raise SourceError(problem, _NO_XML)
    raise SourceError(problem, f"Write `format: {found}` beside `file:` in the mapping, or rename the file.")


def check_end(source: Source) -> None:
    """Check for faults that the RDF/XML parser ignores: a file that ends between two elements, and NUL bytes.

    Raises:
        SourceError: An element is not closed, or there is a NUL byte.
    """
    with open_bytes(source.path) as stream:
        parser = expat.ParserCreate()
        try:
            parser.ParseFile(stream)
        except expat.ExpatError as error:
            line, is_open = error.lineno, error.code in _UNCLOSED
        else:
            return
    if "\0" in _text_of(source, line):
        raise _nul(f"{source.name}:{line}")
    if is_open:
        raise SourceError(
            f"{source.name}:{line}: it ends before its elements are closed.",
            "Complete it: the download may be incomplete.",
        )


def _nul(place: str) -> SourceError:
    return SourceError(
        f"{place}: there is a NUL byte.",
        "The file is damaged, or is not text: get it again, or remove such bytes, for example with tr -d '\\000'.",
    )


def _not_utf8(source: Source, line: int) -> SourceError:
    return SourceError(
        f"{source.name}:{line}: not encoded in utf-8.",
        "Save it as UTF-8, for example: iconv -f latin1 -t utf-8.",
    )


def _head(source: Source) -> bytes:
    with open_bytes(source.path) as stream:
        return bytes(stream.read(_HEAD))


def _text_of(source: Source, line: int) -> str:
    """The text of a line, up to a few thousand characters."""
    with open_bytes(source.path) as stream:
        found = next(islice(_lines(stream), line - 1, None), b"") if line else b""
    return found.decode("utf-8", "replace").strip()


def _lines(stream: Any) -> Iterator[bytes]:
    """The lines of a stream; a line that is too long is cut, and its rest is skipped."""
    buffered = io.BufferedReader(stream)
    while line := buffered.readline(_LONGEST):
        yield line
        while line and not line.endswith(b"\n"):
            line = buffered.readline(_LONGEST)


def _line_of_xml(source: Source, words: str) -> int:
    """The line of an error in XML for which the parser gives no line; 0 if it is not found."""
    named = re.search(r"IRI '(.+?)'", words)
    with open_bytes(source.path) as stream:
        if named:
            return next(
                (number for number, line in enumerate(_lines(stream), 1) if named[1].encode() in line), 0
            )
        parser = expat.ParserCreate(namespace_separator=" ")
        try:
            parser.ParseFile(stream)
        except expat.ExpatError as error:
            return error.lineno
    return 0
