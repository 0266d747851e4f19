package plan

import "testing"

// The advice names a setting that there is.
func TestCredentialsOfURLs(t *testing.T) {
	const none = "leave it out: none can be named here"
	for path, want := range map[string]string{
		"target.url":               "use target.auth, which takes env, file and others, with header for the header that takes the key",
		"target.proxy":             none,
		"collect.prometheus[0]":    none,
		"collect.loki[1].url":      "use collect.loki[1].token with env or file",
		"collect.tempo[0].url":     "use collect.tempo[0].token with env or file",
		"collect.runpod[0].url":    "use collect.runpod[0].token with env or file",
		"collect.nginx.status":     none,
		"alerts.alertmanager":      "use alerts.token with env or file",
		"guards[0].prometheus":     "use guards[0].token with env or file",
		"hypothesis[2].prometheus": "use hypothesis[2].token with env or file",
		"hypothesis[0].probe.url":  none,
		"notify[0].url":            "use notify[0].token with env or file",
	} {
		if got := credentialsOf(path); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}
