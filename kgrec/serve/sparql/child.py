"""The process that answers SPARQL queries: `python -m kgrec.serve.sparql.child`.

Enters: JSON objects on standard input, one per line: query and form. Leaves: JSON objects on standard output, one per line: the answer, or an error. Reads an
index written by the first form of the command.

    child build FILE.nt FOLDER      writes the index
    child answer FOLDER ROWS BYTES  answers from the index, with at most this much memory
"""

from __future__ import annotations

import ctypes
import json
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pyoxigraph

#: option of prctl that sets the signal for the end of the parent
_PARENT_DEATH = 1


def main(words: list[str]) -> None:
    """Build the index, or answer queries until the input ends."""
    if words[0] == "build":
        store = pyoxigraph.Store(words[2])
        store.bulk_load(path=words[1], format=pyoxigraph.RdfFormat.N_TRIPLES)
        store.optimize()
        store.flush()
        return
    _end_with_parent()
    rows, prefixes = int(words[2]), json.loads(words[4])
    store = pyoxigraph.Store.read_only(words[1])
    _limit(int(words[3]))
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            value = answered(store, asked["query"], rows, prefixes)
        except MemoryError:
            value = {"error": "the query needs more memory than allowed"}
        except (SyntaxError, ValueError, OSError, RuntimeError) as error:
            value = {"error": str(error)}
        print(json.dumps(value, ensure_ascii=True), flush=True)


def answered(store: pyoxigraph.Store, query: str, rows: int, prefixes: dict[str, str]) -> dict[str, Any]:
    """The answer as SPARQL 1.1 Query Results JSON, or statements as N-Triples; truncated after `rows` rows."""
    result = store.query(query, prefixes=prefixes)
    if isinstance(result, pyoxigraph.QueryBoolean):
        return {"results": {"head": {}, "boolean": bool(result)}, "truncated": False}
    if isinstance(result, pyoxigraph.QuerySolutions):
        names = [variable.value for variable in result.variables]
        found, more = _first(result, rows, lambda one: _binding(names, one))
        return {"results": {"head": {"vars": names}, "results": {"bindings": found}}, "truncated": more}
    statements, more = _first(result, rows, lambda one: f"{one} .\n")
    return {"statements": "".join(statements), "truncated": more}


def _first(result: Any, rows: int, value: Callable[[Any], Any]) -> tuple[list[Any], bool]:
    """At most `rows` values, and whether there are more."""
    found: list[Any] = []
    for one in result:
        if len(found) == rows:
            return found, True
        found.append(value(one))
    return found, False


def _binding(names: list[str], solution: Any) -> dict[str, Any]:
    terms = {name: solution[name] for name in names}
    return {name: _term(term) for name, term in terms.items() if term is not None}


def _term(term: Any) -> dict[str, Any]:
    if isinstance(term, pyoxigraph.NamedNode):
        return {"type": "uri", "value": term.value}
    if isinstance(term, pyoxigraph.BlankNode):
        return {"type": "bnode", "value": term.value}
    if not isinstance(term, pyoxigraph.Literal):
        return {"type": "literal", "value": str(term)}
    value = {"type": "literal", "value": term.value}
    if term.language:
        return {**value, "xml:lang": term.language}
    plain = term.datatype.value == "http://www.w3.org/2001/XMLSchema#string"
    return value if plain else {**value, "datatype": term.datatype.value}


def _limit(bytes_: int) -> None:
    """Limit the memory of this process to this number of bytes beyond the memory already mapped."""
    with suppress(ImportError, ValueError, OSError):
        import resource

        import psutil

        most = psutil.Process().memory_info().vms + bytes_
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _end_with_parent() -> None:
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PARENT_DEATH, signal.SIGKILL)


if __name__ == "__main__":
    main(sys.argv[1:])
