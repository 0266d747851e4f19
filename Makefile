# Two tiers of tests: `make test` is the README's test command, which CI runs; `make full` is what is run before a release: many seeds, kill
# points, dials and scores, on an otherwise idle machine.
.PHONY: build test full lint generate bench

build:
	CGO_ENABLED=0 go build -trimpath -o dist/assay ./cmd/assay
	CGO_ENABLED=0 go build -trimpath -o dist/assay-gpu ./cmd/assay-gpu
	cd loadgen/k6 && CGO_ENABLED=0 go build -trimpath -o ../../dist/assay-k6 ./cmd/assay-k6

test:
	go test -race -timeout 20m ./...
	cd loadgen/k6 && go test -timeout 10m ./...
	cd loadgen/peer && go test -timeout 10m ./...

full:
	ASSAY_FULL=1 go test -timeout 90m -p 1 ./...
	cd loadgen/k6 && ASSAY_FULL=1 go test -timeout 30m ./...
	cd loadgen/peer && ASSAY_FULL=1 go test -timeout 30m -v ./...

bench:
	go test -run '^$$' -bench . -benchmem ./internal/sse ./internal/faultproxy ./loadgen ./internal/store ./collectors ./internal/live ./analyzers
	cd loadgen/peer && go run . && go run . -streams

lint:
	go vet ./...
	golangci-lint run

generate:
	go generate ./...
	UPDATE=1 go test ./internal/plan -run Schema
