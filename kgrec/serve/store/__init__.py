"""The feedback store: events, lists that were shown, added items, erased users and scenarios, in SQLite or PostgreSQL.

store            `Store`: opened by URL, the only way in
records          what goes in and comes out: `StoredEvent`, `Impression`, `StoredItem`, ...
checks           events, impressions and JSON values of callers, checked and made plain
tables           the tables, and migrations by number
event_log        statements of events and erased users
documents        statements of impressions, items and scenarios
urls             the database that a path or a URL names
database         `Database`: engine, transactions, the clock of revisions
sqlite           `Database` of a file
postgres         `Database` of a server
arrow            events as Arrow batches
backup           copies a store into a new SQLite file

Nothing is imported here.
"""
