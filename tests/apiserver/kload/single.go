// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"
)

// told is what put, patch and delete answer.
type told struct {
	Name            string `json:"name"`
	UID             string `json:"uid,omitempty"`
	ResourceVersion string `json:"resourceVersion,omitempty"`
}

func tell(answer []byte, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	var found struct{ Metadata told }
	err = json.Unmarshal(answer, &found)
	return found.Metadata, err
}

// pairs reads KEY=VALUE, KEY=@FILE and KEY- (for a patch: away with it).
// A Secret's values and a ConfigMap's that are not text become base64.
func pairs(o *options, words []string) (data, binary object, err error) {
	data, binary = object{}, object{}
	for _, word := range words {
		key, value, isPair := strings.Cut(word, "=")
		if !isPair {
			if !strings.HasSuffix(word, "-") {
				return nil, nil, fmt.Errorf("%q is no KEY=VALUE", word)
			}
			data[strings.TrimSuffix(word, "-")] = nil
			continue
		}
		if strings.HasPrefix(value, "@") {
			text, err := os.ReadFile(value[1:])
			if err != nil {
				return nil, nil, err
			}
			value = string(text)
		}
		encoded := base64.StdEncoding.EncodeToString([]byte(value))
		switch {
		case o.kind == "secrets":
			data[key] = encoded
		case strings.ToValidUTF8(value, "") != value:
			binary[key] = encoded
		default:
			data[key] = value
		}
	}
	return data, binary, nil
}

func put(c *client, o *options, args []string) (any, error) {
	k, path, err := kindOf(o)
	if err != nil {
		return nil, err
	}
	if len(args) == 0 {
		return nil, errors.New("NAME is missing")
	}
	out := k.whole(o, args[0], filler(k.payloadSize(o)))
	if len(args) > 1 {
		data, binary, err := pairs(o, args[1:])
		if err != nil {
			return nil, err
		}
		setData(o, out, data, binary)
	}
	return tell(c.apply(path, args[0], out))
}

func setData(o *options, out, data, binary object) {
	switch o.kind {
	case "configmaps", "secrets":
		out["data"] = data
		if len(binary) > 0 {
			out["binaryData"] = binary
		}
	case "widgets":
		out["spec"] = data
	default:
		out["metadata"] = object{"annotations": data}
	}
}

// patch is a merge patch of the data; without KEY=VALUE the payload changes.
func patch(c *client, o *options, args []string) (any, error) {
	k, path, err := kindOf(o)
	if err != nil {
		return nil, err
	}
	if len(args) == 0 {
		return nil, errors.New("NAME is missing")
	}
	out := k.change(filler(k.payloadSize(o)))
	if len(args) > 1 {
		data, binary, err := pairs(o, args[1:])
		if err != nil {
			return nil, err
		}
		out = object{}
		setData(o, out, data, binary)
	}
	return tell(c.typed("PATCH", path+"/"+args[0],
		"application/merge-patch+json", out))
}

func remove(c *client, o *options, args []string) (any, error) {
	_, path, err := kindOf(o)
	if err != nil {
		return nil, err
	}
	for _, name := range args {
		if _, err := c.json("DELETE", path+"/"+name, nil); err != nil {
			return nil, err
		}
	}
	return object{"deleted": len(args)}, nil
}

func get(c *client, o *options, args []string) (any, error) {
	_, path, err := kindOf(o)
	if err != nil {
		return nil, err
	}
	if len(args) != 1 {
		return nil, errors.New("NAME is missing")
	}
	text, err := c.json("GET", path+"/"+args[0], nil)
	if err != nil {
		return nil, err
	}
	return append(text, '\n'), nil
}

func raw(c *client, o *options, args []string) (any, error) {
	if len(args) < 2 || len(args) > 3 {
		return nil, errors.New("METHOD PATH [BODY|@FILE] are wanted")
	}
	var body []byte
	if len(args) == 3 {
		body = []byte(args[2])
		if strings.HasPrefix(args[2], "@") {
			var err error
			if body, err = os.ReadFile(args[2][1:]); err != nil {
				return nil, err
			}
		}
	}
	text, err := c.do(args[0], args[1], o.contentType, o.accept, body)
	if err != nil {
		return nil, err
	}
	return append(text, '\n'), nil
}

// ---- namespaces ------------------------------------------------------------

const namespaces = "/api/v1/namespaces"

func ensureNamespace(c *client, name string) error {
	_, err := c.json("GET", namespaces+"/"+name, nil)
	if isStatus(err, http.StatusNotFound) {
		return createNamespace(c, name)
	}
	return err
}

func createNamespace(c *client, name string) error {
	_, err := c.json("POST", namespaces,
		object{"metadata": object{"name": name}})
	if isStatus(err, http.StatusConflict) {
		return nil
	}
	return err
}

func namespace(c *client, o *options, args []string) (any, error) {
	if len(args) != 2 {
		return nil, errors.New("create NAME or delete NAME is wanted")
	}
	switch args[0] {
	case "create":
		return object{"namespace": args[1]}, createNamespace(c, args[1])
	case "delete":
		return object{"namespace": args[1]}, deleteNamespace(c, o, args[1])
	default:
		return nil, fmt.Errorf("create or delete, not %q", args[0])
	}
}

// deleteNamespace does the part of the controller that is not here: it empties
// the namespace, once no more can be made in it, and then lets it go.
func deleteNamespace(c *client, o *options, name string) error {
	path := namespaces + "/" + name
	if _, err := c.json("DELETE", path, nil); err != nil {
		return err
	}
	inside := *o
	inside.namespace = name
	for _, kind := range kindNames() {
		inside.kind = kind
		_, err := removeAll(c, &inside, nil)
		// No such kind: widgets need their definition.
		if err != nil && !isStatus(err, http.StatusNotFound) {
			return err
		}
	}
	_, err := c.json("PUT", path+"/finalize", object{
		"apiVersion": "v1", "kind": "Namespace",
		"metadata": object{"name": name}, "spec": object{}})
	return err
}

// ---- a kind of our own, and rights -----------------------------------------

const crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"

func crd(c *client, o *options, args []string) (any, error) {
	const name = "widgets.test.example"
	if len(args) == 1 && args[0] == "delete" {
		_, err := c.json("DELETE", crds+"/"+name, nil)
		return object{"crd": name}, err
	}
	if len(args) != 1 || args[0] != "create" {
		return nil, errors.New("create or delete is wanted")
	}
	open := object{"type": "object",
		"x-kubernetes-preserve-unknown-fields": true}
	_, err := c.json("POST", crds, object{
		"metadata": object{"name": name},
		"spec": object{
			"group": "test.example", "scope": "Namespaced",
			"names": object{"plural": "widgets", "singular": "widget",
				"kind": "Widget", "shortNames": []string{"wd"}},
			"versions": []object{{"name": "v1", "served": true,
				"storage": true, "schema": object{
					"openAPIV3Schema": object{"type": "object",
						"properties": object{"spec": open}}}}},
		}})
	if err != nil && !isStatus(err, http.StatusConflict) {
		return nil, err
	}
	return object{"crd": name}, served(c, "/apis/test.example/v1/widgets")
}

// served waits until a path answers: a definition takes a moment.
func served(c *client, path string) error {
	var err error
	for range 100 {
		if _, err = c.json("GET", path+"?limit=1", nil); err == nil {
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return err
}

// rbac gives or takes rights on one kind: of all namespaces, or of --namespace
// when that is not "default".
func rbac(c *client, o *options, args []string) (any, error) {
	if len(args) != 1 || (args[0] != "grant" && args[0] != "revoke") {
		return nil, errors.New("grant or revoke is wanted")
	}
	k, _, err := kindOf(o)
	if err != nil {
		return nil, err
	}
	base, role := "/apis/rbac.authorization.k8s.io/v1", "ClusterRole"
	if o.namespace != "default" {
		base, role = base+"/namespaces/"+o.namespace, "Role"
	}
	roles := base + "/" + strings.ToLower(role) + "s"
	bindings := base + "/" + strings.ToLower(role) + "bindings"
	name := "kload-" + o.user + "-" + o.kind
	if args[0] == "revoke" {
		_, err := c.json("DELETE", bindings+"/"+name, nil)
		return object{"revoked": name}, err
	}
	group := strings.TrimSuffix(strings.TrimPrefix(k.version, "v1"), "/v1")
	const rbacGroup = "rbac.authorization.k8s.io"
	meta := object{"name": name}
	if _, err := c.apply(roles, name, object{"metadata": meta,
		"rules": []object{{"apiGroups": []string{group},
			"resources": []string{o.kind},
			"verbs":     strings.Split(o.verbs, ",")}}}); err != nil {
		return nil, err
	}
	_, err = c.apply(bindings, name, object{"metadata": meta,
		"roleRef": object{"apiGroup": rbacGroup, "kind": role, "name": name},
		"subjects": []object{{"apiGroup": rbacGroup, "kind": "User",
			"name": o.user}}})
	return object{"granted": name}, err
}
