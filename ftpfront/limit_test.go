// SPDX-License-Identifier: Apache-2.0

package ftpfront

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ftpgw/ftpgw/gateway"
	"github.com/ftpgw/ftpgw/policy"
	"github.com/ftpgw/ftpgw/quota"
)

// What is beyond a limit has a code of its own at every stage, and a text that says nothing about the limit.
func TestLimitReplies(t *testing.T) {
	for _, tt := range []struct {
		op        policy.Operation
		limit     policy.Limit
		permanent bool
		want      string
	}{
		{policy.Upload, policy.MaxFile, true, "552 File is too large."},
		{policy.Append, policy.BytesPerDay, true, "552 File is too large."},
		{policy.Download, policy.MaxFile, true, "550 File is too large."},
		{policy.Upload, policy.FilesPerHour, false, "452 Transfer limit reached, try again later."},
		{policy.Append, policy.BytesPerDay, false, "452 Transfer limit reached, try again later."},
		{policy.Download, policy.FilesPerHour, false, "450 Transfer limit reached, try again later."},
		{policy.Upload, policy.Concurrent, false, "450 Too many transfers at a time, try again later."},
		{policy.Download, policy.Concurrent, false, "450 Too many transfers at a time, try again later."},
	} {
		err := error(&gateway.LimitError{Op: tt.op, Exceeded: &quota.Exceeded{Limit: tt.limit, Permanent: tt.permanent, Bound: policy.Bound{Rule: "secret"}, Allowed: 12345}})
		for _, st := range []stage{beforeTransfer, duringTransfer} {
			r := failure(st, fmt.Errorf("wrapped: %w", err))
			if got := strings.TrimSpace(r.String()); got != tt.want || r.cause == nil {
				t.Errorf("%s beyond %s: %q, want %q", tt.op, tt.limit, got, tt.want)
			}
		}
	}
}
