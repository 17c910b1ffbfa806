//go:build tools

// Package tools pins the confd that most images carry, so that its exact version can be built from the module proxy.
package tools

import _ "github.com/kelseyhightower/confd"
