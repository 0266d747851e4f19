// Package credential gets what clients show to a target, and keeps it fresh in runs that outlast it.
//
// A [Source] fetches: from the environment ([Env]), from a file that may change ([File]), from a plug-in in the manner of
// Kubernetes ([Exec]), from an OAuth 2.0 server ([OIDC]), or from AWS's own chain ([AWS]). A [Keeper] holds what a source gave and fetches
// again in the background: ahead of expiry, so that no send waits for it, and at once when the target refused it.
//
// A [Value] never shows itself: it prints as [credential], and no error of this package repeats one, nor what a plug-in or server said.
package credential
