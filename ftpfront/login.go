// SPDX-License-Identifier: Apache-2.0

package ftpfront

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"hash/maphash"
	"net/netip"
	"slices"
	"strings"

	"github.com/ftpgw/ftpgw/internal/credential"
)

// Device is an identity that may log in.
type Device struct {
	Name         string            // the label: who it is in the policy and on record
	User         string            // what it sends with USER
	PasswordHash credential.Secret // of bcrypt or argon2id
	From         []netip.Prefix
	Home         string // below the conduit's root
	// CertificateNames, where there are any, are the names of which one must stand in the client certificate that the device shows:
	// the subject's common name, or a DNS name of the certificate.
	CertificateNames []string
	Quirks           Quirks
}

// errLogin is every reason why a login is refused; the device learns only that it is.
var errLogin = errors.New("login refused")

// login knows the devices and checks their passwords.
type login struct {
	devices map[string][]Device // by user
	decoys  []string            // the devices' hashes, one of which is checked where there is no device
	key     maphash.Seed        // chooses among them
}

func newLogin(devices []Device, key maphash.Seed) *login {
	l := &login{devices: make(map[string][]Device), key: key}
	for _, d := range devices {
		l.devices[d.User] = append(l.devices[d.User], d)
		l.decoys = append(l.decoys, d.PasswordHash.Reveal())
	}
	slices.Sort(l.decoys) // the order of the configuration plays no part
	return l
}

// recordable is a user's name for the record, right or wrong: who tries what is evidence. What follows a blank, where no device has
// such a name, is a password that stands in the wrong place.
func (l *login) recordable(user string) string {
	name, _, two := strings.Cut(user, " ")
	if _, known := l.devices[user]; known || !two {
		return user
	}
	return name + " " + credential.Masked
}

// decoy is the hash that is checked where there is no device for the user, so that both take the same time. Hashes differ in what
// they cost: a name that does not exist has always the same one, as one that exists has.
func (l *login) decoy(user string) string {
	if len(l.decoys) == 0 {
		return ""
	}
	return l.decoys[maphash.String(l.key, user)%uint64(len(l.decoys))]
}

// passwords checks passwords; credential.Checker does.
type passwords interface {
	Check(ctx context.Context, hash string, password []byte, known bool) (bool, error)
	Pretend(ctx context.Context, hash string, password []byte, known bool) error
}

// check finds the device of this user at this address whose password this is. Its error Is errLogin, or says that ctx ended. known
// is whether the user has logged in from there before.
func (l *login) check(ctx context.Context, checker passwords, user string, password credential.Secret, peer netip.Addr, known bool) (Device, error) {
	if !l.expects(peer) { // nobody can log in from there, so that a stranger does not get our processors to work
		return Device{}, fmt.Errorf("%w: no device may log in from %s", errLogin, peer)
	}
	d, err := l.find(user, peer)
	if err != nil {
		return Device{}, cmp.Or(checker.Pretend(ctx, l.decoy(user), []byte(password.Reveal()), known), err)
	}
	switch right, err := checker.Check(ctx, d.PasswordHash.Reveal(), []byte(password.Reveal()), known); {
	case err != nil:
		return Device{}, err
	case !right:
		return Device{}, fmt.Errorf("%w: wrong password", errLogin)
	}
	return d, nil
}

// expects reports whether there is any device at this address.
func (l *login) expects(peer netip.Addr) bool {
	for _, devices := range l.devices {
		for _, d := range devices {
			if d.mayComeFrom(peer) {
				return true
			}
		}
	}
	return false
}

func (d Device) mayComeFrom(peer netip.Addr) bool {
	return len(d.From) == 0 || slices.ContainsFunc(d.From, func(p netip.Prefix) bool { return p.Contains(peer) })
}

func (l *login) find(user string, peer netip.Addr) (Device, error) {
	candidates, ok := l.devices[user]
	if !ok {
		return Device{}, fmt.Errorf("%w: no such user", errLogin)
	}
	for _, d := range candidates {
		if d.mayComeFrom(peer) {
			return d, nil
		}
	}
	return Device{}, fmt.Errorf("%w: user not allowed from %s", errLogin, peer)
}

// certified decides on the client certificate behind a login whose password was right; cert is verified, or nil.
func (d Device) certified(cert *x509.Certificate) error {
	switch {
	case len(d.CertificateNames) == 0:
		return nil
	case cert == nil:
		return fmt.Errorf("%w: no client certificate", errLogin)
	}
	names := certificateNames(cert)
	for _, name := range names {
		if slices.ContainsFunc(d.CertificateNames, func(n string) bool { return strings.EqualFold(n, name) }) {
			return nil
		}
	}
	return fmt.Errorf("%w: the client certificate is for %s", errLogin, strings.Join(names, ", "))
}

// certificateNames are the names that a verified client certificate is for, in lower case; none where cert is nil.
func certificateNames(cert *x509.Certificate) []string {
	if cert == nil {
		return nil
	}
	var names []string
	for _, name := range append([]string{cert.Subject.CommonName}, cert.DNSNames...) {
		if name = strings.ToLower(name); name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}
