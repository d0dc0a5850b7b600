"""Two command lines for each command of ``imap4-recovery``, for its help. The tests read each of them."""

from __future__ import annotations

_MAIL1 = "--machine mail1.example.org --credential mail"
_EVENT = "--state CRITICAL --state-type HARD --output '[connect.refused]'"

EXAMPLES = {
    "imap4-recovery restart-service": (
        f"imap4-recovery restart-service {_MAIL1} --service dovecot --dry-run",
        f"imap4-recovery restart-service {_MAIL1} --service dovecot "
        "--verify '/usr/lib/nagios/plugins/check_imap4 -H mail1.example.org'",
        f"imap4-recovery restart-service {_MAIL1} --service dovecot {_EVENT} --detach",
    ),
    "imap4-recovery reboot-server": (
        f"imap4-recovery reboot-server {_MAIL1} --verify 'check_imap4 -H mail1.example.org'",
        "imap4-recovery reboot-server --machine exchange1 --credential windows --during-updates",
    ),
    "imap4-recovery external-process": (
        f"imap4-recovery external-process {_MAIL1} -- /usr/local/sbin/unstick {{service}}",
        f"imap4-recovery external-process {_MAIL1} --env WHY=alert -- /usr/local/sbin/note '{{output}}'",
    ),
    "imap4-recovery pause": (
        "imap4-recovery pause --for 8h --why 'new kernel on all machines'",
        "imap4-recovery pause --for 30m --machine 'mail*.example.org' --action reboot-server "
        "--why 'RAID rebuild'",
    ),
    "imap4-recovery resume": (
        "imap4-recovery resume 7",
        "imap4-recovery resume --all",
    ),
    "imap4-recovery status": (
        "imap4-recovery status",
        "imap4-recovery status --all --json",
    ),
    "imap4-recovery rehearse": (
        "imap4-recovery rehearse /etc/check_imap4/monitors.toml --offline",
        "imap4-recovery rehearse --last --max-age 2d",
    ),
    "imap4-recovery services": (
        f"imap4-recovery services {_MAIL1}",
        f"imap4-recovery services {_MAIL1} 'dove*'",
    ),
    "imap4-recovery doctor": (
        f"sudo -u nagios imap4-recovery doctor {_MAIL1} --service dovecot",
        "imap4-recovery doctor --machine exchange1 --credential windows --service MSExchangeIMAP4",
    ),
    "imap4-recovery machines": (
        "imap4-recovery machines",
        "imap4-recovery machines --known-hosts ~nagios/.ssh/known_hosts --json",
    ),
    "imap4-recovery credentials add": (
        "imap4-recovery credentials add mail --account recovery --private-key-file ~nagios/.ssh/recovery "
        "--become --machines 'mail*.example.org' --actions restart-service",
        "imap4-recovery credentials add windows --account 'EXAMPLE\\svc' --method winrm-ntlm "
        "--password-prompt --machines 'exchange*' --actions all",
    ),
    "imap4-recovery credentials set": (
        "imap4-recovery credentials set mail --machines 'mail*.example.org,192.0.2.0/24'",
        "pass show mail9 | imap4-recovery credentials set mail9 --password-stdin",
    ),
    "imap4-recovery credentials list": (
        "imap4-recovery credentials list",
        "imap4-recovery credentials list --json",
    ),
    "imap4-recovery credentials show": (
        "imap4-recovery credentials show mail",
        "imap4-recovery credentials show mail --json",
    ),
    "imap4-recovery credentials remove": (
        "imap4-recovery credentials remove mail",
        "imap4-recovery credentials remove mail --credentials /srv/test/credentials",
    ),
    "imap4-recovery credentials rekey": (
        "imap4-recovery credentials rekey",
        "imap4-recovery credentials rekey --credentials /srv/test/credentials --key /srv/test/key",
    ),
    "imap4-recovery credentials test": (
        "imap4-recovery credentials test mail --machine mail1.example.org",
        "imap4-recovery credentials test windows --machine exchange1 --port 5985",
    ),
    "imap4-recovery history list": (
        "imap4-recovery history list",
        "imap4-recovery history list --machine mail1.example.org --since 7d --action restart-service",
    ),
    "imap4-recovery history show": (
        "imap4-recovery history show 42",
        "imap4-recovery history show 42 --json",
    ),
    "imap4-recovery history prune": (
        "imap4-recovery history prune --older-than 400d",
        "imap4-recovery history prune --older-than 90d --state-folder /srv/test/state",
    ),
}
