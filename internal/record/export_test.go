package record

// Written has journals written to, as on a filesystem that cannot map them.
func Written(options Options) Options {
	options.written = true
	return options
}

// ReadBody is a segment's body, closed as the writer would.
func ReadBody(frames []byte) ([]byte, error) {
	header := []byte("{}\n")
	plain, _, err := readFrames(appendTrailer(frames, header), header)
	return plain, err
}

// AppendFrame is a frame of a body.
func AppendFrame(dst, plain []byte) ([]byte, error) { return appendFrame(dst, plain) }

// MaxHeld is what a Room has; Take takes of it.
const MaxHeld = maxHeld

func (r *Room) Take(bytes int) { r.held += bytes }
