package cloud

import (
	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors"
	"github.com/assay-dev/assay/collectors/input"
)

// Kinds is the table of this package's formats.
var Kinds = []input.Kind{lambdaKind, cloudWatchKind, cloudRunKind, appInsightsKind, runpodKind}

// Sources is the table of this package's live collectors.
var Sources = []collectors.Kind{
	{Name: "cloudwatch", Help: "Reads metrics of Amazon CloudWatch while they come, and after the run the rest of them. They hold no cold starts.",
		Proven: collectors.Documents, By: "the CloudWatch API's documents of GetMetricData, and a stand-in whose datapoints grow until they are complete", New: func(c collectors.Clock) assay.Source { return &CloudWatch{Clock: c} }},
	{Name: "runpod", Help: "Asks RunPod for the jobs and workers of an endpoint by their states, and of the jobs that a file names how long they waited and ran.",
		Proven: collectors.Documents, By: "RunPod's documents of endpoint health and job status, and a stand-in of both", New: func(c collectors.Clock) assay.Source { return &RunPod{Clock: c} }},
}
