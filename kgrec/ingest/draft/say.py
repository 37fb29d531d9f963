"""Lines of `say:`, which phrase reasons: one template per relation and per numeric column of the items.

Enters: the lines of a drafted kgrec.yaml. Leaves: further lines, which the user rewrites in the catalogue's words and language.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import yaml

from kgrec.ingest.draft.lines import written
from kgrec.ingest.draft.names import base
from kgrec.ingest.mapping.sayings import Sayings, relation_words, shared_phrase
from kgrec.ingest.mapping.schema import Mapping

#: drafted templates that do not belong to a relation; other templates keep their defaults
_DRAFTED = ("liked", "users", "text")


def say_lines(lines: Sequence[str]) -> Iterator[str]:
    """Lines of `say:`; none if items have neither relations nor named numbers.

    Args:
        lines: The other lines of kgrec.yaml.
    """
    mapping = Mapping.from_dict(yaml.safe_load("\n".join(lines)))
    items = {name: table for name, table in mapping.nodes.items() if table.item}
    relations = mapping.model_copy(update={"nodes": items}).relations
    if not relations:
        return
    defaults = Sayings()
    yield "# Reasons of recommendations: write them in your own words and language."
    yield "say:"
    for name in _DRAFTED:
        yield f"  {name}: {written(getattr(defaults, name))}"
    yield "  shared:"
    for name, is_number in relations.items():
        phrase = shared_phrase(name, is_number=is_number, name=base(relation_words(name)))
        yield f"    {written(name)}: {written(phrase)}"
