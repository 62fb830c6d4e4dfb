// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"syscall"
)

// location is where the file is published: the path that the device gave, below its home, or the one that the rule says.
func (in *Incoming) location() Location {
	if p := in.decision.Deliver.Path; p != "" {
		return Location{Home: "/", Path: p}
	}
	return in.session.locate(in.request.Path)
}

// Redirected reports whether a rule says where the file is published: then the directories that the device named do not matter.
func (in *Incoming) Redirected() bool { return in.decision.Deliver.Path != "" }

// checkPlace refuses a place that the rule's template and the device's names together make impossible.
func (in *Incoming) checkPlace() error {
	if p := in.decision.Deliver.Path; p != "" {
		return CheckPath(p)
	}
	return nil
}

// makeParents makes the directories above a place that a rule named: no device could.
func makeParents(ctx context.Context, remote Remote, l Location) error {
	parent := Location{Home: l.Home, Path: path.Dir(l.Path)}
	if parent.Path == "/" {
		return nil
	}
	switch info, err := remote.Stat(ctx, parent); {
	case err == nil && !info.IsDir():
		return fmt.Errorf("make %s: %w", parent, syscall.ENOTDIR)
	case err == nil:
		return nil
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if err := makeParents(ctx, remote, parent); err != nil {
		return err
	}
	// Another transfer may have made it in the meantime.
	if err := remote.Mkdir(ctx, parent); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make %s: %w", parent, err)
	}
	return nil
}

// recordedFirst is a Remote on which no directory is made before something is on record.
type recordedFirst struct {
	Remote
	recorded func() error // waits for that
}

func (r recordedFirst) Mkdir(ctx context.Context, l Location) error {
	if err := r.recorded(); err != nil {
		return err
	}
	return r.Remote.Mkdir(ctx, l)
}
