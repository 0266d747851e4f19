// Package k6op writes what the k6 operator needs to play a script on many machines with assay-k6, and what brings the results back.
//
// # What is written
//
//   - an image build file: assay-k6, named k6 as the operator expects, and assay, both static, on an image that has the shell that the operator's
//     initializer uses;
//   - a ConfigMap with the script and what it imports, mounted at /test;
//   - a claim to a volume that all runners share, where each leaves its run under its own host name;
//   - accounts: the runners' has no rights at all and no token; the submitter's may create and look after exactly these objects;
//   - the TestRun: as many runners as asked for, each with its execution segment, all with one run id;
//   - a Job, to be applied once the TestRun is finished, that merges the runs and assesses the whole.
//
// The field names are those of the operator's v1alpha1 types. Nothing here talks to a cluster.
package k6op
