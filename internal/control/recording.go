package control

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/sallyport/sallyport/internal/control/controlpb"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/record/store/presigned"
)

// MaxSeal bounds the statements of one call to Seal, MaxPlaces the segments of one to
// Places.
const (
	MaxSeal   = 64
	MaxPlaces = 64
)

// ErrSealRefused is a statement that the manager will never sign: it has signed another
// one about the same segment, or it is not about the caller's own recordings.
var ErrSealRefused = errors.New("the segment is not signed")

// Places says where objects may be written, once.
type Places = presigned.Grant

// Place is where one object is to be PUT.
type Place = presigned.Place

// EncodePlaces puts places on the wire.
func EncodePlaces(places Places) *controlpb.PlacesResponse {
	out := &controlpb.PlacesResponse{
		Addresses: places.Addresses, CaBundle: places.CABundle, Expires: places.Expires.UnixNano(),
	}
	for _, place := range places.Places {
		encoded := &controlpb.Place{Name: place.Name, Url: place.URL, Check: place.Check}
		for _, name := range slices.Sorted(maps.Keys(place.Headers)) {
			encoded.Headers = append(encoded.Headers, &controlpb.Header{Name: name, Value: place.Headers[name]})
		}
		out.Places = append(out.Places, encoded)
	}
	return out
}

// DecodePlaces reads places from the wire.
func DecodePlaces(in *controlpb.PlacesResponse) Places {
	places := Places{Addresses: in.GetAddresses(), CABundle: in.GetCaBundle(), Expires: time.Unix(0, in.GetExpires())}
	for _, place := range in.GetPlaces() {
		decoded := Place{Name: place.GetName(), URL: place.GetUrl(), Check: place.GetCheck(), Headers: map[string]string{}}
		for _, header := range place.GetHeaders() {
			decoded.Headers[header.GetName()] = header.GetValue()
		}
		places.Places = append(places.Places, decoded)
	}
	return places
}

// EncodeStatements puts statements on the wire.
func EncodeStatements(statements []record.Statement) (*controlpb.SealRequest, error) {
	out := &controlpb.SealRequest{}
	for _, statement := range statements {
		encoded, err := json.Marshal(statement)
		if err != nil {
			return nil, fmt.Errorf("encode a segment's statement: %w", err)
		}
		out.Statements = append(out.Statements, encoded)
	}
	return out, nil
}

// DecodeStatements reads statements of one request's recordings, and refuses others.
func DecodeStatements(in *controlpb.SealRequest, requestUID string) ([]record.Statement, error) {
	if count := len(in.GetStatements()); count == 0 || count > MaxSeal {
		return nil, fmt.Errorf("%w: %d statements in one call, where 1 to %d fit", ErrSealRefused, count, MaxSeal)
	}
	statements := make([]record.Statement, len(in.GetStatements()))
	for i, encoded := range in.GetStatements() {
		s := &statements[i]
		if err := json.Unmarshal(encoded, s); err != nil {
			return nil, fmt.Errorf("%w: its statement cannot be read: %w", ErrSealRefused, err)
		}
		if err := s.Validate(); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrSealRefused, err)
		}
		if s.RequestUID != requestUID {
			return nil, fmt.Errorf("%w: session %s is another request's", ErrSealRefused, s.Session)
		}
	}
	return statements, nil
}

// EncodeSignatures puts signatures on the wire, as they are stored.
func EncodeSignatures(signatures []record.Signature) *controlpb.SealResponse {
	out := &controlpb.SealResponse{}
	for _, signature := range signatures {
		out.Signatures = append(out.Signatures, signature.Encode())
	}
	return out
}

// DecodeSignatures reads the signatures of these very statements.
func DecodeSignatures(in *controlpb.SealResponse, statements []record.Statement) ([]record.Signature, error) {
	if len(in.GetSignatures()) != len(statements) {
		return nil, fmt.Errorf("the manager sent %d signatures for %d statements", len(in.GetSignatures()), len(statements))
	}
	signatures := make([]record.Signature, len(statements))
	for i, encoded := range in.GetSignatures() {
		var err error
		if signatures[i], err = record.ParseSignature(encoded); err != nil {
			return nil, fmt.Errorf("the manager sent: %w", err)
		}
		if signatures[i].Statement != statements[i] {
			return nil, fmt.Errorf("the manager signed something else than segment %d of session %s", statements[i].Segment, statements[i].Session)
		}
	}
	return signatures, nil
}
