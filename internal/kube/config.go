package kube

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/assay-dev/assay/internal/credential"
)

// maxConfig bounds a kubeconfig file.
const maxConfig = 4 << 20

// serviceAccount is where a pod finds its credentials.
const serviceAccount = "/var/run/secrets/kubernetes.io/serviceaccount"

// config is what we read of a kubeconfig; other settings are other programs' business.
type config struct {
	Current  string `yaml:"current-context"`
	Contexts []struct {
		Name    string `yaml:"name"`
		Context struct {
			Cluster   string `yaml:"cluster"`
			User      string `yaml:"user"`
			Namespace string `yaml:"namespace"`
		} `yaml:"context"`
	} `yaml:"contexts"`
	Clusters []struct {
		Name    string  `yaml:"name"`
		Cluster cluster `yaml:"cluster"`
	} `yaml:"clusters"`
	Users []struct {
		Name string `yaml:"name"`
		User user   `yaml:"user"`
	} `yaml:"users"`
}

type cluster struct {
	Server     string `yaml:"server"`
	CAData     string `yaml:"certificate-authority-data"`
	CA         string `yaml:"certificate-authority"`
	Insecure   bool   `yaml:"insecure-skip-tls-verify"`
	ServerName string `yaml:"tls-server-name"`
	Proxy      string `yaml:"proxy-url"`
}

type user struct {
	Token     string `yaml:"token"`
	TokenFile string `yaml:"tokenFile"`
	CertData  string `yaml:"client-certificate-data"`
	Cert      string `yaml:"client-certificate"`
	KeyData   string `yaml:"client-key-data"`
	Key       string `yaml:"client-key"`
	Exec      *struct {
		Command string   `yaml:"command"`
		Args    []string `yaml:"args"`
		Env     []struct {
			Name  string `yaml:"name"`
			Value string `yaml:"value"`
		} `yaml:"env"`
	} `yaml:"exec"`
	AuthProvider any `yaml:"auth-provider"`
}

// Find returns a client from the kubeconfig at path if that is given; else from the pod's service account, if we run in a pod;
// else from the file that KUBECONFIG names, or ~/.kube/config. contextName chooses a context of a kubeconfig; "" is its current one.
func Find(path, contextName string) (*Client, error) {
	if path != "" {
		return Load(path, contextName)
	}
	if contextName == "" && os.Getenv("KUBERNETES_SERVICE_HOST") != "" {
		return InCluster()
	}
	path = os.Getenv("KUBECONFIG")
	if list := filepath.SplitList(path); len(list) > 1 {
		path = list[0]
	}
	if path == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return nil, fmt.Errorf("find the kubeconfig: %w", err)
		}
		path = filepath.Join(home, ".kube", "config")
	}
	return Load(path, contextName)
}

// InCluster returns a client from the service account of the pod that we run in.
func InCluster() (*Client, error) {
	host, port := os.Getenv("KUBERNETES_SERVICE_HOST"), os.Getenv("KUBERNETES_SERVICE_PORT")
	if host == "" || port == "" {
		return nil, errors.New("not in a cluster: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set")
	}
	ca, err := os.ReadFile(filepath.Join(serviceAccount, "ca.crt"))
	if err != nil {
		return nil, fmt.Errorf("read the service account: %w", err)
	}
	c, err := dial(cluster{Server: "https://" + net.JoinHostPort(host, port)}, ca, nil)
	if err != nil {
		return nil, err
	}
	c.source = credential.File(filepath.Join(serviceAccount, "token"))
	if ns, err := os.ReadFile(filepath.Join(serviceAccount, "namespace")); err == nil {
		c.Namespace = strings.TrimSpace(string(ns))
	}
	return c, nil
}

// Load returns a client from a kubeconfig file. A plug-in that it names is run when a request needs a credential.
func Load(path, contextName string) (*Client, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the kubeconfig: %w", err)
	}
	if len(raw) > maxConfig {
		return nil, fmt.Errorf("kubeconfig %s: larger than %d MiB", path, maxConfig>>20)
	}
	c, err := parse(raw, contextName, filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("kubeconfig %s: %w", path, err)
	}
	if c.Config, err = filepath.Abs(path); err != nil {
		return nil, fmt.Errorf("kubeconfig %s: %w", path, err)
	}
	return c, nil
}

// parse makes a client of a kubeconfig; dir is what its relative paths start from.
func parse(raw []byte, contextName, dir string) (*Client, error) {
	var k config
	if err := yaml.Unmarshal(raw, &k); err != nil {
		return nil, errors.New("it is not YAML of a kubeconfig") // the parser's error would repeat lines that hold secrets
	}
	if contextName == "" {
		contextName = k.Current
	}
	namespace, clusterName, userName, found := "", "", "", false
	for _, c := range k.Contexts {
		if c.Name == contextName {
			namespace, clusterName, userName, found = c.Context.Namespace, c.Context.Cluster, c.Context.User, true
		}
	}
	if !found {
		return nil, fmt.Errorf("it has no context %q", contextName)
	}
	at := func(file string) string {
		if file == "" || filepath.IsAbs(file) {
			return file
		}
		return filepath.Join(dir, file)
	}
	var u user
	for _, v := range k.Users {
		if v.Name == userName {
			u = v.User
		}
	}
	for _, v := range k.Clusters {
		if v.Name != clusterName {
			continue
		}
		ca, err := data(v.Cluster.CAData, at(v.Cluster.CA))
		if err != nil {
			return nil, fmt.Errorf("cluster %s: certificate-authority: %w", clusterName, err)
		}
		cert, err := u.certificate(at)
		if err != nil {
			return nil, fmt.Errorf("user %s: %w", userName, err)
		}
		c, err := dial(v.Cluster, ca, cert)
		if err != nil {
			return nil, fmt.Errorf("cluster %s: %w", clusterName, err)
		}
		c.Namespace, c.Context = namespace, contextName
		if c.source, err = u.source(at); err != nil {
			return nil, fmt.Errorf("user %s: %w", userName, err)
		}
		return c, nil
	}
	return nil, fmt.Errorf("it has no cluster %q", clusterName)
}

// data returns what stands in a kubeconfig in base64 or in a file.
func data(inline, file string) ([]byte, error) {
	if inline != "" {
		b, err := base64.StdEncoding.DecodeString(inline)
		if err != nil {
			return nil, errors.New("not base64")
		}
		return b, nil
	}
	if file != "" {
		return os.ReadFile(file)
	}
	return nil, nil
}

func (u *user) certificate(at func(string) string) (*tls.Certificate, error) {
	cert, err := data(u.CertData, at(u.Cert))
	if err != nil {
		return nil, fmt.Errorf("client-certificate: %w", err)
	}
	if cert == nil {
		return nil, nil
	}
	key, err := data(u.KeyData, at(u.Key))
	if err != nil {
		return nil, fmt.Errorf("client-key: %w", err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("client-certificate: %w", err)
	}
	return &pair, nil
}

// source returns where the user's token comes from; nil where it has a certificate, or nothing.
func (u *user) source(at func(string) string) (credential.Source, error) {
	switch {
	case u.TokenFile != "":
		return credential.File(at(u.TokenFile)), nil
	case u.Token != "":
		return fixed(u.Token), nil
	case u.Exec != nil:
		x := credential.Exec{Command: u.Exec.Command, Args: u.Exec.Args}
		for _, e := range u.Exec.Env {
			x.Env = append(x.Env, [2]string{e.Name, e.Value})
		}
		return x, nil
	case u.AuthProvider != nil:
		return nil, errors.New("auth-provider is no longer known to Kubernetes; use exec")
	}
	return nil, nil
}

// fixed is a token that stands in the kubeconfig.
type fixed string

func (f fixed) Fetch(context.Context) (credential.Value, error) {
	return credential.Value{Token: string(f)}, nil
}

// dial makes the HTTP side of a client.
func dial(c cluster, ca []byte, cert *tls.Certificate) (*Client, error) {
	u, err := url.Parse(c.Server)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, fmt.Errorf("server %q is not a URL", c.Server)
	}
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: c.Insecure, ServerName: c.ServerName} //nolint:gosec // the user's kubeconfig says so
	if ca != nil {
		t.TLSClientConfig.RootCAs = x509.NewCertPool()
		if !t.TLSClientConfig.RootCAs.AppendCertsFromPEM(ca) {
			return nil, errors.New("certificate-authority: no certificate in it")
		}
	}
	if cert != nil {
		t.TLSClientConfig.Certificates = []tls.Certificate{*cert}
	}
	if c.Proxy != "" {
		p, err := url.Parse(c.Proxy)
		if err != nil {
			return nil, errors.New("proxy-url is not a URL")
		}
		t.Proxy = http.ProxyURL(p)
	}
	return &Client{Server: strings.TrimSuffix(c.Server, "/"), HTTP: &http.Client{Transport: t}}, nil
}
