#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Builds a release twice, in directories of different names and lengths, with caches of their own, and compares all files byte by byte.
# The sources are those that are committed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
modules=$(go env GOMODCACHE)
for dir in "$work/a" "$work/another place/with-a-longer-name"; do
  mkdir -p "$dir"
  git archive --format=tar HEAD | tar -xf - -C "$dir"
  (cd "$dir" && GOCACHE="$dir.cache" GOMODCACHE="$modules" make --no-print-directory release VERSION=v0.0.0-reproducible ARCHES="${ARCHES:-amd64}" >"$dir.log" 2>&1) \
    || { cat "$dir.log"; exit 1; }
done
diff -r "$work/a/dist" "$work/another place/with-a-longer-name/dist"
(cd "$work/a/dist" && sha256sum --quiet -c SHA256SUMS && cat SHA256SUMS)
echo "two builds, the same bytes"
