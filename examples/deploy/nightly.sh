#!/bin/sh
# Train the next release on the graph and the feedback store, and remove old releases.
# Servers with --releases take the new one within seconds, after a test. Run one at a time.
#
# KGREC_GRAPH           graph folder
# KGREC_SERVE_RELEASES  folder of releases, the one of the server
# KGREC_SERVE_STORE     feedback store, the one of the server
# KEEP                  releases to keep, 7 if not set
set -eu
: "${KGREC_GRAPH:?}" "${KGREC_SERVE_RELEASES:?}" "${KGREC_SERVE_STORE:?}"
keep=${KEEP:-7}
[ "$keep" -ge 2 ] || { echo "KEEP is $keep; keep 2 or more, to be able to go back." >&2; exit 2; }

releases() {
    ls -1 "$KGREC_SERVE_RELEASES" | grep -E '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{6}Z$' | sort
}

# The server makes the store when it first starts, so a first night may come before it. Once a release has learned from the
# store, a store that is not there is an error: the path may be wrong.
learned() {
    latest=$(releases | tail -n 1)
    [ -n "$latest" ] && grep -q '"feedback"' "$KGREC_SERVE_RELEASES/$latest/manifest.json"
}

set -- --feedback "$KGREC_SERVE_STORE"
learned || set -- "$@" --allow-missing-store
kgrec train "$KGREC_GRAPH" -o "$KGREC_SERVE_RELEASES/$(date -u +%Y-%m-%dT%H%M%SZ)" "$@"

# Only folders that this script named; `head` leaves out the newest.
releases | head -n "-$keep" | while read -r old; do
    rm -r -- "${KGREC_SERVE_RELEASES:?}/$old"
done
