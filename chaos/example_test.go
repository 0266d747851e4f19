package chaos_test

import (
	"fmt"
	"time"

	"github.com/assay-dev/assay/chaos"
)

func Example() {
	steps := []chaos.Step{
		{Fault: "kill", At: 20 * time.Second, Instances: 1},
		{Fault: "hang", Phase: "steady", At: 5 * time.Second, Instances: 1, For: 8 * time.Second},
		{Fault: "dela", At: time.Second, Instances: 1, For: time.Second},
	}
	fmt.Println(chaos.Check("chaos", steps))
	for _, line := range chaos.Preview(steps[:2]) {
		fmt.Println(line)
	}
	// Output:
	// chaos[2].fault: "dela" is no kind of fault; did you mean "delay"?
	// 20s into the load: SIGKILL to the process of 1 ready instance
	// 5s into phase steady: SIGSTOP to the process of 1 ready instance, SIGCONT after 8s
	// never: this process, its ancestors, process 1, session leaders, the platform's own process, whatever the platform does not list
}
