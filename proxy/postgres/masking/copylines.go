package masking

import "bytes"

// lines masks the whole rows at the beginning of data, in text format or CSV, and
// returns what is left of it.
func (p *CopyPlan) lines(dst, data []byte) (left, out []byte, err error) {
	for {
		end := p.line(data)
		if end < 0 {
			return data, dst, nil
		}
		begin := len(dst)
		dst = appendCopyData(dst)
		switch {
		case !p.named:
			p.named = true
			dst = append(dst, data[:end]...)
		case p.format.CSV:
			dst, err = p.csvRow(dst, data[:end])
		default:
			dst, err = p.textRow(dst, data[:end])
		}
		if err != nil {
			return nil, dst, err
		}
		dst = closeCopyData(dst, begin)
		data, p.scanned, p.quoted, p.escaped = data[end:], 0, false, false
	}
}

// line is where the first line of data ends, behind its line feed; -1 where it does
// not.
func (p *CopyPlan) line(data []byte) int {
	if !p.format.CSV {
		end := bytes.IndexByte(data[p.scanned:], '\n')
		if end < 0 {
			p.scanned = len(data)
			return -1
		}
		return p.scanned + end + 1
	}
	for i, c := range data[p.scanned:] {
		switch {
		case p.escaped:
			p.escaped = false
		case p.quoted && c == p.format.Escape && p.format.Escape != p.format.Quote:
			p.escaped = true
		case c == p.format.Quote:
			p.quoted = !p.quoted
		case c == '\n' && !p.quoted:
			return p.scanned + i + 1
		}
	}
	p.scanned = len(data)
	return -1
}

// textRow masks a row of the text format.
// https://www.postgresql.org/docs/current/sql-copy.html
func (p *CopyPlan) textRow(dst, row []byte) ([]byte, error) {
	line, ending := chop(row)
	for i := range p.columns {
		if i > 0 {
			if len(line) == 0 || line[0] != p.format.Delimiter {
				return dst, malformed("a row of a COPY with %d columns, not %d", i, len(p.columns))
			}
			dst, line = append(dst, p.format.Delimiter), line[1:]
		}
		end := textField(line, p.format.Delimiter)
		dst = p.textValue(dst, line[:end], &p.columns[i])
		line = line[end:]
	}
	if len(line) > 0 {
		return dst, malformed("a row of a COPY with more than %d columns", len(p.columns))
	}
	return append(dst, ending...), nil
}

// chop divides a row from its line's end.
func chop(row []byte) (line, ending []byte) {
	end := len(row) - 1
	if end > 0 && row[end-1] == '\r' {
		end--
	}
	return row[:end], row[end:]
}

// textField is where the value at the beginning of line ends. A delimiter in it has
// a backslash before it.
func textField(line []byte, delimiter byte) int {
	for i := 0; i < len(line); i++ {
		switch line[i] {
		case '\\':
			i++
		case delimiter:
			return i
		}
	}
	return len(line)
}

func (p *CopyPlan) textValue(dst, field []byte, c *column) []byte {
	if c.does == doesNothing || string(field) == p.format.Null {
		return append(dst, field...)
	}
	value := field
	if bytes.IndexByte(field, '\\') >= 0 {
		p.field = unescape(p.field[:0], field)
		value = p.field
	}
	begin := len(dst)
	out, null, same := p.masks.apply(dst, value, c)
	switch {
	case same:
		return append(dst, field...)
	case null:
		return append(dst, p.format.Null...)
	}
	p.field = append(p.field[:0], out[begin:]...)
	return escape(out[:begin], p.field, p.format.Delimiter)
}

// unescape appends a value of the text format without its backslashes.
func unescape(dst, field []byte) []byte {
	for i := 0; i < len(field); i++ {
		if field[i] != '\\' || i+1 == len(field) {
			dst = append(dst, field[i])
			continue
		}
		i++
		switch c := field[i]; c {
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'v':
			dst = append(dst, '\v')
		default:
			// The server never writes the octal and hexadecimal forms.
			dst = append(dst, c)
		}
	}
	return dst
}

func escape(dst, value []byte, delimiter byte) []byte {
	for _, c := range value {
		switch c {
		case '\b':
			dst = append(dst, '\\', 'b')
		case '\f':
			dst = append(dst, '\\', 'f')
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		case '\v':
			dst = append(dst, '\\', 'v')
		case '\\', delimiter:
			dst = append(dst, '\\', c)
		default:
			dst = append(dst, c)
		}
	}
	return dst
}
