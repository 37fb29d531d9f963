"""A process that adds events until it is killed, and says which were acknowledged.

    python writer.py URL NAME

Each line that it prints is the number of a call whose events were all accepted or known. It begins at the call after the last one in
the store, minus one: so it repeats the call that may have failed.
"""

from __future__ import annotations

import sys

from kgrec.serve.store.store import Store

#: events of one call
SIZE = 5


def main(url: str, name: str) -> None:
    """Add events, call by call."""
    with Store.open(url) as store:
        done = [int(event.event_id.split("-")[1]) for event in store.events_of(name)]
        call = max(max(done, default=0), 1)
        while True:
            made = [
                {"event_id": f"{name}-{call}-{n}", "user": name, "item": f"i{n}", "type": "click"}
                for n in range(SIZE)
            ]
            added = store.add_events(made)
            assert added.accepted + added.duplicate == SIZE
            sys.stdout.write(f"{call}\n")
            sys.stdout.flush()
            call += 1


if __name__ == "__main__":
    main(*sys.argv[1:])
