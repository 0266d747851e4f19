package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/assay-dev/assay/internal/kube"
)

// Gone is the Want of a kube undo that is over when its object is no longer there.
const Gone = "gone"

// settle is how long after its creation an object is given for its finalizer to appear, before it is deleted all the same. An object that is
// deleted before its controller has marked it leaves a fault that nobody knows how to recover.
const settle = 5 * time.Second

var kubeUndo = undoKind{
	remote: true,
	check: func(u *Undo) error {
		switch {
		case u.Method != http.MethodDelete && u.Method != http.MethodPatch:
			return fmt.Errorf("%q is no method of an undo in a cluster; want DELETE or PATCH", u.Method)
		case !strings.HasPrefix(u.Path, "/api/") && !strings.HasPrefix(u.Path, "/apis/"):
			return fmt.Errorf("%q is no path of an object in a cluster", u.Path)
		case u.Want != Gone && !json.Valid([]byte(u.Want)):
			return fmt.Errorf("want %q is neither %q nor JSON", u.Want, Gone)
		case u.Method == http.MethodPatch && !json.Valid([]byte(u.Body)):
			return errors.New("no patch")
		}
		return nil
	},
	do: func(ctx context.Context, u *Undo) error {
		api, err := clusterOf(u)
		if err != nil {
			return u.late(err)
		}
		if u.Method == http.MethodPatch {
			err = api.Patch(ctx, u.Path, json.RawMessage(u.Body), nil)
		} else {
			err = u.takeAway(ctx, api)
		}
		if kube.NotFound(err) {
			return nil // Verify tells whether that is how it should be
		}
		return u.late(err)
	},
	away: func(ctx context.Context, u *Undo) error {
		api, err := clusterOf(u)
		if err != nil {
			return u.late(err)
		}
		var raw json.RawMessage
		switch err := api.Get(ctx, u.Path, &raw); {
		case kube.NotFound(err) && u.Want == Gone:
			return u.late(u.childless(ctx, api))
		case err != nil:
			return u.late(err)
		case u.Want == Gone && !u.ours(raw):
			return nil
		case u.Want == Gone:
			return u.late(stillThere(u, raw))
		}
		var got, want any
		if err := errors.Join(json.Unmarshal(raw, &got), json.Unmarshal([]byte(u.Want), &want)); err != nil {
			return u.late(err)
		}
		if !within(got, want) {
			return u.late(fmt.Errorf("%s does not have %s", u.Path, u.Want))
		}
		return nil
	},
	text: func(u *Undo) string {
		if u.Text != "" {
			return u.Text
		}
		return fmt.Sprintf("%s at the API server of %s", strings.TrimSpace(u.Method+" "+u.Path+" "+u.Body), u.cluster())
	},
}

// childless reports what is left of what the object has made, and of what that has made.
func (u *Undo) childless(ctx context.Context, api *kube.Client) error {
	for _, path := range u.Empty {
		if err := u.nothing(ctx, api, path, ""); err != nil {
			return err
		}
	}
	for _, path := range slices.Sorted(maps.Keys(u.EmptyOf)) {
		if err := u.nothing(ctx, api, path, u.EmptyOf[path]); err != nil {
			return err
		}
	}
	return nil
}

// nothing reports what is left in a list, of names that begin with prefix.
func (u *Undo) nothing(ctx context.Context, api *kube.Client, path, prefix string) error {
	left, err := listed(ctx, api, path, prefix)
	if err != nil || len(left) == 0 {
		return err
	}
	text := fmt.Sprintf("%s is gone, and %s, which it had made, is still there", u.Path, left[0].name)
	if why := meshTrouble(left[0].raw); why != "" {
		text += "; Chaos Mesh says: " + why
	}
	return errors.New(text)
}

// An item is one of a list.
type item struct {
	name string
	raw  json.RawMessage
}

// listed returns what is in a list, of names that begin with prefix.
func listed(ctx context.Context, api *kube.Client, path, prefix string) (items []item, err error) {
	var list struct {
		Items []json.RawMessage `json:"items"`
	}
	if err := api.Get(ctx, path, &list); err != nil {
		return nil, err
	}
	for _, raw := range list.Items {
		var o metadata
		if err := json.Unmarshal(raw, &o); err != nil {
			return nil, err
		}
		if strings.HasPrefix(o.Metadata.Name, prefix) {
			items = append(items, item{o.Metadata.Name, raw})
		}
	}
	return items, nil
}

// cluster names the cluster of an undo, for people.
func (u *Undo) cluster() string {
	name := "kubeconfig " + u.Kubeconfig
	if u.Kubeconfig == "" {
		name = "the default kubeconfig"
	}
	if u.Context != "" {
		name += ", context " + u.Context
	}
	return name
}

// late adds to an error what the cluster does by itself.
func (u *Undo) late(err error) error { return u.endedBy("the cluster", err) }

// endedBy adds to an error what somebody else does by itself.
func (u *Undo) endedBy(who string, err error) error {
	if err == nil || u.Expires == 0 {
		return err
	}
	at := time.Unix(0, u.Expires).UTC()
	if time.Now().After(at) {
		return fmt.Errorf("%w; %s was to end it at %s, which is not verified", err, who, at.Format(time.TimeOnly+" UTC"))
	}
	return fmt.Errorf("%w; it may remain until %s ends it at %s", err, who, at.Format(time.TimeOnly+" UTC"))
}

// metadata is what we read of any object.
type metadata struct {
	Metadata struct {
		Name              string            `json:"name"`
		UID               string            `json:"uid"`
		Labels            map[string]string `json:"labels"`
		Annotations       map[string]string `json:"annotations"`
		Finalizers        []string          `json:"finalizers"`
		CreationTimestamp time.Time         `json:"creationTimestamp"`
		DeletionTimestamp *time.Time        `json:"deletionTimestamp"`
	} `json:"metadata"`
}

// ours reports whether an object is the one that the fault has made, and not another's of the same name.
func (u *Undo) ours(raw json.RawMessage) bool {
	var o metadata
	if json.Unmarshal(raw, &o) != nil {
		return false
	}
	for k, v := range u.Labels {
		if o.Metadata.Labels[k] != v {
			return false
		}
	}
	return true
}

// takeAway deletes the object, if it is ours. One that is not there may be on its way: whoever has sent it may have died right after.
func (u *Undo) takeAway(ctx context.Context, api *kube.Client) error {
	var raw json.RawMessage
	err := api.Get(ctx, u.Path, &raw)
	if kube.NotFound(err) {
		if err := pause(ctx, arrival); err != nil {
			return err
		}
		err = api.Get(ctx, u.Path, &raw)
	}
	if err != nil || !u.ours(raw) {
		return err
	}
	var o metadata
	if err := json.Unmarshal(raw, &o); err != nil {
		return err
	}
	if err := u.settled(ctx, api); err != nil {
		return err
	}
	err = api.DeleteOnly(ctx, u.Path, o.Metadata.UID)
	var e *kube.Error
	if errors.As(err, &e) && e.Status == http.StatusConflict {
		return nil // another has its name by now
	}
	return err
}

// settled returns once the object may be deleted.
func (u *Undo) settled(ctx context.Context, api *kube.Client) error {
	if u.Finalizer == "" {
		return nil
	}
	begin := time.Now() // of ours: the cluster's clock may be another
	return until(ctx, 100*time.Millisecond, func() error {
		var o metadata
		if err := api.Get(ctx, u.Path, &o); err != nil {
			if time.Since(begin) < settle && !kube.NotFound(err) {
				return err
			}
			return nil // whoever deletes it will hear the same
		}
		young := time.Since(begin) < settle && time.Since(o.Metadata.CreationTimestamp) < 2*settle
		if young && !slices.Contains(o.Metadata.Finalizers, u.Finalizer) && o.Metadata.DeletionTimestamp == nil {
			return fmt.Errorf("%s is not yet under the finalizer %s", u.Path, u.Finalizer)
		}
		return nil
	})
}

// stillThere says why an object that was deleted is there all the same.
func stillThere(u *Undo, raw json.RawMessage) error {
	var o metadata
	if json.Unmarshal(raw, &o) != nil || o.Metadata.DeletionTimestamp == nil {
		return fmt.Errorf("%s is still there", u.Path)
	}
	text := fmt.Sprintf("%s is not recovered: it was deleted %v ago and is held by its finalizers %s", u.Path,
		time.Since(*o.Metadata.DeletionTimestamp).Round(time.Second), strings.Join(o.Metadata.Finalizers, ", "))
	if why := meshTrouble(raw); why != "" {
		text += "; Chaos Mesh says: " + why
	}
	return errors.New(text)
}

// within reports whether got has all of want: of objects the members, null for none, of anything else the same value.
func within(got, want any) bool {
	w, ok := want.(map[string]any)
	if !ok {
		return reflect.DeepEqual(got, want)
	}
	g, _ := got.(map[string]any)
	for k, v := range w {
		if !within(g[k], v) {
			return false
		}
	}
	return g != nil || got == nil
}

// clusters keeps one client for each cluster, so that a credential is not fetched for each look.
var clusters struct {
	sync.Mutex
	by map[[2]string]*kube.Client
}

// clusterOf returns the client of the undo's cluster.
func clusterOf(u *Undo) (*kube.Client, error) {
	clusters.Lock()
	defer clusters.Unlock()
	key := [2]string{u.Kubeconfig, u.Context}
	if c := clusters.by[key]; c != nil {
		return c, nil
	}
	c, err := kube.Find(u.Kubeconfig, u.Context)
	if err != nil {
		return nil, err
	}
	if clusters.by == nil {
		clusters.by = map[[2]string]*kube.Client{}
	}
	clusters.by[key] = c
	return c, nil
}
