"""Format of a table's files: the keys beside `file:`.

Enters: values of kgrec.yaml. Leaves: a `TableFormat`, the base of the tables of nodes, edges and interactions.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from kgrec.ingest.mapping.roles import ColumnNames, MappingPart, Marks


class TableFormat(MappingPart):
    """Format of a table's files."""

    file: ColumnNames = Field(min_length=1)
    """Files or globs (csv, tsv, json, jsonl, parquet; also .gz, .zst, .bz2, .xz and .zip), relative to the mapping's folder."""
    format: Literal["csv", "tsv", "json", "jsonl", "parquet"] | None = None
    """Format; None: by suffix."""
    encoding: str = "utf-8"
    """Encoding of CSV, TSV and JSON."""
    delimiter: str | None = Field(default=None, min_length=1, max_length=1)
    """Separator of columns; None: a comma in CSV, a tab in TSV."""
    quote: str = Field(default='"', max_length=1)
    """Quotation mark of cells; "" if cells have none, as in many TSV files."""
    escape: str | None = Field(default=None, min_length=1, max_length=1)
    """Character that escapes quotes and itself inside quoted cells, such as `\\` in many database exports; None: two quotes are one."""
    header: ColumnNames | None = Field(default=None, min_length=1)
    """Column names for CSV and TSV files whose first line is data; None: the first line has the names."""
    nulls: Marks = ()
    """Marks of missing values in cells and lists, in addition to empty cells, such as "NULL"."""

    @model_validator(mode="after")
    def _marks_differ(self) -> TableFormat:
        marks = {"delimiter": self.delimiter, "quote": self.quote, "escape": self.escape}
        given = {name: mark for name, mark in marks.items() if mark}
        for name, mark in given.items():
            if not mark.isascii() or mark in "\r\n\0":
                raise ValueError(
                    f"`{name}:` is {mark!r}, and must be an ASCII character other than a line break"
                )
            for other in given:
                if other != name and given[other] == mark:
                    raise ValueError(f"`{name}:` and `{other}:` are both {mark!r}")
        if self.escape and not self.quote:
            raise ValueError("`escape:` needs `quote:`, because it applies inside quoted cells")
        return self

    @field_validator("header")
    @classmethod
    def _names_differ(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        for name in value or ():
            if (value or ()).count(name) > 1:
                raise ValueError(f"the column '{name}' is duplicated")
        return value
