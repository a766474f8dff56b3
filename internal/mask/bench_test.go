package mask

import (
	"bytes"
	"testing"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

var builtIn = []v1alpha1.Detect{
	v1alpha1.DetectPaymentCard, v1alpha1.DetectEmail, v1alpha1.DetectPhone, v1alpha1.DetectIBAN,
	v1alpha1.DetectNationalID, v1alpha1.DetectIPAddress, v1alpha1.DetectJWT, v1alpha1.DetectPrivateKey,
	v1alpha1.DetectCloudKey,
}

// typicalRow is a row of text as COPY sends it, in which nothing is to be found.
const typicalRow = "184467\t2026-11-23 14:17:26.123456+00\tf47ac10b-58cc-4372-a567-0e02b2c3d479\tshipped\t" +
	"Left at the neighbour's door, please ring twice and mind the dog\t129.90\tEUR\t3\t" +
	`{"carrier": "north", "weight_grams": 1250, "tags": ["fragile", "gift"], "retries": 0}` + "\tt\t\\N\n"

func BenchmarkFind(b *testing.B) {
	without := bytes.Repeat([]byte(typicalRow), 256)
	prose := bytes.Repeat([]byte("The quick brown fox jumps over the lazy dog, and nobody minds it at all.\n"), 1024)
	hit := "7\tada@example.com\t4111 1111 1111 1111\t+49 30 901820\t192.0.2.17\tDE89370400440532013000\n"
	with := bytes.Repeat([]byte(typicalRow+typicalRow+typicalRow+hit), 64)
	for _, c := range []struct {
		name   string
		detect []v1alpha1.Detect
		text   []byte
	}{
		{"all detectors, rows without values", builtIn, without},
		{"all detectors, prose", builtIn, prose},
		{"all detectors, rows with values in each fourth", builtIn, with},
		{"cards only, rows without values", builtIn[:1], without},
		{"e-mail only, rows without values", builtIn[1:2], without},
		{"keys only, rows without values", builtIn[6:], without},
	} {
		b.Run(c.name, func(b *testing.B) {
			set := detecting(b, c.detect...)
			var found []Span
			b.SetBytes(int64(len(c.text)))
			b.ReportAllocs()
			for b.Loop() {
				found = set.Find(c.text, found[:0])
			}
		})
	}
}

func BenchmarkScan(b *testing.B) {
	set := detecting(b, builtIn...)
	text := []byte(typicalRow)
	var masked []byte
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		masked = set.Scan(masked[:0], text, nil)
	}
}

// detecting is a set of detectors that redact, each named as what it detects.
func detecting(tb fataler, detects ...v1alpha1.Detect) *Set {
	tb.Helper()
	var spec v1alpha1.MaskingPolicy
	for _, d := range detects {
		spec.Detectors = append(spec.Detectors, v1alpha1.DetectorMask{Name: string(d), Detect: d})
	}
	set, err := Compile(spec)
	if err != nil {
		tb.Fatal(err)
	}
	return set
}

type fataler interface {
	Helper()
	Fatal(...any)
}
