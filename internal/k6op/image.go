package k6op

import "fmt"

// Versions of the images that the build file begins with.
const (
	goVersion     = "1.26.7" // as go.mod asks
	alpineVersion = "3.22"
)

// dockerfile builds the image in a checkout. The operator calls k6 by that name, and its initializer uses sh, cat and grep.
var dockerfile = fmt.Sprintf(`# assay-k6 for the k6 operator. Build it in a checkout of assay:
#   docker build -f Dockerfile -t IMAGE CHECKOUT
# Modules are pinned by go.sum. The binary k6 in the image is a combined work with k6, under the AGPL-3.0.
FROM golang:%[1]s-alpine%[2]s AS build
WORKDIR /src
COPY . .
ENV CGO_ENABLED=0 GOTOOLCHAIN=local GOFLAGS=-trimpath
RUN go build -ldflags=-s -o /out/assay ./cmd/assay
RUN cd loadgen/k6 && go build -ldflags=-s -o /out/k6 ./cmd/assay-k6

FROM alpine:%[2]s
RUN adduser -D -u %[3]d k6
COPY --from=build /out/k6 /out/assay /usr/bin/
USER %[3]d
WORKDIR /home/k6
ENTRYPOINT ["k6"]
`, goVersion, alpineVersion, user)
