//go:build tools

// Package tools pins the fork of confd with the other command line, so that its exact version can be built from the module proxy.
package tools

import _ "github.com/abtreece/confd/cmd/confd"
