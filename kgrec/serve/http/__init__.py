"""The HTTP server of `kgrec serve`.

app              `create_app`: routes, errors and OpenAPI
openapi          the description of the API
opening          resources of a process: model, store, keys
server           runs the app: signals, draining, checks
workers          several processes on one socket, and the parent that keeps them alive
peers            requests from one worker to another
settings         limits and times
service          state shared by the routes: queues, kept lists, impressions
why_not          the rules that keep an item out of a list
scenarios        named options, variants, figures
checks           the findings of --check
questions        the bounded queue, which joins waiting questions into one call
lists            lists of the library as JSON values
bodies           bodies of requests and answers
problems         errors as application/problem+json
keys             keys and scopes
gate             middleware for every request: limits, headers, log
metrics          figures for Prometheus
memory           returns freed memory to the system
routes/          one file per concern
swagger/         files of the page /docs, from the Swagger project

This module imports nothing.
"""
