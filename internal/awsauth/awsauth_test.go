package awsauth

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"testing"
	"time"
)

// Example signs a request of AWS's published test suite, get-vanilla.
func Example() {
	req, _ := http.NewRequest(http.MethodGet, "https://example.amazonaws.com/", nil)
	k := Keys{ID: "AKIDEXAMPLE", Secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}
	_ = Sign(context.Background(), req, nil, k, "service", "us-east-1", time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC))
	fmt.Println(req.Header.Get("Authorization"))
	// Output: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31
}

func TestChainKeepsKeys(t *testing.T) {
	for name, v := range map[string]string{"AWS_ACCESS_KEY_ID": "AKID1", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "t", "AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull, "AWS_EC2_METADATA_DISABLED": "true"} {
		t.Setenv(name, v)
	}
	var c Chain
	for _, id := range []string{"AKID1", "AKID2"} { // the second is asked for only later
		t.Setenv("AWS_ACCESS_KEY_ID", id)
		if got, err := c.Keys(t.Context(), "eu-west-1"); err != nil || got != (Keys{"AKID1", "s", "t"}) {
			t.Errorf("got %v, %v", got.ID, err)
		}
	}
	c.until = time.Now()
	if got, err := c.Keys(t.Context(), "eu-west-1"); err != nil || got.ID != "AKID2" {
		t.Errorf("after a while: got %v, %v", got.ID, err)
	}
	os.Unsetenv("AWS_ACCESS_KEY_ID")
	c.until = time.Now()
	if _, err := c.Keys(t.Context(), "eu-west-1"); err == nil || bytes.Contains([]byte(err.Error()), []byte("AKID")) {
		t.Errorf("without keys: %v", err)
	}
}
