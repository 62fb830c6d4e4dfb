// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/ftpgw/ftpgw/ftpfront"
	"github.com/ftpgw/ftpgw/internal/config"
)

// frontTLS reads the certificates of a zone. It is nil where the zone speaks no TLS.
func frontTLS(z config.ZoneTLS) (*ftpfront.TLS, error) {
	if !z.On {
		return nil, nil
	}
	c, err := ftpfront.LoadTLS(z.Certificate, z.PrivateKey, z.ClientCA, z.MinVersion)
	if err != nil {
		return nil, err
	}
	return &ftpfront.TLS{
		Config: c, Implicit: z.Implicit, Required: z.Required, DataRequired: z.DataRequired, ReuseRequired: z.ReuseRequired,
		CloseOptional: z.CloseOptional,
	}, nil
}

// expiryNotice is how long before the end of a certificate the operator is told of it, at each start and reload.
const expiryNotice = 30 * 24 * time.Hour

// warnOfExpiry logs the certificates that need to be renewed.
func warnOfExpiry(logger *slog.Logger, zones []ftpfront.Zone) {
	for _, z := range zones {
		if z.TLS == nil {
			continue
		}
		if end := z.TLS.Config.Certificates[0].Leaf.NotAfter; time.Until(end) < expiryNotice {
			logger.Warn("the certificate of a zone expires soon", "zone", z.Name, "expires", end)
		}
	}
}

// changedCertificates says which certificates of the zones are others than before, whatever their files are called. Both lists are of the
// same zones: others take a restart.
func changedCertificates(before, after []ftpfront.Zone) (changed []string) {
	for i, z := range after {
		if z.TLS == nil || before[i].TLS == nil {
			continue
		}
		old, now := before[i].TLS.Config, z.TLS.Config
		// A private key belongs to its certificate: it cannot be another while that is the same.
		if !slices.EqualFunc(old.Certificates[0].Certificate, now.Certificates[0].Certificate, bytes.Equal) {
			changed = append(changed, fmt.Sprintf("certificate of zone %q changed", z.Name))
		}
		if !old.ClientCAs.Equal(now.ClientCAs) {
			changed = append(changed, fmt.Sprintf("client_ca of zone %q changed", z.Name))
		}
	}
	return changed
}
