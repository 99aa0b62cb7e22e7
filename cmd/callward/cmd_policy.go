package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/callward/callward/policy"
)

func policyCommand(m *Main) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "policy",
		Short: "Ask the rules: evaluate or explain requests",
	}
	cmd.AddCommand(policyEvalCommand(m), policyExplainCommand(m), policyRulesCommand(m))
	return cmd
}

const policyInput = `Input is one JSON document or several, one after the other (NDJSON), from FILE or standard input:
{"action":"StartRecording","facts":{...}}. An unknown key is an error. Actions: `

func policyEvalCommand(m *Main) *cobra.Command {
	var profile string
	cmd := &cobra.Command{
		Use:   "eval [FILE]",
		Short: "Print the decision for each request, one JSON line each",
		Long: `Print the decision for each request, one JSON line each: outcome, rules, reason, citations, obligations and
remedies.

` + policyInput + strings.Join(policy.Actions(), ", ") + `.

Exit codes: 0 all allowed, 3 at least one denied, 2 input that cannot be read.`,
		Example: `  echo '{"action":"JoinQueue","facts":{"role":"agent"}}' | callward policy eval
  callward policy eval --profile federal requests.ndjson`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			denied := false
			err := m.eachRequest(cmd, args, profile, func(p *policy.Policy, r policy.Request) error {
				d := p.Decide(r)
				denied = denied || !d.Allowed()
				line, err := policy.EncodeDecision(d)
				if err != nil {
					return err
				}
				_, err = m.Stdout.Write(append(line, '\n'))
				return err
			})
			if err == nil && denied {
				return exitError{code: exitDeny}
			}
			return err
		},
	}
	cmd.Flags().StringVar(&profile, "profile", "default", "default or federal")
	return cmd
}

// explained is what "policy explain --json" prints for one request.
type explained struct {
	Decision json.RawMessage  `json:"decision"`
	Findings []policy.Finding `json:"findings"`
}

func policyExplainCommand(m *Main) *cobra.Command {
	var profile string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "explain [FILE]",
		Short: "Say what each rule saw in each request, and what it said",
		Long: `Say what each rule saw in each request, and what it said.

` + policyInput + strings.Join(policy.Actions(), ", ") + `.

Exit codes: 0 all allowed, 3 at least one denied, 2 input that cannot be read.`,
		Example: `  echo '{"action":"JoinQueue","facts":{"role":"agent"}}' | callward policy explain`,
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			denied := false
			err := m.eachRequest(cmd, args, profile, func(p *policy.Policy, r policy.Request) error {
				d := p.Decide(r)
				denied = denied || !d.Allowed()
				findings := p.Explain(r)
				if !asJSON {
					return explain(m.Stdout, d, findings)
				}
				raw, err := policy.EncodeDecision(d)
				if err != nil {
					return err
				}
				return json.NewEncoder(m.Stdout).Encode(explained{raw, findings})
			})
			if err == nil && denied {
				return exitError{code: exitDeny}
			}
			return err
		},
	}
	cmd.Flags().StringVar(&profile, "profile", "default", "default or federal")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON line for each request")
	return cmd
}

func explain(w io.Writer, d policy.Decision, findings []policy.Finding) error {
	fmt.Fprintf(w, "%s: %s (profile %s): %s\n", d.Action, d.Outcome, d.Profile, d.Reason)
	rows := [][]string{}
	for _, f := range findings {
		said := f.Outcome.String()
		if f.Silent {
			said = "-"
		}
		rows = append(rows, []string{"  " + string(f.Rule), said, f.Saw})
	}
	if err := table(w, rows); err != nil {
		return err
	}
	for _, o := range d.Obligations {
		within := ""
		if o.Within > 0 {
			within = " within " + o.Within.String()
		}
		fmt.Fprintf(w, "  must: %s%s\n", o.Kind, within)
	}
	for _, r := range d.Remedies {
		words := []string{string(r.Kind)}
		for _, more := range []string{r.Input, r.Party} {
			if more != "" {
				words = append(words, more)
			}
		}
		if !r.NotBefore.IsZero() {
			words = append(words, "not before "+r.NotBefore.Format("2006-01-02T15:04:05Z07:00"))
		}
		fmt.Fprintf(w, "  would help: %s\n", strings.Join(words, ", "))
	}
	return nil
}

func policyRulesCommand(m *Main) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "rules",
		Short:   "List the rules with their sources",
		Example: "  callward policy rules --json",
		RunE: func(cmd *cobra.Command, args []string) error {
			rules := policy.Rules()
			if asJSON {
				return printJSON(m.Stdout, rules)
			}
			for _, r := range rules {
				fmt.Fprintf(m.Stdout, "%s\n  %s\n  default: %s\n  federal: %s\n  %s\n",
					r.ID, r.Sentence, r.Default, r.Federal, strings.Join(r.Citations, "; "))
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print as JSON")
	return cmd
}

// maxRequest bounds one request.
const maxRequest = 1 << 20

// eachRequest decodes the requests of a file or of standard input and hands them on in order.
func (m *Main) eachRequest(cmd *cobra.Command, args []string, profile string, do func(*policy.Policy, policy.Request) error) error {
	p, err := policy.ByName(profile)
	if err != nil {
		return usage("--profile %q is not known: write default or federal", profile)
	}
	name, in := "standard input", m.Stdin
	if len(args) == 1 && args[0] != "-" {
		f, err := os.Open(args[0])
		if err != nil {
			return exitError{exitUsage, err}
		}
		defer f.Close()
		name, in = args[0], f
	}
	lines := &lineCounter{r: interruptible(cmd.Context(), in)}
	dec := json.NewDecoder(lines)
	for n := 0; ; n++ {
		if err := cmd.Context().Err(); err != nil {
			return err
		}
		var raw json.RawMessage
		start := dec.InputOffset()
		err := dec.Decode(&raw)
		switch {
		case cmd.Context().Err() != nil:
			return cmd.Context().Err()
		case errors.Is(err, io.EOF) && n > 0:
			return nil
		case errors.Is(err, io.EOF):
			return exitError{exitUsage, fmt.Errorf("%s holds no request: give JSON such as {\"action\":\"JoinQueue\",\"facts\":{}}", name)}
		case err != nil:
			return exitError{exitUsage, fmt.Errorf("%s, line %d: not JSON: check quotes, commas and brackets there", name, lines.at(syntaxOffset(err, start)))}
		case len(raw) > maxRequest:
			return exitError{exitUsage, fmt.Errorf("%s, line %d: a request is at most 1 MiB", name, lines.at(start))}
		}
		r, err := policy.DecodeRequest(raw)
		if err != nil {
			return exitError{exitUsage, fmt.Errorf("%s, line %d: %w", name, lines.at(dec.InputOffset()-int64(len(raw))), err)}
		}
		if err := do(p, r); err != nil {
			return err
		}
	}
}

func syntaxOffset(err error, start int64) int64 {
	var s *json.SyntaxError
	if errors.As(err, &s) {
		return s.Offset - 1
	}
	return start
}

// lineCounter remembers where the lines that passed through it began.
type lineCounter struct {
	r     io.Reader
	read  int64
	lines []int64 // offsets of newlines
}

func (l *lineCounter) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	for i := 0; ; {
		j := bytes.IndexByte(p[i:n], '\n')
		if j < 0 {
			break
		}
		l.lines = append(l.lines, l.read+int64(i+j))
		i += j + 1
	}
	l.read += int64(n)
	return n, err
}

// at is the line, from 1, in which the byte at offset stands.
func (l *lineCounter) at(offset int64) int {
	line := 1
	for _, nl := range l.lines {
		if nl >= offset {
			break
		}
		line++
	}
	return line
}
