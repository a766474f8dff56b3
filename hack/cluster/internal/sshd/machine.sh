# Becomes the machine: $1 is the folder with its files, $2 is sshd. This runs in
# namespaces of its own, made by unshare.
set -e
hostname web-1
for file in passwd group shadow nsswitch.conf hosts; do mount --bind "$1/etc/$file" "/etc/$file"; done
mount --bind "$1/home" /home
mount --bind "$1/srv" /srv
# What the cluster keeps there is not this machine's, and logins write utmp and wtmp.
mount -t tmpfs tmpfs /run && mkdir -m 0755 /run/sshd
mount -t tmpfs tmpfs /var/log
mount -t proc proc /proc
cd /
exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 TZ=UTC "$2" -D -e -f "$1/sshd_config"
