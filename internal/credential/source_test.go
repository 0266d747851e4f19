package credential

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// plain is a Value that shows itself.
type plain struct {
	Token, KeyID, Secret, Session string
	Cert                          bool
	Expires                       time.Time
}

func show(v Value) plain {
	return plain{v.Token, v.KeyID, v.Secret, v.Session, v.Certificate != nil, v.Expires.UTC()}
}

func put(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestEnvAndFile(t *testing.T) {
	t.Setenv("ASSAY_TOKEN_TEST", " tok\n")
	if v, err := Env("ASSAY_TOKEN_TEST").Fetch(t.Context()); err != nil || v.Token != "tok" {
		t.Errorf("%q, %v", v.Token, err)
	}
	if _, err := Env("ASSAY_TOKEN_NONE").Fetch(t.Context()); err == nil {
		t.Error("a variable that is not set gave a token")
	}
	dir := t.TempDir()
	path := put(t, dir, "token", "one\n")
	f := File(path)
	for _, want := range []string{"one", "two"} {
		put(t, dir, "token", want+"\n")
		if v, err := f.Fetch(t.Context()); err != nil || v.Token != want {
			t.Errorf("%q, %v, want %q", v.Token, err, want)
		}
	}
	put(t, dir, "token", "\n")
	if _, err := f.Fetch(t.Context()); err == nil {
		t.Error("an empty file gave a token")
	}
}

func TestExec(t *testing.T) {
	dir := t.TempDir()
	end := time.Date(2040, 1, 2, 3, 4, 5, 0, time.UTC)
	printing := func(status string) string {
		return `echo '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":` + status + `}'`
	}
	for _, c := range []struct {
		name, script string
		want         plain
		err          string
	}{
		{"token", printing(`{"token":"tok-123","expirationTimestamp":"2040-01-02T03:04:05Z"}`), plain{Token: "tok-123", Expires: end}, ""},
		{"token that stays", printing(`{"token":"tok-123"}`), plain{Token: "tok-123"}, ""},
		{"v1beta1", strings.Replace(printing(`{"token":"tok-123"}`), "/v1", "/v1beta1", 1), plain{Token: "tok-123"}, ""},
		{"arguments and environment", `[ "$1 $TEAM" = "a red" ] || exit 9
case "$KUBERNETES_EXEC_INFO" in *'"interactive":false'*) ;; *) exit 8;; esac
` + printing(`{"token":"tok-123"}`), plain{Token: "tok-123"}, ""},
		{"v2", strings.Replace(printing(`{"token":"tok-123"}`), "/v1", "/v2", 1), plain{}, "apiVersion is neither client.authentication.k8s.io/v1 nor v1beta1"},
		{"fails", "echo the tok-123 is bad >&2; exit 3", plain{}, "run the credential plug-in plugin: exit status 3"},
		{"no JSON", "echo tok-123", plain{}, "not an ExecCredential in JSON"},
		{"other kind", `echo '{"kind":"Pod"}'`, plain{}, "kind is not ExecCredential"},
		{"no status", `echo '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential"}'`, plain{}, "it has no status"},
		{"nothing in it", printing(`{}`), plain{}, "status has neither token nor clientCertificateData"},
		{"half a certificate", printing(`{"clientCertificateData":"tok-123"}`), plain{}, "without the other"},
		{"no certificate", printing(`{"clientCertificateData":"tok-123","clientKeyData":"x"}`), plain{}, "not a certificate and its key in PEM"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := Exec{Command: put(t, dir, "plugin", "#!/bin/sh\n"+c.script+"\n"), Args: []string{"a"}, Env: [][2]string{{"TEAM", "red"}}}
			v, err := e.Fetch(t.Context())
			if d := cmp.Diff(c.want, show(v)); d != "" {
				t.Errorf("(-want +got)\n%s", d)
			}
			if (err == nil) != (c.err == "") || err != nil && (!strings.Contains(err.Error(), c.err) || strings.Contains(err.Error(), "123")) {
				t.Errorf("got %v, want %s", err, c.err)
			}
			var more *Detailed
			if c.name == "fails" && (!errors.As(err, &more) || more.More != "the tok-123 is bad") {
				t.Errorf("what the plug-in said is lost: %+v", more)
			}
		})
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := (Exec{Command: put(t, dir, "slow", "#!/bin/sh\nexec sleep 30\n")}).Fetch(ctx); err == nil || !strings.Contains(err.Error(), "did not end in time") {
		t.Errorf("got %v", err)
	}
}

func FuzzExecCredential(f *testing.F) {
	f.Add([]byte(`{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"x","expirationTimestamp":"2040-01-02T03:04:05Z"}}`))
	f.Add([]byte(`{"apiVersion":"client.authentication.k8s.io/v1beta1","kind":"ExecCredential","status":{"clientCertificateData":"-----BEGIN CERTIFICATE-----","clientKeyData":"x"}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if v, err := readExecCredential(b); err == nil && v.Token == "" && v.Certificate == nil {
			t.Error("no error and no credential")
		}
	})
}

func TestOIDC(t *testing.T) {
	t.Setenv("ASSAY_SECRET_TEST", "hush-123")
	var answer, issuer string
	var asked string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Path == "/.well-known/openid-configuration" {
			fmt.Fprintf(w, `{"issuer":%q,"token_endpoint":"http://%s/token"}`, issuer, r.Host)
			return
		}
		r.ParseForm()
		id, secret, _ := r.BasicAuth()
		asked = fmt.Sprint(id, " ", secret, " ", r.Form.Get("grant_type"), " ", r.Form.Get("scope"), " ", r.Form.Get("audience"))
		if strings.HasPrefix(answer, `{"error"`) {
			w.WriteHeader(http.StatusUnauthorized)
		}
		fmt.Fprint(w, answer)
	}))
	defer s.Close()
	const good = `{"access_token":"tok-123","token_type":"Bearer","expires_in":3600}`
	for _, c := range []struct {
		name, answer, issuer string
		o                    OIDC
		token, err           string
	}{
		{"discovery", good, s.URL, OIDC{Issuer: s.URL}, "tok-123", ""},
		{"endpoint", good, "", OIDC{TokenURL: s.URL + "/token"}, "tok-123", ""},
		{"refused", `{"error":"invalid_client","error_description":"hush-123 is wrong"}`, "", OIDC{TokenURL: s.URL + "/token"}, "", "get a token: the server answered 401 Unauthorized, invalid_client"},
		{"no token", `{"x":"hush-123"}`, "", OIDC{TokenURL: s.URL + "/token"}, "", "holds none"},
		{"other issuer", good, "https://elsewhere", OIDC{Issuer: s.URL}, "", "it is that of another issuer"},
		{"in the clear", good, "", OIDC{TokenURL: "http://192.0.2.1/token"}, "", "a secret goes over https only"},
	} {
		t.Run(c.name, func(t *testing.T) {
			answer, issuer, asked = c.answer, c.issuer, ""
			o := c.o
			o.ClientID, o.Secret, o.Scopes, o.Audience = "me", Env("ASSAY_SECRET_TEST"), []string{"infer"}, "model"
			v, err := o.Fetch(t.Context())
			if v.Token != c.token || (err == nil) != (c.err == "") || err != nil && (!strings.Contains(err.Error(), c.err) || strings.Contains(err.Error(), "hush")) {
				t.Errorf("token %q, %v; want %q, %s", v.Token, err, c.token, c.err)
			}
			if c.token == "" {
				return
			}
			if asked != "me hush-123 client_credentials infer model" {
				t.Errorf("asked %q", asked)
			}
			if left := time.Until(v.Expires); left < 59*time.Minute || left > time.Hour {
				t.Errorf("expires in %v", left)
			}
		})
	}
}

// awsEnv makes AWS's chain see nothing of this machine but what is given.
func awsEnv(t *testing.T, env map[string]string) {
	t.Helper()
	none := filepath.Join(t.TempDir(), "none")
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, "")
			os.Unsetenv(name)
		}
	}
	for name, value := range map[string]string{"AWS_CONFIG_FILE": none, "AWS_SHARED_CREDENTIALS_FILE": none, "AWS_EC2_METADATA_DISABLED": "true", "AWS_REGION": "eu-north-1"} {
		t.Setenv(name, value)
	}
	for name, value := range env {
		t.Setenv(name, value)
	}
}

func TestAWS(t *testing.T) {
	end := time.Date(2040, 1, 2, 3, 4, 5, 0, time.UTC)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.ParseForm()
		switch {
		case r.Form.Get("Action") == "AssumeRoleWithWebIdentity" && r.Form.Get("WebIdentityToken") == "jwt":
			w.Header().Set("Content-Type", "text/xml")
			fmt.Fprint(w, `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleWithWebIdentityResult><Credentials>`+
				`<AccessKeyId>web</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>2040-01-02T03:04:05Z</Expiration>`+
				`</Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`)
		case r.URL.Path == "/container":
			fmt.Fprint(w, `{"AccessKeyId":"container","SecretAccessKey":"s","Token":"t","Expiration":"2040-01-02T03:04:05Z"}`)
		case r.URL.Path == "/latest/api/token":
			w.Header().Set("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", "60")
			fmt.Fprint(w, "imds")
		case strings.HasSuffix(r.URL.Path, "/security-credentials/"):
			fmt.Fprint(w, "role")
		case strings.HasSuffix(r.URL.Path, "/security-credentials/role"):
			fmt.Fprint(w, `{"Code":"Success","AccessKeyId":"instance","SecretAccessKey":"s","Token":"t","Expiration":"2040-01-02T03:04:05Z"}`)
		default:
			http.NotFound(w, r)
		}
	}))
	defer s.Close()
	dir := t.TempDir()
	for _, c := range []struct {
		name string
		env  map[string]string
		aws  AWS
		want plain
	}{
		{"environment", map[string]string{"AWS_ACCESS_KEY_ID": "env", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "t"}, AWS{}, plain{KeyID: "env", Secret: "s", Session: "t"}},
		{"profile", map[string]string{"AWS_SHARED_CREDENTIALS_FILE": put(t, dir, "credentials", "[default]\naws_access_key_id=no\naws_secret_access_key=no\n[load]\naws_access_key_id=file\naws_secret_access_key=s\n")},
			AWS{Profile: "load"}, plain{KeyID: "file", Secret: "s"}},
		{"web identity", map[string]string{"AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/r", "AWS_WEB_IDENTITY_TOKEN_FILE": put(t, dir, "jwt", "jwt"), "AWS_ENDPOINT_URL_STS": s.URL},
			AWS{}, plain{KeyID: "web", Secret: "s", Session: "t", Expires: end}},
		{"container", map[string]string{"AWS_CONTAINER_CREDENTIALS_FULL_URI": s.URL + "/container"}, AWS{}, plain{KeyID: "container", Secret: "s", Session: "t", Expires: end}},
		{"instance", map[string]string{"AWS_EC2_METADATA_DISABLED": "false", "AWS_EC2_METADATA_SERVICE_ENDPOINT": s.URL}, AWS{}, plain{KeyID: "instance", Secret: "s", Session: "t", Expires: end}},
	} {
		t.Run(c.name, func(t *testing.T) {
			awsEnv(t, c.env)
			v, err := c.aws.Fetch(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			got := show(v)
			if c.want.Expires.IsZero() != got.Expires.IsZero() || got.Expires.After(c.want.Expires) {
				t.Errorf("expires %v, want %v or, as the chain sometimes has it, earlier", got.Expires, c.want.Expires)
			}
			got.Expires = c.want.Expires
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("(-want +got)\n%s", d)
			}
		})
	}
	t.Run("region", func(t *testing.T) {
		awsEnv(t, nil)
		for region, a := range map[string]AWS{"eu-north-1": {}, "us-west-2": {Region: "us-west-2"}} {
			if got, err := a.Where(t.Context()); got != region || err != nil {
				t.Errorf("got %q, %v, want %q", got, err, region)
			}
		}
		t.Setenv("AWS_REGION", "")
		if _, err := (AWS{}).Where(t.Context()); err == nil {
			t.Error("no region was taken for one")
		}
		if _, err := (AWS{Region: "x"}).Fetch(t.Context()); err == nil || !strings.Contains(err.Error(), "no source of the chain gave any") {
			t.Errorf("got %v", err)
		}
	})
}
