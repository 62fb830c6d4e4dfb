// SPDX-License-Identifier: Apache-2.0

package inspect

import (
	"errors"
	"slices"
)

var errTooLong = errors.New("it is longer than any COMTRADE configuration")

// Types lists the names of types, sorted. "data" is what has no signature and is no text.
func Types() []string {
	names := []string{"comtrade"}
	for _, name := range mediaTypes() {
		names = append(names, name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// mediaTypes maps media types to names. Types that are made of others (a Word file is a zip) go by the name of the one that they are
// made of where they have no name themselves.
func mediaTypes() map[string]string {
	return map[string]string{
		"application/octet-stream": "data", "text/plain": "text", "text/csv": "csv", "text/xml": "xml", "application/json": "json",
		"text/html": "html", "application/pdf": "pdf", "application/zip": "zip", "application/gzip": "gzip", "application/x-tar": "tar",
		"application/x-7z-compressed": "7z", "application/vnd.rar": "rar", "application/x-bzip2": "bzip2", "application/x-xz": "xz", "application/zstd": "zstd",
		"application/x-elf": "elf", "application/vnd.microsoft.portable-executable": "pe", "application/x-mach-binary": "mach-o",
		"text/x-shellscript": "script", "image/jpeg": "jpeg", "image/png": "png", "image/gif": "gif", "image/bmp": "bmp", "image/tiff": "tiff",
		"video/mp4": "mp4", "video/x-msvideo": "avi", "video/matroska": "mkv",
	}
}
