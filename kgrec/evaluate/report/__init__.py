"""The page of an evaluation: one file of HTML that needs nothing beside it.

`report.formatting` writes numbers, `report.record` looks things up in the results, `report.wording` puts them into sentences and
holds the glossary, `report.tables` makes tables, `report.plots` draws, and `report.page` sets the page, by the template page.html.
"""
