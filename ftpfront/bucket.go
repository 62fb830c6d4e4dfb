// SPDX-License-Identifier: Apache-2.0

package ftpfront

import "time"

// bucket is a token bucket that starts full and may go into debt: what has happened is paid for afterwards, by waiting. Its zero
// value is full. It is guarded by whoever owns it.
type bucket struct {
	spent float64   // tokens that have not come back yet
	at    time.Time // when spent was right
}

// take takes n tokens and returns how long to wait until the bucket is out of debt. rate is in tokens per second; 0 is no limit.
func (b *bucket) take(now time.Time, rate, burst, n float64) time.Duration {
	if rate == 0 {
		return 0
	}
	b.spent = max(0, b.spent-now.Sub(b.at).Seconds()*rate) + n
	b.at = now
	return time.Duration(max(0, b.spent-burst) / rate * float64(time.Second))
}

// refund gives tokens back.
func (b *bucket) refund(n float64) { b.spent = max(0, b.spent-n) }
