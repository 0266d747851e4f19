module github.com/assay-dev/assay/cmd/assay-nvml

go 1.26.7

require (
	github.com/NVIDIA/go-nvml v0.13.4-1
	github.com/assay-dev/assay v0.0.0-00010101000000-000000000000
	github.com/google/go-cmp v0.7.0
)

require (
	github.com/goccy/go-yaml v1.19.2 // indirect
	github.com/google/uuid v1.6.0 // indirect
)

replace github.com/assay-dev/assay => ../..
