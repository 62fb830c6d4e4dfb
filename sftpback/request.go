// SPDX-License-Identifier: Apache-2.0

package sftpback

import (
	"context"
	"io/fs"
	"time"

	"github.com/pkg/sftp"
)

// The requests of the protocol, each watched. A ctx that has ended stops a request from being sent; one that was sent is waited
// for, since its answer would otherwise be taken for lost.

func ask[T any](ctx context.Context, ch *channel, op, remote string, f func() (T, error)) (T, error) {
	var got T
	if err := ctx.Err(); err != nil {
		return got, err
	}
	err := ch.do(op, remote, func() (err error) {
		got, err = f()
		return err
	})
	return got, err
}

func tell(ctx context.Context, ch *channel, op, remote string, f func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return ch.do(op, remote, f)
}

func (ch *channel) lstat(ctx context.Context, p string) (fs.FileInfo, error) {
	return ask(ctx, ch, "lstat", p, func() (fs.FileInfo, error) { return ch.client.Lstat(p) })
}

func (ch *channel) stat(ctx context.Context, p string) (fs.FileInfo, error) {
	return ask(ctx, ch, "stat", p, func() (fs.FileInfo, error) { return ch.client.Stat(p) })
}

func (ch *channel) realPath(ctx context.Context, p string) (string, error) {
	return ask(ctx, ch, "realpath", p, func() (string, error) { return ch.client.RealPath(p) })
}

func (ch *channel) readDir(ctx context.Context, p string) ([]fs.FileInfo, error) {
	return ask(ctx, ch, "readdir", p, func() ([]fs.FileInfo, error) { return ch.client.ReadDir(p) })
}

func (ch *channel) openFile(ctx context.Context, p string, flags int) (*sftp.File, error) {
	return ask(ctx, ch, "open", p, func() (*sftp.File, error) { return ch.client.OpenFile(p, flags) })
}

func (ch *channel) fstat(ctx context.Context, f *sftp.File) (fs.FileInfo, error) {
	return ask(ctx, ch, "fstat", f.Name(), f.Stat)
}

func (ch *channel) statVFS(ctx context.Context, p string) (*sftp.StatVFS, error) {
	return ask(ctx, ch, "statvfs", p, func() (*sftp.StatVFS, error) { return ch.client.StatVFS(p) })
}

func (ch *channel) mkdir(ctx context.Context, p string) error {
	return tell(ctx, ch, "mkdir", p, func() error { return ch.client.Mkdir(p) })
}

// remove removes a file. The library tries to remove an empty directory of this name, too, where there is no file.
func (ch *channel) remove(ctx context.Context, p string) error {
	return tell(ctx, ch, "remove", p, func() error { return ch.client.Remove(p) })
}

func (ch *channel) rmdir(ctx context.Context, p string) error {
	return tell(ctx, ch, "rmdir", p, func() error { return ch.client.RemoveDirectory(p) })
}

func (ch *channel) rename(ctx context.Context, from, to string) error {
	return tell(ctx, ch, "rename", to, func() error { return ch.client.Rename(from, to) })
}

func (ch *channel) posixRename(ctx context.Context, from, to string) error {
	return tell(ctx, ch, "rename", to, func() error { return ch.client.PosixRename(from, to) })
}

func (ch *channel) chmod(ctx context.Context, p string, mode fs.FileMode) error {
	return tell(ctx, ch, "chmod", p, func() error { return ch.client.Chmod(p, mode) })
}

func (ch *channel) chtimes(ctx context.Context, p string, t time.Time) error {
	return tell(ctx, ch, "chtimes", p, func() error { return ch.client.Chtimes(p, t, t) })
}
