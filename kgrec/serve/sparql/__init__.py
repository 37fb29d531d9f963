"""Read-only SPARQL over the graph of a model, in a process that can be killed.

syntax           rejects texts that are not queries, or that would access other servers
process          `SparqlProcess`: builds the index, queries the child, and kills it if a query takes too long
child            the child: opens the index read-only, and answers queries

This module imports nothing.
"""
