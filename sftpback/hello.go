// SPDX-License-Identifier: Apache-2.0

package sftpback

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Packet types and numbers of the version exchange: draft-ietf-secsh-filexfer-02 sections 3 and 4, and OpenSSH's PROTOCOL section
// 4.8 (limits@openssh.com).
const (
	fxpInit          = 1
	fxpVersion       = 2
	fxpExtended      = 200
	fxpExtendedReply = 201

	sftpVersion     = 3
	initPacketSize  = 4 + 1 + 4
	maxHello        = 256 << 10
	limitsExtension = "limits@openssh.com"
)

// Sizes of the data in one read or write. The draft asks servers for 32 KiB at least; the most that OpenSSH takes or sends is 256 KiB
// with the packet's header.
const (
	safePacket     = 32 << 10
	maxPacket      = 255 << 10
	packetOverhead = 1 << 10
)

// hello is the outcome of the version exchange.
type hello struct {
	extensions  map[string]string // those that the server offers, with their versions
	read, write int               // bytes of data in one packet
}

// greet runs the version exchange on a fresh channel.
func greet(rw io.ReadWriter) (hello, error) {
	h := hello{read: safePacket, write: safePacket}
	first := binary.BigEndian.AppendUint32(nil, initPacketSize-4)
	first = append(first, fxpInit)
	first = binary.BigEndian.AppendUint32(first, sftpVersion)
	if _, err := rw.Write(first); err != nil {
		return hello{}, fmt.Errorf("send SFTP version: %w", err)
	}
	packet, err := readPacket(rw)
	if err != nil {
		return hello{}, fmt.Errorf("read SFTP version: %w", err)
	}
	if h.extensions, err = parseVersion(packet[4:]); err != nil {
		return hello{}, fmt.Errorf("read SFTP version: %w", err)
	}
	if h.extensions[limitsExtension] != "1" {
		return h, nil
	}
	if err := h.askLimits(rw); err != nil {
		return hello{}, fmt.Errorf("ask for limits: %w", err)
	}
	return h, nil
}

func readPacket(r io.Reader) ([]byte, error) {
	packet := make([]byte, 4)
	if _, err := io.ReadFull(r, packet); err != nil {
		return nil, err
	}
	size := binary.BigEndian.Uint32(packet)
	if size < 5 || size > maxHello {
		return nil, fmt.Errorf("packet of %d bytes", size)
	}
	packet = append(packet, make([]byte, size)...)
	_, err := io.ReadFull(r, packet[4:])
	return packet, err
}

// parseVersion takes the extensions out of a version packet's body.
func parseVersion(body []byte) (extensions map[string]string, err error) {
	if body[0] != fxpVersion {
		return nil, fmt.Errorf("packet type %d", body[0])
	}
	if v := binary.BigEndian.Uint32(body[1:]); v != sftpVersion {
		return nil, fmt.Errorf("version %d instead of %d", v, sftpVersion)
	}
	extensions = make(map[string]string)
	for rest := body[5:]; len(rest) > 0; {
		var name, data []byte
		var ok1, ok2 bool
		name, rest, ok1 = cutString(rest)
		data, rest, ok2 = cutString(rest)
		if !ok1 || !ok2 {
			return nil, errors.New("extension list is cut off")
		}
		extensions[string(name)] = string(data)
	}
	return extensions, nil
}

func cutString(b []byte) (s, rest []byte, ok bool) {
	if len(b) < 4 {
		return nil, nil, false
	}
	n := uint64(binary.BigEndian.Uint32(b))
	if uint64(len(b)-4) < n {
		return nil, nil, false
	}
	return b[4 : 4+n], b[4+n:], true
}

func (h *hello) askLimits(rw io.ReadWriter) error {
	body := append([]byte{fxpExtended}, 0, 0, 0, 0) // request id 0
	body = binary.BigEndian.AppendUint32(body, uint32(len(limitsExtension)))
	body = append(body, limitsExtension...)
	packet := append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...)
	if _, err := rw.Write(packet); err != nil {
		return err
	}
	reply, err := readPacket(rw)
	if err != nil {
		return err
	}
	const size = 4 + 1 + 4 + 4*8
	if reply[4] != fxpExtendedReply || len(reply) < size {
		return nil // the server has changed its mind: the safe sizes stay
	}
	limit := func(i int) uint64 { return binary.BigEndian.Uint64(reply[9+8*i:]) }
	h.read = packetSize(limit(0), limit(1))
	h.write = packetSize(limit(0), limit(2))
	return nil
}

// packetSize is the size to use where a server names the largest packet and the most data in one; 0 stands for no limit.
func packetSize(packet, data uint64) int {
	size := uint64(maxPacket)
	if packet > 0 {
		size = min(size, max(packet, 2*packetOverhead)-packetOverhead)
	}
	if data > 0 {
		size = min(size, data)
	}
	return int(size)
}
