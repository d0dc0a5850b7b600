"""Other packagings' folders, made here: the set-up finds them as their packages make them.

Only the folders are theirs. The programs are Debian's Nagios under the other names, so what is proven is
where everything goes and that an engine takes it, not that these systems run it.
"""

from __future__ import annotations

from tests.machines.private_root import PrivateRoot
from tests.machines.setup.conftest import NewRoot, tree

# As EPEL's package has it, with Debian's stock objects.
RHEL = """
rm -rf /etc/nagios
cp -a /etc/.nagios4 /etc/nagios
sed -i 's,/etc/nagios4,/etc/nagios,; s,/var/lib/nagios4/rw,/var/spool/nagios/cmd,; /^cfg_dir=.*plugins/d' \
    /etc/nagios/nagios.cfg
# Commands that Debian has in a package of their own.
for name in check-host-alive check_ping check_ssh check_http; do
    echo "define command {"; echo "command_name $name"; echo "command_line /bin/true"; echo "}"
done > /etc/nagios/conf.d/plugins.cfg
ln -s nagios4 /usr/sbin/nagios
mkdir -p /var/spool/nagios/cmd
"""
SITE = "/omd/sites/mail"
MAIN = f"{SITE}/tmp/naemon/naemon.cfg"  # noqa: S108 - a folder of the site's
RUN = f"{SITE}/tmp/run"  # noqa: S108
# An OMD site: its own user and folders, and a main file that OMD has put together. Debian has no Naemon; what
# stands for it takes Naemon's two options and leaves the rest to Nagios.
OMD = f"""
useradd --no-create-home --home-dir {SITE} mail-site
mkdir -p {SITE}/bin {SITE}/etc/naemon/conf.d $(dirname {MAIN}) {RUN} {SITE}/var/results
cat > {MAIN} <<END
cfg_dir={SITE}/etc/naemon/conf.d
command_file={RUN}/naemon.cmd
object_cache_file={RUN}/objects.cache
log_file={SITE}/var/naemon.log
check_result_path={SITE}/var/results
interval_length=60
END
cat > {SITE}/etc/naemon/conf.d/site.cfg <<END
define command {{
    command_name true
    command_line /bin/true
}}
define contact {{
    contact_name naemonadmin
    host_notification_commands true
    service_notification_commands true
}}
define host {{
    host_name site
    max_check_attempts 1
    contacts naemonadmin
}}
define service {{
    host_name site
    service_description any
    check_command true
    max_check_attempts 1
    contacts naemonadmin
}}
END
cat > {SITE}/bin/naemon <<'END'
#!/bin/sh
case $1 in
--version) echo "Naemon Core 1.5.2"; exit 3 ;;
-v) shift; set -- -v "$1" ;;
esac
for last; do :; done
sed 's/^naemon_/nagios_/; /^cached_service_check_horizon/d' "$last" > "$last.nagios"
[ $# = 1 ] || exec nagios4 -v "$last.nagios"
exec nagios4 "$last.nagios"
END
chmod 755 {SITE}/bin/naemon
chown -R mail-site: {SITE}
"""


def as_site(root: PrivateRoot, *words: str) -> tuple[str, str, int]:
    """What ``imap4-monitor`` says to the site's user, and its exit code."""
    who = ("setpriv", "--reuid", "mail-site", "--regid", "mail-site", "--init-groups")
    ended = root.run(*who, "env", f"OMD_ROOT={SITE}", f"HOME={SITE}", "imap4-monitor", *words)
    return ended.stdout, ended.stderr, ended.returncode


def test_the_folders_of_rhel(new_root: NewRoot) -> None:
    root = new_root("")
    root.shell(RHEL)
    before = tree(root)
    ended = root.run("imap4-monitor", "setup", "--yes")
    assert (ended.stderr, ended.returncode) == ("", 0)
    assert ended.stdout.startswith(
        "found   nagios 4.4.6 (RHEL and its kin (EPEL)): /usr/sbin/nagios, /etc/nagios/nagios.cfg, "
        "runs as nagios\n"
    )
    assert "  recovery: the server answers again, and the contact was told OK\n" in ended.stdout
    assert root.shell("ls /etc/nagios/conf.d/imap4 /etc/systemd/system/nagios.service.d") == (
        "/etc/nagios/conf.d/imap4:\ncheck_imap4.cfg\n\n/etc/systemd/system/nagios.service.d:\nimap4.conf\n"
    )
    drop_in = root.shell("cat /etc/systemd/system/nagios.service.d/imap4.conf")
    assert 'Environment="IMAP4_NAGIOS_COMMAND_FILE=/var/spool/nagios/cmd/nagios.cmd"\n' in drop_in
    assert root.run("imap4-monitor", "setup", "--remove", "--yes").returncode == 0
    assert tree(root) == before


def test_an_omd_site_is_set_up_by_its_user_within_the_site(new_root: NewRoot) -> None:
    root = new_root("")
    root.shell(OMD)
    by_root = root.run("imap4-monitor", "setup")
    assert by_root.returncode == 3
    assert by_root.stderr.endswith("; there are OMD sites here: run this as a site's user (omd su SITE)\n")
    before = root.shell(f"find {SITE} | sort") + tree(root)

    said, errors, code = as_site(root, "setup", "--yes")
    assert (errors, code) == ("", 0)
    assert said.startswith(f"found   naemon 1.5.2 (OMD): {SITE}/bin/naemon, {MAIN}, runs as mail-site\n")
    assert "  recovery: the server answers again, and the contact was told OK\n" in said
    assert (
        "note    for repairs, as root: install -d -o mail-site -g mail-site -m 700 /etc/check_imap4 "
        "/var/lib/check_imap4\n"
    ) in said
    as_site(root, "new", f"{SITE}/etc/imap4-monitor/mail.toml")
    change = "s/nagiosadmin/naemonadmin/; /^\\[monitor.recovery\\]/,$d"
    root.shell(f"sed -i '{change}' {SITE}/etc/imap4-monitor/mail.toml")
    said, errors, code = as_site(root, "setup", "--yes", "--no-rehearsal")
    assert (errors, code) == ("", 0)
    assert f"write   {SITE}/etc/naemon/conf.d/imap4/imap4-monitors.cfg  (1 monitor)\n" in said
    rendered = root.shell(f"cat {SITE}/etc/naemon/conf.d/imap4/*.cfg")
    assert f"--record {SITE}/var/imap4-monitor/records" in rendered
    assert f"--command-file {RUN}/naemon.cmd" in rendered

    root.shell(f"rm -rf {SITE}/etc/imap4-monitor/mail.toml {SITE}/var/imap4-monitor/*/*")
    said, errors, code = as_site(root, "setup", "--remove", "--yes")
    assert (errors, code) == ("", 0)
    root.shell(f"rm -f {MAIN}.nagios")
    assert root.shell(f"find {SITE} | sort") + tree(root) == before


def test_an_engine_built_from_source_gets_a_folder_of_its_own(new_root: NewRoot) -> None:
    root = new_root("")
    root.shell(RHEL)
    root.shell(
        "mkdir -p /usr/local/nagios/bin /usr/local/nagios/var/rw; mv /etc/nagios /usr/local/nagios/etc; "
        "rm /usr/sbin/nagios; ln -s /usr/sbin/nagios4 /usr/local/nagios/bin/nagios; "
        "cd /usr/local/nagios/etc; mv conf.d/plugins.cfg objects; "
        "sed -i 's,/etc/nagios,/usr/local/nagios/etc,; s,/var/spool/nagios/cmd,/usr/local/nagios/var/rw,; "
        "s,^cfg_dir=.*conf.d,cfg_file=/usr/local/nagios/etc/objects/plugins.cfg,' nagios.cfg; "
        "chown -R nagios: /usr/local/nagios"
    )
    before = root.shell(
        "cat /usr/local/nagios/etc/nagios.cfg; stat -c %U:%a /usr/local/nagios/etc/nagios.cfg"
    )
    ended = root.run("imap4-monitor", "setup", "--yes", "--no-rehearsal")
    assert (ended.stderr, ended.returncode) == ("", 0)
    assert "          +cfg_dir=/usr/local/nagios/etc/imap4\n" in ended.stdout
    owner = root.shell("stat -c %U:%a /usr/local/nagios/etc/imap4/check_imap4.cfg")
    assert owner == "nagios:644\n"  # as whom root writes in that user's folder
    assert root.run("imap4-monitor", "setup", "--remove", "--yes").returncode == 0
    assert (
        root.shell("cat /usr/local/nagios/etc/nagios.cfg; stat -c %U:%a /usr/local/nagios/etc/nagios.cfg")
        == before
    )
