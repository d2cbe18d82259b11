// SPDX-License-Identifier: Apache-2.0

// apiserver - a real kube-apiserver with etcd inside, for tests
//
// One program, two processes: the supervisor owns a state directory, makes
// certificates and tokens, and takes commands; its child is kube-apiserver
// and etcd in one process. The child can so be stopped, frozen, started on
// older data or with another certificate, while the address stays.
//
//	apiserver --dir DIR            serve until standard input closes
//	apiserver ctl DIR COMMAND ...  one command to a running one
//
// commands.go lists the commands. Loopback only, no root, no container.
package main

import (
	"fmt"
	"os"
	"runtime"
)

// The child dies with the thread that started it (PDEATHSIG), so that thread
// must be the one that lives as long as the process.
func init() {
	runtime.LockOSThread()
}

func main() {
	args := os.Args[1:]
	switch {
	case len(args) > 0 && args[0] == "child":
		os.Exit(childMain(args[1:]))
	case len(args) > 0 && args[0] == "ctl":
		os.Exit(ctlMain(args[1:]))
	default:
		os.Exit(supervisorMain(args))
	}
}

func fail(format string, a ...any) int {
	fmt.Fprintf(os.Stderr, "apiserver: "+format+"\n", a...)
	return 1
}
