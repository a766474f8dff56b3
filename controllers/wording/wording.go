// Package wording fits what the manager has to say into the fields that hold it.
package wording

// Limits in bytes.
const (
	// Condition bounds a condition's message: enough to say what to do next.
	Condition = 1024
	// Event bounds an event's note, which the API server wants under 1024.
	Event = 1000
)

// Fit cuts a message to limit bytes, on a rune's border.
func Fit(message string, limit int) string {
	if len(message) <= limit {
		return message
	}
	cut := limit - len("…")
	for cut > 0 && message[cut]&0xC0 == 0x80 {
		cut--
	}
	return message[:cut] + "…"
}
