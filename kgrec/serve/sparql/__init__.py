"""Read-only SPARQL over the graph of a model, in a process that can be ended.

syntax           refuses what is no query, or would leave the process
process          `SparqlProcess`: builds the index, asks the child, ends it when a query takes too long
child            the child: opens the index read-only, and answers queries

Nothing is imported here.
"""
