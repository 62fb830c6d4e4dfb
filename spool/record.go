// SPDX-License-Identifier: Apache-2.0

package spool

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"
)

// recordVersion is that of the records which this program writes, and the only one that it reads.
const recordVersion = 1

// errDamaged says that a file of the spool is not what was written.
var errDamaged = errors.New("damaged")

// record is an Entry as it stands on disk.
type record struct {
	Record int `json:"record"` // the version
	Entry
}

// encodeRecord is one line of JSON.
func encodeRecord(e Entry) ([]byte, error) {
	eachString(reflect.ValueOf(&e).Elem(), quote)
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(record{Record: recordVersion, Entry: e}); err != nil {
		return nil, fmt.Errorf("encode the record of a spooled file: %w", err)
	}
	return b.Bytes(), nil
}

// decodeRecord checks what it reads: what it accepts the index can hold. Errors are errDamaged.
func decodeRecord(line []byte) (Entry, error) {
	var r record
	if err := json.Unmarshal(line, &r); err != nil {
		return Entry{}, fmt.Errorf("%w: the record is not JSON: %w", errDamaged, err)
	}
	if r.Record != recordVersion {
		return Entry{}, fmt.Errorf("%w: the record is of version %d, this program reads version %d", errDamaged, r.Record, recordVersion)
	}
	e := r.Entry
	eachString(reflect.ValueOf(&e).Elem(), unquote)
	if err := e.Meta.check(); err != nil {
		return Entry{}, fmt.Errorf("%w: %w", errDamaged, err)
	}
	if !e.State.valid() || e.Size < 0 || e.Version < 0 || !isDigest(e.SHA256) {
		return Entry{}, fmt.Errorf("%w: the record has a state, size, version or digest that cannot be", errDamaged)
	}
	return e, nil
}

func isDigest(s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == sha256.Size && hex.EncodeToString(b) == s
}

// eachString changes every string in a structure and in those that are embedded in it.
func eachString(v reflect.Value, change func(string) string) {
	for i := range v.NumField() {
		switch f := v.Field(i); f.Kind() {
		case reflect.String:
			f.SetString(change(f.String()))
		case reflect.Struct:
			if v.Type().Field(i).Anonymous {
				eachString(f, change)
			}
		}
	}
}

// quote makes s valid UTF-8, which JSON needs and devices do not send. What is written as it is never begins with a quotation mark.
func quote(s string) string {
	if utf8.ValidString(s) && !strings.HasPrefix(s, `"`) {
		return s
	}
	return strconv.Quote(s)
}

// unquote takes back what quote did. What quote cannot have written it leaves as it is.
func unquote(s string) string {
	if !strings.HasPrefix(s, `"`) {
		return s
	}
	if u, err := strconv.Unquote(s); err == nil {
		return u
	}
	return s
}

// footer is the last line of every file of the spool. Its length is fixed, so that it is found from the end.
type footer struct {
	data   int64  // bytes before the record
	record int64  // bytes of the record
	key    uint64 // number of the key under which both are encrypted; 0 for none
}

const (
	footerFormat = "ftpgw-spool-1 %016x %016x %016x "
	footerHead   = 13 + 1 + 3*17
	footerSize   = footerHead + 2*sha256.Size + 1
)

// trailer is what stands behind the data: the record and the footer with the checksum of both.
func trailer(rec []byte, data int64, key uint64) []byte {
	out := fmt.Appendf(rec, footerFormat, data, len(rec), key)
	sum := sha256.Sum256(out)
	return append(hex.AppendEncode(out, sum[:]), '\n')
}

// parseFooter reads the last footerSize bytes of a file of that size. Its errors are errDamaged. The checksum is checkTrailer's.
func parseFooter(b []byte, size int64) (footer, error) {
	var f footer
	var fields [3]uint64
	parts := strings.Split(string(b), " ")
	if len(b) != footerSize || len(parts) != 5 || parts[0] != "ftpgw-spool-1" {
		return footer{}, fmt.Errorf("%w: it does not end with a footer", errDamaged)
	}
	for i := range fields {
		n, err := strconv.ParseUint(parts[i+1], 16, 64)
		if err != nil || len(parts[i+1]) != 16 {
			return footer{}, fmt.Errorf("%w: the footer has no number where one must be", errDamaged)
		}
		fields[i] = n
	}
	f.data, f.record, f.key = int64(fields[0]), int64(fields[1]), fields[2]
	body := size - footerSize
	if f.data < 0 || f.record < 0 || f.data > body || f.record != body-f.data {
		return footer{}, fmt.Errorf("%w: it has %d bytes, the footer speaks of %d and %d", errDamaged, size, f.data, f.record)
	}
	return f, nil
}

// checkTrailer compares the checksum of a record with its footer.
func checkTrailer(b []byte) error {
	end := len(b) - (footerSize - footerHead)
	sum := sha256.Sum256(b[:end])
	if string(hex.AppendEncode(nil, sum[:]))+"\n" != string(b[end:]) {
		return fmt.Errorf("%w: the checksum of the record is wrong", errDamaged)
	}
	return nil
}
