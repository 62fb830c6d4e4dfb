// SPDX-License-Identifier: Apache-2.0

package sftpback

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"golang.org/x/crypto/ssh"
)

// The extension by which a server computes the digest of a file (draft-ietf-secsh-filexfer-extensions-00). The drafts differ in
// whether the reply begins with the extension's name, so both forms are understood. Servers that have it need not list it in their
// answer to version 3 of the protocol (ProFTPD's mod_sftp does not), so it is simply tried.
const (
	extCheckFileName = "check-file-name"
	extCheckFile     = "check-file"
	hashSHA256       = "sha256"

	fxpStatus           = 101 // SSH_FXP_STATUS
	fxOpUnsupported     = 8   // SSH_FX_OP_UNSUPPORTED
	checkFileWholeBlock = 0   // one digest over everything
)

// errNoCheckFile says that the server has not computed the digest of a file that it may hold all the same.
var errNoCheckFile = errors.New("the server computes no SHA-256")

// checkFile asks the server for the SHA-256 of the first size bytes of a file, which must not be empty. The SFTP library has no way
// to send a request that it does not know, so the question goes over a second channel of the same connection. ch is the one whose
// watch ends the connection when no answer comes.
func (l *link) checkFile(ctx context.Context, ch *channel, remote string, size int64) (sum []byte, err error) {
	if l.noCheckFile.Load() {
		return nil, errNoCheckFile
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var answer error
	err = ch.doSlow(extCheckFile, remote, func() error {
		sum, answer = l.askDigest(remote, size)
		return nil // the other channel's trouble is not this one's
	})
	switch {
	case err != nil:
		return nil, err
	case answer != nil && l.failure() != nil:
		return nil, lost(l.failure())
	}
	return sum, answer
}

// askDigest opens a channel for one question.
func (l *link) askDigest(remote string, size int64) ([]byte, error) {
	sc, err := l.session()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoCheckFile, err) // it may allow no further channel
	}
	defer func() { _ = sc.Close() }() // what was to be said has been said
	if _, err := greet(sc); err != nil {
		return nil, fmt.Errorf("%w: %w", errNoCheckFile, err)
	}
	if _, err := sc.Write(checkFileRequest(remote, size)); err != nil {
		return nil, fmt.Errorf("%w: %w", errNoCheckFile, err)
	}
	packet, err := readPacket(sc)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoCheckFile, withoutEOF(err))
	}
	sum, err := parseCheckFile(packet[4:])
	if err == errNoCheckFile {
		l.noCheckFile.Store(true) // it has never heard of the extension: it need not be asked again
	}
	return sum, err
}

// session opens a channel and starts SFTP on it.
func (l *link) session() (ssh.Channel, error) {
	sc, requests, err := l.openChannel()
	if err != nil {
		return nil, fmt.Errorf("open channel: %w", err)
	}
	started := l.goes(func() { ssh.DiscardRequests(requests) }) &&
		l.goes(func() { _, _ = io.Copy(io.Discard, sc.Stderr()) }) // unread, it would fill the window
	if !started {
		_ = sc.Close()
		return nil, lost(l.failure())
	}
	ok, err := sc.SendRequest("subsystem", true, ssh.Marshal(struct{ Name string }{"sftp"}))
	if err == nil && !ok {
		err = errors.New("the server refuses the sftp subsystem")
	}
	if err != nil {
		_ = sc.Close() // the reason is in err
		return nil, fmt.Errorf("request subsystem: %w", err)
	}
	return sc, nil
}

// openChannel opens a channel, or fails with the link. x/crypto/ssh has a gap: a channel that is asked for just when the connection
// ends, after all others have been told and before a write fails, is never told and its OpenChannel never returns. The goroutine
// that waits for it then holds nothing but itself.
func (l *link) openChannel() (ssh.Channel, <-chan *ssh.Request, error) {
	type opened struct {
		channel  ssh.Channel
		requests <-chan *ssh.Request
		err      error
	}
	result := make(chan opened, 1)
	go func() {
		var o opened
		o.channel, o.requests, o.err = l.client.OpenChannel("session", nil)
		result <- o
	}()
	select {
	case o := <-result:
		return o.channel, o.requests, o.err
	case <-l.done:
		return nil, nil, lost(l.failure())
	}
}

func checkFileRequest(remote string, size int64) []byte {
	body := []byte{fxpExtended, 0, 0, 0, 1} // request id 1
	for _, s := range []string{extCheckFileName, remote, hashSHA256} {
		body = appendString(body, s)
	}
	body = binary.BigEndian.AppendUint64(body, 0) // from the start
	body = binary.BigEndian.AppendUint64(body, uint64(size))
	body = binary.BigEndian.AppendUint32(body, checkFileWholeBlock)
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...)
}

func appendString(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(s))), s...)
}

// parseCheckFile takes the digest out of an answer's body. errNoCheckFile itself means that the server does not know the extension.
func parseCheckFile(body []byte) ([]byte, error) {
	if len(body) < 5 {
		return nil, fmt.Errorf("%w: a packet of %d bytes", errNoCheckFile, len(body))
	}
	kind, rest := body[0], body[5:]
	if kind == fxpStatus {
		if len(rest) >= 4 && binary.BigEndian.Uint32(rest) == fxOpUnsupported {
			return nil, errNoCheckFile
		}
		return nil, fmt.Errorf("%w: it answers with a status", errNoCheckFile)
	}
	algorithm, rest, ok := cutString(rest)
	if ok && string(algorithm) == extCheckFile {
		algorithm, rest, ok = cutString(rest)
	}
	if kind != fxpExtendedReply || !ok || string(algorithm) != hashSHA256 || len(rest) != sha256.Size {
		return nil, fmt.Errorf("%w: its answer is of type %d, by %q, and of %d bytes", errNoCheckFile, kind, algorithm, len(rest))
	}
	return rest, nil
}
