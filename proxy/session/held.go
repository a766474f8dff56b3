package session

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/control"
	"github.com/sallyport/sallyport/internal/mask"
	"github.com/sallyport/sallyport/internal/policy"
)

// What a HeldOperation takes at most; more is told as a warning, or refused.
const (
	maxHeldValues    = 256
	maxHeldRelations = 128
	maxHeldWarnings  = 16
	maxHeldLine      = 512
	maxHeldEffects   = 64
)

func (s *Session) heldID(operation int64) string {
	return s.id + "/" + strconv.FormatInt(operation, 10)
}

// held is the question about an operation, before Describe.
func (s *Session) held(number int64, operation Operation, decision policy.Decision) (v1alpha1.HeldOperation, error) {
	held := v1alpha1.HeldOperation{
		ID: s.heldID(number), Point: v1alpha1.HoldAtStatement, Digest: operation.digest(),
		Rule: decision.Rule, Message: decision.Message, Kind: operation.Action.Kind,
		Text: scan(s.Masks(), operation.shown()), HasWhere: operation.Action.HasWhere,
	}
	if len(operation.Values) != len(operation.Literals) {
		return held, fmt.Errorf("%w: its values cannot be shown", control.ErrHoldRefused)
	}
	if len(operation.Literals) > maxHeldValues {
		return held, fmt.Errorf("%w: it has %d values, and a review shows at most %d", control.ErrHoldRefused, len(operation.Literals), maxHeldValues)
	}
	for i, literal := range operation.Literals {
		held.Values = append(held.Values, shownValue(s.Masks(), operation.Values[i], literal))
	}
	reads, writes := map[string]bool{}, map[string]bool{}
	for _, access := range operation.Action.Access {
		into := writes
		if access.Privilege == v1alpha1.PrivilegeSelect {
			into = reads
		}
		into[access.Schema+"."+access.Name] = true
	}
	held.Reads, held.Writes = relations(&held, "reads", reads), relations(&held, "writes", writes)
	return held, nil
}

// scan masks what the policy's detectors find in a text.
func scan(masks *mask.Set, text string) string {
	if !masks.Detects() {
		return text
	}
	return string(masks.Scan(nil, []byte(text), mask.Counts{}))
}

// shownValue is a literal, masked. What detectors would find in bytes, they do not find
// in their hexadecimal form.
func shownValue(masks *mask.Set, value policy.Value, literal string) string {
	if value.Binary && masks.Detects() && len(masks.Find([]byte(value.Text), nil)) > 0 {
		return strconv.Quote(scan(masks, value.Text))
	}
	return scan(masks, literal)
}

func relations(held *v1alpha1.HeldOperation, verb string, names map[string]bool) []string {
	var sorted []string
	for name := range names {
		sorted = append(sorted, name)
	}
	slices.Sort(sorted)
	if more := len(sorted) - maxHeldRelations; more > 0 {
		sorted = sorted[:maxHeldRelations]
		held.Warnings = append(held.Warnings, fmt.Sprintf("it %s %d more relations that are not listed", verb, more))
	}
	return sorted
}

// fit bounds what Describe has added, and refuses what is too long to be shown whole.
func fit(held *v1alpha1.HeldOperation) error {
	size := len(held.Text)
	for _, value := range held.Values {
		size += len(value)
	}
	if size > control.MaxHeldText {
		return fmt.Errorf("%w: text and values have %d bytes, and a review shows at most %d", control.ErrHoldRefused, size, control.MaxHeldText)
	}
	held.Preview, held.Message = clip(held.Preview), clip(held.Message)
	if more := len(held.Warnings) - maxHeldWarnings; more > 0 {
		held.Warnings = append(held.Warnings[:maxHeldWarnings-1:maxHeldWarnings-1], fmt.Sprintf("%d more warnings", more+1))
	}
	for i, warning := range held.Warnings {
		held.Warnings[i] = clip(warning)
	}
	if len(held.Effects) > maxHeldEffects {
		return fmt.Errorf("%w: it changes %d relations, and a review shows at most %d", control.ErrHoldRefused, len(held.Effects), maxHeldEffects)
	}
	return fitImages(held)
}

// fitImages leaves out images of rows, half of the most at a time, until the rest can
// be sent.
func fitImages(held *v1alpha1.HeldOperation) error {
	for {
		_, err := control.EncodeHeld(*held)
		if err == nil || len(held.Effects) == 0 {
			return err
		}
		most := slices.MaxFunc(held.Effects, func(a, b v1alpha1.RelationEffect) int { return len(a.Images) - len(b.Images) })
		if len(most.Images) == 0 {
			return err
		}
		for i := range held.Effects {
			if effect := &held.Effects[i]; effect.Relation == most.Relation {
				effect.Images = effect.Images[:len(effect.Images)/2]
				effect.Note = fmt.Sprintf("only %d changed rows are shown: more would be too long", len(effect.Images))
			}
		}
	}
}

// clip keeps a line within what the API stores, in characters.
func clip(line string) string {
	if runes := []rune(line); len(runes) > maxHeldLine {
		return string(runes[:maxHeldLine-1]) + "…"
	}
	return line
}
