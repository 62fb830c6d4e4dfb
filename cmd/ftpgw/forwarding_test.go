// SPDX-License-Identifier: Apache-2.0

package main

import (
	"slices"
	"testing"
	"testing/fstest"
)

func TestCheckForwarding(t *testing.T) {
	const v4, v6 = "sys/net/ipv4/conf/", "sys/net/ipv6/conf/"
	quiet := map[string]string{
		v4 + "all/forwarding": "0", v4 + "default/forwarding": "0", v4 + "lo/forwarding": "1", v4 + "eth0/forwarding": "0", v4 + "eth1/forwarding": "0",
		v6 + "all/forwarding": "0", v6 + "eth0/forwarding": "1", v6 + "eth0/force_forwarding": "0",
	}
	for name, test := range map[string]struct {
		on   []string
		want []string
	}{
		"nothing":          {nil, nil},
		"all":              {[]string{v4 + "all/forwarding", v4 + "eth0/forwarding"}, []string{"IPv4 all", "IPv4 eth0"}},
		"one interface":    {[]string{v4 + "eth1/forwarding"}, []string{"IPv4 eth1"}},
		"those to come":    {[]string{v4 + "default/forwarding"}, []string{"IPv4 default"}},
		"IPv6":             {[]string{v6 + "all/forwarding"}, []string{"IPv6 all"}},
		"IPv6 of one":      {[]string{v6 + "eth0/force_forwarding"}, []string{"IPv6 eth0"}},
		"both of the same": {[]string{v4 + "eth0/forwarding", v6 + "all/forwarding", v6 + "all/force_forwarding"}, []string{"IPv4 eth0", "IPv6 all"}},
	} {
		proc := fstest.MapFS{}
		for file, value := range quiet {
			proc[file] = &fstest.MapFile{Data: []byte(value + "\n")}
		}
		for _, file := range test.on {
			proc[file] = &fstest.MapFile{Data: []byte("1\n")}
		}
		if got, err := checkForwarding(proc); err != nil || !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, %v, want %q", name, got, err, test.want)
		}
	}
	if got, err := checkForwarding(fstest.MapFS{}); err == nil {
		t.Errorf("of a system that does not tell: %q and no error", got)
	}
}
