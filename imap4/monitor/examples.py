"""Two command lines for each command of ``imap4-monitor``, for its help. The tests read each of them."""

from __future__ import annotations

_FILE = "/etc/imap4-monitor/mail.toml"

EXAMPLES = {
    "imap4-monitor validate": (
        f"imap4-monitor validate {_FILE}",
        "imap4-monitor validate /etc/imap4-monitor/*.toml --recovery",
    ),
    "imap4-monitor simulate": (
        f"imap4-monitor simulate {_FILE} --monitor Mail --length 30m",
        f"imap4-monitor simulate {_FILE} --monitor Mail --duration 10s --format csv",
    ),
    "imap4-monitor new": (
        f"imap4-monitor new {_FILE}",
        f"imap4-monitor new --ask {_FILE}",
    ),
    "imap4-monitor render": (
        f"imap4-monitor render nagios {_FILE} -o /etc/nagios4/conf.d/imap4",
        f"imap4-monitor render icinga2 {_FILE} -o /etc/icinga2/conf.d/imap4 --existing-hosts",
    ),
    "imap4-monitor doctor": (
        f"sudo -u nagios imap4-monitor doctor nagios -f {_FILE}",
        "imap4-monitor doctor icinga2 --config /etc/icinga2/icinga2.conf",
    ),
    "imap4-monitor setup": (
        "imap4-monitor setup --dry-run",
        "imap4-monitor setup --engine nagios --yes",
        "imap4-monitor setup --remove",
    ),
    "imap4-monitor comment": (
        "imap4-monitor comment --host mail --service Mail 'new certificate since 10:00'",
        "imap4-monitor comment --host mail --service Mail --status 0 'tested by hand: works'",
    ),
    "imap4-monitor records collect": (
        f"imap4-monitor records collect -f {_FILE}",
        "imap4-monitor records collect --keep 90d",
    ),
    "imap4-monitor records import": (
        "imap4-monitor records import /var/log/nagios4/nagios.log /var/log/nagios4/archives/*.log",
        f"imap4-monitor records import -f {_FILE} /var/spool/icinga2/perfdata/*",
    ),
    "imap4-monitor records show": (
        "imap4-monitor records show",
        "imap4-monitor records show --store /srv/imap4-monitor/store",
    ),
    "imap4-monitor list": (
        f"imap4-monitor list {_FILE}",
        f"imap4-monitor list {_FILE} --json",
    ),
    "imap4-monitor status": (
        f"imap4-monitor status {_FILE}",
        f"imap4-monitor status {_FILE} --watch",
    ),
    "imap4-monitor activity": (
        f"imap4-monitor activity Mail -f {_FILE}",
        f"imap4-monitor activity Mail -f {_FILE} --hours 168",
    ),
    "imap4-monitor report": (
        f"imap4-monitor report -f {_FILE} --period last-month",
        f"imap4-monitor report -f {_FILE} --period last-week --format html -o /var/www/html/mail.html",
    ),
}
