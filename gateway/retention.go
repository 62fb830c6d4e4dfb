// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"context"
	"time"

	"github.com/ftpgw/ftpgw/audit"
)

// purgeEvery is how often it is looked for delivered files that have been kept long enough.
const purgeEvery = time.Hour

// purge removes them, until ctx ends.
func (f *Forwarder) purge(ctx context.Context) {
	for {
		f.purgeOnce()
		if !sleep(ctx, purgeEvery) {
			return
		}
	}
}

// purgeOnce removes each with a record of it before: an entry that is gone without one has been stolen.
func (f *Forwarder) purgeOnce() {
	for _, e := range f.held.store.Expired(f.g.now(), f.keep) {
		r := EntryRecord(audit.SpoolPurged, e)
		if err := f.log.Record(context.Background(), r); err != nil {
			f.logger.Error("what is kept of delivered files cannot be removed: the removal could not be put on record", "error", err)
			return
		}
		if err := f.held.store.Remove(e.ID); err != nil {
			f.logger.Error("a delivered file that was kept long enough could not be removed", "entry", e.ID, "error", err)
		}
	}
}
