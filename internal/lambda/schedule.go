package lambda

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Precision is how late EventBridge Scheduler may be.
const Precision = time.Minute

// Later has EventBridge Scheduler give the function back its limit of concurrency, nil for none, once, at a time (to the second; it may be late by
// Precision), acting as role. A schedule that has run is deleted by it.
func (c *Client) Later(ctx context.Context, name, role string, at time.Time, n *int) error {
	action, input := "deleteFunctionConcurrency", map[string]any{"FunctionName": c.Function}
	if n != nil {
		action = "putFunctionConcurrency"
		input["ReservedConcurrentExecutions"] = *n
	}
	text, err := json.Marshal(input)
	if err != nil {
		return err
	}
	partition := "aws"
	if parts := strings.SplitN(role, ":", 3); len(parts) == 3 && parts[0] == "arn" {
		partition = parts[1]
	}
	body := map[string]any{"ScheduleExpression": "at(" + at.UTC().Format("2006-01-02T15:04:05") + ")", "ScheduleExpressionTimezone": "UTC",
		"FlexibleTimeWindow": map[string]any{"Mode": "OFF"}, "ActionAfterCompletion": "DELETE", "ClientToken": name,
		"Description": "ends a fault that assay injected if assay does not",
		"Target": map[string]any{"Arn": "arn:" + partition + ":scheduler:::aws-sdk:lambda:" + action, "RoleArn": role, "Input": string(text),
			"RetryPolicy": map[string]any{"MaximumRetryAttempts": 10, "MaximumEventAgeInSeconds": 900}}}
	if err := c.schedule(ctx, http.MethodPost, name, body); err != nil {
		return fmt.Errorf("create the schedule %s: %w", name, err)
	}
	return nil
}

// Scheduled reports whether the schedule is there.
func (c *Client) Scheduled(ctx context.Context, name string) (bool, error) {
	err := c.schedule(ctx, http.MethodGet, name, nil)
	if NotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look at the schedule %s: %w", name, err)
	}
	return true, nil
}

// Never deletes the schedule. One that is not there is deleted.
func (c *Client) Never(ctx context.Context, name string) error {
	if err := c.schedule(ctx, http.MethodDelete, name, nil); err != nil && !NotFound(err) {
		return fmt.Errorf("delete the schedule %s: %w", name, err)
	}
	return nil
}

func (c *Client) schedule(ctx context.Context, method, name string, body any) error {
	base := c.Schedule
	if base == "" {
		base = "https://scheduler." + c.Region + "." + domain(c.Region)
	}
	return c.do(ctx, "scheduler", method, strings.TrimSuffix(base, "/")+"/schedules/"+url.PathEscape(name), body, nil)
}
