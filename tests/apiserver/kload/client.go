// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

type client struct {
	http          *http.Client
	server, token string
}

// statusError is an answer that is not 2xx.
type statusError struct {
	code    int
	request string
	body    string
}

func (e *statusError) Error() string {
	return fmt.Sprintf("%s: HTTP %d: %.300s", e.request, e.code, e.body)
}

func isStatus(err error, code int) bool {
	var status *statusError
	return errors.As(err, &status) && status.code == code
}

// newClient takes what was given, else what the server's directory says. The
// certificate is always verified: a test that gives a bad one has no use for
// kload.
func newClient(o *options) (*client, error) {
	fill := func(value *string, file string) error {
		if *value != "" || o.dir == "" {
			return nil
		}
		text, err := os.ReadFile(filepath.Join(o.dir, file))
		*value = strings.TrimSpace(string(text))
		return err
	}
	if o.ca == "" && o.dir != "" {
		o.ca = filepath.Join(o.dir, "ca.crt")
	}
	if err := errors.Join(fill(&o.server, "server"),
		fill(&o.token, "token-admin")); err != nil {
		return nil, err
	}
	if o.server == "" || o.ca == "" {
		return nil, errors.New("--dir DIR, or --server and --ca, are missing")
	}
	roots, err := os.ReadFile(o.ca)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(roots) {
		return nil, fmt.Errorf("%s: no certificate", o.ca)
	}
	transport := &http.Transport{
		TLSClientConfig:     &tls.Config{RootCAs: pool},
		MaxIdleConnsPerHost: o.workers,
	}
	return &client{
		http:   &http.Client{Transport: transport, Timeout: time.Minute},
		server: strings.TrimSuffix(o.server, "/"),
		token:  o.token,
	}, nil
}

func (c *client) do(method, path, contentType, accept string, body []byte) (
	[]byte, error) {
	request, err := http.NewRequest(
		method, c.server+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+c.token)
	request.Header.Set("User-Agent", "kload")
	request.Header.Set("Accept", accept)
	if body != nil {
		request.Header.Set("Content-Type", contentType)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode/100 != 2 {
		err = &statusError{response.StatusCode, method + " " + path,
			string(answer)}
	}
	return answer, err
}

func (c *client) json(method, path string, object any) ([]byte, error) {
	return c.typed(method, path, "application/json", object)
}

func (c *client) typed(method, path, contentType string, object any) (
	[]byte, error) {
	var body []byte
	if object != nil {
		var err error
		if body, err = json.Marshal(object); err != nil {
			return nil, err
		}
	}
	return c.do(method, path, contentType, "application/json", body)
}

// apply makes the object, or replaces it.
func (c *client) apply(collection, name string, object any) ([]byte, error) {
	answer, err := c.json("POST", collection, object)
	if isStatus(err, http.StatusConflict) {
		return c.json("PUT", collection+"/"+name, object)
	}
	return answer, err
}
