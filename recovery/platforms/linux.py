"""What all Linux machines share: which run of the machine this is (proc(5), random(4))."""

from __future__ import annotations

from recovery.platforms import MARKER, MachineFacts

BOOT_SCRIPT = f"""\
export LC_ALL=C
echo "boot_id=$(cat /proc/sys/kernel/random/boot_id)"
set -- $(sed 's/.*) //' /proc/1/stat)
shift 19
echo "first_process=$1"
echo "ticks=$(getconf CLK_TCK 2>/dev/null || echo 100)"
echo "now=$(sed 's/.*) //' "/proc/$$/stat" | cut -d' ' -f20)"
machine_id=$(cat /etc/machine-id 2>/dev/null || cat /var/lib/dbus/machine-id 2>/dev/null)
echo "machine_id=$machine_id"
[ -e {MARKER} ] && echo "marker=yes"
"""


def parse_machine(text: str) -> MachineFacts:
    """The machine's facts from the ``KEY=VALUE`` lines of ``BOOT_SCRIPT`` (and ``reboot=WHY``)."""
    values = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    first = values.get("first_process", "")
    # Process 1's own age, not the kernel's: in a container the kernel is older. By our own process, not
    # by /proc/uptime: lxcfs shows the container's there, while a process's begin is told as the host's.
    age = int(values.get("now") or 0) - int(first or 0)
    return MachineFacts(
        boot_id=values.get("boot_id", ""),
        first_process=first,
        uptime=max(0.0, age / int(values.get("ticks") or 100)),
        machine_id=values.get("machine_id", ""),
        marker="marker" in values,
        reboot=values.get("reboot", ""),
        scheduled=values.get("scheduled", ""),
        scheduled_in=float(values.get("scheduled_in") or 0),
    )
