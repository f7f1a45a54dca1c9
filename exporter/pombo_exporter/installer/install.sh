#!/bin/sh
# Installs the Pombo agent on this host, or removes it. An exporter serves this file.
#
# It changes nothing until it has found a Python, a place for the agent and the key. The agent is
# downloaded from --from, and used only if it has the checksum that stands in this file. Everything
# is in main, so that half of this file does nothing.
#
# Exit codes: 0 done, 1 something failed, 2 wrong flags, 3 no agent for this host or no Python for
# the agent, 4 the download is broken, 5 the key is wrong, 6 installed, and something is wrong.
set -eu

usage() {
    cat <<'END'
Usage: sh install.sh --from=URL --server=HOST[:PORT]|URL [FLAG]...

Installs the Pombo agent: as root for the system, otherwise for the user who runs this.
To run it again upgrades the agent.

  --from=URL       Where the exporter serves agents, such as http://EXPORTER:5005/join
  --server=SERVER  Exporter to report to
  --name=NAME      Name of this host. The key must be for this name.
  --key-file=FILE  File with the key, - for standard input. Without it, the key is asked for.
  --no-key         Do not seal reports
  --python=FILE    Python to run the agent with. Default: the first one that fits
  --dry-run        Say what would be installed, and change nothing
  --uninstall      Remove all that was installed
  --help           Show this text
END
}

# SHA-256, bytes and name of each agent that the exporter serves.
agents() {
    cat <<'END_OF_AGENTS'
@AGENTS@
END_OF_AGENTS
}

# The systemd unit. What differs here is in a file of its own, see drop_in.
unit() {
    cat <<'END_OF_UNIT'
@UNIT@
END_OF_UNIT
}

drop_in() {
    cat <<'END'
# The unit beside this folder is as Pombo has it. This one-file agent unpacks itself before it runs.
[Service]
CacheDirectory=pombo-agent
END
}

# A user's systemd cannot hide parts of the system, so this unit is shorter.
user_unit() {
    cat <<'END'
[Unit]
Description=Pombo agent, sends this host's metrics to exporters
StartLimitIntervalSec=0

[Service]
# The agent unpacks itself there.
Environment=PEX_ROOT=%h/.cache/pombo-agent
ExecStart=%h/.local/bin/pombo-agent --config.file=%h/.config/pombo/agent.yml
Restart=always
RestartSec=5
NoNewPrivileges=yes
LimitCORE=0
UMask=0077

[Install]
WantedBy=default.target
END
}

# --- programs in Python ---
# They run with -I: otherwise Python imports from the present folder, which may be another user's.

# Prints version, bits, C library and path of a Python; fails where a module is missing.
PROBE='
import sys
version = "%d.%d" % sys.version_info[:2]
if (3, 10) <= sys.version_info[:2] <= (3, 13):
    import ctypes, hashlib, ssl, struct, urllib.request, zipfile
    with open("/proc/self/maps") as file:
        musl = "/ld-musl-" in file.read()
    path = getattr(sys, "_base_executable", None) or sys.executable
    print(version, struct.calcsize("P") * 8, "musl" if musl else "glibc", path)
else:
    print(version)
'

# Reads a key from standard input, and fails where it is none, or for another name than that given.
CHECK_KEY='
import base64, hashlib, os, string, sys
text, wanted = sys.stdin.readline().strip(), os.fsencode(sys.argv[1])
def refuse(why):
    sys.stderr.write("install.sh: " + why + "\n")
    sys.exit(1)
if not text:
    refuse("no key was given: it is the line of pombo-exporter enroll that begins with phk1_")
if text.startswith("pfk1_"):
    refuse("this is the key of the fleet, which stays at the exporter: give the key of this host")
if not text.startswith("phk1_"):
    refuse("this is not the key of a host, which begins with phk1_")
encoded = text[len("phk1_"):]
if set(encoded) - set(string.ascii_letters + string.digits + "-_"):
    refuse("the key has a character that no key has: copy it again")
try:
    whole = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
except ValueError:
    whole = b""
inside, check = whole[:-4], whole[-4:]
if len(inside) < 38 or hashlib.blake2b(inside, digest_size=32).digest()[:4] != check:
    refuse("the key is cut or mistyped: copy it again")
name = inside[37:]
if wanted and name != wanted:
    found, wanted = ascii(name.decode("utf-8", "replace")), ascii(os.fsdecode(wanted))
    refuse("the key is for the host " + found + ", not for " + wanted + ": make the right one with pombo-exporter enroll")
'

# Prints the configuration: server, key file and name are set, other lines of the old file stay.
CONFIGURE='
import os, sys
path, server, key_file, name = sys.argv[1:]
def quoted(text):
    plain = (c if c.isprintable() and c not in "\"\\" else "\\U%08x" % ord(c) for c in text)
    return "\"" + "".join(plain) + "\""
sys.stdout.reconfigure(encoding="utf-8")
values = {"server": server, "key-file": key_file, "name": os.fsencode(name).decode("utf-8")}
try:
    with open(path, encoding="utf-8") as file:
        lines = file.read().splitlines()
except FileNotFoundError:
    lines = ["# Flags of pombo-agent by their names: see pombo-agent --help."]
dropping = False
for line in lines:
    if line[:1] not in (" ", "\t", "-", "#", ""):
        dropping = line.partition(":")[0].strip() in values
    if not dropping or line.startswith("#"):
        print(line)
for key, value in values.items():
    if value:
        print(key + ": " + quoted(value))
'

# Runs a command as a user.
AS_USER='
import os, pwd, sys
entry = pwd.getpwnam(sys.argv[1])
os.setgroups([])
os.setgid(entry.pw_gid)
os.setuid(entry.pw_uid)
os.environ["HOME"] = "/nonexistent"
os.chdir("/")
os.execv(sys.argv[2], sys.argv[2:])
'

# start PIDFILE LOG COMMAND... runs a command in the background.
# stop PIDFILE ends it.
BACKGROUND='
import os, signal, sys, time
def started(pid_file, log, *command):
    log_file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    child = os.fork()
    if child:
        with open(pid_file, "w") as file:
            file.write("%d\n" % child)
        return
    os.setsid()
    os.chdir("/")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(log_file, 1)
    os.dup2(log_file, 2)
    os.execv(command[0], command)
def stopped(pid_file):
    try:
        with open(pid_file) as file:
            pid = int(file.read())
        with open("/proc/%d/cmdline" % pid, "rb") as file:
            if b"pombo-agent" not in file.read():
                return
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + 10
        while os.path.exists("/proc/%d" % pid) and time.monotonic() < deadline:
            time.sleep(0.05)
    except (OSError, ValueError):
        return
(started if sys.argv[1] == "start" else stopped)(*sys.argv[2:])
'

# --- words ---

say() { printf '%s\n' "$*"; }

fail() {
    code=$1
    shift
    printf 'install.sh: %s\n' "$*" >&2
    exit "$code"
}

# A word of a command, quoted for a shell.
quoted() { printf "'%s'" "$(printf '%s' "$1" | sed "s/'/'\\\\''/g")"; }

# --- what this host has ---

# What to install where no Python fits, by the distribution.
python_remedy() {
    id=
    if [ -r /etc/os-release ]; then
        # shellcheck disable=SC1091
        id=$(. /etc/os-release && printf '%s' " ${ID:-} ${ID_LIKE:-} ")
    fi
    case $id in
        *' ubuntu '* | *' debian '*)
            say 'apt-get install python3 (Debian 12, Ubuntu 22.04 or later)' ;;
        *' rhel '* | *' centos '*) say 'dnf install python3.11' ;;
        *' fedora '*) say 'dnf install python3.13' ;;
        *' alpine '*) say 'apk add python3 (Alpine 3.16 to 3.22)' ;;
        *' suse '* | *' opensuse '*) say 'zypper install python311' ;;
        *) say 'install Python 3.10, 3.11, 3.12 or 3.13' ;;
    esac
}

# Sets python, and version, bits and libc of it.
find_python() {
    python='' seen=''
    set -- python3 python3.13 python3.12 python3.11 python3.10
    [ -z "$python_from" ] || set -- "$python_from"
    for each; do
        command -v "$each" >/dev/null || continue
        if ! about=$("$each" -I -c "$PROBE" 2>/dev/null); then
            seen="$seen; $(command -v "$each") lacks modules of Python's standard library"
            continue
        fi
        case $about in
            *' '*)
                version=${about%% *} about=${about#* }
                bits=${about%% *} about=${about#* }
                libc=${about%% *} python=${about#* }
                return
                ;;
            *) seen="$seen; $(command -v "$each") is Python $about" ;;
        esac
    done
    fail 3 "the agent needs Python 3.10, 3.11, 3.12 or 3.13${seen:-; there is no python3}." \
        "Remedy: $(python_remedy)"
}

# Sets file, sum and bytes of the agent for this host.
find_agent() {
    [ "$(uname -s)" = Linux ] || fail 3 "these agents are for Linux, and this is $(uname -s)"
    case $(uname -m) in
        x86_64 | amd64) machine=x86_64 ;;
        aarch64 | arm64) machine=aarch64 ;;
        *) machine=$(uname -m) ;;
    esac
    [ "$bits" = 64 ] || machine="$machine, 32 bits"
    file="pombo-agent-linux-$machine-$libc.pex"
    if ! line=$(agents | grep -F " $file"); then
        fail 3 "the exporter has no agent for this host ($machine, $libc). It has:" \
            "$(agents | sed 's/.* //' | tr '\n' ' ')" \
            "Other ways to install the agent are in Pombo's docs/install.md"
    fi
    sum=${line%% *}
    line=${line#* }
    size=${line%% *}
}

# Sets where everything is.
find_places() {
    if [ "$(id -u)" = 0 ]; then
        as_root=yes user=pombo-agent
        lib=/opt/pombo-agent bin=/usr/local/bin etc=/etc/pombo
        log=/var/log/pombo-agent.log cache=/var/cache/pombo-agent
    else
        as_root='' user=''
        case ${HOME:-} in
            /*) ;;
            *) fail 1 'HOME is not set: set it to your home directory' ;;
        esac
        lib=$HOME/.local/share/pombo-agent bin=$HOME/.local/bin etc=$HOME/.config/pombo
        log=$HOME/.local/share/pombo-agent/log cache=$HOME/.cache/pombo-agent
    fi
    command=$bin/pombo-agent config=$etc/agent.yml key_file=$etc/agent.key
    pid_file=$lib/pid
    units=''
    if [ "$as_root" ] && [ -d /run/systemd/system ]; then
        manager=systemd units=/etc/systemd/system
    elif [ ! "$as_root" ] && user_systemd; then
        manager='systemd --user' units=$HOME/.config/systemd/user
    else
        manager=none
    fi
}

# Whether systemd runs services of this user.
user_systemd() {
    if [ -z "${XDG_RUNTIME_DIR:-}" ] && [ -d "/run/user/$(id -u)" ]; then
        XDG_RUNTIME_DIR=/run/user/$(id -u)
        export XDG_RUNTIME_DIR
    fi
    systemctl --user show-environment >/dev/null 2>&1
}

# Fails where a folder cannot be written to, or has too little space.
check_folders() {
    needed=$((size * 5 / 1024 + 1024)) # packed, unpacked twice while it is upgraded
    for each in "$lib" "$bin" "$etc" ${units:+"$units"}; do
        while [ ! -d "$each" ]; do each=$(dirname "$each"); done
        [ -w "$each" ] || fail 1 "$each cannot be written to: make it writable, or" \
            "run this as $(if [ "$as_root" ]; then say 'an ordinary user'; else say root; fi)"
    done
    each=$lib
    while [ ! -d "$each" ]; do each=$(dirname "$each"); done
    free=$("$python" -I -c '
import os, sys
found = os.statvfs(sys.argv[1])
print(found.f_bavail * found.f_frsize // 1024)
' "$each")
    [ "$free" -ge "$needed" ] ||
        fail 1 "$each has $free KiB free, and the agent needs $needed KiB: free some space"
}

# --- the key ---

# Reads the key into a variable, from a file, standard input or the terminal.
read_key() {
    key=''
    if [ "$key_from" = - ] || { [ -z "$key_from" ] && [ ! -t 0 ]; }; then
        IFS= read -r key || [ "$key" ] || true
    elif [ "$key_from" ]; then
        IFS= read -r key <"$key_from" || [ "$key" ] || fail 5 "$key_from has no key"
    else
        # Before the prompt, since a key may be pasted as soon as it is asked for.
        terminal=$(stty -g)
        stty -echo
        printf 'Paste the key of this host (it is not shown), then press Enter: '
        IFS= read -r key || true
        stty "$terminal"
        terminal=''
        say ''
    fi
}

# Reads a key that is right; on a terminal, a wrong one may be given again. The one of an earlier
# installation stays where none is given.
get_key() {
    tries=1
    if [ -z "$key_from" ] && [ -t 0 ]; then tries=3; fi
    while :; do
        read_key
        if [ -z "$key" ] && [ -s "$key_file" ]; then
            IFS= read -r key <"$key_file" || true
            say "The key in $key_file stays."
        fi
        # A here-document, so that no list of processes has the key.
        "$python" -I -c "$CHECK_KEY" "$name" <<END && return
$key
END
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || exit 5
    done
}

# --- the download ---

fetch() {
    if command -v curl >/dev/null; then
        curl --fail --silent --show-error --location --retry 5 --output "$2" "$1"
    elif command -v wget >/dev/null; then
        wget -q -O "$2" "$1"
    else
        "$python" -I -c '
import shutil, sys, urllib.request
try:
    with urllib.request.urlopen(sys.argv[1]) as answer, open(sys.argv[2], "wb") as file:
        shutil.copyfileobj(answer, file)
except OSError as error:
    sys.exit(str(error))
' "$1" "$2"
    fi
}

sum_of() {
    "$python" -I -c '
import hashlib, sys
with open(sys.argv[1], "rb") as file:
    print(hashlib.sha256(file.read()).hexdigest())
' "$1"
}

# Downloads the agent beside its place, and fails unless it is the one that this file names.
download() {
    url=$from/agents/$file
    # What is no agent may have no end: the file gets no longer than this, in units of 512 bytes.
    (ulimit -f $((size / 512 + 1)) && fetch "$url" "$lib/new.pex") || fail 4 "cannot download $url to $lib: see the line above"
    found=$(sum_of "$lib/new.pex")
    [ "$found" = "$sum" ] || fail 4 "$url is not the agent that this installer was made for." \
        "SHA-256 $found, expected $sum, bytes $(wc -c <"$lib/new.pex"), expected $size." \
        'Run pombo-exporter enroll again, and the command that it prints. If that does not help,' \
        'restart the exporter; if that does not help either, something between changes the file'
}

# Lets the new agent unpack itself, and fails unless it starts. What the old one had unpacked is
# removed, so the old one is stopped.
try_agent() {
    if [ ! -e "$lib/pombo-agent.pex" ]; then
        rm -rf "$cache"
    elif [ "$(sum_of "$lib/pombo-agent.pex")" != "$sum" ]; then
        was_stopped=yes
        stop_service
        rm -rf "$cache"
    fi
    if [ "$as_root" ]; then
        make_user
        mkdir -p "$cache"
        chown "$user" "$cache"
        chmod 700 "$cache"
    fi
    said=$(run_agent "$lib/new.pex" --version 2>&1) || fail 1 "the agent does not start: $said"
    installed=${said##* }
}

# Runs the agent as the service does: root must not run what another user can change.
run_agent() {
    if [ "$as_root" ]; then
        PEX_ROOT=$cache "$python" -I -c "$AS_USER" "$user" "$python" "$@"
    else
        PEX_ROOT=$cache "$python" "$@"
    fi
}

# --- steps ---

plan() {
    say "Pombo agent: $file, $size bytes, for Python $version at $python."
    say "From:        $from"
    say "Reports to:  $server$(if [ "$no_key" ]; then say ', not sealed'; else say ', sealed'; fi)"
    say "Service:     $(
        case $manager in
            systemd) say "pombo-agent, by systemd, as the user $user" ;;
            'systemd --user') say 'pombo-agent, by the systemd of this user' ;;
            *) say 'none: systemd does not run here, so the agent is started in the background' ;;
        esac
    )"
    say 'Files:'
    listed "$lib" 'the agent, and this installer'
    listed "$command" 'starts the agent'
    listed "$config" 'configuration'
    [ "$no_key" ] || listed "$key_file" "key, for ${user:-this user} alone"
    listed "$cache" 'where the agent unpacks itself'
    [ -z "$units" ] || listed "$units/pombo-agent.service" 'the unit of the service'
    [ "$manager" != systemd ] ||
        listed "$units/pombo-agent.service.d/install.conf" 'what differs on this host'
    [ -z "$as_root" ] || say "User:        $user, a system user without a home"
    say ''
}

listed() { printf '  %s  (%s)\n' "$1" "$2"; }

# Writes standard input to a file, which others see only when it is whole.
write() {
    if ! { cat >"$1.new" && chmod "$2" "$1.new" && mv "$1.new" "$1"; }; then
        fail 1 "cannot write $1"
    fi
}

make_user() {
    if id "$user" >/dev/null 2>&1; then return; fi
    shell=/bin/false
    for each in /usr/sbin/nologin /sbin/nologin; do
        if [ -x "$each" ]; then shell=$each; fi
    done
    if command -v useradd >/dev/null; then
        useradd --system --user-group --no-create-home --home-dir /nonexistent \
            --shell "$shell" "$user"
    else # BusyBox
        addgroup -S "$user"
        adduser -S -D -H -h /nonexistent -s "$shell" -G "$user" "$user"
    fi || fail 1 "cannot make the user $user"
    : >"$lib/made-user"
}

write_files() {
    mkdir -p "$bin" "$etc"
    write "$command" 755 <<END
#!/bin/sh
# Runs the Pombo agent with the Python that $lib/install.sh has found.
exec $(quoted "$python") $(quoted "$lib/pombo-agent.pex") "\$@"
END
    mv "$lib/new.pex" "$lib/pombo-agent.pex"
    if [ "$no_key" ]; then
        rm -f "$key_file"
        configured=$("$python" -I -c "$CONFIGURE" "$config" "$server" '' "$name")
    else
        (
            umask 077
            cat >"$key_file.new" <<END
$key
END
        ) || fail 1 "cannot write $key_file"
        [ -z "$as_root" ] || chown "$user" "$key_file.new"
        mv "$key_file.new" "$key_file"
        configured=$("$python" -I -c "$CONFIGURE" "$config" "$server" "$key_file" '')
    fi
    write "$config" 644 <<END
$configured
END
    write "$lib/install.sh" 644 <"$0"
}

start_service() {
    case $manager in
        systemd)
            mkdir -p "$units/pombo-agent.service.d"
            unit | write "$units/pombo-agent.service" 644
            drop_in | write "$units/pombo-agent.service.d/install.conf" 644
            systemctl daemon-reload
            systemctl enable --quiet pombo-agent
            systemctl restart pombo-agent
            ;;
        'systemd --user')
            mkdir -p "$units"
            user_unit | write "$units/pombo-agent.service" 644
            systemctl --user daemon-reload
            systemctl --user enable --quiet pombo-agent
            systemctl --user restart pombo-agent
            ;;
        *)
            stop_service
            start_background
            ;;
    esac || fail 1 'the agent is installed, and its service cannot be started: see the line above'
}

stop_service() {
    case $manager in
        systemd) systemctl stop pombo-agent ;;
        'systemd --user') systemctl --user stop pombo-agent ;;
        *) [ ! -e "$pid_file" ] || "$python" -I -c "$BACKGROUND" stop "$pid_file" ;;
    esac
}

start_background() {
    as_user=''
    [ -z "$as_root" ] || as_user="$(quoted "$python") -I -c $(quoted "$AS_USER") $(quoted "$user")"
    write "$lib/start" 755 <<END
#!/bin/sh
# Starts the agent in the background.
PEX_ROOT=$(quoted "$cache")
export PEX_ROOT
exec $(quoted "$python") -I -c $(quoted "$BACKGROUND") start \\
    $(quoted "$pid_file") $(quoted "$log") $as_user \\
    $(quoted "$python") $(quoted "$lib/pombo-agent.pex") --config.file=$(quoted "$config")
END
    "$lib/start"
}

# Whether the service goes on running.
runs() {
    case $manager in
        systemd) systemctl is-active --quiet pombo-agent ;;
        'systemd --user') systemctl --user is-active --quiet pombo-agent ;;
        *) kill -0 "$(cat "$pid_file")" 2>/dev/null ;;
    esac
}

# Whether all is well, as the agent's own check says.
is_well() {
    say 'pombo-agent check:'
    run_agent "$lib/pombo-agent.pex" check --config.file="$config"
}

how_to() {
    uninstall="sh $(quoted "$lib/install.sh") --uninstall"
    case $manager in
        systemd) logged='journalctl --unit=pombo-agent' ;;
        'systemd --user') logged='journalctl --user --unit=pombo-agent' ;;
        *) logged="tail $(quoted "$log")" ;;
    esac
    say ''
    say "Agent $installed is installed."
    say "  Log:            $logged"
    say "  Configuration:  $config"
    say "  Undo:           $uninstall"
    case $manager in
        'systemd --user')
            say "  It ends when you log out, unless you run:  loginctl enable-linger" ;;
        none)
            say "  It does not start with the system. Let something run this at the boot:" \
                "$(quoted "$lib/start")" ;;
    esac
}

install_agent() {
    find_python
    find_agent
    find_places
    if [ "$as_root" ] && [ -e /lib/systemd/system/pombo-agent.service ]; then
        fail 1 'a package has installed pombo-agent: write the server into /etc/pombo/agent.yml,' \
            'or remove the package first'
    fi
    plan
    check_folders
    if [ "$dry_run" ]; then
        say 'Nothing was changed, because of --dry-run.'
        return
    fi
    [ "$no_key" ] || get_key
    [ -e "$lib" ] || is_incomplete=yes
    mkdir -p "$lib"
    download
    try_agent
    write_files
    is_incomplete=''
    start_service
    was_stopped=''
    well=yes
    is_well || well=''
    how_to
    runs || fail 1 'the agent does not go on running: see its log'
    [ "$well" ] || fail 6 'the agent goes on trying, and pombo-agent check says above what is wrong'
}

uninstall_agent() {
    find_places
    [ -e "$lib" ] || fail 1 "nothing is installed in $lib"
    case $manager in
        systemd) systemctl disable --now --quiet pombo-agent ;;
        'systemd --user') systemctl --user disable --now --quiet pombo-agent ;;
        *)
            find_python
            stop_service
            ;;
    esac || true
    if [ "$units" ]; then
        rm -rf "$units/pombo-agent.service" "$units/pombo-agent.service.d"
        if [ "$as_root" ]; then systemctl daemon-reload; else systemctl --user daemon-reload; fi
    fi
    rm -f "$command" "$config" "$key_file"
    [ -z "$as_root" ] || rm -f "$log"
    rmdir "$etc" 2>/dev/null || true
    remove_agent
    say 'The Pombo agent is removed.'
}

remove_agent() {
    if [ -e "$lib/made-user" ]; then
        if command -v userdel >/dev/null; then userdel "$user"; else deluser "$user"; fi
    fi
    rm -rf "$lib" "$cache"
    # Where it has unpacked itself for `pombo-agent check` of root.
    [ -z "$as_root" ] || rm -rf "${HOME:-/root}/.cache/pombo-agent"
}

clean_up() {
    [ -z "$terminal" ] || stty "$terminal"
    if [ "$lib" ]; then rm -f "$lib/new.pex" "$command.new" "$config.new" "$key_file.new"; fi
    if [ "$is_incomplete" ]; then
        rm -f "$command"
        remove_agent
    elif [ "$was_stopped" ]; then
        start_service
    fi
}

main() {
    from='' server='' name='' key_from='' no_key='' python_from='' dry_run=''
    action=install_agent terminal='' lib='' is_incomplete='' was_stopped=''
    for each; do
        value=${each#*=}
        case $each in
            --from=*) from=${value%/} ;;
            --server=*) server=$value ;;
            --name=*) name=$value ;;
            --key-file=*) key_from=$value ;;
            --no-key) no_key=yes ;;
            --python=*) python_from=$value ;;
            --dry-run) dry_run=yes ;;
            --uninstall) action=uninstall_agent ;;
            --help)
                usage
                return
                ;;
            *)
                usage >&2
                fail 2 "unknown flag: $each"
                ;;
        esac
    done
    if [ "$action" = install_agent ]; then
        case $from in
            http://?* | https://?*) ;;
            *) fail 2 'give --from=http://EXPORTER:5005/join, where the exporter serves agents' ;;
        esac
        [ "$server" ] || fail 2 'give --server=EXPORTER, which the agent reports to'
        [ -z "$no_key" ] || [ -z "$key_from" ] || fail 2 'give --key-file or --no-key, not both'
    fi
    umask 022
    # Root's may have folders that only root can read, or those of another user.
    system=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
    if [ "$(id -u)" = 0 ]; then PATH=$system; else PATH=$PATH:$system; fi
    trap clean_up EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    "$action"
}

main "$@"
