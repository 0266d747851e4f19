package chaos

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"strings"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/alertmanager"
)

// SilencedBy is who our silences say made them.
const SilencedBy = "assay"

// SilenceComment is the comment of the silences of a run: what the undo knows them by.
func SilenceComment(name, run string) string { return fmt.Sprintf("drill %s, run %s", name, run) }

var runForm = regexp.MustCompile(`^[0-9a-f]{16}$`)

// silenceUndo ends what silences a run has made at the Alertmanager at URL. They are found by who made them and the run in Mark, so that
// one is found even if the answer that names it never came.
var silenceUndo = undoKind{
	remote: true,
	check: func(u *Undo) error {
		if v, err := url.Parse(u.URL); err != nil || v.Host == "" {
			return fmt.Errorf("%q is no Alertmanager", u.URL)
		}
		if !runForm.MatchString(u.Mark) {
			return fmt.Errorf("%q is no run", u.Mark)
		}
		return nil
	},
	do: func(ctx context.Context, u *Undo) error {
		list, err := u.silences(ctx)
		for _, s := range list {
			err = errors.Join(err, u.alertmanager().Expire(ctx, s.ID))
		}
		return err
	},
	away: func(ctx context.Context, u *Undo) error {
		list, err := u.silences(ctx)
		if err == nil && len(list) > 0 {
			err = fmt.Errorf("silence %s lasts until %s", list[0].ID, list[0].EndsAt.UTC().Format("15:04:05 MST"))
		}
		return err
	},
	text: func(u *Undo) string {
		return fmt.Sprintf("expire the silences by %s with %q at %s; each ends by itself", SilencedBy, "run "+u.Mark, u.URL)
	},
}

func (u *Undo) alertmanager() *alertmanager.Client {
	c := &alertmanager.Client{URL: u.URL, RunID: u.Mark}
	if u.TokenEnv != "" || u.TokenFile != "" {
		c.Token = u.token
	}
	return c
}

// token reads the token that the undo only names.
func (u *Undo) token(context.Context) (string, error) {
	if u.TokenEnv != "" {
		if v := os.Getenv(u.TokenEnv); v != "" {
			return v, nil
		}
		return "", fmt.Errorf("the environment has no %s", u.TokenEnv)
	}
	b, err := os.ReadFile(u.TokenFile)
	return strings.TrimSpace(string(b)), err
}

// silences lists the run's silences that have not ended.
func (u *Undo) silences(ctx context.Context) (open []alertmanager.Silence, err error) {
	list, err := u.alertmanager().Silences(ctx)
	for _, s := range list {
		if s.CreatedBy == SilencedBy && strings.HasSuffix(s.Comment, "run "+u.Mark) && !s.Over() {
			open = append(open, s)
		}
	}
	return open, err
}

// ArmedEvent is the journal's entry of an undo of something that is no fault. It must be on disk before what it undoes is done.
func ArmedEvent(u Undo, kind, target string) *assay.Event {
	return &assay.Event{Kind: assay.EventUndoArmed, Source: "chaos", Fault: u.ID, Attrs: placed(attrKind, kind, attrTarget, target, attrUndo, asJSON(u))}
}
