// SPDX-License-Identifier: Apache-2.0

package quota

import (
	"time"

	"golang.org/x/time/rate"

	"github.com/ftpgw/ftpgw/policy"
)

// account is what was used, and what is reserved.
type account struct {
	files series // in the last hour
	bytes series // in the last day

	heldFiles, heldBytes int64 // reserved by transfers that run
	running              int64 // transfers
	bucket               *rate.Limiter
}

// book is all accounts and the clock by which they are kept.
type book struct {
	accounts map[string]*account // by policy.Bound.Key

	now  func() time.Time
	last time.Time     // when the clock was last looked at
	at   time.Duration // the store's own time: what has passed since an epoch that means nothing
}

func newBook(now func() time.Time) *book {
	b := &book{accounts: make(map[string]*account), now: now, last: now()}
	b.at = time.Duration(b.last.Unix()) * time.Second
	return b
}

// resume sets the store's time to what it was when the machine's clock stood at wall, and lets pass what has passed since.
func (b *book) resume(at, wall int64) {
	b.at = time.Duration(at)*time.Second + max(0, time.Duration(b.last.Unix()-wall)*time.Second)
}

// tick is the store's time in seconds. It never goes back.
func (b *book) tick() int64 {
	now := b.now()
	b.at += max(0, now.Sub(b.last)) // by the monotonic clock, where the readings have one
	b.last = now
	return int64(b.at / time.Second)
}

func (b *book) account(key string) *account {
	a := b.accounts[key]
	if a == nil {
		a = &account{}
		b.accounts[key] = a
	}
	return a
}

// use is one change of one account.
type use struct {
	Key   string `json:"k"`
	At    int64  `json:"t"` // the store's time in seconds: when it was used, also where it is given back
	Files int64  `json:"f,omitempty"`
	Bytes int64  `json:"b,omitempty"` // below zero for what is given back
}

func (b *book) apply(u use) {
	a := b.account(u.Key)
	if u.Files > 0 || u.Bytes > 0 {
		a.files = a.files.add(hourly(), u.At, u.Files)
		a.bytes = a.bytes.add(daily(), u.At, u.Bytes)
		return
	}
	a.files.back(hourly(), u.At, -u.Files)
	a.bytes.back(daily(), u.At, -u.Bytes)
}

// Usage says how much of one limit is used.
type Usage struct {
	Bound policy.Bound
	Limit policy.Limit
	Used  int64 // in the limit's own unit, reservations included; of max_file and bandwidth nothing is used up
	// Allowed is the limit itself.
	Allowed int64
	// Free is how long it takes until some of it is free again; 0 where nothing is used, or that hangs on a transfer's end.
	Free time.Duration
}

// usage is that of every limit of a bound, in the order of the configuration.
func (b *book) usage(bound policy.Bound, at int64) []Usage {
	a := b.accounts[bound.Key()]
	if a == nil {
		a = &account{}
	}
	var list []Usage
	add := func(l policy.Limit, allowed, used int64, free time.Duration) {
		if allowed > 0 {
			list = append(list, Usage{Bound: bound, Limit: l, Used: used, Allowed: allowed, Free: free})
		}
	}
	add(policy.MaxFile, bound.MaxFile, 0, 0)
	add(policy.FilesPerHour, bound.FilesPerHour, a.files.sum(hourly(), at)+a.heldFiles, a.files.free(hourly(), at))
	add(policy.BytesPerDay, bound.BytesPerDay, a.bytes.sum(daily(), at)+a.heldBytes, a.bytes.free(daily(), at))
	add(policy.Bandwidth, bound.Bandwidth, 0, 0)
	add(policy.Concurrent, bound.Concurrent, a.running, 0)
	return list
}
