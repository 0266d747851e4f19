// Command assay-k6 is k6 with assay compiled in: the JavaScript module k6/x/assay, the output assay and the
// executor assay-arrivals. In all else it is k6, with its commands, flags and exit statuses.
//
//	assay-k6 run --out assay=runs/chat chat.js
//
// The binary is a combined work with k6 and as such under the AGPL-3.0.
package main

import (
	"go.k6.io/k6/v2/cmd"

	_ "github.com/assay-dev/assay/loadgen/k6" // registers the extensions
)

func main() { cmd.Execute() }
