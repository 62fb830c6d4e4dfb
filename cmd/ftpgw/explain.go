// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ftpgw/ftpgw/gateway"
	"github.com/ftpgw/ftpgw/inspect"
	"github.com/ftpgw/ftpgw/internal/config"
	"github.com/ftpgw/ftpgw/policy"
)

// denied is the exit status when the answer is no.
const denied = 2

// explainFlags are the flags of explain as they were written.
type explainFlags struct {
	config, device, from, op, path, size, declared, kind, at, zone string
	certificate                                                    []string
	json, tls, ascii                                               bool
}

// newExplainCommand is "ftpgw explain".
func newExplainCommand(env environment) *cobra.Command {
	var f explainFlags
	cmd := &cobra.Command{
		Use:   "explain --config FILE|DIR --device NAME --op OPERATION --path PATH",
		Short: "Say which rule decides a case, and why",
		Long: `Ask the policy about a case, as the gateway would: the decision, the rule, its reason, and why the rules before it did
not match. No key is needed, nothing is dialled. Exits with 0 when it is allowed (or would be, depending on a size or type that is not given), with 2 when it is denied,
and with 1 when the question makes no sense.`,
		Example: "  ftpgw explain --config substation.hcl --device relay-12 --op upload --path /events/fault-0042.cfg --size 12kB",
		Args:    noArguments,
		RunE:    func(*cobra.Command, []string) error { return explain(env, f) },
	}
	addConfigFlag(cmd, &f.config)
	flags := cmd.Flags()
	flags.StringVar(&f.device, "device", "", "the device's name (required)")
	flags.StringVar(&f.op, "op", "", "the operation: "+strings.Join(operations(), ", ")+" (required)")
	flags.StringVar(&f.path, "path", "", "the path as the device sees it (required)")
	flags.StringVar(&f.from, "from", "", "the device's address (default: the one address in the device's from)")
	flags.StringVar(&f.zone, "zone", "", "the zone (default: the only one)")
	flags.StringVar(&f.size, "size", "", "the size of the file, such as 4096 or 64MiB (default: not known yet)")
	flags.StringVar(&f.declared, "declared-size", "", "the size that the device announces with ALLO (default: none)")
	flags.StringVar(&f.kind, "type", "", "what is in the file of an upload or append, such as comtrade (default: not known yet)")
	flags.StringVar(&f.at, "at", "", "the time, as in 2006-01-02T15:04:05Z (default: now)")
	flags.BoolVar(&f.tls, "tls", false, "the control connection is under TLS")
	flags.BoolVar(&f.ascii, "ascii", false, "the device asks for type A")
	flags.StringSliceVar(&f.certificate, "certificate", nil, "the names in the device's client certificate")
	flags.BoolVar(&f.json, "json", false, "write the answer as JSON")
	// The only error is that the flag does not exist.
	_ = cmd.RegisterFlagCompletionFunc("type", cobra.FixedCompletions(inspect.Types(), cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc("op", cobra.FixedCompletions(operations(), cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func operations() []string {
	var names []string
	for _, op := range policy.Operations() {
		names = append(names, string(op))
	}
	return names
}

func explain(env environment, f explainFlags) error {
	for _, need := range []struct{ flag, value string }{{"config", f.config}, {"device", f.device}, {"op", f.op}, {"path", f.path}} {
		if need.value == "" {
			return withHint(fmt.Errorf("--%s is required", need.flag), "ftpgw explain --config FILE --device NAME --op upload --path /file")
		}
	}
	cfg, err := loadPolicy(env, f.config) // the answer is the same where the keys are not at hand
	if err != nil {
		return err
	}
	q, device, err := f.question(env, cfg)
	if err != nil {
		return err
	}
	a := answer{question: q, login: loginRefusal(device, q.Peer), name: nameRefusal(f.path)}
	if refusal := cmp.Or(a.login, a.name); refusal != "" {
		a.decision = policy.Decision{Verdict: policy.Denied, Reason: refusal}
	} else {
		a.decision, a.steps = cfg.Policy.Explain(q)
		a.decision = withContent(a.decision, q)
		a.limits, a.note = readLimits(env, cfg, a.decision, q.Device)
	}
	if f.json {
		err = json.NewEncoder(env.stdout).Encode(a.document())
	} else {
		_, err = fmt.Fprint(env.stdout, a.text())
	}
	if err != nil {
		return fmt.Errorf("write the answer: %w", err)
	}
	if a.decision.Verdict == policy.Denied {
		return &statusError{denied}
	}
	return nil
}

// withContent is the decision when the last byte has come: a rule that decides may refuse the content.
func withContent(d policy.Decision, q policy.Question) policy.Decision {
	refusal := d.Content.RefusesType(q.Type)
	if d.Verdict == policy.Denied || refusal == "" {
		return d
	}
	return policy.Decision{Verdict: policy.Denied, Rule: d.Rule, Reason: refusal, Policy: d.Policy}
}

// loginRefusal says why the device could not even log in from the address; empty where it could.
func loginRefusal(d config.Device, peer netip.Addr) string {
	if len(d.From) == 0 || slices.ContainsFunc(d.From, func(p netip.Prefix) bool { return p.Contains(peer) }) {
		return ""
	}
	return fmt.Sprintf("the login is refused: %s is not in device %q's from = %s", peer, d.Name, d.From)
}

// nameRefusal says why the gateway would not ask the policy about such a path, but refuse it; empty where it would.
func nameRefusal(name string) string {
	err := gateway.CheckPath(path.Clean(name))
	if below := path.Clean(strings.TrimLeft(name, "/")); strings.HasPrefix(below, "../") { // the root itself is not left with ".."
		err = gateway.ErrClimbs
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

// question turns the flags into a policy.Question.
func (f explainFlags) question(env environment, cfg *config.Config) (q policy.Question, d config.Device, err error) {
	if d, err = findDevice(cfg.Devices, f.device); err != nil {
		return q, d, err
	}
	q = policy.Question{Device: d.Name, Size: policy.SizeUnknown, Declared: policy.SizeUnknown, Time: env.now(), TLS: f.tls, ASCII: f.ascii, Certificate: f.certificate}
	if q.Op, err = config.ParseOperation(f.op); err != nil {
		return q, d, fmt.Errorf("--op: %w", err)
	}
	if !path.IsAbs(f.path) {
		return q, d, withHint(fmt.Errorf("--path %q is not absolute", f.path), "write it as the device sees it: --path %s", path.Join("/", f.path))
	}
	q.Path = path.Clean(f.path)
	if q.Zone, err = findZone(cfg.Zones, f.zone); err != nil {
		return q, d, err
	}
	if q.Peer, err = f.peer(d); err != nil {
		return q, d, err
	}
	if f.size != "" {
		if q.Size, err = config.ParseSize(f.size); err != nil {
			return q, d, fmt.Errorf("--size: %w", err)
		}
	}
	if f.declared != "" {
		if q.Declared, err = config.ParseSize(f.declared); err != nil {
			return q, d, fmt.Errorf("--declared-size: %w", err)
		}
	}
	if q.Type = f.kind; f.kind != "" && !slices.Contains(inspect.Types(), f.kind) {
		return q, d, fmt.Errorf("--type: there is no type %q. %s", f.kind, config.Suggest(f.kind, "types", inspect.Types()))
	}
	if f.at != "" {
		if q.Time, err = time.Parse(time.RFC3339, f.at); err != nil {
			return q, d, withHint(fmt.Errorf("--at %q is not a time", f.at), "write it as in RFC 3339: --at 2006-01-02T15:04:05Z")
		}
	}
	return q, d, nil
}

func findDevice(devices []config.Device, name string) (config.Device, error) {
	var names []string
	for _, d := range devices {
		if d.Name == name {
			return d, nil
		}
		names = append(names, d.Name)
	}
	return config.Device{}, fmt.Errorf("--device: there is no device %q. %s", name, config.Suggest(name, "devices", names))
}

func findZone(zones []config.Zone, name string) (string, error) {
	var names []string
	for _, z := range zones {
		if z.Name == name {
			return name, nil
		}
		names = append(names, z.Name)
	}
	switch {
	case name == "" && len(zones) == 1:
		return names[0], nil
	case name == "":
		return "", withHint(errors.New("--zone is required, since there are several zones"), "the zones are %s", strings.Join(names, ", "))
	}
	return "", fmt.Errorf("--zone: there is no zone %q. %s", name, config.Suggest(name, "zones", names))
}

// peer is the address that the device is thought to come from.
func (f explainFlags) peer(d config.Device) (netip.Addr, error) {
	if f.from != "" {
		a, err := netip.ParseAddr(f.from)
		if err != nil {
			return a, fmt.Errorf("--from %q is not an IP address", f.from)
		}
		return a.Unmap().WithZone(""), nil
	}
	if len(d.From) > 0 && d.From[0].IsSingleIP() {
		return d.From[0].Addr(), nil
	}
	return netip.Addr{}, withHint(fmt.Errorf("--from is required, since device %q is not bound to one address", d.Name), "name the address that it comes from: --from 10.7.0.12")
}
