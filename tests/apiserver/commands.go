// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"syscall"
	"time"
)

// command is one word a user may send, on standard input or by 'ctl'. Every
// answer is one line of JSON with "ok", "command", and what is named here.
type command struct {
	help string
	run  func(s *supervisor, words []string, reply map[string]any) error
}

// commands is filled by init, because help refers to it.
var commands map[string]command

func init() {
	commands = map[string]command{
		"status": {"running, paused, address", doStatus},
		"stop": {"end the server, keep the port; 'stop now' kills it",
			doStop},
		"start": {"start it again; words are further flags of the server",
			doStart},
		"restart": {"stop and start; 'restart now' kills", doRestart},
		"pause":   {"freeze it (SIGSTOP): connections stay, nothing moves", doPause},
		"resume":  {"let it go on", doResume},
		"revision": {"etcd's revision, the newest resourceVersion",
			doChild},
		"compact": {"compact etcd now; 'compact cache' makes the server drop" +
			" its pages, too, within 16 s", doChild},
		"snapshot": {"NAME: copy the data, the server goes on", doSnapshot},
		"restore":  {"NAME: restart on that copy, versions go back", doRestore},
		"cert": {"KIND [rsa|ecdsa] [NAME...]: another server certificate," +
			" served after a restart", doCert},
		"newca": {"another CA and server certificate, served after a restart;" +
			" ca.crt and kubeconfigs follow", doNewCA},
		"newclient": {"another client certificate (client.crt)", doNewClient},
		"token": {"USER [TOKEN]: another token, valid after a restart",
			doToken},
		"quit": {"end", doStatus},
	}
}

func commandHelp() string {
	var text strings.Builder
	text.WriteString("commands, by lines on standard input or 'ctl':\n")
	for _, name := range sorted(commands) {
		fmt.Fprintf(&text, "  %-10s %s\n", name, commands[name].help)
	}
	text.WriteString("kinds of server certificate:\n")
	for _, name := range sorted(certKinds) {
		fmt.Fprintf(&text, "  %-10s %s\n", name, certKinds[name])
	}
	return text.String()
}

func sorted[T any](m map[string]T) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

func kindNames() string { return strings.Join(sorted(certKinds), ", ") }

func (spec certSpec) check() error {
	if spec.key != "rsa" && spec.key != "ecdsa" {
		return fmt.Errorf("a key is rsa or ecdsa, not %q", spec.key)
	}
	if certKinds[spec.kind] == "" {
		return fmt.Errorf("no kind of certificate %q, but %s",
			spec.kind, kindNames())
	}
	return nil
}

// obey runs one line and says what came of it.
func (s *supervisor) obey(line string) (string, map[string]any) {
	words := strings.Fields(line)
	reply := map[string]any{"ok": true, "command": words[0]}
	began := time.Now()
	known, found := commands[words[0]]
	err := fmt.Errorf("no command %q", words[0])
	if found {
		err = known.run(s, words, reply)
	}
	if err != nil {
		reply["ok"], reply["error"] = false, err.Error()
	}
	reply["ms"] = time.Since(began).Milliseconds()
	return words[0], reply
}

// status adds what a client wants to know first.
func (s *supervisor) status(reply map[string]any) map[string]any {
	reply["server"], reply["port"] = s.url(), s.port
	reply["dir"], reply["pid"] = s.dir, os.Getpid()
	reply["running"], reply["paused"] = s.running(), s.paused
	reply["up_ms"] = time.Since(s.began).Milliseconds()
	if s.running() {
		reply["child"] = s.child.cmd.Process.Pid
	}
	return reply
}

func doStatus(s *supervisor, _ []string, reply map[string]any) error {
	s.status(reply)
	return nil
}

// graceOf reads the optional word "now".
func (s *supervisor) graceOf(words []string) time.Duration {
	if len(words) > 1 && words[1] == "now" {
		return 0
	}
	return s.grace
}

func doStop(s *supervisor, words []string, _ map[string]any) error {
	if !s.running() {
		return errors.New("the server is not running")
	}
	s.stop(s.graceOf(words))
	return nil
}

func doStart(s *supervisor, words []string, reply map[string]any) error {
	if len(words) > 1 {
		s.extra = words[1:]
	}
	err := s.start()
	s.status(reply)
	return err
}

func doRestart(s *supervisor, words []string, reply map[string]any) error {
	s.stop(s.graceOf(words))
	err := s.start()
	s.status(reply)
	return err
}

func doPause(s *supervisor, _ []string, _ map[string]any) error {
	if !s.running() {
		return errors.New("the server is not running")
	}
	s.paused = true
	return s.child.signal(syscall.SIGSTOP)
}

func doResume(s *supervisor, _ []string, _ map[string]any) error {
	if !s.running() {
		return errors.New("the server is not running")
	}
	s.paused = false
	return s.child.signal(syscall.SIGCONT)
}

// doChild passes the line on.
func doChild(s *supervisor, words []string, reply map[string]any) error {
	if !s.running() || s.paused {
		return errors.New("the server is not running")
	}
	answer, err := s.child.ask(strings.Join(words, " "))
	if err != nil {
		return err
	}
	for name, value := range answer {
		reply[name] = value
	}
	if text, bad := answer["error"].(string); bad {
		return errors.New(text)
	}
	return nil
}

// ---- copies ----------------------------------------------------------------

func (s *supervisor) snapshotPath(words []string) (string, error) {
	if len(words) != 2 || filepath.Base(words[1]) != words[1] ||
		strings.HasPrefix(words[1], ".") {
		return "", errors.New("one plain NAME is wanted")
	}
	return s.path("snapshots/" + words[1]), nil
}

// doSnapshot freezes the server for the copy: what its writes have reached is
// then one moment's, and etcd's log makes it whole, as after a kill.
func doSnapshot(s *supervisor, words []string, reply map[string]any) error {
	path, err := s.snapshotPath(words)
	if err != nil {
		return err
	}
	if s.running() && !s.paused {
		answer, err := s.child.ask("revision")
		if err != nil {
			return err
		}
		reply["revision"] = answer["revision"]
		if err := s.child.signal(syscall.SIGSTOP); err != nil {
			return err
		}
		defer func() { _ = s.child.signal(syscall.SIGCONT) }()
		time.Sleep(10 * time.Millisecond) // all its threads have stopped
	}
	if err := os.RemoveAll(path); err != nil {
		return err
	}
	return copyTree(s.path("etcd"), path)
}

func doRestore(s *supervisor, words []string, reply map[string]any) error {
	path, err := s.snapshotPath(words)
	if err != nil {
		return err
	}
	if _, err := os.Stat(path); err != nil {
		return err
	}
	s.stop(0)
	if err := os.RemoveAll(s.path("etcd")); err != nil {
		return err
	}
	if err := copyTree(path, s.path("etcd")); err != nil {
		return err
	}
	if err := s.start(); err != nil {
		return err
	}
	s.status(reply)
	return doChild(s, []string{"revision"}, reply)
}

// ---- credentials -----------------------------------------------------------

func doCert(s *supervisor, words []string, reply map[string]any) error {
	spec := certSpec{key: s.spec.key, kind: "good"}
	for _, word := range words[1:] {
		switch {
		case word == "rsa" || word == "ecdsa":
			spec.key = word
		case certKinds[word] != "":
			spec.kind = word
		case strings.ContainsAny(word, ".:"):
			spec.sans = append(spec.sans, word)
		default:
			return fmt.Errorf("no kind of certificate %q, but %s",
				word, kindNames())
		}
	}
	s.spec = spec
	reply["key"], reply["kind"] = spec.key, spec.kind
	return s.issueServer(spec)
}

func doNewCA(s *supervisor, _ []string, _ map[string]any) error {
	if err := s.newCA("ca", s.spec.key); err != nil {
		return err
	}
	if err := s.issueServer(s.spec); err != nil {
		return err
	}
	return s.describe()
}

func doNewClient(s *supervisor, _ []string, _ map[string]any) error {
	if err := s.issueClient(s.spec.key); err != nil {
		return err
	}
	return s.describe()
}

func doToken(s *supervisor, words []string, _ map[string]any) error {
	if len(words) < 2 || len(words) > 3 {
		return errors.New("USER [TOKEN] is wanted")
	}
	known := false
	for _, user := range users {
		known = known || user.name == words[1]
	}
	if !known {
		return fmt.Errorf("no user %q", words[1])
	}
	token := ""
	if len(words) == 3 {
		token = words[2]
	}
	if err := s.setToken(words[1], token); err != nil {
		return err
	}
	return s.describe()
}
