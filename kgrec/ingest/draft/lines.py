"""YAML text of roles, lists and prefixed names.

Enters: names, IRIs, roles. Leaves: YAML, quoted where plain text would be misread; and the prefixes that it needs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from kgrec.ingest.draft.names import unique
from kgrec.ingest.mapping.prefixes import IRI_PATTERN, PREFIXES

#: a word, or two words joined by a colon, as in prefixed names
_PLAIN = re.compile(r"[A-Za-z_][\w.\-/]*(:[A-Za-z_][\w.\-/]*)?")
#: characters that YAML forbids in text and JSON allows
_UNPRINTABLE = re.compile(r"[\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")
_NO_TEXT = ("y", "n", "yes", "no", "on", "off", "true", "false", "null")
_ENDS = re.compile(r"^(.*[/#:])([^/#:]*)$", re.DOTALL)
_GENERIC = re.compile(
    "ns|ontology|ontologies|onto|terms?|vocab(ulary)?|schema|core|prop(erty|erties)?|rdf|owl|resource|id|entity|elements"
    "|data|www|def|v?[0-9.]+|[a-z]",
    re.IGNORECASE,
)
#: schemes of IRIs, which cannot be prefixes
_IRI_SCHEMES = ("urn", "tag", "info", "mailto", "http", "https")
_MAX_PREFIX_LENGTH = 12


@dataclass(frozen=True)
class Guess:
    """The role of a column or a predicate."""

    #: keys and values in kgrec.yaml, `as` first
    role: Mapping[str, str | Sequence[str]]
    reason: str

    def __str__(self) -> str:
        if len(self.role) == 1:
            return str(self.role["as"])
        return f"{{{', '.join(f'{key}: {written(value)}' for key, value in self.role.items())}}}"


def written(value: str | Iterable[str]) -> str:
    """Text as YAML, plain if it cannot be misread, or a list on one line."""
    if not isinstance(value, str):
        return f"[{', '.join(map(written, value))}]"
    if _PLAIN.fullmatch(value) and value.lower() not in _NO_TEXT:
        return value
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(value, ensure_ascii=False))


def namespace_and_name(iri: str) -> tuple[str, str]:
    """An IRI in two parts: up to the last `/`, `#` or `:`, and the rest."""
    match = _ENDS.match(iri.rstrip("/#"))
    return (match[1], iri[len(match[1]) :]) if match else ("", iri)


def local_name(iri: str) -> str:
    """The last part of an IRI."""
    return namespace_and_name(iri)[1].rstrip("/#")


def is_writable(iri: str) -> bool:
    """Whether kgrec.yaml can hold an IRI, in full or with a prefix."""
    return _can_be_cut(iri) or bool(iri.partition(":")[2].startswith("//") and IRI_PATTERN.fullmatch(iri))


def _can_be_cut(iri: str) -> bool:
    namespace, name = namespace_and_name(iri)
    return bool(name and IRI_PATTERN.fullmatch(namespace)) and not namespace.endswith("://")


class Prefixes:
    """Abbreviates IRIs, and collects the prefixes that they need."""

    def __init__(self, base: str, declared: Mapping[str, str], namespaces: Collection[str]) -> None:
        """Set the known prefixes.

        Args:
            base: Base of the mapping; relative IRIs and relations below it get no prefix.
            declared: Prefix -> namespace, as declared in the files.
            namespaces: All namespaces that occur; default prefixes of these are not used for other namespaces.
        """
        self.base = base
        self.known = {namespace: prefix for prefix, namespace in PREFIXES.items()}
        self.declared = {namespace: prefix for prefix, namespace in declared.items()}
        self.reserved = {prefix for prefix, namespace in PREFIXES.items() if namespace in namespaces}
        #: prefix -> namespace, to be declared in kgrec.yaml
        self.own: dict[str, str] = {}

    def short(self, iri: str) -> str:
        """`iri` with a prefix, or in full if none is possible."""
        namespace, name = namespace_and_name(iri)
        ours = namespace == self.base or namespace.startswith(f"{self.base}relation/")
        if ours or not _can_be_cut(iri):
            return iri
        if namespace not in self.known:
            wanted = self.declared.get(namespace) or _made_of(namespace)
            prefix = unique(wanted, {*self.own, *self.reserved, *_IRI_SCHEMES})
            self.known[namespace] = prefix
            self.own[prefix] = namespace
        return f"{self.known[namespace]}:{name}"

    def lines(self) -> Iterator[str]:
        """Lines of `prefixes:`; none if no prefix is needed."""
        if self.own:
            yield "prefixes:"
            for prefix, namespace in self.own.items():
                yield f"  {written(prefix)}: {written(namespace)}"


def _made_of(namespace: str) -> str:
    """A prefix made of the last specific part of a namespace."""
    host, *path = [part for part in re.split(r"[/#:]", namespace.partition("://")[2] or namespace) if part]
    domains = [part for part in host.split(".")[:-1] if part != "www"][::-1]
    specific = [part for part in reversed(path) if not _GENERIC.fullmatch(part)]
    for part in [*specific, *domains]:
        made = re.sub(r"[^a-z0-9]", "", re.sub(r"-(rdf|owl|ontology|ns)$", "", part.lower()))
        if re.match("[a-z]", made):
            return made[:_MAX_PREFIX_LENGTH]
    return "ns"
