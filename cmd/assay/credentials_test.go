package main

import (
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/assay-dev/assay"
)

// tokenServer takes bearer tokens that say themselves when they expire, and counts the good ones.
func tokenServer(t *testing.T) (*httptest.Server, *atomic.Int64) {
	var good atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer tok-")
		ends, err := strconv.ParseInt(text, 10, 64)
		if !ok || err != nil || time.Now().Unix() > ends {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		good.Add(1)
	}))
	t.Cleanup(s.Close)
	return s, &good
}

// plugin prints tokens of three seconds, as often as the number in its file says, and then fails.
const plugin = `#!/bin/sh
left=$(cat "$LEFT")
[ "$left" -gt 0 ] || { echo "the session is over" >&2; exit 1; }
echo $((left-1)) > "$LEFT"
ends=$(( $(date +%s) + 3 ))
printf '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"tok-%s","expirationTimestamp":"%s"}}' \
  $ends "$(date -u -d "@$ends" +%Y-%m-%dT%H:%M:%SZ)"
`

// TestCredentialsInALongRun: tokens that live for less than the run are replaced without a request waiting or failing; when there are no
// more, the run is invalid by name and the target not less available.
func TestCredentialsInALongRun(t *testing.T) {
	for _, c := range []struct {
		name  string
		left  int
		valid bool
	}{{"refreshed", 100, true}, {"expires", 1, false}} {
		t.Run(c.name, func(t *testing.T) {
			s, good := tokenServer(t)
			dir := t.TempDir()
			write(t, dir, "left", fmt.Sprintln(c.left))
			write(t, dir, "plugin", plugin)
			if err := os.Chmod(filepath.Join(dir, "plugin"), 0o700); err != nil {
				t.Fatal(err)
			}
			write(t, dir, "plan.yaml", `apiVersion: assay/v1
name: long
target:
  kind: http
  url: `+s.URL+`
  auth: {exec: {command: ./plugin, env: {LEFT: `+filepath.Join(dir, "left")+`}}}
load: [{name: steady, arrivals: {even: {rate: 20/s}}, for: 5s}]
`)
			got := assayIn(t, dir, "run", "plan.yaml", "--ui", "none")
			r, _ := readResult(t, runsIn(t, dir)[0])
			blamed := slices.ContainsFunc(r.Trust.Problems, func(p string) bool { return strings.HasPrefix(p, "our own credential was refused, expired or missing") })
			if blamed == c.valid || !c.valid && got.code != assay.ExitInvalid {
				t.Errorf("exit %d, problems %q\n%s", got.code, r.Trust.Problems, got.err)
			}
			if c.valid && good.Load() != 100 {
				t.Errorf("%d of 100 requests were good", good.Load())
			}
			if q := r.Find("error_ratio"); q != nil && q.Quantity.Value > 0 {
				t.Errorf("error ratio %s: our credential is held against the target", q.Quantity)
			}
			if !c.valid && !slices.ContainsFunc(r.Warnings, func(w string) bool {
				return strings.Contains(w, "target.auth: no fresh credential: run the credential plug-in plugin: exit status 1")
			}) {
				t.Errorf("warnings %q do not say why", r.Warnings)
			}
			secretIn(t, dir, got, "tok-1")
			secretIn(t, dir, got, "the session is over")
		})
	}
}

// TestRefusedCredentialIsReplaced: a token that the target revokes before its time is fetched anew at once, and the run says that it was refused.
func TestRefusedCredentialIsReplaced(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	tokens, good, refused := map[string]bool{}, 0, 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		token := r.Header.Get("Authorization")
		tokens[token] = true
		if len(tokens) == 1 && good >= 30 { // the first is revoked
			refused++
			w.WriteHeader(http.StatusForbidden)
			return
		}
		good++
	}))
	defer s.Close()
	dir := t.TempDir()
	write(t, dir, "plugin", "#!/bin/sh\necho '{\"apiVersion\":\"client.authentication.k8s.io/v1\",\"kind\":\"ExecCredential\",\"status\":{\"token\":\"tok-'$(date +%s%N)'\"}}'\n")
	if err := os.Chmod(filepath.Join(dir, "plugin"), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, dir, "plan.yaml", "apiVersion: assay/v1\nname: revoked\ntarget: {kind: http, url: '"+s.URL+"', auth: {exec: {command: ./plugin}}}\n"+
		"load: [{name: steady, arrivals: {even: {rate: 20/s}}, for: 4s}]\n")
	got := assayIn(t, dir, "run", "plan.yaml", "--ui", "none")
	r, _ := readResult(t, runsIn(t, dir)[0])
	want := fmt.Sprintf("our own credential was refused, expired or missing for %d of 80 requests: they say nothing of the target", refused)
	if len(tokens) != 2 || refused == 0 || good != 80-refused || !slices.Contains(r.Trust.Problems, want) {
		t.Errorf("%d tokens, %d refused, %d good; problems %q, want %q\n%s", len(tokens), refused, good, r.Trust.Problems, want, got.err)
	}
}

// secretIn looks for a secret in all that a run has left and said.
func secretIn(t *testing.T, dir string, got result, secret string) {
	t.Helper()
	if strings.Contains(got.out, secret) || strings.Contains(got.err, secret) {
		t.Errorf("%q was printed", secret)
	}
	err := filepath.WalkDir(filepath.Join(dir, "runs"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && strings.Contains(string(readFile(t, path)), secret) {
			t.Errorf("%q is in %s", secret, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestCredentialMistakes: what a person who starts a run is told, and by which exit status.
func TestCredentialMistakes(t *testing.T) {
	s, _ := tokenServer(t)
	dir := t.TempDir()
	write(t, dir, "left", "0\n")
	write(t, dir, "plugin", plugin)
	if err := os.Chmod(filepath.Join(dir, "plugin"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("LEFT", filepath.Join(dir, "left"))
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(dir, "none"))
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(dir, "none"))
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("HUSH", "hush-123")
	for _, c := range []struct {
		auth string
		code int
		want string
	}{
		{"env: NO_SUCH_VARIABLE", 2, "target.auth.env: the environment variable NO_SUCH_VARIABLE is not set"},
		{"file: none", 2, "target.auth.file: read the token: open none"},
		{"env: HUSH, file: x", 2, "target.auth: has env and file; give one"},
		{"exec: {command: no-such-program}", 2, "target.auth.exec.command: exec: \"no-such-program\""},
		{"exec: {command: ./plugin}", 3, "target.auth: run the credential plug-in plugin: exit status 1: the session is over"},
		{"oidc: {tokenURL: '" + s.URL + "', clientID: me, clientSecret: {env: HUSH}}", 3, "target.auth: get a token: the server answered 401 Unauthorized"},
		{"oidc: {clientID: me, clientSecret: {env: HUSH}}", 2, "target.auth.oidc: needs exactly one of issuer and tokenURL"},
		{"aws: {region: eu-north-1, service: execute-api}", 3, "target.auth: get AWS credentials: no source of the chain gave any"},
		{"aws: {region: eu-north-1}", 2, "target.auth.aws: needs service for kind http"},
	} {
		write(t, dir, "plan.yaml", "apiVersion: assay/v1\nname: a\ntarget: {kind: http, url: '"+s.URL+"', auth: {"+c.auth+"}}\nload: [{name: a, arrivals: {even: {rate: 1/s}}, for: 1s}]\n")
		got := assayIn(t, dir, "run", "plan.yaml", "--ui", "none")
		if got.code != c.code || !strings.Contains(got.err, c.want) || strings.Contains(got.err, "hush") {
			t.Errorf("%s: exit %d, want %d\ngot  %s\nwant %s", c.auth, got.code, c.code, got.err, c.want)
		}
		if runs := runsIn(t, dir); len(runs) != 0 {
			t.Errorf("%s: left %v", c.auth, runs)
		}
	}
}
