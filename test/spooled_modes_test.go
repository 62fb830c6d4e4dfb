// SPDX-License-Identifier: Apache-2.0

package test

import (
	"context"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/ftpgw/ftpgw/sftpback/sshdtest"
)

// lftp sets modes behind its uploads, and tries a 450 again for as long as it is told to. With the conduit down it comes to its end
// all the same: a mode is kept with the file, and set when that is across.
func TestLftpSetsModesOfSpooledFiles(t *testing.T) {
	t.Parallel()
	need(t, "lftp")
	s := sshdtest.Start(t)
	s.Kill()
	g := startGateway(t, setup{server: s, spool: plainSpool, rules: spoolAll("")})
	tree := t.TempDir()
	want := map[string]fs.FileMode{"tree/sub": 0o750, "tree/plain": 0o604, "tree/sub/firmware": 0o444, "single": 0o600}
	if err := os.Mkdir(filepath.Join(tree, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"plain", "sub/firmware", "sub"} {
		file := filepath.Join(tree, name)
		if name != "sub" {
			if err := os.WriteFile(file, []byte(name), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Chmod(file, want["tree/"+name]); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	e := errand{user: g.devices[0].name, password: g.devices[0].password}
	host, port, err := net.SplitHostPort(g.addr)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, "lftp", "-c", "set ftp:ssl-allow no; set cmd:fail-exit yes; set ftp:use-site-chmod yes; "+
		"open -u "+e.user+","+e.password+" -p "+port+" "+host+"; mirror -R "+tree+" tree; "+
		"put "+filepath.Join(tree, "plain")+" -o single; chmod 600 single; ls -l tree; bye")
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir(), "LANG=C")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("lftp: %v\n%s", err, out)
	}
	t.Logf("lftp: %s", out)
	s.Restart()
	eventually(t, "the spool is empty", func() bool { return len(filesBelow(t, filepath.Join(g.dir, "spool", "entries"))) == 0 })
	for name, mode := range want {
		if info, err := os.Stat(filepath.Join(g.home(0), name)); err != nil || info.Mode().Perm() != mode {
			t.Errorf("across, %s: %v, %v, want the mode %v", name, info, err, mode)
		}
	}
}
