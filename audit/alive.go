// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"context"
	"fmt"
)

// Alive asks the writer for a sign of life, and waits for it: nil says that the writer has just flushed the log, or is between two
// attempts to go on with one that has failed. What it does not come back from is a write or a flush that never ends.
func (l *Log) Alive(ctx context.Context) error {
	answer := make(chan struct{})
	select {
	case l.asked <- answer:
	case <-l.done:
		return ErrClosed
	case <-ctx.Done():
		return fmt.Errorf("the writer of the audit log does not respond: %w", context.Cause(ctx))
	}
	select {
	case <-answer:
		return nil
	case <-l.done:
		return ErrClosed
	case <-ctx.Done():
		return fmt.Errorf("the audit log is not flushed: %w", context.Cause(ctx))
	}
}
