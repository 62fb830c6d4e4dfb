// SPDX-License-Identifier: Apache-2.0

package test

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// login data and places that a client needs.
type errand struct {
	host, port     string
	user, password string
	local          string // the file to send
	remote         string // its name on the server, without directory
	back           string // where to put it when it is fetched again
}

// script is how a client is run: its command line and its input.
type script struct {
	args  []string
	stdin string
}

// client is an FTP client of somebody else. A script that is nil stands for what the client cannot do.
type client struct {
	name     string
	programs []string
	both     func(e errand, mode string) []script // upload, then download; mode is a data mode of the client
	download bool                                 // it can only download
	modes    []string
}

// clients are the FTP clients that devices are likely to have, and how to run each of them.
func clients() []client {
	return []client{
		{name: "curl", programs: []string{"curl"}, both: curl, modes: []string{"epsv", "pasv", "eprt", "port"}},
		{name: "lftp", programs: []string{"lftp"}, both: lftp, modes: []string{"epsv", "pasv", "port"}},
		{name: "tnftp", programs: []string{"tnftp"}, both: tnftp, modes: []string{"epsv", "pasv", "eprt", "port"}},
		{name: "inetutils", programs: []string{"inetutils-ftp"}, both: inetutils, modes: []string{"pasv", "port"}},
		{name: "ncftp", programs: []string{"ncftpput", "ncftpget"}, both: ncftp, modes: []string{"pasv", "port"}},
		{name: "wget", programs: []string{"wget"}, both: wget, modes: []string{"pasv", "port"}, download: true},
		{name: "busybox", programs: []string{"busybox"}, both: busybox, modes: []string{"epsv"}},
		{name: "ftplib", programs: []string{"python3"}, both: ftplib, modes: []string{"epsv", "pasv", "port"}},
	}
}

func curl(e errand, mode string) []script {
	flags := map[string][]string{
		"epsv": nil, "pasv": {"--disable-epsv"}, "eprt": {"--ftp-port", "-"}, "port": {"--ftp-port", "-", "--disable-eprt"},
	}[mode]
	args := append([]string{"curl", "--silent", "--show-error", "--user", e.user + ":" + e.password}, flags...)
	url := "ftp://" + net.JoinHostPort(e.host, e.port) + "/" + e.remote
	return []script{
		{args: append(args[:len(args):len(args)], "--upload-file", e.local, url)},
		{args: append(args[:len(args):len(args)], "--output", e.back, url)},
	}
}

func lftp(e errand, mode string) []script {
	settings := "set ftp:ssl-allow no; set net:max-retries 1; set net:timeout 60; set cmd:fail-exit yes; " + map[string]string{
		"epsv": "set ftp:passive-mode on; set ftp:prefer-epsv on; ",
		"pasv": "set ftp:passive-mode on; set ftp:prefer-epsv off; ",
		"port": "set ftp:passive-mode off; ",
	}[mode]
	open := "open -u " + e.user + "," + e.password + " -p " + e.port + " " + e.host + "; "
	return []script{{args: []string{"lftp", "-c", settings + open +
		"put " + e.local + " -o " + e.remote + "; get " + e.remote + " -o " + e.back}}}
}

func tnftp(e errand, mode string) []script {
	flags := map[string][]string{"epsv": {"-p"}, "pasv": {"-p"}, "eprt": {"-A"}, "port": {"-A"}}[mode]
	input := "user " + e.user + " " + e.password + "\nbinary\n"
	if mode == "pasv" || mode == "port" {
		input = "epsv4 off\n" + input
	}
	input += "put " + e.local + " " + e.remote + "\nget " + e.remote + " " + e.back + "\nbye\n"
	return []script{{args: append(append([]string{"tnftp", "-n", "-i", "-v"}, flags...), e.host, e.port), stdin: input}}
}

func inetutils(e errand, mode string) []script {
	args := []string{"inetutils-ftp", "-n", "-i", "-v"}
	if mode == "pasv" {
		args = append(args, "-p")
	}
	return []script{{args: append(args, e.host, e.port),
		stdin: "user " + e.user + " " + e.password + "\nbinary\nput " + e.local + " " + e.remote +
			"\nget " + e.remote + " " + e.back + "\nbye\n"}}
}

func ncftp(e errand, mode string) []script {
	flags := []string{"-V", "-u", e.user, "-p", e.password, "-P", e.port, map[string]string{"pasv": "-F", "port": "-E"}[mode]}
	// ncftpput sends the file under its local name and ncftpget fetches it under its remote one: -C and -C name both.
	return []script{
		{args: append(append([]string{"ncftpput"}, flags...), "-C", e.host, e.local, e.remote)},
		{args: append(append([]string{"ncftpget"}, flags...), "-C", e.host, e.remote, e.back)},
	}
}

func wget(e errand, mode string) []script {
	args := []string{"wget", "--no-verbose", "--tries=1", "--user=" + e.user, "--password=" + e.password, "--output-document=" + e.back}
	if mode == "port" {
		args = append(args, "--no-passive-ftp")
	}
	return []script{{args: append(args, "ftp://"+net.JoinHostPort(e.host, e.port)+"/"+e.remote)}}
}

func busybox(e errand, _ string) []script {
	login := []string{"-u", e.user, "-p", e.password, "-P", e.port, e.host}
	return []script{
		{args: append(append([]string{"busybox", "ftpput"}, login...), e.remote, e.local)},
		{args: append(append([]string{"busybox", "ftpget"}, login...), e.back, e.remote)},
	}
}

func ftplib(e errand, mode string) []script {
	const program = `
import ftplib, sys
host, port, user, password, local, remote, back, mode = sys.argv[1:]
ftp = ftplib.FTP()
ftp.connect(host, int(port))
ftp.login(user, password)
ftp.set_pasv(mode != "port")
if mode == "epsv":
    ftp.af = ftplib.socket.AF_INET6  # makes it send EPSV on IPv4, too
with open(local, "rb") as f:
    ftp.storbinary("STOR " + remote, f)
with open(back, "wb") as f:
    ftp.retrbinary("RETR " + remote, f.write)
ftp.quit()
`
	return []script{{args: []string{"python3", "-c", program, e.host, e.port, e.user, e.password, e.local, e.remote, e.back, mode}}}
}

// runScript runs a client and returns its output. Not all clients tell with their exit status how it went.
func runScript(t testing.TB, s script) (output string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, s.args[0], s.args[1:]...)
	cmd.Stdin = strings.NewReader(s.stdin)
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), "HOME="+cmd.Dir, "LC_ALL=C.UTF-8")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// errandFor is an errand to the gateway for the i-th device with a local file of this content.
func errandFor(t testing.TB, g *gw, i int, remote string, size int64) errand {
	t.Helper()
	host, port, err := net.SplitHostPort(g.addr)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	e := errand{host: host, port: port, user: g.devices[i].name, password: g.devices[i].password,
		local: filepath.Join(dir, "send.bin"), remote: remote, back: filepath.Join(dir, "back.bin")}
	writeFile(t, e.local, pattern(size, byte(i)))
	return e
}
