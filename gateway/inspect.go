// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/ftpgw/ftpgw/audit"
	"github.com/ftpgw/ftpgw/inspect"
	"github.com/ftpgw/ftpgw/policy"
)

// ContentError is a rule's refusal of what is in a file.
type ContentError struct {
	Rule    string
	Finding string
	// Early is true where the file may be right and what it is held against has not come yet.
	Early bool
}

func (e *ContentError) Error() string {
	return fmt.Sprintf("rule %s refuses the content: %s", e.Rule, e.Finding)
}

// Is makes a refusal that is final a matter of permission.
func (e *ContentError) Is(target error) bool { return target == fs.ErrPermission && !e.Early }

// Temporary reports whether the same file may be taken later.
func (e *ContentError) Temporary() bool { return e.Early }

// prepareLook makes what looks at the bytes that come.
func (in *Incoming) prepareLook() {
	if in.policy.Inspects() {
		in.stream = inspect.NewStream(in.request.Path)
	}
	if in.decision.Measure > 0 {
		in.expansion = inspect.NewExpansion(in.decision.Measure)
	}
}

// look finds out what is in the file, of which all bytes have passed. missing is true where that cannot be said for certain: it may
// be COMTRADE data, and what it would be held against has not come.
func (in *Incoming) look(ctx context.Context) (missing bool, err error) {
	if in.kind != "" || in.stream == nil {
		return in.missing, nil
	}
	var cfg *inspect.Comtrade
	if in.stream.NeedsCFG() {
		if cfg, err = in.configuration(ctx); errors.Is(err, fs.ErrNotExist) {
			in.missing = true
		} else if err != nil {
			return false, err
		}
	}
	in.kind, in.flaw = in.stream.Type(cfg)
	return in.missing, nil
}

const comtrade = "comtrade"

// decideType asks once more, where the answer depends on what is in the file.
func (in *Incoming) decideType(ctx context.Context) (policy.Decision, error) {
	missing, err := in.look(ctx)
	if err != nil {
		return policy.Decision{}, err
	}
	q := in.question
	q.Type = in.kind
	if missing {
		data := q
		data.Type = comtrade
		if in.policy.Decide(q) != in.policy.Decide(data) {
			return policy.Decision{}, &ContentError{Rule: in.decision.Rule, Finding: "whether it is COMTRADE decides, and " + in.flaw.Error(), Early: true}
		}
	}
	in.question = q
	return in.g.decideQuestion(in.policy, in.session, q)
}

// inspectContent holds the file against what its rule demands. All bytes have passed, nothing is published.
func (in *Incoming) inspectContent(ctx context.Context) error {
	demand := in.decision.Content
	if demand == nil {
		return nil
	}
	// Only where types are demanded it matters what stands beside the file.
	missing := false
	if len(demand.Types) > 0 {
		var err error
		if missing, err = in.look(ctx); err != nil {
			return err
		}
	} else if in.kind == "" {
		in.kind, _ = in.stream.Type(nil)
	}
	found := policy.Found{Type: in.kind, SHA256: hex.EncodeToString(in.hash.Sum()), Size: in.size}
	if demand.MaxExpanded > 0 {
		found.Expanded, found.Unjudged = in.expanded(demand.MaxExpanded)
	}
	finding := demand.Refuses(found)
	if finding == "" {
		return nil
	}
	if in.flaw != nil && len(demand.Types) > 0 {
		finding += "; as COMTRADE it is wrong: " + in.flaw.Error()
	}
	as := found
	as.Type = comtrade
	refusal := &ContentError{Rule: in.decision.Rule, Finding: finding, Early: missing && demand.Refuses(as) == ""}
	if refusal.Early {
		return refusal
	}
	return in.refuseContent(found, refusal)
}

// refuseContent puts on record that the rule which allows the file denies what is in it.
func (in *Incoming) refuseContent(found policy.Found, refusal *ContentError) error {
	r := in.session.record(audit.DecisionDenied)
	r.TransferFields = decisionFields(in.request.Op, in.request.Path, in.decision)
	r.Content, r.Bytes, r.SHA256, r.Cause = found.Type, &found.Size, found.SHA256, refusal.Error()
	if err := in.g.note(r); err != nil {
		return err
	}
	return refusal
}

// expanded is how far the file expands, which is known up to the given number of bytes at least.
func (in *Incoming) expanded(limit int64) (int64, error) {
	if in.expansion == nil {
		return 0, errors.New("it was not measured")
	}
	e := in.expansion.Finish()
	if e.Over {
		return max(e.Size, limit+1), nil
	}
	return e.Size, e.Fault
}

// configuration reads the COMTRADE configuration beside the data file, where it must be already. One that cannot be read as such is
// none: nil without an error.
func (in *Incoming) configuration(ctx context.Context) (*inspect.Comtrade, error) {
	place := in.location()
	stem := strings.TrimSuffix(place.Path, path.Ext(place.Path))
	var err error
	for _, ext := range []string{".cfg", ".CFG"} {
		var d Download
		if d, err = in.remote.Open(ctx, Location{Home: place.Home, Path: stem + ext}, 0); err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			return nil, fmt.Errorf("open the COMTRADE configuration: %w", err)
		}
		return readConfiguration(d)
	}
	return nil, err
}

func readConfiguration(d Download) (c *inspect.Comtrade, err error) {
	defer func() { err = errors.Join(err, d.Close()) }()
	if d.Info().Size() > inspect.MaxCFG {
		return nil, nil
	}
	var text strings.Builder
	if _, err := d.WriteTo(&text); err != nil {
		return nil, fmt.Errorf("read the COMTRADE configuration: %w", err)
	}
	parsed, err := inspect.ParseCFG(text.String())
	if err != nil {
		return nil, nil // what is wrong with it is not this file's fault, but nothing can be held against it
	}
	return &parsed, nil
}
