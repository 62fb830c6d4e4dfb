// SPDX-License-Identifier: Apache-2.0

package sftpback

import (
	"bytes"
	"errors"
	"testing"

	"github.com/ftpgw/ftpgw/gateway"
	"github.com/ftpgw/ftpgw/sftpback/sftpfault"
)

// A short read is not the end of the file.
func TestShortRead(t *testing.T) {
	f, s := overFaulty(t, sftpfault.Options{}, nil)
	data := noise(3*faultPacket + 1)
	f.put(t, "/x", data)
	s.Arm(sftpfault.Fault{Op: sftpfault.Read, Nth: 2, Kind: sftpfault.Short, Done: true})
	if got, err := f.download(t.Context(), "/x", 0); err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

// What a server stores wrongly is found out by its content. A short write in the middle is one of these: the writes behind it make
// up the size, and leave a hole.
func TestCorruption(t *testing.T) {
	for _, how := range []gateway.Verification{gateway.VerifyReadback, gateway.VerifyExtension} {
		t.Run(string(how), func(t *testing.T) {
			f, s := overFaulty(t, sftpfault.Options{}, nil)
			f.put(t, "/x", []byte("old"))
			data := noise(3*faultPacket + 1)
			target := gateway.Target{Location: at("/x"), Verify: how, Digest: digestOf(data)}
			for _, kind := range []sftpfault.Kind{sftpfault.Corrupt, sftpfault.Short} {
				for nth := 1; nth <= 4; nth++ {
					s.Arm(sftpfault.Fault{Op: sftpfault.Write, Nth: nth, Kind: kind})
					_, err := f.upload(t.Context(), target, data)
					if !errors.Is(err, gateway.ErrCorrupted) || !gateway.IsTemporary(err) {
						t.Errorf("write %d %s: %v", nth, kind, err)
					}
					s.Disarm()
					checkFinal(t, f, err, "old", data)
					f.wantFiles(t, "x")
				}
			}
		})
	}
}
