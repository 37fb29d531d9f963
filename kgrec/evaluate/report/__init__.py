"""The HTML page of a benchmark: one file that loads nothing from elsewhere.

formatting     numbers as text
record         the content of metrics.json, by name
wording        sentences, and the glossary of metrics
report_tables  tables
plots          figures as SVG
page           the page, from the template page.html
drift_page     the page of a drift analysis, from the template drift.html
simulation_page  the page of a simulation, from the template simulation.html

This module imports nothing.
"""
