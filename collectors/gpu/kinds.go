package gpu

import "github.com/assay-dev/assay/collectors/input"

// Kinds are the recordings of GPUs that can be read.
var Kinds = []input.Kind{SMI, KernelLog}
