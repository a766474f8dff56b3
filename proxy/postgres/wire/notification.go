package wire

// Notification is a NOTIFY that the session listens to.
type Notification struct {
	ProcessID        uint32
	Channel, Payload string
}

// ReadNotification reads the body of a NotificationResponse.
func ReadNotification(raw []byte) (Notification, error) {
	b := body{message: "NotificationResponse", rest: raw}
	n := Notification{ProcessID: b.uint32(), Channel: b.string(), Payload: b.string()}
	return n, b.done()
}
