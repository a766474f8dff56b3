package control

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"regexp"
	"unicode/utf8"

	"github.com/sallyport/sallyport/internal/control/controlpb"
	"github.com/sallyport/sallyport/internal/record"
)

// maxLine bounds every free text of a report, in bytes.
const maxLine = 256

var (
	sessionPattern = regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`)
	hashPattern    = regexp.MustCompile(`^[0-9a-f]{64}$`)
	keyPattern     = regexp.MustCompile(`^[0-9a-f]{16}$`)
)

// EncodeReport puts a report on the wire; of too many heads the last are kept.
func EncodeReport(r Report) *controlpb.Report {
	heads := r.Heads
	if len(heads) > MaxHeads {
		heads = heads[len(heads)-MaxHeads:]
	}
	out := &controlpb.Report{
		Port: r.Port, Ready: r.Ready, Isolated: r.Isolated, Isolation: truncate(r.Isolation),
		Active: r.Active, Total: r.Total, Allowed: r.Allowed, Refused: r.Refused, Lost: truncate(r.Lost),
	}
	for _, h := range heads {
		out.Heads = append(out.Heads, &controlpb.Head{
			Session: h.Session, Sequence: h.Sequence, Hash: h.Hash, Complete: h.Complete, Sealed: encodeSealed(r.Sealed, h.Session),
		})
	}
	out.Audit, out.AuditMissed = encodeAudit(r.Audit, r.AuditMissed)
	return out
}

// DecodeReport reads a report from the wire, and refuses one that a status could
// not hold or that a terminal should not show.
func DecodeReport(in *controlpb.Report) (Report, error) {
	if in == nil {
		return Report{}, errors.New("the report is empty")
	}
	if in.GetPort() < 0 || in.GetPort() > 65535 {
		return Report{}, fmt.Errorf("the report's port %d is none", in.GetPort())
	}
	if in.GetActive() < 0 || in.GetTotal() < 0 || in.GetAllowed() < 0 || in.GetRefused() < 0 {
		return Report{}, errors.New("the report counts below zero")
	}
	if len(in.GetHeads()) > MaxHeads {
		return Report{}, fmt.Errorf("the report has %d heads, more than %d", len(in.GetHeads()), MaxHeads)
	}
	if !printable(in.GetIsolation()) || !printable(in.GetLost()) {
		return Report{}, errors.New("the report's word on isolation or on what is lost is too long, or not printable")
	}
	out := Report{
		Port: in.GetPort(), Ready: in.GetReady(), Isolated: in.GetIsolated(), Isolation: in.GetIsolation(),
		Active: in.GetActive(), Total: in.GetTotal(), Allowed: in.GetAllowed(), Refused: in.GetRefused(), Lost: in.GetLost(),
	}
	seen := map[string]bool{}
	for _, h := range in.GetHeads() {
		if !sessionPattern.MatchString(h.GetSession()) || !hashPattern.MatchString(h.GetHash()) || h.GetSequence() < 0 {
			return Report{}, errors.New("the report has a head that is none")
		}
		if seen[h.GetSession()] {
			return Report{}, errors.New("the report has two heads of one session")
		}
		seen[h.GetSession()] = true
		out.Heads = append(out.Heads, record.Head{
			Session: h.GetSession(), Sequence: h.GetSequence(), Hash: h.GetHash(), Complete: h.GetComplete(),
		})
		if h.GetSealed() != nil {
			sealed, err := decodeSealed(h.GetSession(), h.GetSealed())
			if err != nil {
				return Report{}, err
			}
			out.Sealed = append(out.Sealed, sealed)
		}
	}
	var err error
	out.Audit, out.AuditMissed, err = decodeAudit(in)
	return out, err
}

func encodeSealed(all []SealedHead, session string) *controlpb.Sealed {
	for _, s := range all {
		if s.Session == session {
			return &controlpb.Sealed{
				Segment: int32(s.Segment), Sequence: s.Sequence, Hash: s.Hash, Key: s.Key, Signature: s.Signature,
			}
		}
	}
	return nil
}

func decodeSealed(session string, in *controlpb.Sealed) (SealedHead, error) {
	if in.GetSegment() < 1 || in.GetSequence() < 0 || !hashPattern.MatchString(in.GetHash()) ||
		!keyPattern.MatchString(in.GetKey()) || len(in.GetSignature()) != ed25519.SignatureSize {
		return SealedHead{}, errors.New("the report has a sealed head that is none")
	}
	return SealedHead{
		Session: session, Segment: int(in.GetSegment()), Sequence: in.GetSequence(), Hash: in.GetHash(),
		Key: in.GetKey(), Signature: in.GetSignature(),
	}, nil
}

func printable(s string) bool {
	if len(s) > maxLine || !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if r < ' ' || r == 0x7f || (r >= 0x80 && r < 0xa0) {
			return false
		}
	}
	return true
}

// truncate keeps a line within what DecodeReport takes.
func truncate(s string) string {
	line := make([]rune, 0, maxLine)
	size := 0
	for _, r := range s {
		if !printable(string(r)) {
			r = ' '
		}
		if size += utf8.RuneLen(r); size > maxLine {
			break
		}
		line = append(line, r)
	}
	return string(line)
}
