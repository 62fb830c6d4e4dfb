// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/ftpgw/ftpgw/audit"
	"github.com/ftpgw/ftpgw/policy"
)

// EnterDirectory reports whether name is a directory that a device may change into: whether it is one on any conduit to which a
// rule could lead this device. No rule is asked about the name: a device that may do nothing there learns no more than that the
// directory exists. The root is always there, whatever the conduits do.
func (g *Gateway) EnterDirectory(ctx context.Context, s Session, name string) error {
	if name == "/" {
		return nil
	}
	if err := g.checkPath(name); err != nil {
		return err
	}
	var refusals []error
	for _, lead := range g.policy.Load().LeadsFor(s.Device, s.Zone, s.Peer.Addr()) {
		err := g.isDirectory(ctx, s, lead, name)
		if err == nil {
			return nil
		}
		if IsTemporary(err) { // it may be there: "not found" elsewhere must not hide that
			return err
		}
		refusals = append(refusals, err)
	}
	if len(refusals) == 0 {
		return &DeniedError{Decision: policy.Decision{Reason: policy.NoRule}}
	}
	return errors.Join(refusals...)
}

// isDirectory looks on one conduit. While that is down, a directory into whose tree uploads may be spooled is taken for one: a device
// must be able to leave its files, and whatever is missing above them is made when they are delivered.
func (g *Gateway) isDirectory(ctx context.Context, s Session, lead policy.Lead, name string) error {
	remote, err := g.reach(s, policy.List, policy.Decision{Deliver: policy.Delivery{Conduit: lead.Conduit}})
	if err != nil {
		return err
	}
	info, err := remote.Stat(ctx, s.locate(name))
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("enter %s: %w", name, syscall.ENOTDIR)
	}
	if lead.Spooled && IsTemporary(err) {
		return nil
	}
	return err
}

// Reachable returns an error, which is Temporary, while a conduit is down that a rule about the device leads to and no spool stands
// in for.
func (g *Gateway) Reachable(ctx context.Context, s Session) error {
	for _, lead := range g.policy.Load().LeadsFor(s.Device, s.Zone, s.Peer.Addr()) {
		if lead.Spooled {
			continue
		}
		remote, err := g.conduit(lead.Conduit)
		if err != nil {
			return err
		}
		if err := remote.Available(ctx, Requirements{}); err != nil {
			return err
		}
	}
	return nil
}

// Stat describes one file or directory.
func (g *Gateway) Stat(ctx context.Context, s Session, name string) (fs.FileInfo, error) {
	remote, err := g.allowLook(s, name)
	if err != nil {
		return nil, err
	}
	return remote.Stat(ctx, s.locate(name))
}

// ReadDir lists a directory, or returns just the one entry of what is not a directory; dir says which it was.
func (g *Gateway) ReadDir(ctx context.Context, s Session, name string) (entries []fs.FileInfo, dir bool, err error) {
	remote, err := g.allowLook(s, name)
	if err != nil {
		return nil, false, err
	}
	info, err := remote.Stat(ctx, s.locate(name))
	if err != nil {
		return nil, false, err
	}
	if !info.IsDir() {
		return []fs.FileInfo{info}, false, nil
	}
	entries, err = remote.ReadDir(ctx, s.locate(name))
	if most := g.limits.ListingEntries; most > 0 && len(entries) > most {
		return nil, false, fmt.Errorf("list %s: %d entries, at most %d: %w", name, len(entries), most, ErrTooMany)
	}
	// What a device could not name it does not see: on the far side such names can be made to forge lines of listings and replies.
	entries = slices.DeleteFunc(entries, func(e fs.FileInfo) bool {
		n := e.Name()
		return n == "" || n == "." || strings.Contains(n, "/") || CheckPath(strings.TrimSuffix(name, "/")+"/"+n) != nil
	})
	return entries, true, err
}

// allowLook decides about one look and puts the decision on record.
func (g *Gateway) allowLook(s Session, name string) (Remote, error) {
	d, err := g.decide(g.policy.Load(), s, policy.List, name, policy.SizeUnknown)
	if err != nil {
		return nil, err
	}
	r := s.record(audit.DecisionAllowed)
	r.TransferFields = decisionFields(policy.List, name, d)
	if err := g.note(r); err != nil {
		return nil, err
	}
	return g.reach(s, policy.List, d)
}

// Mkdir makes a directory.
func (g *Gateway) Mkdir(ctx context.Context, s Session, name string) error {
	return g.change(ctx, s, policy.Mkdir, name, func(r Remote) error { return r.Mkdir(ctx, s.locate(name)) })
}

// Remove removes a file.
func (g *Gateway) Remove(ctx context.Context, s Session, name string) error {
	return g.change(ctx, s, policy.Delete, name, func(r Remote) error { return r.Remove(ctx, s.locate(name)) })
}

// RemoveDir removes an empty directory; never the root, which the device sees as its own but is not.
func (g *Gateway) RemoveDir(ctx context.Context, s Session, name string) error {
	if name == "/" {
		return fmt.Errorf("remove /: %w", fs.ErrPermission)
	}
	return g.change(ctx, s, policy.Rmdir, name, func(r Remote) error { return r.RemoveDir(ctx, s.locate(name)) })
}

// SetModTime sets a file's time of modification.
func (g *Gateway) SetModTime(ctx context.Context, s Session, name string, t time.Time) error {
	return g.change(ctx, s, policy.Modify, name, func(r Remote) error { return r.Chtimes(ctx, s.locate(name), t) })
}

// Chmod sets a file's permission bits.
func (g *Gateway) Chmod(ctx context.Context, s Session, name string, mode fs.FileMode) error {
	return g.change(ctx, s, policy.Modify, name, func(r Remote) error { return r.Chmod(ctx, s.locate(name), mode.Perm()) })
}

// change decides about one change of one name, makes it, and puts it on record before it reports success.
func (g *Gateway) change(ctx context.Context, s Session, op policy.Operation, name string, do func(Remote) error) error {
	d, err := g.decide(g.policy.Load(), s, op, name, policy.SizeUnknown)
	if err != nil {
		return err
	}
	return g.carryOut(ctx, s, d, decisionFields(op, name, d), do)
}

// RenameFrom reports whether a rename of this name could be allowed and whether the name exists: RNFR promises no more.
func (g *Gateway) RenameFrom(ctx context.Context, s Session, name string) error {
	d, err := g.decide(g.policy.Load(), s, policy.Rename, name, policy.SizeUnknown)
	if err != nil {
		return err
	}
	remote, err := g.reach(s, policy.Rename, d)
	if err != nil {
		return err
	}
	_, err = remote.Stat(ctx, s.locate(name))
	return err
}

// Rename moves a file or directory. Both names must be allowed, by rules that lead to the same conduit.
func (g *Gateway) Rename(ctx context.Context, s Session, from, to string) error {
	p := g.policy.Load()
	d, err := g.decide(p, s, policy.Rename, from, policy.SizeUnknown)
	if err != nil {
		return err
	}
	there, err := g.decide(p, s, policy.Rename, to, policy.SizeUnknown)
	if err != nil {
		return err
	}
	if there.Deliver.Conduit != d.Deliver.Conduit {
		return fmt.Errorf("rename from conduit %q to %q: %w", d.Deliver.Conduit, there.Deliver.Conduit, fs.ErrPermission)
	}
	if from == "/" || path.Clean(to) == "/" {
		return fmt.Errorf("rename of the root: %w", fs.ErrPermission)
	}
	if err := g.decideBelow(ctx, p, s, d, from, to); err != nil {
		return err
	}
	fields := decisionFields(policy.Rename, from, d)
	fields.To = to
	return g.carryOut(ctx, s, d, fields, func(r Remote) error { return r.Rename(ctx, s.locate(from), s.locate(to)) })
}

// carryOut makes a change that was decided, and puts on record what came of it.
func (g *Gateway) carryOut(ctx context.Context, s Session, d policy.Decision, fields *audit.TransferFields, do func(Remote) error) error {
	remote, err := g.reach(s, policy.Operation(fields.Op), d)
	if err != nil {
		return err
	}
	// Durable before anything happens; what came of it follows.
	decided := s.record(audit.DecisionAllowed)
	decided.TransferFields = fields
	if err := g.record(ctx, decided); err != nil {
		return err
	}
	r := s.record(audit.ChangeMade)
	r.TransferFields = fields
	if err := do(remote); err != nil {
		r.Event, r.Cause = audit.ChangeFailed, err.Error()
		if nerr := g.note(r); nerr != nil {
			return nerr
		}
		return err
	}
	return g.record(ctx, r)
}
