// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"context"
	"fmt"
	"io/fs"
	"path"

	"github.com/ftpgw/ftpgw/policy"
)

// maxMoved bounds the names that move with a directory: each is decided.
const maxMoved = 10_000

// decideBelow decides about every name that moves with a directory, at its old and at its new place: otherwise a rename would carry
// files out from under the rules about them.
func (g *Gateway) decideBelow(ctx context.Context, p *policy.Policy, s Session, d policy.Decision, from, to string) error {
	remote, err := g.reach(s, policy.Rename, d)
	if err != nil {
		return err
	}
	info, err := remote.Stat(ctx, s.locate(from))
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return nil
	}
	moved := 0
	for below := []string{""}; len(below) > 0; below = below[1:] {
		entries, err := remote.ReadDir(ctx, s.locate(path.Join(from, below[0])))
		if err != nil {
			return err
		}
		if moved += len(entries); moved > maxMoved {
			return fmt.Errorf("rename of a directory with more than %d names: %w", maxMoved, fs.ErrPermission)
		}
		for _, e := range entries {
			name := path.Join(below[0], e.Name())
			for _, place := range []string{path.Join(from, name), path.Join(to, name)} {
				if _, err := g.decide(p, s, policy.Rename, place, policy.SizeUnknown); err != nil {
					return err
				}
			}
			if e.IsDir() {
				below = append(below, name)
			}
		}
	}
	return nil
}
