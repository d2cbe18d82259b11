// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sort"
	"strings"
)

type object = map[string]any

// kind is where objects lie and what one of them holds. payload is the text
// that fill sizes and churn changes, with the path to it.
type kind struct {
	prefix, version, name string
	payload               []string
	build                 func(payload string) object
}

var kinds = map[string]kind{
	"configmaps": {"/api/v1", "v1", "ConfigMap",
		[]string{"data", "application.properties"}, configMap},
	"secrets": {"/api/v1", "v1", "Secret",
		[]string{"data", "password"}, secret},
	"pods": {"/api/v1", "v1", "Pod",
		[]string{"metadata", "annotations", "payload"}, pod},
	"deployments": {"/apis/apps/v1", "apps/v1", "Deployment",
		[]string{"metadata", "annotations", "payload"}, deployment},
	"widgets": {"/apis/test.example/v1", "test.example/v1", "Widget",
		[]string{"spec", "note"}, widget},
}

func kindNames() []string {
	names := make([]string, 0, len(kinds))
	for name := range kinds {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// kindOf knows the kind and its path in the namespace.
func kindOf(o *options) (kind, string, error) {
	k, known := kinds[o.kind]
	if !known {
		return k, "", fmt.Errorf("no kind %q, but %s", o.kind,
			strings.Join(kindNames(), ", "))
	}
	return k, k.prefix + "/namespaces/" + o.namespace + "/" + o.kind, nil
}

func configMap(payload string) object {
	return object{"data": object{
		"application.properties":      payload,
		"log.level":                   "info",
		"feature.flags":               "checkout,search,recommendations",
		"database.connect.timeout.ms": "1500",
	}}
}

func secret(payload string) object {
	return object{"type": "Opaque", "data": object{
		"user":     base64.StdEncoding.EncodeToString([]byte("kload")),
		"password": base64.StdEncoding.EncodeToString([]byte(payload)),
	}}
}

func widget(payload string) object {
	return object{"spec": object{"size": 3, "note": payload}}
}

var containers = []object{{"name": "main", "image": "example/main:1"}}

func pod(payload string) object {
	return object{
		"metadata": object{"annotations": object{"payload": payload}},
		"spec":     object{"containers": containers},
	}
}

func deployment(payload string) object {
	labels := object{"app": "kload"}
	return object{
		"metadata": object{"annotations": object{"payload": payload}},
		"spec": object{
			"replicas": 1,
			"selector": object{"matchLabels": labels},
			"template": object{
				"metadata": object{"labels": labels},
				"spec":     object{"containers": containers},
			},
		},
	}
}

// whole gives an object its name, labels and type.
func (k kind) whole(o *options, name, payload string) object {
	out := k.build(payload)
	meta, _ := out["metadata"].(object)
	if meta == nil {
		meta = object{}
	}
	meta["name"], meta["namespace"] = name, o.namespace
	labels := object{"app.kubernetes.io/managed-by": "kload"}
	for _, pair := range strings.FieldsFunc(o.labels,
		func(r rune) bool { return r == ',' }) {
		key, value, _ := strings.Cut(pair, "=")
		labels[key] = value
	}
	meta["labels"] = labels
	out["metadata"] = meta
	out["apiVersion"], out["kind"] = k.version, k.name
	return out
}

// change is a merge patch that gives the payload another text.
func (k kind) change(payload string) object {
	if k.name == "Secret" {
		payload = base64.StdEncoding.EncodeToString([]byte(payload))
	}
	var out any = payload
	for i := len(k.payload) - 1; i >= 0; i-- {
		out = object{k.payload[i]: out}
	}
	return out.(object)
}

// payloadSize is what is left for the payload when an object shall have so
// many bytes in a LIST: there it has neither kind nor apiVersion, but what
// the server adds.
func (k kind) payloadSize(o *options) int {
	sample := k.whole(o, objectName(o, 0), "")
	delete(sample, "kind")
	delete(sample, "apiVersion")
	meta := sample["metadata"].(object)
	meta["uid"] = "00000000-0000-0000-0000-000000000000"
	meta["resourceVersion"] = "12345"
	meta["creationTimestamp"] = "2026-01-01T00:00:00Z"
	text, _ := json.Marshal(sample)
	size := o.bytes - len(text)
	if k.name == "Secret" {
		size = size * 3 / 4
	}
	return max(size, 0)
}

func objectName(o *options, i int) string {
	return fmt.Sprintf("%s-%05d", o.prefix, i)
}

// filler looks like a properties file: lines, words, nothing to compress away.
// Its line breaks cost two bytes in JSON, which the size allows for.
func filler(bytes int) string {
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789"
	var out strings.Builder
	for i, used := 0, 0; used < bytes; i++ {
		switch {
		case i%60 == 59 && used+2 <= bytes:
			out.WriteByte('\n')
			used += 2
		case i%60 == 12:
			out.WriteByte('=')
			used++
		default:
			out.WriteByte(letters[rand.IntN(len(letters))])
			used++
		}
	}
	return out.String()
}
