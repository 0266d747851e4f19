package vision

// A Route is one of the paths that a worker serves.
type Route struct {
	Method  string
	Pattern string // as net/http reads it
	Name    string // what spans and logs call it
}

// predictSuffix follows the model's name, or its version, in the path of a v1 call.
const predictSuffix = ":predict"

// Routes returns the paths of both protocols that are about the model, for a gateway to pass on. A v1 call is
// told by the suffix of its last segment.
func Routes() []Route {
	list := []Route{
		{"GET", "/v2", "/v2"},
		{"GET", "/v2/health/ready", "/v2/health/ready"},
	}
	for _, v := range []string{"", "/versions/{version}"} {
		list = append(list,
			Route{"GET", "/v1/models/{model}" + v, "/v1/models/{model}" + v},
			Route{"GET", "/v2/models/{model}" + v, "/v2/models/{model}" + v},
			Route{"GET", "/v2/models/{model}" + v + "/ready", "/v2/models/{model}" + v + "/ready"},
			Route{"POST", "/v2/models/{model}" + v + "/infer", "/v2/models/{model}" + v + "/infer"})
	}
	return append(list,
		Route{"POST", "/v1/models/{call}", "/v1/models/{model}" + predictSuffix},
		Route{"POST", "/v1/models/{model}/versions/{call}", "/v1/models/{model}/versions/{version}" + predictSuffix})
}
