// SPDX-License-Identifier: Apache-2.0

package test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// outcome is what a command of an operator has come to.
type outcome struct {
	status         int
	stdout, stderr string
}

// operate runs a command such as "island on" against the running gateway.
func (g *gw) operate(args ...string) outcome {
	g.t.Helper()
	cmd := exec.Command(binary(g.t), append(args[:len(args):len(args)], "--config", g.configFile())...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		g.t.Fatal(err)
	}
	return outcome{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// succeed is operate for what must succeed. It returns what was said.
func (g *gw) succeed(args ...string) string {
	g.t.Helper()
	o := g.operate(args...)
	if o.status != 0 || o.stderr != "" {
		g.t.Fatalf("%q: exit status %d\n%s%s", args, o.status, o.stdout, o.stderr)
	}
	return o.stdout
}

func (g *gw) configFile() string { return filepath.Join(g.dir, "ftpgw.hcl") }

// edit changes the configuration on disk.
func (g *gw) edit(change func(text string) string) {
	g.t.Helper()
	text, err := os.ReadFile(g.configFile())
	if err != nil {
		g.t.Fatal(err)
	}
	changed := change(string(text))
	if changed == string(text) {
		g.t.Fatal("the configuration was not changed")
	}
	if err := os.WriteFile(g.configFile(), []byte(changed), 0o600); err != nil {
		g.t.Fatal(err)
	}
}

// withoutBlock takes the block that begins with header out of a configuration.
func withoutBlock(text, header string) string {
	begin := strings.Index(text, header)
	if begin < 0 {
		return text
	}
	end := strings.Index(text[begin:], "\n}\n")
	return text[:begin] + text[begin+end+3:]
}

// gatewayStatus is what "ftpgw status --json" says, as far as tests look at it.
type gatewayStatus struct {
	Gateway struct {
		Version string `json:"version"`
		PID     int    `json:"pid"`
		Uptime  *int64 `json:"uptime_s"`
	} `json:"gateway"`
	Configuration struct {
		Digest string `json:"digest"`
	} `json:"configuration"`
	Island struct {
		On       bool      `json:"on"`
		Complete bool      `json:"complete"`
		By       []string  `json:"by"`
		Reason   string    `json:"reason"`
		UID      *int      `json:"uid"`
		Since    time.Time `json:"since"`
	} `json:"island"`
	Zones []struct {
		Name     string `json:"name"`
		Listen   string `json:"listen"`
		Sessions int    `json:"sessions"`
		LoggedIn int    `json:"logged_in"`
	} `json:"zones"`
	Conduits []struct {
		Name        string    `json:"name"`
		Up          bool      `json:"up"`
		Connections int       `json:"connections"`
		Since       time.Time `json:"since"`
		LastError   string    `json:"last_error"`
	} `json:"conduits"`
	Audit struct {
		Durable    uint64 `json:"durable_seq"`
		Checkpoint uint64 `json:"checkpoint_seq"`
		Free       int64  `json:"free_bytes"`
	} `json:"audit"`
	Transfers []struct {
		Device string `json:"device"`
		Verb   string `json:"verb"`
		Args   string `json:"args"`
		Bytes  int64  `json:"bytes"`
	} `json:"transfers"`
}

func (g *gw) statusNow() (s gatewayStatus) {
	g.t.Helper()
	text := g.succeed("status", "--json")
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		g.t.Fatalf("%v in %s", err, text)
	}
	return s
}
