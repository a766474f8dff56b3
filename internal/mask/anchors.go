package mask

type anchors struct{}

type pattern struct{}

type finder struct {
	set   *Set
	text  []byte
	found []Span
	base  int
}

func (f *finder) scan() {}

func (f *finder) match(*pattern) {}
