package record

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// Text is a string of any bytes that a recording keeps as they are: a JSON string
// where they are UTF-8, an object {"base64": "…"} where they are not.
type Text string

type encodedText struct {
	Base64 string `json:"base64"`
}

// MarshalJSON writes either form.
func (t Text) MarshalJSON() ([]byte, error) {
	if !utf8.ValidString(string(t)) {
		return json.Marshal(encodedText{base64.StdEncoding.EncodeToString([]byte(t))})
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(string(t)); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(out.Bytes(), []byte{'\n'}), nil
}

// UnmarshalJSON reads either form.
func (t *Text) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '"' {
		var s string
		err := json.Unmarshal(data, &s)
		*t = Text(s)
		return err
	}
	var encoded encodedText
	if err := json.Unmarshal(data, &encoded); err != nil {
		return err
	}
	raw, err := base64.StdEncoding.DecodeString(encoded.Base64)
	if err != nil {
		return fmt.Errorf("text in base64: %w", err)
	}
	*t = Text(raw)
	return nil
}
