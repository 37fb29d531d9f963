"""Routes, one file per concern; each has a `router`.

common           the service of a request, scopes, answers
recommend        lists and their next pages
similar          similar items and users, search, ranking of a given list
explain          why, and why not
fields           names and values for conditions
items            the catalogue: read, add, change, remove
feedback         events
users            the data of a user, and erasure
sessions         interactive refinement
scenarios        named options, variants, figures
graph            nodes, neighbours, paths
sparql           read-only graph queries
admin            the model, snapshots, exports
documentation    OpenAPI and the page that shows it
page             the page at /, and its files
health           liveness, readiness, metrics

This module imports nothing.
"""
