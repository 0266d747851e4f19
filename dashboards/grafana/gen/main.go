// Command gen writes the Grafana dashboards from the panel catalogue. It is run by
// go generate in package dashboards/grafana; a test fails when the committed files differ.
//
// It writes classic dashboard JSON, the only form that file provisioning of every supported
// Grafana accepts. Three things are set by hand because the SDK leaves them out: panel ids (panels
// without one are lost when Grafana migrates the file), positions, and the table's footer (the SDK
// writes one that its own decoder refuses).
package main

import (
	"fmt"
	"os"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: gen FILE")
		os.Exit(2)
	}
	b, err := overview()
	if err == nil {
		err = os.WriteFile(os.Args[1], b, 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}
