package v1alpha1

// SSHTarget is the address and identity of an SSH server. Address and identity are
// immutable: a task's approval names this very server.
//
// +kubebuilder:validation:XValidation:rule="self.host == oldSelf.host && self.port == oldSelf.port",message="host and port are immutable: create another AccessTarget"
// +kubebuilder:validation:XValidation:rule="(has(self.hostKeys) ? self.hostKeys : []) == (has(oldSelf.hostKeys) ? oldSelf.hostKeys : []) && (has(self.hostAuthorities) ? self.hostAuthorities : []) == (has(oldSelf.hostAuthorities) ? oldSelf.hostAuthorities : [])",message="hostKeys and hostAuthorities are immutable: create another AccessTarget"
// +kubebuilder:validation:XValidation:rule="self.credential == oldSelf.credential",message="credential is immutable: create another AccessTarget"
// +kubebuilder:validation:XValidation:rule="self.certificateSeconds >= oldSelf.certificateSeconds",message="certificateSeconds can only be raised, for what was made before would outlive a lower one: create another AccessTarget"
// +kubebuilder:validation:XValidation:rule="(has(self.hostKeys) && self.hostKeys.size() > 0) || (has(self.hostAuthorities) && self.hostAuthorities.size() > 0)",message="say how the server is known: hostKeys, or hostAuthorities"
// +kubebuilder:validation:XValidation:rule="self.credential in ['Certificate', 'Static']",message="credential of an SSH target is Certificate or Static"
type SSHTarget struct {
	// host is a DNS name or an IP address. Loopback, link-local and the
	// operator's own addresses are refused. The manager resolves names; proxies
	// have no DNS.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9]([A-Za-z0-9.:-]*[A-Za-z0-9])?$`
	Host string `json:"host"`
	// port is the server's TCP port.
	// +optional
	// +kubebuilder:default=22
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	Port int32 `json:"port,omitempty"`
	// hostKeys are the keys that the server may have, each `type base64` as in its
	// /etc/ssh/ssh_host_*_key.pub. Any other ends the connection.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:items:MaxLength=2048
	// +kubebuilder:validation:items:Pattern=`^(ssh|ecdsa|sk)-[a-z0-9@.-]+ [A-Za-z0-9+/]+=*$`
	HostKeys []string `json:"hostKeys,omitempty"`
	// hostAuthorities are keys that may vouch for the server's, by an OpenSSH host
	// certificate that names host.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:items:MaxLength=2048
	// +kubebuilder:validation:items:Pattern=`^(ssh|ecdsa|sk)-[a-z0-9@.-]+ [A-Za-z0-9+/]+=*$`
	HostAuthorities []string `json:"hostAuthorities,omitempty"`
	// logins are the accounts that tasks may be given.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MaxLength=32
	// +kubebuilder:validation:items:Pattern=`^[A-Za-z_][A-Za-z0-9_.-]*$`
	Logins []string `json:"logins"`
	// credential is how the credential of one task comes to be: Certificate, by the
	// target's own authority (status.certificateAuthority, which the server must
	// trust: TrustedUserCAKeys); Static, a standing key.
	// +optional
	// +kubebuilder:default=Certificate
	Credential CredentialType `json:"credential,omitempty"`
	// sourceAddresses are the networks that the server sees proxies come from: the
	// certificates are good from there alone. By default the addresses of the proxy's
	// pod and node.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=49
	// +kubebuilder:validation:items:XValidation:rule="isCIDR(self)",message="want a network: 10.0.0.0/8"
	SourceAddresses []string `json:"sourceAddresses,omitempty"`
	// certificateSeconds is how long a certificate is good; the proxy gets another when it
	// connects after half of that. Proof that a task is over waits that long.
	// +optional
	// +kubebuilder:default=180
	// +kubebuilder:validation:Minimum=30
	// +kubebuilder:validation:Maximum=3600
	CertificateSeconds int32 `json:"certificateSeconds,omitempty"`
}

// SSHGrant is what a task may do on an SSH server, under which accounts.
//
// +kubebuilder:validation:XValidation:rule="!has(self.unrestricted) || !self.unrestricted || !(has(self.shell) || has(self.commands) || has(self.files) || has(self.repositories) || has(self.forwards) || has(self.listeners) || has(self.sockets) || has(self.environment) || has(self.terminal) || has(self.agentForwarding) || has(self.x11Forwarding))",message="unrestricted names nothing else"
type SSHGrant struct {
	// logins are the accounts that the task may have; a client names one as its user.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=32
	// +kubebuilder:validation:items:Pattern=`^[A-Za-z_][A-Za-z0-9_.-]*$`
	Logins []string `json:"logins"`
	// shell is what a client gets that asks for a shell: nothing (Denied, the default);
	// the account's own, recorded as it shows (Recorded); or the proxy's line editor,
	// which runs each line as a command, judged and held one by one (Restricted).
	// +optional
	Shell SSHShell `json:"shell,omitempty"`
	// terminal lets commands have a terminal; shells have one anyhow.
	// +optional
	Terminal bool `json:"terminal,omitempty"`
	// commands that may run: each of a command line must be one of these.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=128
	Commands []CommandGrant `json:"commands,omitempty"`
	// files that may be moved, by sftp, scp or rsync.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=128
	Files []FileGrant `json:"files,omitempty"`
	// repositories that git may fetch from or push to.
	// +optional
	// +listType=map
	// +listMapKey=path
	// +kubebuilder:validation:MaxItems=64
	Repositories []RepositoryGrant `json:"repositories,omitempty"`
	// forwards are where connections may be opened to from the server (ssh -L, -D, -J).
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	Forwards []ForwardGrant `json:"forwards,omitempty"`
	// listeners are what the server may listen on for the client (ssh -R).
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	Listeners []ForwardGrant `json:"listeners,omitempty"`
	// sockets are Unix sockets of the server that may be connected to, or listened on.
	// +optional
	// +listType=map
	// +listMapKey=path
	// +kubebuilder:validation:MaxItems=64
	Sockets []SocketGrant `json:"sockets,omitempty"`
	// agentForwarding lets the server use the client's agent (ssh -A).
	// +optional
	AgentForwarding bool `json:"agentForwarding,omitempty"`
	// x11Forwarding lets the server use the client's display (ssh -X).
	// +optional
	X11Forwarding bool `json:"x11Forwarding,omitempty"`
	// environment is the names of variables that the client may set; one that ends in
	// `*` is a prefix.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=128
	// +kubebuilder:validation:items:Pattern=`^[A-Za-z_][A-Za-z0-9_]*\*?$`
	Environment []string `json:"environment,omitempty"`
	// maxUploadBytes bounds the files of one session that go to the target together, by
	// sftp and scp; 0 is no bound. What rsync and git move is not counted.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=9007199254740991
	MaxUploadBytes int64 `json:"maxUploadBytes,omitempty"`
	// maxDownloadBytes bounds the files of one session that come from the target together,
	// likewise; 0 is no bound.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=9007199254740991
	MaxDownloadBytes int64 `json:"maxDownloadBytes,omitempty"`
	// unmaskedStreams lets through what no detector of the policy looks into: files,
	// repositories, forwarded connections, agent and display. Without it a policy with
	// detectors refuses those that come from the target.
	// +optional
	UnmaskedStreams bool `json:"unmaskedStreams,omitempty"`
	// unrestricted grants whatever the account may do, of every channel and request
	// that is understood; rules, holds and masks judge alone.
	// +optional
	Unrestricted bool `json:"unrestricted,omitempty"`
}

// SSHShell is what a client gets that asks for a shell.
// +kubebuilder:validation:Enum=Denied;Recorded;Restricted
type SSHShell string

// What a client gets that asks for a shell.
const (
	ShellDenied     SSHShell = "Denied"
	ShellRecorded   SSHShell = "Recorded"
	ShellRestricted SSHShell = "Restricted"
)

// CommandGrant is a command by its words.
type CommandGrant struct {
	// argv is the words of the command. `*` in a word stands for any characters, `**`
	// as the last word for any further words, `\*` for an asterisk. A `*` that begins
	// a word takes none that begins with `-`, and a word with `*` none that climbs by
	// `..`.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=1024
	Argv []string `json:"argv"`
}

// FileGrant is files by their path, and what may be done with them.
type FileGrant struct {
	// path is absolute, without `.` and `..`. `*` stands for any characters of one
	// name, `**` as the last name for everything below, at any depth, and the folder.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:Pattern=`^/[^\x00-\x1f\x7f]*$`
	Path string `json:"path"`
	// access is what may be done.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=3
	Access []FileAccess `json:"access"`
	// maxBytes is the largest file that may be moved; 0 is no bound.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=9007199254740991
	MaxBytes int64 `json:"maxBytes,omitempty"`
}

// FileAccess is what may be done with a file: Read its content, names and attributes;
// Write it, make it, change its attributes; Delete it, or move it away.
// +kubebuilder:validation:Enum=Read;Write;Delete
type FileAccess string

// What may be done with a file.
const (
	FileRead   FileAccess = "Read"
	FileWrite  FileAccess = "Write"
	FileDelete FileAccess = "Delete"
)

// RepositoryGrant is a git repository on the server.
type RepositoryGrant struct {
	// path is absolute, as in FileGrant.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:Pattern=`^/[^\x00-\x1f\x7f]*$`
	Path string `json:"path"`
	// push lets the client push; without it, it may fetch alone.
	// +optional
	Push bool `json:"push,omitempty"`
}

// ForwardGrant is hosts and ports.
type ForwardGrant struct {
	// host is a name or an address as the client writes it; `*` in it stands for any
	// characters.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9.:*_-]+$`
	Host string `json:"host"`
	// ports on it; none is any.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:Minimum=1
	// +kubebuilder:validation:items:Maximum=65535
	Ports []int32 `json:"ports,omitempty"`
}

// SocketGrant is a Unix socket of the server.
type SocketGrant struct {
	// path is absolute, as in FileGrant.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:Pattern=`^/[^\x00-\x1f\x7f]*$`
	Path string `json:"path"`
	// listen lets the client listen on it; without it, it may connect alone.
	// +optional
	Listen bool `json:"listen,omitempty"`
}
