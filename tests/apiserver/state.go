// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// state is the directory everything about one server lies in:
//
//	server port ready        address, port, and whether it serves now
//	kubeconfig               the admin, by token, CA inline
//	kubeconfig-reader -none  the same for the other tokens
//	kubeconfig-client-cert   the admin, by certificate, all inline
//	kubeconfig-files         the admin, token and CA named as files
//	ca.crt ca.der            the CA that signed the server's certificate
//	token-admin token-reader token-none
//	client.crt client.key    user kinformer-cert in group system:masters
//	log audit.log            what the server says, and (--audit) was asked
//	control                  socket of 'apiserver ctl'
//	etcd pki snapshots       the server's own
type state struct {
	dir  string
	port int
}

const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
rules:
  - level: Metadata
    omitStages: [ResponseStarted]
`

var users = []struct{ name, groups string }{
	{"admin", "system:masters"},
	{"reader", "kinformer:readers"},
	{"none", ""},
}

func (s *state) path(name string) string {
	return filepath.Join(s.dir, name)
}

func (s *state) url() string {
	return "https://127.0.0.1:" + strconv.Itoa(s.port)
}

// prepare writes what is missing: a directory used again keeps its CA, its
// tokens and its data.
func (s *state) prepare(spec certSpec) error {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return err
	}
	if err := s.prepareCAs(spec.key); err != nil {
		return err
	}
	if err := s.serviceAccountKey(); err != nil {
		return err
	}
	if err := s.issueServer(spec); err != nil {
		return err
	}
	if _, err := os.Stat(s.path("client.crt")); err != nil {
		if err := s.issueClient(spec.key); err != nil {
			return err
		}
	}
	for _, user := range users {
		if _, err := os.Stat(s.path("token-" + user.name)); err != nil {
			if err := s.setToken(user.name, ""); err != nil {
				return err
			}
		}
	}
	if err := writeFile(s.path("audit.yaml"),
		[]byte(auditPolicy), 0o600); err != nil {
		return err
	}
	return s.describe()
}

func (s *state) prepareCAs(key string) error {
	for _, name := range []string{"ca", "client-ca"} {
		if _, err := readAuthority(s.path("pki/" + name)); err == nil {
			continue
		} else if !errors.Is(err, os.ErrNotExist) {
			return err
		}
		if err := s.newCA(name, key); err != nil {
			return err
		}
	}
	return nil
}

func (s *state) newCA(name, key string) error {
	ca, err := newAuthority("kinformer test "+name, key, nil)
	if err != nil {
		return err
	}
	return writePair(s.path("pki/"+name), ca.key, ca.cert)
}

// serviceAccountKey: the server wants one, though no account is made.
func (s *state) serviceAccountKey() error {
	if _, err := os.Stat(s.path("pki/sa.key")); err == nil {
		return nil
	}
	key, err := newKey("rsa")
	if err != nil {
		return err
	}
	secret, err := keyPEM(key)
	if err != nil {
		return err
	}
	return writeFile(s.path("pki/sa.key"), secret, 0o600)
}

func (s *state) issueServer(spec certSpec) error {
	ca, err := readAuthority(s.path("pki/ca"))
	if err != nil {
		return err
	}
	chain, key, err := ca.serverCert(spec)
	if err != nil {
		return err
	}
	return writePair(s.path("pki/server"), key, chain...)
}

func (s *state) issueClient(key string) error {
	ca, err := readAuthority(s.path("pki/client-ca"))
	if err != nil {
		return err
	}
	cert, signer, err := ca.clientCert("kinformer-cert", "system:masters", key)
	if err != nil {
		return err
	}
	return writePair(s.path("client"), signer, cert)
}

// setToken gives a user another token, and the server's table with it.
func (s *state) setToken(user, token string) error {
	if token == "" {
		random := make([]byte, 32)
		if _, err := rand.Read(random); err != nil {
			return err
		}
		token = user + "." + hex.EncodeToString(random)
	}
	if strings.ContainsAny(token, ",\"\r\n") {
		return errors.New("a token has no comma, quote or line break")
	}
	return writeFile(s.path("token-"+user), []byte(token+"\n"), 0o600)
}

func (s *state) token(user string) string {
	text, _ := os.ReadFile(s.path("token-" + user))
	return strings.TrimSpace(string(text))
}

// describe writes all that follows from CA, tokens and port.
func (s *state) describe() error {
	var table strings.Builder
	for _, user := range users {
		fmt.Fprintf(&table, "%s,%s,%s,%q\n",
			s.token(user.name), user.name, user.name, user.groups)
	}
	ca, err := readAuthority(s.path("pki/ca"))
	if err != nil {
		return err
	}
	files := map[string]string{
		"tokens.csv":             table.String(),
		"ca.crt":                 string(certPEM(ca.cert)),
		"ca.der":                 string(ca.cert.Raw),
		"server":                 s.url() + "\n",
		"port":                   strconv.Itoa(s.port) + "\n",
		"kubeconfig":             s.kubeconfig(s.tokenUser("admin")),
		"kubeconfig-reader":      s.kubeconfig(s.tokenUser("reader")),
		"kubeconfig-none":        s.kubeconfig(s.tokenUser("none")),
		"kubeconfig-client-cert": s.kubeconfig(s.certUser()),
		"kubeconfig-files":       s.kubeconfigFiles(),
	}
	for name, content := range files {
		err := writeFile(s.path(name), []byte(content), 0o600)
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *state) inline(name string) string {
	content, _ := os.ReadFile(s.path(name))
	return base64.StdEncoding.EncodeToString(content)
}

func (s *state) tokenUser(user string) string {
	return "    token: " + s.token(user) + "\n"
}

func (s *state) certUser() string {
	return "    client-certificate-data: " + s.inline("client.crt") + "\n" +
		"    client-key-data: " + s.inline("client.key") + "\n"
}

func (s *state) kubeconfig(user string) string {
	return kubeconfigText(s.url(),
		"certificate-authority-data: "+s.inline("pki/ca.crt"), user)
}

// kubeconfigFiles names files relative to itself, as kubectl resolves them.
func (s *state) kubeconfigFiles() string {
	return kubeconfigText(s.url(), "certificate-authority: ca.crt",
		"    tokenFile: token-admin\n")
}

func kubeconfigText(server, ca, user string) string {
	return `apiVersion: v1
kind: Config
clusters:
- name: test
  cluster:
    server: ` + server + `
    ` + ca + `
users:
- name: test
  user:
` + user + `contexts:
- name: test
  context:
    cluster: test
    user: test
    namespace: default
current-context: test
`
}
