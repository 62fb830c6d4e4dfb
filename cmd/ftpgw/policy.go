// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ftpgw/ftpgw/internal/config"
	"github.com/ftpgw/ftpgw/policy"
)

// newPolicyCommand is "ftpgw policy".
func newPolicyCommand(env environment) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "policy",
		Short: "Test the policy, and report what it allows",
		Args:  noArguments,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newPolicyTestCommand(env), newPolicyReportCommand(env))
	return cmd
}

// loadPolicy reads a configuration for questions about its policy alone: no key has to be there.
func loadPolicy(env environment, path string) (*config.Config, error) {
	accept := func(string) error { return nil }
	acceptBoth := func(string, string) error { return nil }
	cfg, err := config.Load(path, config.Checks{WithoutKeys: true, Identity: accept, HostKey: accept, KnownHosts: acceptBoth, Certificate: acceptBoth, ClientCA: accept,
		AgeRecipient: accept, AgeIdentity: acceptBoth})
	return cfg, showDiagnostics(env, err)
}

// showDiagnostics writes what is wrong with files to stderr, if that is what err is about, and returns err.
func showDiagnostics(env environment, err error) error {
	if de := (*config.DiagnosticsError)(nil); errors.As(err, &de) {
		if werr := de.WriteText(env.stderr, env.width, env.color()); werr != nil {
			return errors.Join(err, werr)
		}
	}
	return err
}

// newPolicyTestCommand is "ftpgw policy test".
func newPolicyTestCommand(env environment) *cobra.Command {
	var verbose bool
	cmd := &cobra.Command{
		Use:   "test FILE|DIR",
		Short: "Ask the policy the questions of the tests beside it",
		Long: `Ask the policy of a configuration all questions of its tests, and compare the answers. The tests of a file NAME.hcl are in
NAME_test.hcl, those of a directory in all its files whose names end in _test.hcl. The last lines say how many rules decided a
test, and which did not. No key is needed, nothing is dialled.
Exits with 0 when every answer is the one that was expected, with 1 otherwise.`,
		Example: "  ftpgw policy test /etc/ftpgw",
		Args:    oneConfiguration,
		RunE: func(_ *cobra.Command, args []string) error {
			cfg, err := loadPolicy(env, args[0])
			if err != nil {
				return err
			}
			tests, err := config.LoadTests(args[0], cfg)
			if err != nil {
				return showDiagnostics(env, err)
			}
			return runPolicyTests(env.stdout, cfg, tests, verbose)
		},
	}
	cmd.Flags().BoolVarP(&verbose, "verbose", "v", false, "name the tests that pass, too")
	return cmd
}

// oneConfiguration wants one argument: a configuration.
func oneConfiguration(_ *cobra.Command, args []string) error {
	if len(args) != 1 {
		return withHint(fmt.Errorf("%d arguments, one configuration is needed", len(args)), "name a file, or a directory of *.hcl files")
	}
	return nil
}

// runPolicyTests asks all questions and writes a summary.
func runPolicyTests(w io.Writer, cfg *config.Config, tests []config.Test, verbose bool) error {
	var out strings.Builder
	decided := map[string]bool{}
	failures := 0
	for _, t := range tests {
		d := ask(cfg, t.Question)
		decided[d.Rule] = true
		wrong := disagreement(t, d)
		switch {
		case wrong != "":
			failures++
			fmt.Fprintf(&out, "--- FAIL: %s (%s)\n    %s\n", t.Name, t.Where, wrong)
		case verbose:
			fmt.Fprintf(&out, "--- PASS: %s (%s)\n", t.Name, t.Where)
		}
	}
	rules := cfg.Policy.Rules()
	var idle []string
	for _, r := range rules {
		if !decided[r.Name] {
			idle = append(idle, r.Name)
		}
	}
	fmt.Fprintf(&out, "coverage: %d of %s decided a test\n", len(rules)-len(idle), count(len(rules), "rule"))
	if len(idle) > 0 {
		fmt.Fprintf(&out, "  never: %s\n", strings.Join(idle, ", "))
	}
	verdict := "ok"
	if failures > 0 {
		verdict = "FAIL"
	}
	fmt.Fprintf(&out, "%s: %s, %d failed\n", verdict, count(len(tests), "test"), failures)
	if _, err := io.WriteString(w, out.String()); err != nil {
		return fmt.Errorf("write the summary: %w", err)
	}
	if failures > 0 {
		return &statusError{1}
	}
	return nil
}

// ask is what the gateway would answer, the login included.
func ask(cfg *config.Config, q policy.Question) policy.Decision {
	for _, d := range cfg.Devices {
		if d.Name != q.Device {
			continue
		}
		if refusal := loginRefusal(d, q.Peer); refusal != "" {
			return policy.Decision{Verdict: policy.Denied, Reason: refusal}
		}
	}
	return withContent(cfg.Policy.Decide(q), q)
}

// disagreement says in what the answer is not the one that was expected; empty where it is.
func disagreement(t config.Test, d policy.Decision) string {
	got := d.Verdict.String()
	if d.Rule != "" {
		got += fmt.Sprintf(" by rule %q", d.Rule)
	}
	got += ": " + d.Reason
	switch {
	case d.Verdict != t.Expect:
		return fmt.Sprintf("%s; expected %s", got, t.Expect)
	case t.Default && d.Rule != "":
		return got + "; expected that no rule decides"
	case t.Rule != "" && d.Rule != t.Rule:
		return fmt.Sprintf("%s; expected that rule %q decides", got, t.Rule)
	case t.To != "" && d.Deliver.Path != t.To:
		return fmt.Sprintf("published as %q; expected %q", d.Deliver.Path, t.To)
	}
	return ""
}

// ruleNames are the names of rules, in order.
func ruleNames(rules []policy.Rule) []string {
	var names []string
	for _, r := range rules {
		names = append(names, r.Name)
	}
	return slices.Clip(names)
}
