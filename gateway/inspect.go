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

	"github.com/ftpgw/ftpgw/inspect"
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

// inspectContent holds the file against what its rule demands. All bytes have passed, nothing is published.
func (in *Incoming) inspectContent(ctx context.Context) error {
	demand := in.decision.Content
	if demand == nil {
		return nil
	}
	var cfg *inspect.Comtrade
	var missing error
	if in.stream.NeedsCFG() && len(demand.Types) > 0 {
		var err error
		if cfg, err = in.configuration(ctx); errors.Is(err, fs.ErrNotExist) {
			missing = err
		} else if err != nil {
			return err
		}
	}
	kind, why := in.stream.Type(cfg)
	in.kind = kind
	finding := demand.Refuses(kind, hex.EncodeToString(in.hash.Sum(nil)))
	if finding == "" {
		return nil
	}
	if why != nil {
		finding += "; as COMTRADE it is wrong: " + why.Error()
	}
	return &ContentError{Rule: in.decision.Rule, Finding: finding, Early: missing != nil && demand.Refuses("comtrade", hex.EncodeToString(in.hash.Sum(nil))) == ""}
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
