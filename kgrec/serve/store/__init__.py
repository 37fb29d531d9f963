"""The feedback store: events, shown lists, added items, erased users and scenarios, in SQLite or PostgreSQL.

store            `Store`: the only public interface, opened by URL
records          the stored records: `StoredEvent`, `Impression`, `StoredItem`, ...
checks           validation of events, impressions and JSON values of callers
tables           the tables, and migrations by number
event_log        statements of events and erased users
documents        statements of impressions, items and scenarios
urls             the database that a path or a URL names
database         `Database`: engine, transactions, the clock of revisions
sqlite           `Database` of a file
postgres         `Database` of a server
arrow            events as Arrow batches
backup           copies a store to a new SQLite file

This module imports nothing.
"""
