package v1alpha1

// Grant is the minimal permission of a task, per protocol. It is enforced in the data
// path, and, where a role is made from it, as the target's own permissions too.
//
// +kubebuilder:validation:XValidation:rule="has(self.postgres) != has(self.ssh)",message="exactly one of: postgres, ssh"
type Grant struct {
	// postgres is what a task may do on a PostgreSQL target.
	// +optional
	Postgres *PostgresGrant `json:"postgres,omitempty"`
	// ssh is what a task may do on an SSH target.
	// +optional
	SSH *SSHGrant `json:"ssh,omitempty"`
}

// PostgresGrant is SQL privileges on named relations of one database.
//
// +kubebuilder:validation:XValidation:rule="!has(self.unrestricted) || !self.unrestricted || ((!has(self.relations) || self.relations.size() == 0) && (!has(self.sequences) || self.sequences.size() == 0) && (!has(self.functions) || self.functions.size() == 0))",message="unrestricted names nothing else"
type PostgresGrant struct {
	// database is the one database that the task may connect to.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[^\x00-\x1f\x7f]+$`
	Database string `json:"database"`
	// relations are tables and views with the privileges on them.
	// +optional
	// +listType=map
	// +listMapKey=schema
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=256
	Relations []RelationGrant `json:"relations,omitempty"`
	// sequences that the task may draw values from: USAGE, named schema.name.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=127
	// +kubebuilder:validation:items:Pattern=`^[^.\x00-\x1f\x7f]+\.[^.\x00-\x1f\x7f]+$`
	Sequences []string `json:"sequences,omitempty"`
	// functions that the task may call beside PostgreSQL's own harmless ones:
	// EXECUTE, named schema.name, every overload of it.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=127
	// +kubebuilder:validation:items:Pattern=`^[^.\x00-\x1f\x7f]+\.[^.\x00-\x1f\x7f]+$`
	Functions []string `json:"functions,omitempty"`
	// unrestricted grants whatever the login itself may do, of every kind of
	// statement that is understood; rules, holds and masks judge alone. It is for
	// targets with a Static credential: no role is made from it.
	// +optional
	Unrestricted bool `json:"unrestricted,omitempty"`
}

// RelationGrant is the privileges on one table or view.
type RelationGrant struct {
	// schema of the relation.
	// +optional
	// +kubebuilder:default=public
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[^\x00-\x1f\x7f]+$`
	Schema string `json:"schema,omitempty"`
	// name of the relation.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[^\x00-\x1f\x7f]+$`
	Name string `json:"name"`
	// privileges on it.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=4
	Privileges []RelationPrivilege `json:"privileges"`
}

// RelationPrivilege is a table privilege of SQL's GRANT.
// +kubebuilder:validation:Enum=SELECT;INSERT;UPDATE;DELETE
type RelationPrivilege string

// The table privileges that a grant may name.
const (
	PrivilegeSelect RelationPrivilege = "SELECT"
	PrivilegeInsert RelationPrivilege = "INSERT"
	PrivilegeUpdate RelationPrivilege = "UPDATE"
	PrivilegeDelete RelationPrivilege = "DELETE"
)
