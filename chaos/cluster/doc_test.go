// Package cluster tests the drivers chaosmesh and kubernetes against a real API server in the test process: etcd and the server of custom resources, with Chaos Mesh's
// kinds. It is a package of its own, and has no code but tests, so that nothing else links them.
package cluster
