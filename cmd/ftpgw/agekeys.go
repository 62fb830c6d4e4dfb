// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"

	"filippo.io/age"
)

// checkAgeRecipient reports what is wrong with a public key of age.
func checkAgeRecipient(text string) error {
	_, err := ageRecipients(text)
	return err
}

func ageRecipients(text string) ([]age.Recipient, error) {
	if text == "" {
		return nil, nil
	}
	if r, err := age.ParseX25519Recipient(text); err == nil {
		return []age.Recipient{r}, nil
	}
	r, err := age.ParseHybridRecipient(text)
	if err != nil {
		return nil, errors.New("it is not a public key of age, which begins with age1; age-keygen -y shows it")
	}
	return []age.Recipient{r}, nil
}

// ageIdentities reads the identities in a file, which must be there where its name is not empty.
func ageIdentities(file string) (_ []age.Identity, err error) {
	if file == "" {
		return nil, nil
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("read the age identity: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	list, err := age.ParseIdentities(f)
	if err != nil {
		return nil, fmt.Errorf("%s holds no age identity: %w", file, err)
	}
	return list, nil
}

// checkAgeIdentity reports whether the identity in a file opens what is encrypted to the recipient.
func checkAgeIdentity(file, recipient string) error {
	list, err := ageIdentities(file)
	if err != nil {
		return err
	}
	for _, identity := range list {
		switch i := identity.(type) {
		case *age.X25519Identity:
			if i.Recipient().String() == recipient {
				return nil
			}
		case *age.HybridIdentity:
			if i.Recipient().String() == recipient {
				return nil
			}
		}
	}
	return fmt.Errorf("the identity in %s is not that of age_recipient: what is held could not be delivered", file)
}
