"""The HTTP server of `kgrec serve`.

app              `create_app`: routes, errors, OpenAPI
openapi          the description of the API
opening          what a process opens: model, store, keys
server           runs the app: signals, draining, checks
workers          several processes on one socket, and the parent that keeps them alive
peers            how a worker asks another one
settings         bounds and times
service          what routes share: queues, kept lists, impressions
why_not          what keeps an item out of a list
scenarios        named options, variants, figures
checks           what --check finds
questions        the bounded queue: waiting questions become one call
lists            lists of the library as values of JSON
bodies           bodies of requests and answers
problems         errors as application/problem+json
keys             keys and scopes
gate             what every request passes: bounds, headers, log
metrics          figures for Prometheus
memory           freed memory goes back to the system
routes/          one file per concern
swagger/         files of the page /docs, by the Swagger project

Nothing is imported here.
"""
