# bash completion for imap4-monitor: put it into /etc/bash_completion.d/, or source it.

_imap4_monitor() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command=${COMP_WORDS[1]}
    local engines="nagios naemon icinga2" options=""
    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        mapfile -t COMPREPLY < <(compgen -W "validate simulate new render doctor comment records list status activity report pace --help --version" -- "$word")
        return
    fi
    [[ $word == -* ]] && before=
    case $before in
    --format)
        mapfile -t COMPREPLY < <(compgen -W "text json csv" -- "$word")
        return
        ;;
    --state)
        mapfile -t COMPREPLY < <(compgen -W "OK WARNING CRITICAL UNKNOWN" -- "$word")
        return
        ;;
    --planned)
        mapfile -t COMPREPLY < <(compgen -W "exclude include" -- "$word")
        return
        ;;
    --period)
        mapfile -t COMPREPLY < <(compgen -W "today yesterday this-week last-week this-month last-month" -- "$word")
        return
        ;;
    --status)
        mapfile -t COMPREPLY < <(compgen -W "0 1 2 3" -- "$word")
        return
        ;;
    render | doctor)
        mapfile -t COMPREPLY < <(compgen -W "$engines" -- "$word")
        return
        ;;
    records)
        mapfile -t COMPREPLY < <(compgen -W "collect import show" -- "$word")
        return
        ;;
    esac
    local programs="--check-command --monitor-command --recovery-command --command-file --records"
    programs+=" --notification-command --interval-length"
    case $command in
    validate) options="--records --store" ;;
    simulate) options="--monitor --start --length --duration --during --format" ;;
    new) options="--ask --recovery-command" ;;
    render) options="--output --existing-hosts --no-shared --replace --config $programs" ;;
    doctor) options="--file --config --define $programs" ;;
    list) options="--json --timezone --store --file --records" ;;
    status) options="--json --watch --timezone --store --file --records" ;;
    activity) options="--hours --timezone --recovery-command --repairs --store --file --records" ;;
    report)
        options="--period --from --to --monitor --target --hours --planned --planned-file --format --output --timezone"
        options+=" --recovery-command --repairs --store --file --records"
        ;;
    records) options="--store --file --keep" ;;
    comment) options="--host --service --author --status --timeout" ;;
    esac
    if [[ $word == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$options --help" -- "$word")
    else
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
    fi
}
complete -o filenames -F _imap4_monitor imap4-monitor
