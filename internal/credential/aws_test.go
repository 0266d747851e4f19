package credential

import (
	"testing"

	"github.com/aws/smithy-go/logging"
)

// What the SDK would write on stderr of its own accord is not heard: errors tell what is wrong.
func TestAWSIsQuiet(t *testing.T) {
	t.Setenv("AWS_CONFIG_FILE", "none")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "none")
	c, err := AWS{Region: "eu-central-1"}.chain(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, quiet := c.Logger.(logging.Nop); !quiet {
		t.Errorf("it logs to %T", c.Logger)
	}
}
