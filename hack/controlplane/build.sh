#!/usr/bin/env bash
# Builds the control plane from the module proxy into a cache outside the repository.
#
#   assets=$(hack/controlplane/build.sh)      # the last line on stdout is the folder
#
# The folder holds etcd, kube-apiserver, kube-controller-manager, kube-scheduler,
# kubelet, kube-proxy and kubectl, so it is a KUBEBUILDER_ASSETS for envtest too.
# Progress goes to stderr. A first build takes minutes; a second call only reads a stamp.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

version=$(awk '$1 == "k8s.io/kubernetes" { print $2; exit }' go.mod)
cache=${SALLYPORT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/sallyport}
assets=$cache/controlplane/$version
stamp=$assets/.stamp

# What envtest needs comes first, so that an interrupted build is of some use.
packages=(
	k8s.io/kubernetes/cmd/kube-apiserver
	./etcd
	k8s.io/kubernetes/cmd/kubectl
	k8s.io/kubernetes/cmd/kube-controller-manager
	k8s.io/kubernetes/cmd/kube-scheduler
	k8s.io/kubernetes/cmd/kubelet
	k8s.io/kubernetes/cmd/kube-proxy
)

say() { printf '%4ds  %s\n' "$SECONDS" "$*" >&2; }
fingerprint() { cat go.mod go.sum build.sh etcd/main.go | sha256sum | cut -d' ' -f1; }
current() { [[ -f $stamp && $(<"$stamp") == "$(fingerprint)" ]]; }

build() {
	# Clients refuse or warn about a server whose version is the default v0.0.0.
	local minor=${version#v1.} package
	minor=${minor%%.*}
	local ldflags="-s -w"
	for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
		ldflags+=" -X $package.gitVersion=$version -X $package.gitMajor=1 -X $package.gitMinor=$minor -X $package.gitTreeState=clean"
	done

	local number=0
	for package in "${packages[@]}"; do
		number=$((number + 1))
		say "building ${package##*/} ($number of ${#packages[@]})"
		CGO_ENABLED=0 go build -mod=readonly -trimpath -ldflags "$ldflags" -o "$work/${package##*/}" "$package" >&2
		mv "$work/${package##*/}" "$assets/${package##*/}"
	done
}

if ! current; then
	command -v go >/dev/null || { echo "build.sh: no Go toolchain on PATH" >&2; exit 1; }
	mkdir -p "$assets"
	# One build at a time: a second caller waits, then finds the stamp.
	exec 9>"$assets/.lock"
	flock --nonblock 9 || { say "another build is running; waiting for it"; flock 9; }
	if ! current; then
		work=$(mktemp -d "$assets/.build.XXXXXX")
		trap 'rm -rf "$work"' EXIT
		build
		fingerprint >"$stamp"
		say "control plane $version is ready"
	fi
fi
echo "$assets"
