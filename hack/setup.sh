#!/usr/bin/env bash
# Installs the Debian packages that the development cluster, the demo and the
# tests need, the PostgreSQL 18 that tests run beside Debian's, and the S3 server of
# the tests. Idempotent: it does nothing, and needs no rights, when nothing is
# missing. It starts no service and creates no database cluster.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# What must be there, and the package that brings it. Looked for by command, so
# that the same tools from elsewhere are accepted.
needs() {
	cat <<-'LIST'
		containerd  containerd
		ctr         containerd
		runc        runc
		initdb      postgresql
		psql        postgresql-client
		sshd        openssh-server
		ssh         openssh-client
		sftp-server openssh-sftp-server
		xauth       xauth
		rsync       rsync
		nft         nftables
		iptables    iptables
		ip          iproute2
		nsenter     util-linux
		gcc         gcc
		protoc      protobuf-compiler
		make        make
		git         git
		curl        curl
		jq          jq
		npm         npm
	LIST
}

have() {
	case $1 in
	# Debian keeps the server's commands off PATH, in a folder for each version.
	initdb) compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || command -v initdb >/dev/null ;;
	# Nor is this one a command for people.
	sftp-server) [[ -x /usr/lib/openssh/sftp-server ]] ;;
	*) PATH=$PATH:/usr/sbin:/sbin command -v "$1" >/dev/null ;;
	esac
}

have_cni() { [[ -x /usr/lib/cni/ptp && -x /usr/lib/cni/host-local ]] || [[ -x /opt/cni/bin/ptp && -x /opt/cni/bin/host-local ]]; }

missing=()
while read -r command package; do
	have "$command" || missing+=("$package")
done < <(needs)
have_cni || missing+=(containernetworking-plugins)

if ((${#missing[@]} == 0)); then
	hack/postgres18/install.sh >/dev/null
	hack/s3/build.sh >/dev/null
	echo "setup: everything is installed" >&2
	exit 0
fi
mapfile -t missing < <(printf '%s\n' "${missing[@]}" | sort -u)

if ((EUID != 0)); then
	echo "setup: run me as root, or install these packages yourself: ${missing[*]}" >&2
	exit 1
fi
command -v apt-get >/dev/null || {
	echo "setup: no apt-get here; install these by hand: ${missing[*]}" >&2
	exit 1
}

# Debian starts a service as soon as its package is unpacked, unless policy-rc.d says no.
policy=/usr/sbin/policy-rc.d
if [[ ! -e $policy ]]; then
	printf '#!/bin/sh\nexit 101\n' >"$policy"
	chmod 0755 "$policy"
	trap 'rm -f "$policy"' EXIT
fi

# A machine without PostgreSQL does not get a database cluster of its own.
if [[ " ${missing[*]} " == *" postgresql "* && ! -d /etc/postgresql ]]; then
	mkdir -p /etc/postgresql-common/createcluster.d
	echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.d/sallyport.conf
fi

echo "setup: installing ${missing[*]}" >&2
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq >&2
apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2

# Nor does the next boot start what nobody asked this machine to serve.
if command -v systemctl >/dev/null; then
	for service in containerd postgresql ssh; do
		[[ " ${missing[*]} " == *" ${service/ssh/openssh-server} "* ]] || continue
		systemctl disable --quiet "$service" >&2 || echo "setup: could not disable $service; it starts at the next boot" >&2
	done
fi
hack/postgres18/install.sh >/dev/null
hack/s3/build.sh >/dev/null
echo "setup: done" >&2
