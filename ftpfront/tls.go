// SPDX-License-Identifier: Apache-2.0

package ftpfront

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"time"
)

// TLS is how a zone speaks TLS (RFC 4217).
type TLS struct {
	Config        *tls.Config // made by LoadTLS; Front.SetTLS replaces it
	Implicit      bool        // TLS from the first byte; AUTH is not used
	Required      bool        // no login in clear
	DataRequired  bool        // no data connection in clear: PROT P is demanded
	ReuseRequired bool        // a data connection must resume the TLS session of its control connection
	// CloseOptional lets an upload end with a bare FIN, as it does in clear, for devices that send no close_notify.
	CloseOptional bool
}

// LoadTLS reads what a zone's TLS is made of: PEM files of the certificate with its chain and of its private key, and of the
// authorities whose client certificates are accepted ("" for none). minVersion is tls.VersionTLS12 or tls.VersionTLS13. A client
// certificate is asked for where there are authorities; one that does not verify ends the handshake, and none is in order here:
// which device needs one is for its login to say.
func LoadTLS(certificate, privateKey, clientCA string, minVersion uint16) (*tls.Config, error) {
	pair, err := loadCertificate(certificate, privateKey)
	if err != nil {
		return nil, err
	}
	c := &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: minVersion}
	if clientCA != "" {
		if c.ClientCAs, err = loadAuthorities(clientCA); err != nil {
			return nil, err
		}
		c.ClientAuth = tls.VerifyClientCertIfGiven
	}
	return c, nil
}

// CheckCertificate reports what makes a certificate and its private key unusable: unreadable, a key that others can read or that
// belongs to another certificate, a certificate that has expired at the time now.
func CheckCertificate(certificate, privateKey string, now time.Time) error {
	pair, err := loadCertificate(certificate, privateKey)
	if err != nil {
		return err
	}
	if end := pair.Leaf.NotAfter; now.After(end) {
		return fmt.Errorf("the certificate %s expired on %s", certificate, end.UTC().Format(time.DateTime+" MST"))
	}
	return nil
}

// CheckClientCA reports what makes a file of authorities for client certificates unusable.
func CheckClientCA(file string) error {
	_, err := loadAuthorities(file)
	return err
}

func loadCertificate(certificate, privateKey string) (tls.Certificate, error) {
	info, err := os.Stat(privateKey)
	switch {
	case err != nil:
		return tls.Certificate{}, fmt.Errorf("read the private key: %w", err)
	case !info.Mode().IsRegular():
		return tls.Certificate{}, fmt.Errorf("the private key %s is not a regular file", privateKey)
	case info.Mode().Perm()&0o077 != 0:
		return tls.Certificate{}, fmt.Errorf("the private key %s can be read by others (mode %04o); run: chmod 600 %s", privateKey, info.Mode().Perm(), privateKey)
	}
	pair, err := tls.LoadX509KeyPair(certificate, privateKey)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("load the certificate %s with the private key %s: %w", certificate, privateKey, err)
	}
	return pair, nil
}

func loadAuthorities(file string) (*x509.CertPool, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the authorities for client certificates: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("the file %s holds no certificate in PEM form", file)
	}
	return pool, nil
}

// configurations returns those of one control connection and of its data connections. They share a key for session tickets that
// exists for this control connection only: a data connection that resumes a TLS session can have it from nowhere else, and no
// control connection resumes another's.
//
// The application protocols keep a browser that was sent here from being understood (the ALPACA attack); a client that names none
// passes.
func configurations(zone *tls.Config) (control, data *tls.Config) {
	var key [32]byte
	rand.Read(key[:]) // crypto/rand.Read never fails
	control, data = zone.Clone(), zone.Clone()
	control.NextProtos, data.NextProtos = []string{"ftp"}, []string{"ftp-data", "ftp"}
	for _, c := range []*tls.Config{control, data} {
		c.SetSessionTicketKeys([][32]byte{key})
	}
	return control, data
}

var (
	errNotResumed       = errors.New("the data connection does not resume the TLS session of its control connection")
	errOtherCertificate = errors.New("the data connection has another client certificate than its control connection")
)

// admit decides on a data connection whose handshake is done.
func (t *TLS) admit(control, data tls.ConnectionState) error {
	if t.ReuseRequired && !data.DidResume {
		return errNotResumed
	}
	// The holder of the certificate has logged in; the data connection must be the same one's.
	want, got := leaf(control), leaf(data)
	if want != nil && (got == nil || !want.Equal(got)) {
		return errOtherCertificate
	}
	return nil
}

// leaf is the client's verified certificate, or nil.
func leaf(state tls.ConnectionState) *x509.Certificate {
	if len(state.VerifiedChains) == 0 {
		return nil
	}
	return state.PeerCertificates[0]
}
