#!/bin/sh
# Gives the Debian tree in $ROOT its keys, accounts and services. The password comes on standard input.
set -eu
password=$(cat)

put() { mkdir -p "$(dirname "$ROOT$1")"; cat >"$ROOT$1"; }
unit() { put "/etc/systemd/system/$1"; }

echo "$NAME" >"$ROOT/etc/hostname"
rm -f "$ROOT/etc/machine-id"; : >"$ROOT/etc/machine-id"
printf '127.0.0.1 localhost\n%s %s\n' "$ADDRESS" "$NAME" >"$ROOT/etc/hosts"

for name in admin limited plain; do
    chroot "$ROOT" useradd --create-home --shell /bin/bash "$name"
done
for name in root admin limited plain; do
    printf '%s:%s\n' "$name" "$password" | chroot "$ROOT" chpasswd
    home=$(chroot "$ROOT" getent passwd "$name" | cut -d: -f6)
    mkdir -p "$ROOT$home/.ssh"
    cat "$KEYS/key.pub" "$KEYS/key-locked.pub" >"$ROOT$home/.ssh/authorized_keys"
    chroot "$ROOT" chown -R "$name:" "$home/.ssh"
    chmod 700 "$ROOT$home/.ssh"
done
echo 'admin ALL=(root) NOPASSWD: ALL' | put /etc/sudoers.d/admin

install -m 600 "$KEYS/host_key" "$ROOT/etc/ssh/ssh_host_ed25519_key"
install -m 644 "$KEYS/host_key.pub" "$ROOT/etc/ssh/ssh_host_ed25519_key.pub"
put /etc/ssh/sshd_config.d/test.conf <<END
Port $SSH_PORT
ListenAddress $ADDRESS
HostKey /etc/ssh/ssh_host_ed25519_key
PermitRootLogin yes
PasswordAuthentication yes
PrintMotd no
UseDNS no
MaxStartups 100
PerSourcePenalties no
END
# An older sshd does not know the last one.
mkdir -p "$ROOT/run/sshd"
chroot "$ROOT" /usr/sbin/sshd -t 2>/dev/null || sed -i /PerSourcePenalties/d "$ROOT/etc/ssh/sshd_config.d/test.conf"

# Dovecot 2.4 (Debian 13) says the place of mail and the users in other words than 2.3, after its version.
if grep -q '^VERSION_ID="12"' "$ROOT/etc/os-release"; then
    first=
    mail='mail_location = maildir:~/Maildir'
    passdb='passdb {
  driver = pam
}'
    userdb='userdb {
  driver = passwd
}'
else
    first='dovecot_config_version = 2.4.0
dovecot_storage_version = 2.4.0'
    mail='mail_driver = maildir
mail_path = ~/Maildir'
    passdb='passdb pam {
}'
    userdb='userdb passwd {
}'
fi
put /etc/dovecot/dovecot.conf <<END
$first
protocols = imap
listen = $ADDRESS
ssl = no
$mail
$passdb
$userdb
service imap-login {
  inet_listener imap {
    port = $IMAP_PORT
  }
  inet_listener imaps {
    port = 0
  }
}
END

# What restarts Dovecot must restart too. (The last name only makes systemd load that unit.)
unit webmail.service <<END
[Unit]
Requires=dovecot.service
After=dovecot.service idle.service
[Service]
ExecStart=/bin/sleep infinity
[Install]
WantedBy=multi-user.target
END
# Does not come back by itself when /run/indexer-fails-once is there.
unit indexer.service <<END
[Unit]
Requires=dovecot.service
After=dovecot.service
[Service]
ExecStartPre=/bin/sh -c 'test ! -e /run/indexer-fails-once || { rm /run/indexer-fails-once; exit 1; }'
ExecStart=/bin/sleep infinity
[Install]
WantedBy=multi-user.target
END
# Depends on it, but is not running.
unit idle.service <<END
[Unit]
Requires=dovecot.service
[Service]
ExecStart=/bin/sleep infinity
END
unit fails.service <<END
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'echo cannot open the mail store >&2; sleep 0.2; exit 1'
END
unit dies.service <<END
[Service]
ExecStart=/bin/sh -c 'sleep 0.8; echo lost the mail store >&2; sleep 0.2; exit 1'
END
unit loops.service <<END
[Unit]
StartLimitIntervalSec=0
[Service]
ExecStart=/bin/sh -c 'sleep 0.3; exit 1'
Restart=always
RestartSec=100ms
END
# Dies on demand until systemd refuses to start it.
unit limits.service <<END
[Unit]
StartLimitIntervalSec=600
StartLimitBurst=2
[Service]
ExecStart=/bin/sh -c 'test ! -e /run/limits-fails && exec sleep infinity'
END
# Looks well for longer than three seconds, and dies then.
unit short-lived.service <<END
[Unit]
StartLimitIntervalSec=0
[Service]
ExecStart=/bin/sh -c 'sleep 4; exit 1'
Restart=always
RestartSec=300ms
END
# Does its work and ends; systemd forgets it then.
unit does-its-work.service <<END
[Service]
Type=oneshot
ExecStart=/bin/true
END
unit remains.service <<END
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/true
END
# As systemd makes them of an init script, whose daemon is gone.
unit from-init-script.service <<END
[Service]
Type=forking
RemainAfterExit=yes
GuessMainPID=no
ExecStart=/bin/sh -c 'sleep 0.2 &'
END
unit slow.service <<END
[Service]
ExecStartPre=/bin/sleep 60
ExecStart=/bin/sleep infinity
TimeoutStopSec=1
END
ln -sf /dev/null "$ROOT/etc/systemd/system/masked.service"

systemctl --quiet --root="$ROOT" enable webmail.service indexer.service dovecot.service ssh.service
systemctl --quiet --root="$ROOT" mask console-getty.service apt-daily.timer apt-daily-upgrade.timer \
    dpkg-db-backup.timer fstrim.timer e2scrub_all.timer systemd-networkd.service systemd-resolved.service

# For the machine without systemd: what its init would have started.
put /start <<END
#!/bin/sh
mkdir -p /run/sshd
/etc/init.d/dovecot start
exec /usr/sbin/sshd -D -e
END
chmod 755 "$ROOT/start"
