// SPDX-License-Identifier: Apache-2.0

package sftpback

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ftpgw/ftpgw/gateway"
	"github.com/ftpgw/ftpgw/sftpback/sshdtest"
)

func TestTree(t *testing.T) {
	overBoth(t, func(t *testing.T, f *far) {
		ctx := t.Context()
		// Nobody has written yet: the home is an empty directory, and is not made by looking at it.
		if info, err := f.Stat(ctx, at("/")); err != nil || !info.IsDir() {
			t.Errorf("Stat of a missing home: %v, %v", info, err)
		}
		if infos, err := f.ReadDir(ctx, at("/")); err != nil || len(infos) != 0 {
			t.Errorf("ReadDir of a missing home: %v, %v", infos, err)
		}
		if _, err := os.Stat(f.local("/")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the home was made: %v", err)
		}
		wantErr(t, "Stat below a missing home", second(f.Stat(ctx, at("/x"))), fs.ErrNotExist)
		wantErr(t, "Mkdir", f.Mkdir(ctx, at("/d")), nil)
		wantErr(t, "Mkdir twice", f.Mkdir(ctx, at("/d")), fs.ErrExist)
		wantErr(t, "Mkdir of the home", f.Mkdir(ctx, at("/")), fs.ErrExist)
		wantErr(t, "Mkdir without parent", f.Mkdir(ctx, at("/no/d")), fs.ErrNotExist)
		for _, p := range []string{"/", "/d"} {
			if info, err := os.Stat(f.local(p)); err != nil || info.Mode().Perm()&^0o750 != 0 {
				t.Errorf("mode of %s: %v, %v", p, info.Mode(), err)
			}
		}
		f.put(t, "/d/x", []byte("x"))
		f.put(t, "/d/y", []byte("yy"))
		wantErr(t, "RemoveDir of a full one", f.RemoveDir(ctx, at("/d")), syscall.ENOTEMPTY)
		wantErr(t, "RemoveDir of a file", f.RemoveDir(ctx, at("/d/x")), syscall.ENOTDIR)
		wantErr(t, "RemoveDir of nothing", f.RemoveDir(ctx, at("/e")), fs.ErrNotExist)
		wantErr(t, "RemoveDir of the home", f.RemoveDir(ctx, at("/")), fs.ErrPermission)
		wantErr(t, "Remove of a directory", f.Remove(ctx, at("/d")), syscall.EISDIR)
		wantErr(t, "Remove of nothing", f.Remove(ctx, at("/e")), fs.ErrNotExist)
		wantErr(t, "ReadDir of a file", second(f.ReadDir(ctx, at("/d/x"))), syscall.ENOTDIR)
		wantErr(t, "ReadDir of nothing", second(f.ReadDir(ctx, at("/e"))), fs.ErrNotExist)
		wantErr(t, "Rename over a file", f.Rename(ctx, at("/d/x"), at("/d/y")), nil)
		if got, err := os.ReadFile(f.local("/d/y")); err != nil || string(got) != "x" {
			t.Errorf("after Rename: %q, %v", got, err)
		}
		wantErr(t, "Rename over a directory", f.Rename(ctx, at("/d/y"), at("/d")), fs.ErrExist)
		wantErr(t, "Rename into itself", f.Rename(ctx, at("/d"), at("/d/e")), syscall.EINVAL)
		wantErr(t, "Rename of nothing", f.Rename(ctx, at("/e"), at("/f")), fs.ErrNotExist)
		wantErr(t, "Rename of the home", f.Rename(ctx, at("/"), at("/f")), fs.ErrPermission)
		wantErr(t, "Rename to a gateway's name", f.Rename(ctx, at("/d/y"), at("/d/.ftpgw-y")), fs.ErrPermission)
		wantErr(t, "Rename of a directory", f.Rename(ctx, at("/d"), at("/e")), nil)
		wantErr(t, "Remove", f.Remove(ctx, at("/e/y")), nil)
		wantErr(t, "RemoveDir", f.RemoveDir(ctx, at("/e")), nil)
		f.wantFiles(t)
	})
}

func second[T any](_ T, err error) error { return err }

func wantErr(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) || err != nil && (errors.Is(err, io.EOF) || gateway.IsTemporary(err)) {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
	var own *Error
	if err != nil && (!errors.As(err, &own) || own.Conduit != "far") {
		t.Errorf("%s: %v does not name the conduit", what, err)
	}
}

func TestAttributes(t *testing.T) {
	overBoth(t, func(t *testing.T, f *far) {
		f.put(t, "/x", []byte("12345"))
		when := time.Date(2026, 2, 28, 23, 59, 58, 0, time.UTC)
		wantErr(t, "Chtimes", f.Chtimes(t.Context(), at("/x"), when), nil)
		wantErr(t, "Chmod", f.Chmod(t.Context(), at("/x"), 0o604|fs.ModeSetuid), nil)
		info, err := f.Stat(t.Context(), at("/x"))
		if err != nil || info.Name() != "x" || info.Size() != 5 || !info.ModTime().Equal(when) || info.Mode() != 0o604 {
			t.Errorf("Stat: %v, %v", info, err)
		}
		wantErr(t, "Chtimes of nothing", f.Chtimes(t.Context(), at("/y"), when), fs.ErrNotExist)
		wantErr(t, "Chmod of nothing", f.Chmod(t.Context(), at("/y"), 0o600), fs.ErrNotExist)
		for _, bad := range []time.Time{time.Unix(-1, 0), time.Unix(1<<32, 0)} {
			wantErr(t, "Chtimes out of range", f.Chtimes(t.Context(), at("/x"), bad), syscall.EINVAL)
		}
	})
}

func TestReadDir(t *testing.T) {
	overBoth(t, func(t *testing.T, f *far) {
		want := []string{"-rf", "a b", "a,b", "grüße", "new\nline", "sub", `"quoted"`}
		for _, name := range want {
			if name == "sub" {
				f.put(t, "/sub/x", nil)
				continue
			}
			f.put(t, "/"+name, []byte(name))
		}
		f.put(t, "/.ftpgw-other000-0123456789abcdef.part", nil)
		for i := range 500 {
			name := fmt.Sprintf("f%03d", i)
			f.put(t, "/"+name, nil)
			want = append(want, name)
		}
		infos, err := f.ReadDir(t.Context(), at("/"))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, info := range infos {
			got = append(got, info.Name())
			if info.IsDir() != (info.Name() == "sub") {
				t.Errorf("%s: %v", info.Name(), info.Mode())
			}
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("got %q", got)
		}
	})
}

func TestHiddenNamesAreNobodysBusiness(t *testing.T) {
	f := overEmbedded(t)
	hidden := "/.ftpgw-test0001-0123456789abcdef.part"
	f.put(t, hidden, []byte("x"))
	ctx, l := t.Context(), at(hidden)
	wantErr(t, "Stat", second(f.Stat(ctx, l)), fs.ErrPermission)
	wantErr(t, "Open", second(f.Open(ctx, l, 0)), fs.ErrPermission)
	wantErr(t, "Begin", second(f.Begin(ctx, gateway.Target{Location: l})), fs.ErrPermission)
	wantErr(t, "Remove", f.Remove(ctx, l), fs.ErrPermission)
	wantErr(t, "Rename", f.Rename(ctx, l, at("/x")), fs.ErrPermission)
	wantErr(t, "Mkdir", f.Mkdir(ctx, l), fs.ErrPermission)
	wantErr(t, "ReadDir", second(f.ReadDir(ctx, l.Join("x"))), fs.ErrPermission)
	f.wantFiles(t, hidden[1:])
}

// links makes symbolic links of all kinds in the home, and what they lead to.
func links(t *testing.T, f *far) {
	t.Helper()
	f.put(t, "/in/file", []byte("inside"))
	outside := filepath.Join(filepath.Dir(f.local("/")), "other") // another device's home
	if err := os.MkdirAll(outside, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(outside, "secret"), []byte("secret"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{
		"rel": "../other", "abs": outside, "relfile": "../other/secret", "absfile": outside + "/secret", "new": "../other/new",
		"in/up": "../../other", "chain": "chain2", "chain2": "rel", "etc": "/etc", "root": "/",
		"good": "in", "goodfile": "in/file", "dangling": "in/none", "loop": "loop",
	} {
		if err := os.Symlink(target, f.local("/"+name)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestLinksThatLeadOut(t *testing.T) {
	overBoth(t, func(t *testing.T, f *far) {
		links(t, f)
		ctx := t.Context()
		for _, p := range []string{"/rel", "/abs", "/relfile", "/absfile", "/rel/secret", "/abs/secret", "/in/up/secret", "/good/up/secret", "/chain/secret", "/etc/passwd", "/root/etc"} {
			wantErr(t, "Stat "+p, second(f.Stat(ctx, at(p))), fs.ErrPermission)
			wantErr(t, "ReadDir "+p, second(f.ReadDir(ctx, at(p))), fs.ErrPermission)
			wantErr(t, "Open "+p, second(f.Open(ctx, at(p), 0)), fs.ErrPermission)
			wantErr(t, "Chmod "+p, f.Chmod(ctx, at(p), 0o777), fs.ErrPermission)
			wantErr(t, "Chtimes "+p, f.Chtimes(ctx, at(p), time.Unix(0, 0)), fs.ErrPermission)
			wantErr(t, "Begin "+p, second(f.Begin(ctx, gateway.Target{Location: at(p)})), fs.ErrPermission)
		}
		for _, p := range []string{"/rel/x", "/abs/secret", "/in/up/x", "/good/up/secret", "/chain/x"} {
			wantErr(t, "Begin "+p, second(f.Begin(ctx, gateway.Target{Location: at(p)})), fs.ErrPermission)
			wantErr(t, "Mkdir "+p, f.Mkdir(ctx, at(p)), fs.ErrPermission)
			wantErr(t, "Remove "+p, f.Remove(ctx, at(p)), fs.ErrPermission)
			wantErr(t, "RemoveDir "+p, f.RemoveDir(ctx, at(p)), fs.ErrPermission)
			wantErr(t, "Rename from "+p, f.Rename(ctx, at(p), at("/y")), fs.ErrPermission)
			wantErr(t, "Rename to "+p, f.Rename(ctx, at("/in/file"), at(p)), fs.ErrPermission)
		}
		wantErr(t, "Begin over a link to a new name", second(f.Begin(ctx, gateway.Target{Location: at("/new")})), fs.ErrPermission)
		if got, err := os.ReadFile(filepath.Join(f.root, "other", "secret")); err != nil || string(got) != "secret" {
			t.Errorf("the secret: %q, %v", got, err)
		}
		if entries, err := os.ReadDir(filepath.Join(f.root, "other")); err != nil || len(entries) != 1 {
			t.Errorf("the other home: %v, %v", entries, err)
		}
	})
}

func TestLinksThatStayInside(t *testing.T) {
	overBoth(t, func(t *testing.T, f *far) {
		links(t, f)
		ctx := t.Context()
		for _, p := range []string{"/good/file", "/goodfile"} {
			if got, err := f.download(ctx, p, 0); err != nil || string(got) != "inside" {
				t.Errorf("%s: %q, %v", p, got, err)
			}
			if info, err := f.Stat(ctx, at(p)); err != nil || !info.Mode().IsRegular() || info.Name() != filepath.Base(p) {
				t.Errorf("Stat %s: %v, %v", p, info, err)
			}
		}
		if _, err := f.upload(ctx, gateway.Target{Location: at("/good/new")}, []byte("new")); err != nil {
			t.Error(err)
		}
		if got, err := os.ReadFile(f.local("/in/new")); err != nil || string(got) != "new" {
			t.Errorf("through a link: %q, %v", got, err)
		}
		wantErr(t, "Stat of a dangling link", second(f.Stat(ctx, at("/dangling"))), fs.ErrNotExist)
		if err := second(f.Stat(ctx, at("/loop"))); err == nil {
			t.Error("Stat of a loop succeeds")
		}
		// What acts on a name acts on the link, wherever it leads.
		wantErr(t, "Remove of a link", f.Remove(ctx, at("/abs")), nil)
		wantErr(t, "Rename of a link", f.Rename(ctx, at("/rel"), at("/moved")), nil)
		wantErr(t, "RemoveDir of a link", f.RemoveDir(ctx, at("/good")), syscall.ENOTDIR)
		if _, err := os.Stat(filepath.Join(f.root, "other", "secret")); err != nil {
			t.Error(err)
		}
		if target, err := os.Readlink(f.local("/moved")); err != nil || target != "../other" {
			t.Errorf("the moved link: %q, %v", target, err)
		}
	})
}

// The administrator may make the root or a home a link; that is not the device's doing.
func TestHomeIsALink(t *testing.T) {
	f := overSSHD(t, nil)
	f.put(t, "/../elsewhere/in/file", []byte("x"))
	for _, link := range []struct{ at, to string }{{"/", "elsewhere"}, {"/l", "in"}, {"/out", "../root"}} {
		if err := os.Symlink(link.to, f.local(link.at)); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := f.download(t.Context(), "/l/file", 0); err != nil || string(got) != "x" {
		t.Errorf("%q, %v", got, err)
	}
	wantErr(t, "out", second(f.ReadDir(t.Context(), at("/out"))), fs.ErrPermission)
}

func TestRefusedByServer(t *testing.T) {
	if os.Geteuid() == 0 {
		// Root is never refused, but for what is immutable or read-only.
		dir := t.TempDir()
		if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
			sshdtest.Cannot(t, "cannot mount: %v", err)
		}
		t.Cleanup(func() {
			if err := syscall.Unmount(dir, 0); err != nil {
				t.Error(err)
			}
		})
		f := overSSHD(t, func(cfg *Config) { cfg.Root = dir })
		f.put(t, "/x", nil)
		if err := syscall.Mount("", dir, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
			t.Fatal(err)
		}
		// OpenSSH answers EROFS with SSH_FX_FAILURE; statvfs tells what it is.
		if _, err := f.upload(t.Context(), gateway.Target{Location: at("/y")}, nil); !errors.Is(err, syscall.EROFS) || !gateway.IsTemporary(err) {
			t.Errorf("upload: %v", err)
		}
		if err := f.Remove(t.Context(), at("/x")); err == nil {
			t.Error("Remove succeeds")
		}
		return
	}
	f := overSSHD(t, nil)
	f.put(t, "/x", nil)
	if err := os.Chmod(f.local("/"), 0o500); err != nil {
		t.Fatal(err)
	}
	_, err := f.upload(t.Context(), gateway.Target{Location: at("/y")}, nil)
	wantErr(t, "upload", err, fs.ErrPermission)
	wantErr(t, "Remove", f.Remove(t.Context(), at("/x")), fs.ErrPermission)
}

// A missing root is not made: it is what is mounted there that is missing. That can pass, so the device must not be told that its
// file is not there, and the operator is told at once.
func TestRootIsNotMade(t *testing.T) {
	f := overSSHD(t, func(cfg *Config) { cfg.Root += "/not-mounted" })
	for _, l := range []gateway.Location{at("/x"), {Home: "/", Path: "/x"}} {
		_, err := f.upload(t.Context(), gateway.Target{Location: l}, nil)
		_, lookErr := f.ReadDir(t.Context(), l)
		for _, err := range []error{err, lookErr} {
			if errors.Is(err, fs.ErrNotExist) || !gateway.IsTemporary(err) || !strings.Contains(err.Error(), "does not exist on the server") {
				t.Errorf("%s: %v", l, err)
			}
		}
	}
	if !strings.Contains(f.log.String(), "the conduit's root cannot be used") {
		t.Error("the operator was not told")
	}
	if n, err := f.Connections(); n == 0 || err == nil || !strings.Contains(err.Error(), "not-mounted could not be used") {
		t.Errorf("%d connections, and what is wrong is: %v", n, err)
	}
	if _, err := os.Stat(f.root); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the root was made: %v", err)
	}
}

func TestFullDisk(t *testing.T) {
	if os.Geteuid() != 0 {
		sshdtest.Cannot(t, "mounting a small file system needs root")
	}
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=4m,nr_inodes=8"); err != nil {
		sshdtest.Cannot(t, "cannot mount: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	f := overSSHD(t, func(cfg *Config) { cfg.Root = dir })
	f.put(t, "/old", []byte("old"))
	_, err := f.upload(t.Context(), gateway.Target{Location: at("/old")}, noise(6<<20))
	if !errors.Is(err, syscall.ENOSPC) || !gateway.IsTemporary(err) {
		t.Errorf("upload: %v", err)
	}
	f.wantFiles(t, "old")
	if _, err := f.upload(t.Context(), gateway.Target{Location: at("/old")}, noise(1<<20)); err != nil {
		t.Errorf("a smaller one: %v", err)
	}
	for i := range 8 {
		if err := f.Mkdir(t.Context(), at(fmt.Sprintf("/d%d", i))); err != nil {
			if !errors.Is(err, syscall.ENOSPC) || !gateway.IsTemporary(err) {
				t.Errorf("Mkdir without inodes: %v", err)
			}
			return
		}
	}
	t.Error("the inodes have not run out")
}

func TestSweep(t *testing.T) {
	overBoth(t, func(t *testing.T, f *far) {
		stale, own := ".ftpgw-test0001-0123456789abcdef.part", ".ftpgw-test0001-"+f.run+"00000001.part"
		keep := []string{own, ".ftpgw-other000-0123456789abcdef.part", ".ftpgw-test0001-0123456789abcdef.part.old", ".ftpgw-test0001-0123456789abcdeX.part", "data"}
		for _, name := range append(keep, stale) {
			f.put(t, "/"+name, nil)
			f.put(t, "/a/b/"+name, nil)
		}
		if err := os.Mkdir(f.local("/a/.ftpgw-test0001-0123456789abcdee.part"), 0o755); err != nil {
			t.Fatal(err)
		}
		other := filepath.Join(f.root, "other")
		if err := os.Mkdir(other, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(other, stale), nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(other, f.local("/link")); err != nil {
			t.Fatal(err)
		}
		removed, err := f.Sweep(context.Background(), []string{"/dev", "/missing"})
		if err != nil || len(removed) != 2 {
			t.Errorf("removed %q, %v", removed, err)
		}
		for _, p := range removed {
			if !strings.HasSuffix(p, "/"+stale) {
				t.Errorf("removed %s", p)
			}
		}
		if got := len(f.files(t)); got != 2*len(keep)+1 { // and the link
			t.Errorf("%d files are left: %q", got, f.files(t))
		}
		if _, err := os.Stat(filepath.Join(other, stale)); err != nil {
			t.Errorf("behind the link: %v", err)
		}
	})
}
