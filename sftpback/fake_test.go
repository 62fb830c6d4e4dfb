// SPDX-License-Identifier: Apache-2.0

package sftpback

import (
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"github.com/ftpgw/ftpgw/sftpback/sftpserver"
)

// fake is an SFTP server whose answers a test can spoil. It works on the files of a directory, without confining anything, and
// resolves no links in REALPATH.
type fake struct {
	dir    string
	read   func(f *os.File) io.ReaderAt
	write  func(f *os.File) io.WriterAt
	stat   func(fs.FileInfo) fs.FileInfo
	list   func([]fs.FileInfo) []fs.FileInfo
	rename func(from, to string) error
	remove func(p string) error
}

func (s *fake) Fileread(r *sftp.Request) (io.ReaderAt, error) {
	f, err := os.Open(filepath.Join(s.dir, r.Filepath))
	if err == nil && s.read != nil {
		return s.read(f), nil
	}
	return f, err
}

func (s *fake) Filewrite(r *sftp.Request) (io.WriterAt, error) {
	f, err := os.OpenFile(filepath.Join(s.dir, r.Filepath), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err == nil && s.write != nil {
		return s.write(f), nil
	}
	return f, err
}

func (s *fake) Filecmd(r *sftp.Request) error {
	switch p := filepath.Join(s.dir, r.Filepath); r.Method {
	case "Mkdir":
		return os.Mkdir(p, 0o700)
	case "Remove":
		if s.remove != nil {
			return s.remove(p)
		}
		return os.Remove(p)
	case "Rename", "PosixRename":
		to := filepath.Join(s.dir, r.Target)
		if s.rename != nil {
			return s.rename(p, to)
		}
		return os.Rename(p, to)
	default:
		return sftp.ErrSSHFxOpUnsupported
	}
}

func (s *fake) Filelist(r *sftp.Request) (sftp.ListerAt, error) {
	p := filepath.Join(s.dir, r.Filepath)
	if r.Method == "List" {
		var infos []fs.FileInfo
		entries, err := os.ReadDir(p)
		for _, e := range entries {
			info, err := e.Info()
			if err != nil {
				return nil, err
			}
			infos = append(infos, info)
		}
		if s.list != nil {
			infos = s.list(infos)
		}
		return infoList(infos), err
	}
	info, err := os.Stat(p)
	if err == nil && s.stat != nil {
		info = s.stat(info)
	}
	return infoList{info}, err
}

func (s *fake) Lstat(r *sftp.Request) (sftp.ListerAt, error) {
	info, err := os.Lstat(filepath.Join(s.dir, r.Filepath))
	return infoList{info}, err
}

type infoList []fs.FileInfo

func (l infoList) ListAt(to []fs.FileInfo, at int64) (int, error) {
	n := copy(to, l[min(at, int64(len(l))):])
	if n < len(to) {
		return n, io.EOF
	}
	return n, nil
}

// overFake is a conduit to s.
func overFake(t *testing.T, s *fake, change func(*Config)) *far {
	t.Helper()
	s.dir = t.TempDir()
	keys := t.TempDir()
	hostLine, err := sftpserver.NewClientKey(keys + "/host")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sftpserver.NewClientKey(keys + "/id"); err != nil {
		t.Fatal(err)
	}
	pem, err := os.ReadFile(keys + "/host")
	if err != nil {
		t.Fatal(err)
	}
	host, err := ssh.ParsePrivateKey(pem)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() { s.accept(&wg, l, host) })
	t.Cleanup(wg.Wait)
	t.Cleanup(func() { _ = l.Close() })
	cfg := Config{Address: l.Addr().String(), User: "u", Identity: keys + "/id", HostKey: hostLine, Root: "/", Connections: 1}
	if change != nil {
		change(&cfg)
	}
	c, log := run(t, cfg)
	f := &far{Conduit: c, root: s.dir, log: log}
	f.ready(t)
	f.home(t)
	return f
}

func (s *fake) accept(wg *sync.WaitGroup, l net.Listener, host ssh.Signer) {
	config := &ssh.ServerConfig{NoClientAuth: true}
	config.AddHostKey(host)
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		wg.Go(func() {
			defer func() { _ = c.Close() }()
			_, channels, requests, err := ssh.NewServerConn(c, config)
			if err != nil {
				return
			}
			wg.Go(func() { ssh.DiscardRequests(requests) })
			for nc := range channels {
				ch, requests, err := nc.Accept()
				if err != nil {
					return
				}
				wg.Go(func() {
					for r := range requests {
						_ = r.Reply(r.Type == "subsystem", nil)
					}
				})
				wg.Go(func() {
					_ = sftp.NewRequestServer(ch, sftp.Handlers{FileGet: s, FilePut: s, FileCmd: s, FileList: s}).Serve()
					_ = ch.Close()
				})
			}
		})
	}
}

// proxy stands between a conduit and its server.
type proxy struct {
	listener net.Listener
	to       string
	wg       sync.WaitGroup

	mu           sync.Mutex
	conns        []net.Conn
	muteRequests bool // what the client sends is dropped
	muteAnswers  bool // what the server sends is dropped
}

func newProxy(t *testing.T, to string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: l, to: to}
	p.wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s, err := net.Dial("tcp", to)
			if err != nil {
				_ = c.Close()
				continue
			}
			p.mu.Lock()
			p.conns = append(p.conns, c, s)
			p.mu.Unlock()
			p.wg.Go(func() { p.carry(s, c, &p.muteRequests) })
			p.wg.Go(func() { p.carry(c, s, &p.muteAnswers) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		p.cut()
		p.wg.Wait()
	})
	return p
}

func (p *proxy) carry(to, from net.Conn, mute *bool) {
	defer func() { _ = to.Close(); _ = from.Close() }()
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		p.mu.Lock()
		drop := *mute
		p.mu.Unlock()
		if drop {
			continue
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}

func (p *proxy) mute(requests, answers bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.muteRequests, p.muteAnswers = requests, answers
}

// cut ends all connections.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		_ = c.Close()
	}
	p.conns = nil
}
