"""Format of a table's files: the keys that stand beside `file:`.

Enters: values of kgrec.yaml. Leaves: a `TableFormat`, the base of the tables of nodes, edges and interactions.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from kgrec.ingest.mapping.roles import ColumnNames, MappingPart, Marks


class TableFormat(MappingPart):
    """Format of a table's files."""

    file: ColumnNames = Field(min_length=1)
    """Files or globs (csv, tsv, jsonl, parquet, also .gz and .zst), relative to the mapping's folder."""
    format: Literal["csv", "tsv", "jsonl", "parquet"] | None = None
    """None: by suffix."""
    encoding: str = "utf-8"
    """Encoding of CSV, TSV and JSONL."""
    delimiter: str | None = Field(default=None, min_length=1, max_length=1)
    """Separator of columns; None: a comma in CSV, a tab in TSV."""
    quote: str = Field(default='"', max_length=1)
    """Quotation mark of cells; "" if there is none, as in many TSV files."""
    header: ColumnNames | None = Field(default=None, min_length=1)
    """Names of the columns of CSV and TSV files whose first line is data; None: the first line has the names."""
    nulls: Marks = ()
    """Marks of missing values in cells and lists, besides empty ones, such as "NULL"."""

    @field_validator("header")
    @classmethod
    def _names_differ(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        for name in value or ():
            if (value or ()).count(name) > 1:
                raise ValueError(f"the column '{name}' is duplicated")
        return value
