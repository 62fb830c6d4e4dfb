// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/ftpgw/ftpgw/policy"
)

// What a rule expects of the files that come under it.
const (
	ExpectMinSize   Evidence = "expect-min-size"  // they are at least this large
	ExpectMaxSize   Evidence = "expect-max-size"  // they are at most this large
	ExpectCompanion Evidence = "expect-companion" // they are as large as a companion file says
	ExpectName      Evidence = "expect-name"      // they are as large as their name says
)

// expectation is what the rule expects of this file; of a companion, no more than the largest size.
func (in *Incoming) expectation() policy.Expectation {
	x := in.decision.Deliver.Expect
	switch {
	case x == nil:
		return policy.Expectation{}
	case x.Companion != nil && x.Companion.Is(in.request.Path):
		return policy.Expectation{MaxSize: x.MaxSize} // a name must not lift the bound
	}
	return *x
}

// checkName refuses, before anything is sent, a name that tells no size although it should: sending it again would not help.
func (in *Incoming) checkName() error {
	if x := in.expectation(); x.Name != nil {
		if _, err := x.Name.Of(in.request.Path); err != nil {
			return fmt.Errorf("%w: %w", ErrBadName, err)
		}
	}
	return nil
}

// expect compares the file with what the rule expects of it.
func (in *Incoming) expect(ctx context.Context) error {
	x := in.expectation()
	if x.MinSize > 0 {
		if in.size < x.MinSize {
			return &EvidenceError{Failed: ExpectMinSize, Reason: fmt.Sprintf("%d bytes arrived, at least %d are expected", in.size, x.MinSize)}
		}
		in.holds(ExpectMinSize, x.MinSize)
	}
	if err := in.expectAtMost(in.size); err != nil {
		return err
	}
	if x.MaxSize > 0 {
		in.holds(ExpectMaxSize, x.MaxSize)
	}
	if x.Name != nil {
		want, err := x.Name.Of(in.request.Path)
		if err != nil {
			return &EvidenceError{Failed: ExpectName, Reason: err.Error()}
		}
		if err := in.expectExactly(ExpectName, want); err != nil {
			return err
		}
	}
	if x.Companion != nil {
		want, err := in.companionSize(ctx, x.Companion)
		if err != nil {
			return err
		}
		return in.expectExactly(ExpectCompanion, want)
	}
	return nil
}

// expectAtMost is also asked while the file comes.
func (in *Incoming) expectAtMost(size int64) error {
	if x := in.expectation(); x.MaxSize > 0 && size > x.MaxSize {
		return &EvidenceError{Failed: ExpectMaxSize, Reason: fmt.Sprintf("more than the expected %d bytes arrived", x.MaxSize)}
	}
	return nil
}

func (in *Incoming) expectExactly(e Evidence, want int64) error {
	if in.size != want {
		return &EvidenceError{Failed: e, Reason: fmt.Sprintf("the file has %d bytes, %d are expected", in.size, want)}
	}
	in.holds(e, want)
	in.proven = true
	return nil
}

// holds adds to what speaks for the file.
func (in *Incoming) holds(e Evidence, size int64) {
	in.evidence = append(in.evidence, fmt.Sprintf("%s %d", e, size))
}

// companionSize reads the size from the file's companion, which must be on the far side already.
func (in *Incoming) companionSize(ctx context.Context, c *policy.Companion) (int64, error) {
	name := c.Of(in.request.Path)
	d, err := in.remote.Open(ctx, in.session.locate(name), 0)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, &EvidenceError{Failed: ExpectCompanion, Reason: fmt.Sprintf("there is no companion %s", name)}
	}
	if err != nil {
		return 0, fmt.Errorf("open the companion: %w", err)
	}
	var content short
	_, err = d.WriteTo(&content)
	if cerr := d.Close(); err == nil || errors.Is(err, errLong) {
		err = errors.Join(err, cerr)
	}
	switch {
	case errors.Is(err, errLong):
		return 0, &EvidenceError{Failed: ExpectCompanion, Reason: fmt.Sprintf("the companion %s holds more than a number", name)}
	case err != nil:
		return 0, fmt.Errorf("read the companion: %w", err)
	}
	size, err := c.ParseSize(string(content))
	if err != nil {
		return 0, &EvidenceError{Failed: ExpectCompanion, Reason: fmt.Sprintf("%s: %v", name, err)}
	}
	return size, nil
}

// short takes no more than a number is long.
type short []byte

var errLong = errors.New("this is longer than a number")

func (s *short) Write(p []byte) (int, error) {
	const most = 64
	if len(*s)+len(p) > most {
		return 0, errLong
	}
	*s = append(*s, p...)
	return len(p), nil
}

// aside is the name under which what has come of an incomplete file is kept, or "" where the rule does not want it.
func (in *Incoming) aside() string {
	if in.decision.Deliver.Incomplete != policy.KeepIncomplete || in.size == 0 {
		return ""
	}
	suffix := ".partial-" + in.id
	name := path.Base(in.request.Path)
	if over := len(name) + len(suffix) - MaxName; over > 0 {
		name = strings.ToValidUTF8(name[:len(name)-over], "") // the cut may have gone through a character
	}
	return name + suffix
}

// keepAside moves what has come of an incomplete file aside, if that is why it is aborted and the rule wants it. It reports whether
// the upload has ended with that.
func (in *Incoming) keepAside(cause error) bool {
	name := in.aside()
	if name == "" || failedEvidence(cause) == "" {
		return false
	}
	q := in.question
	q.Size = in.size
	d := in.policy.Decide(q) // nothing crosses undecided, an incomplete file neither
	if d.Verdict != policy.Allowed || d.Content != nil || d.Deliver.Incomplete != policy.KeepIncomplete || !sameWay(d.Deliver, in.decision.Deliver) ||
		in.g.windowOpen(in.policy, d) != nil || in.g.log.Accepts(in.session.Zone) != nil {
		return false
	}
	in.decision = d
	if in.rebind() != nil {
		return false
	}
	in.grant.Charge() // it crosses like any other
	if in.counted() != nil {
		return false
	}
	over, cancel := context.WithCancelCause(context.Background())
	cancel(cause)
	paced, end := outlive(over)
	defer end()
	// What the transfer was interrupted for must not interrupt this, too; the far side bounds each of its steps.
	receipt, err := in.upload.Commit(context.Background(), Terms{Aside: name, Last: func() error { return cause }, Pace: in.paceBack(paced), Origin: in.origin()})
	if receipt.Path == "" {
		in.g.logger.Warn("an incomplete file could not be kept", "transfer", in.id, "path", in.request.Path, "error", err)
		return true
	}
	in.setAside(receipt, name)
	return true
}

// setAside remembers what was kept, for the record.
func (in *Incoming) setAside(receipt Receipt, name string) {
	in.kept = &receipt
	in.grant.Keep(in.size - in.keep)
	in.keptAs = path.Join(path.Dir(in.location().Path), name)
}
