package stores

// Registry is where the stores are configured, and where they are.
type Registry struct {
	Directory
	*Addresses
}
