// Copyright (c) 2026, Slipway contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// The oracle of the template scanner: Go's own parser, which confd uses. Reads a JSON list of templates, writes for each
// whether it parses, and the look-ups of the store in it: function, line, key (null where it is computed), default or not.
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"os"
	"reflect"
	"strings"
	"text/template/parse"
)

type lookup struct {
	Function string  `json:"function"`
	Line     int     `json:"line"`
	Key      *string `json:"key"`
	Default  bool    `json:"default"`
}

type answer struct {
	Parses  bool     `json:"parses"`
	Error   string   `json:"error"`
	Lookups []lookup `json:"lookups"`
}

var functions = map[string]bool{
	"getv": true, "get": true, "cgetv": true, "cget": true, "gets": true, "getvs": true, "cgets": true, "cgetvs": true,
	"ls": true, "lsdir": true, "exists": true,
}

// literal gives the text of a string, of (string), of a pipe's only string, and of what is printed from such.
func literal(node parse.Node) *string {
	switch found := node.(type) {
	case *parse.StringNode:
		return &found.Text
	case *parse.PipeNode:
		if len(found.Cmds) == 1 && len(found.Decl) == 0 {
			return literal(found.Cmds[0])
		}
	case *parse.CommandNode:
		if len(found.Args) == 1 {
			return literal(found.Args[0])
		}
		return printed(found)
	}
	return nil
}

// printed gives what printf and print make of literals alone.
func printed(command *parse.CommandNode) *string {
	name, ok := command.Args[0].(*parse.IdentifierNode)
	if !ok || (name.Ident != "printf" && name.Ident != "print") {
		return nil
	}
	texts := []any{}
	for _, argument := range command.Args[1:] {
		text := literal(argument)
		if text == nil {
			return nil
		}
		texts = append(texts, *text)
	}
	made := fmt.Sprint(texts...)
	if name.Ident == "printf" {
		made = fmt.Sprintf(texts[0].(string), texts[1:]...)
	}
	if strings.Contains(made, "%!") {
		return nil
	}
	return &made
}

type walker struct {
	source  string
	lookups []lookup
}

func (w *walker) pipe(pipe *parse.PipeNode) {
	var before parse.Node
	for _, command := range pipe.Cmds {
		for _, argument := range command.Args {
			w.node(argument)
		}
		if name, ok := command.Args[0].(*parse.IdentifierNode); ok && functions[name.Ident] {
			arguments := append([]parse.Node{}, command.Args[1:]...)
			if before != nil {
				arguments = append(arguments, before)
			}
			found := lookup{Function: name.Ident, Line: 1 + strings.Count(w.source[:name.Pos], "\n")}
			if len(arguments) > 0 {
				found.Key = literal(arguments[0])
			}
			found.Default = strings.HasSuffix(name.Ident, "getv") && len(arguments) > 1
			w.lookups = append(w.lookups, found)
		}
		before = command
	}
}

// node walks every field that holds nodes, whatever the kind of node.
func (w *walker) node(node parse.Node) {
	if node == nil || reflect.ValueOf(node).IsNil() {
		return
	}
	switch found := node.(type) {
	case *parse.PipeNode:
		w.pipe(found)
	case *parse.ListNode:
		for _, each := range found.Nodes {
			w.node(each)
		}
	case *parse.ActionNode:
		w.node(found.Pipe)
	case *parse.TemplateNode:
		w.node(found.Pipe)
	case *parse.ChainNode:
		w.node(found.Node)
	case *parse.IfNode:
		w.branch(&found.BranchNode)
	case *parse.RangeNode:
		w.branch(&found.BranchNode)
	case *parse.WithNode:
		w.branch(&found.BranchNode)
	}
}

func (w *walker) branch(branch *parse.BranchNode) {
	w.node(branch.Pipe)
	w.node(branch.List)
	w.node(branch.ElseList)
}

func judge(source string) answer {
	trees := map[string]*parse.Tree{}
	tree := parse.New("template")
	tree.Mode = parse.SkipFuncCheck
	if _, err := tree.Parse(source, "", "", trees); err != nil {
		return answer{Error: err.Error(), Lookups: []lookup{}}
	}
	found := walker{source: source, lookups: []lookup{}}
	for _, each := range trees {
		found.node(each.Root)
	}
	return answer{Parses: true, Lookups: found.lookups}
}

func main() {
	var sources []string
	if err := json.NewDecoder(os.Stdin).Decode(&sources); err != nil {
		log.Fatal(err)
	}
	answers := []answer{}
	for _, source := range sources {
		answers = append(answers, judge(source))
	}
	if err := json.NewEncoder(os.Stdout).Encode(answers); err != nil {
		log.Fatal(err)
	}
}
