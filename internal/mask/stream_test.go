package mask

import (
	"bytes"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// streamed is what a stream makes of text in pieces that end at cuts.
func streamed(t fataler, set *Set, counts Counts, text []byte, length func() int) []byte {
	t.Helper()
	s := NewStream(set, counts)
	var out []byte
	for len(text) > 0 {
		n := min(len(text), length())
		out = s.Write(out, text[:n])
		if s.Held() > MostHeld {
			t.Fatal("it holds more than it may")
		}
		text = text[n:]
	}
	return s.Flush(out)
}

func TestAStreamCutAnywhereIsMaskedLikeTheWhole(t *testing.T) {
	t.Parallel()
	texts := texts(t)
	rapid.Check(t, func(t *rapid.T) {
		var spec v1alpha1.MaskingPolicy
		for _, detect := range builtIn {
			spec.Detectors = append(spec.Detectors, v1alpha1.DetectorMask{
				Name: strings.ToLower(string(detect)), Detect: detect, Mask: ways().Draw(t, string(detect))})
		}
		spec.Detectors = append(spec.Detectors, v1alpha1.DetectorMask{Name: "ticket", Detect: v1alpha1.DetectPattern, Pattern: `ticket-[0-9]{4,8}`})
		set, err := Compile(spec)
		if err != nil {
			t.Fatal(err)
		}
		set = set.WithKey([]byte("key"))
		var text []byte
		for range rapid.IntRange(1, 40).Draw(t, "lines") {
			line := texts.Draw(t, "line")
			// What a terminal shows is another test's.
			text = append(text, bytes.Map(func(r rune) rune {
				if r == esc || r == backspace {
					return -1
				}
				return r
			}, line)...)
			text = append(text, rapid.SampledFrom([]string{"\n", "\r\n", "\n\n", " ", "", " ticket-12345 "}).Draw(t, "between")...)
		}
		length := func() int {
			return rapid.IntRange(1, 1+rapid.SampledFrom([]int{1, 40, 4000}).Draw(t, "sizes")).Draw(t, "length")
		}
		counts, scanned := Counts{}, Counts{}
		got, want := streamed(t, set, counts, text, length), set.Scan(nil, text, scanned)
		if !bytes.Equal(got, want) {
			t.Fatalf("%q\nin pieces %q\nas a whole %q", text, got, want)
		}
		for reason, n := range scanned {
			if counts[reason] != n {
				t.Fatalf("%q: %s counts %d in pieces and %d as a whole", text, reason, counts[reason], n)
			}
		}
	})
}

func TestAStreamWithoutDetectorsHoldsNothing(t *testing.T) {
	t.Parallel()
	for _, set := range []*Set{nil, {}} {
		s := NewStream(set, nil)
		if got := s.Write(nil, []byte("ada@example.com")); string(got) != "ada@example.com" || s.Held() != 0 {
			t.Errorf("%q, %d held", got, s.Held())
		}
	}
}

func TestALongTextWithoutLinesPassesThrough(t *testing.T) {
	t.Parallel()
	set := detecting(t, builtIn...)
	for name, text := range map[string][]byte{
		"zeros": make([]byte, 1<<20), "words": bytes.Repeat([]byte("lorem ipsum "), 1<<16), "one word": bytes.Repeat([]byte("x"), 1<<20),
	} {
		n := 0
		got := streamed(t, set, nil, text, func() int { n++; return 1 + n*7919%5000 })
		if !bytes.Equal(got, text) {
			t.Errorf("%s: %d bytes became %d", name, len(text), len(got))
		}
	}
	n := 0
	key := []byte("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0." + strings.Repeat("c2lnbmF0", 20000) + " and more")
	if got := streamed(t, set, nil, key, func() int { n++; return 1 + n*7919%5000 }); string(got) != "[redacted] and more" {
		t.Errorf("an endless token became %.80q (%d bytes)", got, len(got))
	}
}

func TestATerminalsSignsDoNotHideAValue(t *testing.T) {
	t.Parallel()
	set := detecting(t, builtIn...)
	for name, c := range map[string][2]string{
		"a colour in it":              {"x \x1b[01;31m\x1b[K4111\x1b[m\x1b[K 1111 1111 1111 y", "x \x1b[01;31m\x1b[K[redacted]\x1b[m\x1b[K y"},
		"a colour around it":          {"\x1b[32mada@example.com\x1b[0m\n", "\x1b[32m[redacted]\x1b[0m\n"},
		"overstruck":                  {"a\bad\bda\ba@\b@e\bex\bxa\bam\bmp\bpl\ble\be.\b.c\bco\bom\bm\n", "[redacted]\n"},
		"taken back and drawn anew":   {"ada@exx\bample.com\n", "[redacted]\n"},
		"a title":                     {"\x1b]0;ada@example.com: ~\a$ ", "\x1b]0;[redacted]: ~\a$ "},
		"a title in it":               {"ada@ex\x1b]0;t\x1b\\ample.com\n", "[redacted]\n"},
		"steps between":               {"4111\x1b[C1111\x1b[C1111\x1b[C1111\n", "[redacted]\x1b[C\x1b[C\x1b[C\n"},
		"no value over two places":    {"4111 1111\x1b[5;1H1111 1111\n", "4111 1111\x1b[5;1H1111 1111\n"},
		"signs alone":                 {"\x1b[2J\x1b[H\x1b[?25l\x1b(B\x1b=\b \b\n", "\x1b[2J\x1b[H\x1b[?25l\x1b(B\x1b=\b \b\n"},
		"a sequence that never ends":  {"\x1b]0;never\nada@example.com\n", "\x1b]0;never\n[redacted]\n"},
		"a sequence cut off":          {"plain \x1b[", "plain \x1b["},
		"a backspace at the very end": {"plain\b", "plain\b"},
	} {
		for length := 1; length < 9; length++ {
			if got := streamed(t, set, nil, []byte(c[0]), func() int { return length }); string(got) != c[1] {
				t.Errorf("%s, in pieces of %d: %q became %q, want %q", name, length, c[0], got, c[1])
			}
		}
	}
}

func TestAnyTerminalTextKeepsAllThatIsNoValue(t *testing.T) {
	t.Parallel()
	set := detecting(t, v1alpha1.DetectEmail)
	piece := rapid.SampledFrom([]string{"\x1b[", "\x1b]0;", "\a", "\x1b\\", "m", "1;2", "H", "\b", "\r", "\n", "text ", "\x1b", "0", "\xff", "\x1b[K"})
	rapid.Check(t, func(t *rapid.T) {
		text := []byte(strings.Join(rapid.SliceOfN(piece, 0, 300).Draw(t, "pieces"), ""))
		got := streamed(t, set, nil, text, func() int { return rapid.IntRange(1, 30).Draw(t, "length") })
		if !bytes.Equal(got, text) {
			t.Fatalf("%q became %q", text, got)
		}
	})
}

func TestAPromptIsNotHeld(t *testing.T) {
	t.Parallel()
	set := detecting(t, builtIn...)
	for _, prompt := range []string{
		"deploy@web1:~$ ", "$ ", "# ", "> ", "Password: ", "[sudo] password for deploy: ", "Continue? [y/N] ", "mysql> ",
		"Working...", "45%", "\x1b[32mdeploy\x1b[0m$ ", "login: ", "page 3", "14:17", "\x1b]0;web1\a$ ", "--More--", "hostname",
	} {
		s := NewStream(set, nil)
		got := s.Settle(s.Write(nil, []byte("a line before\n"+prompt)))
		if want := "a line before\n" + prompt; string(got) != want {
			t.Errorf("%q is held to %q", want, got)
		}
	}
}

func TestTheBeginningOfAValueIsHeldAndThenMasked(t *testing.T) {
	t.Parallel()
	set := detecting(t, builtIn...)
	for _, c := range [][3]string{
		{"card 4111 1111 11", "11 1111\n", "card "},
		{"mail ada@exam", "ple.com\n", "mail "},
		{"iban DE89 3704 0044 05", "32 0130 00\n", "iban "},
		{"host 192.168.1", ".17\n", "host "},
		{"-----BEGIN PRIVATE KEY-----\nMIIE\n", "abc\n-----END PRIVATE KEY-----\n", ""},
	} {
		s := NewStream(set, nil)
		got := s.Settle(s.Write(nil, []byte(c[0])))
		if string(got) != c[2] {
			t.Errorf("of %q is shown %q, want %q", c[0], got, c[2])
		}
		if whole := s.Flush(s.Write(got, []byte(c[1]))); string(whole) != c[2]+"[redacted]\n" {
			t.Errorf("%q%q became %q", c[0], c[1], whole)
		}
		s = NewStream(set, nil)
		got = s.Mask(s.Write(nil, []byte(c[0])))
		if string(got) != c[2]+"[redacted]" || s.Held() > 0 {
			t.Errorf("%q whose end never comes became %q", c[0], got)
		}
	}
}

func TestAValueWhoseBeginningWasShownIsMaskedFromThereOn(t *testing.T) {
	t.Parallel()
	s := NewStream(detecting(t, v1alpha1.DetectPaymentCard), nil)
	got := s.Settle(s.Write(nil, []byte("4111 ")))
	got = s.Settle(s.Write(got, []byte("1111 1111 1111 ok\n")))
	if string(got) != "4111 [redacted] ok\n" {
		t.Errorf("it shows %q", got)
	}
}

func TestWhatIsTypedPassesAtOnce(t *testing.T) {
	t.Parallel()
	s := NewStream(detecting(t, builtIn...), nil)
	var got []byte
	for _, c := range "echo ada@example.com" {
		got = s.Pass(got, []byte(string(c)))
	}
	got = s.Settle(s.Write(got, []byte("\r\nada@example.com\r\n$ ")))
	if string(got) != "echo ada@example.com\r\n[redacted]\r\n$ " {
		t.Errorf("it shows %q", got)
	}
}

func BenchmarkStream(b *testing.B) {
	set := detecting(b, builtIn...)
	text := bytes.Repeat([]byte(typicalRow), 64)
	s := NewStream(set, nil)
	var out []byte
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		out = s.Write(out[:0], text)
	}
}

func FuzzStream(f *testing.F) {
	set := detecting(f, builtIn...)
	for _, detect := range builtIn {
		for _, line := range corpus(f, detect) {
			f.Add([]byte("\x1b[m"+unmarked(line)+"\n"), 7)
		}
	}
	f.Fuzz(func(t *testing.T, text []byte, length int) {
		s := NewStream(set, nil)
		var out []byte
		n := max(1, min(length, 1<<16))
		for i := 0; i < len(text); i += n {
			out = s.Write(out, text[i:min(len(text), i+n)])
			if i%3 == 0 {
				out = s.Settle(out)
			}
		}
		if s.Mask(out); s.Held() != 0 {
			t.Fatal("it holds after all")
		}
	})
}
