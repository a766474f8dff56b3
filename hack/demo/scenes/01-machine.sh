# shellcheck shell=bash
chapter 'Binaries and images, from source'
command -v go >/dev/null || fail 'Go is not on your PATH: install the version that go.mod names, or newer'
if [[ $cluster == existing ]]; then
	for tool in kubectl psql openssl gcc make; do
		command -v "$tool" >/dev/null || fail "$tool is not on your PATH"
	done
else
	step 'Looking for Debian packages that are missing' hack/setup.sh
	step 'Building the control plane (once, minutes; then cached)' hack/controlplane/build.sh
fi
step 'Building the manager, the proxy, the reader, the plugins and the images' make images
