# shellcheck shell=bash
chapter 'Binaries and images, from source'
step 'Looking for Debian packages that are missing' hack/setup.sh
step 'Building the control plane (once, minutes; then cached)' hack/controlplane/build.sh
step 'Building the manager, the proxy, the reader, the plugins and the images' make images
