package cloud

import "github.com/assay-dev/assay/collectors/input"

// Kinds is the table of this package's formats.
var Kinds = []input.Kind{lambdaKind, cloudWatchKind, cloudRunKind, appInsightsKind, runpodKind}
