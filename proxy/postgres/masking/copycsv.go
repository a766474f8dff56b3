package masking

// csvRow masks a row of CSV.
func (p *CopyPlan) csvRow(dst, row []byte) ([]byte, error) {
	line, ending := chop(row)
	for i := range p.columns {
		if i > 0 {
			if len(line) == 0 || line[0] != p.format.Delimiter {
				return dst, malformed("a row of a COPY with %d columns, not %d", i, len(p.columns))
			}
			dst, line = append(dst, p.format.Delimiter), line[1:]
		}
		end, quoted := p.csvField(line)
		dst = p.csvValue(dst, line[:end], quoted, &p.columns[i])
		line = line[end:]
	}
	if len(line) > 0 {
		return dst, malformed("a row of a COPY with more than %d columns", len(p.columns))
	}
	return append(dst, ending...), nil
}

// csvField is where the value at the beginning of line ends, and whether any of it is
// quoted. The value itself, without quotes, is left in p.field.
func (p *CopyPlan) csvField(line []byte) (end int, quoted bool) {
	p.field = p.field[:0]
	inside, f := false, &p.format
	for i := 0; i < len(line); i++ {
		c := line[i]
		switch {
		case inside && c == f.Escape && i+1 < len(line) && (line[i+1] == f.Quote || line[i+1] == f.Escape):
			i++
			p.field = append(p.field, line[i])
		case c == f.Quote:
			inside, quoted = !inside, true
		case !inside && c == f.Delimiter:
			return i, quoted
		default:
			p.field = append(p.field, c)
		}
	}
	return len(line), quoted
}

// csvValue masks one value; a changed one is always quoted, so that nothing in it
// ends it.
func (p *CopyPlan) csvValue(dst, field []byte, quoted bool, c *column) []byte {
	if c.does == doesNothing || !quoted && string(field) == p.format.Null {
		return append(dst, field...)
	}
	begin := len(dst)
	out, null, same := p.masks.apply(dst, p.field, c)
	switch {
	case same:
		return append(dst, field...)
	case null:
		return append(dst, p.format.Null...)
	}
	p.field = append(p.field[:0], out[begin:]...)
	dst = append(out[:begin], p.format.Quote)
	for _, b := range p.field {
		if b == p.format.Quote || b == p.format.Escape {
			dst = append(dst, p.format.Escape)
		}
		dst = append(dst, b)
	}
	return append(dst, p.format.Quote)
}
