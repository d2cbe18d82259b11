// SPDX-License-Identifier: Apache-2.0

// kload - fill, change and empty a Kubernetes API server, for tests
//
// Plain HTTP with a bearer token, the standard library only. What it did is
// told in one line of JSON on standard output; it ends with 1 if any request
// failed. See usage() for what it can do.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"
)

// options of all commands; each uses what it needs.
type options struct {
	dir, server, ca, token string
	namespace, kind        string
	prefix, labels         string
	count, bytes, workers  int
	objects, from          int
	rate                   float64
	duration               time.Duration
	verbs, user            string
	contentType, accept    string
}

type command struct {
	arguments, help string
	run             func(c *client, o *options, args []string) (any, error)
}

var commands = map[string]command{
	"fill":       {"", "make --count objects PREFIX-00000, ...", fill},
	"churn":      {"", "update --count times at --rate a second", churn},
	"put":        {"NAME [KEY=VALUE|KEY=@FILE]...", "make or replace", put},
	"patch":      {"NAME [KEY=VALUE|KEY=@FILE|KEY-]...", "change keys", patch},
	"delete":     {"NAME...", "delete objects", remove},
	"get":        {"NAME", "print the object", get},
	"delete-all": {"", "delete the namespace's objects of --kind", removeAll},
	"namespace":  {"create|delete NAME", "a namespace, gone at once", namespace},
	"crd":        {"create|delete", "the kind widgets.test.example", crd},
	"rbac":       {"grant|revoke", "--verbs on --kind for --user", rbac},
	"raw":        {"METHOD PATH [BODY|@FILE]", "any request", raw},
}

var order = []string{"fill", "churn", "put", "patch", "delete", "get",
	"delete-all", "namespace", "crd", "rbac", "raw"}

func usage(f *flag.FlagSet) func() {
	return func() {
		out := f.Output()
		fmt.Fprintln(out, "usage: kload COMMAND [OPTION]... [ARGUMENT]...")
		for _, name := range order {
			c := commands[name]
			fmt.Fprintf(out, "  %-10s %-38s %s\n", name, c.arguments, c.help)
		}
		fmt.Fprintln(out, "kinds:", strings.Join(kindNames(), ", "))
		f.PrintDefaults()
	}
}

func parse(args []string) (string, *options, []string) {
	o := &options{}
	f := flag.NewFlagSet("kload", flag.ExitOnError)
	f.Usage = usage(f)
	f.StringVar(&o.dir, "dir", os.Getenv("APISERVER_DIR"),
		"state directory of apiserver; else $APISERVER_DIR")
	f.StringVar(&o.server, "server", "", "https://HOST:PORT, not DIR's")
	f.StringVar(&o.ca, "ca", "", "CA file, not DIR's")
	f.StringVar(&o.token, "token", "", "bearer token, not DIR's token-admin")
	f.StringVar(&o.namespace, "namespace", "default", "namespace")
	f.StringVar(&o.namespace, "n", "default", "namespace")
	f.StringVar(&o.kind, "kind", "configmaps", "kind, plural")
	f.StringVar(&o.prefix, "prefix", "cm", "first part of the names")
	f.StringVar(&o.labels, "labels", "", "A=B,C=D")
	f.IntVar(&o.count, "count", 1, "objects or updates; 0: no end (churn)")
	f.IntVar(&o.bytes, "bytes", 1544,
		"size of an object's JSON in a LIST, managedFields aside")
	f.IntVar(&o.workers, "workers", 8, "requests at the same time")
	f.IntVar(&o.objects, "objects", 0, "churn the first N; 0: all that exist")
	f.IntVar(&o.from, "from", 0, "first number of a name (fill)")
	f.Float64Var(&o.rate, "rate", 20, "updates a second")
	f.DurationVar(&o.duration, "for", 0, "churn for so long, not --count")
	f.StringVar(&o.verbs, "verbs", "get,list,watch", "rbac: what is allowed")
	f.StringVar(&o.user, "user", "none", "rbac: user the verbs are for")
	f.StringVar(&o.contentType, "type", "application/json", "raw: of the body")
	f.StringVar(&o.accept, "accept", "application/json", "raw: wanted")
	if len(args) == 0 || strings.HasPrefix(args[0], "-") {
		_ = f.Parse(args)
		f.Usage()
		os.Exit(2)
	}
	// Options may stand before, between and behind the arguments.
	var rest []string
	for words := args[1:]; ; {
		_ = f.Parse(words)
		if f.NArg() == 0 {
			return args[0], o, rest
		}
		rest, words = append(rest, f.Arg(0)), f.Args()[1:]
	}
}

func main() {
	name, o, args := parse(os.Args[1:])
	chosen, known := commands[name]
	if !known {
		die(fmt.Errorf("no command %q, but %s", name, strings.Join(order, ", ")))
	}
	c, err := newClient(o)
	if err != nil {
		die(err)
	}
	result, err := chosen.run(c, o, args)
	if line, isText := result.([]byte); isText {
		_, _ = os.Stdout.Write(line)
	} else if result != nil {
		line, _ := json.Marshal(result)
		fmt.Printf("%s\n", line)
	}
	if err != nil {
		die(err)
	}
}

func die(err error) {
	fmt.Fprintln(os.Stderr, "kload:", err)
	os.Exit(1)
}
