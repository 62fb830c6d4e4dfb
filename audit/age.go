// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"bytes"
	"encoding/json"
	"strconv"
	"time"
)

// openSeconds is the detail of the log's own records that says for how long the log had been open then, over all runs, in seconds.
// Time between two runs is not in it, nor is what came behind the last such record before a crash.
const openSeconds = "open_seconds"

// openTime is for how long the log has been open, by the monotonic clock.
func (l *Log) openTime() time.Duration { return l.openBefore + l.running() }

func formatOpen(d time.Duration) string { return strconv.FormatInt(int64(d/time.Second), 10) }

// openTime is what a record says of it; 0 for one that says nothing, as those of versions before did not.
func (h head) openTime() time.Duration {
	if !bytes.Contains(h.body, []byte(`"`+openSeconds+`"`)) || !bytes.HasPrefix(h.body, []byte(`"event":"log.`)) {
		return 0
	}
	var r Record
	if err := json.Unmarshal(append([]byte("{"), h.body...), &r); err != nil {
		return 0
	}
	n, err := strconv.ParseInt(r.Detail[openSeconds], 10, 64)
	if err != nil || n < 0 || n > int64(1<<62/time.Second) {
		return 0
	}
	return time.Duration(n) * time.Second
}
