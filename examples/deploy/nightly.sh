#!/bin/sh
# Make the next release by kgrec nightly: refreshed from the feedback store, or trained anew on the graph.
# Servers with --releases take it within seconds, after a test. Exit code 4: what was made ranks worse, and nothing was published.
#
# KGREC_GRAPH           graph folder
# KGREC_SERVE_RELEASES  folder of releases, the one of the server
# KGREC_SERVE_STORE     feedback store, the one of the server
# KEEP                  releases to keep, 5 if not set
set -eu
: "${KGREC_GRAPH:?}" "${KGREC_SERVE_RELEASES:?}" "${KGREC_SERVE_STORE:?}"

# The first release is trained on the graph alone: the server makes the store when it first starts.
set --
[ -z "$(ls "$KGREC_SERVE_RELEASES" 2>/dev/null)" ] || set -- --from-store "$KGREC_SERVE_STORE"
exec kgrec nightly "$KGREC_SERVE_RELEASES" --graph "$KGREC_GRAPH" --keep "${KEEP:-5}" --json "$@"
