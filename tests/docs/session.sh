# What comes before the commands of a page: a machine on which Pombo runs already, and functions that
# let a command that goes on running go on in the background. LOGS and FILES are folders.
set -euo pipefail

mount -t tmpfs tmpfs /mnt
mkdir /mnt/upper /mnt/work
mount -t overlay overlay -o lowerdir=/etc,upperdir=/mnt/upper,workdir=/mnt/work /etc
echo '127.0.0.1 localhost EXPORTER HOST exporter.example.org exporter-1.example.org' \
    'exporter-2.example.org' >/etc/hosts
ip link set lo up
ip address add 10.8.0.1/32 dev lo

fail() {
    echo "$*" >&2
    exit 1
}

# Start a program of a name, in place of one of the same name, and wait for a line of its log.
start() {
    local name=$1 line=$2
    shift 2
    stop "$name"
    command "$@" >"$LOGS/$name" 2>&1 &
    echo $! >"$LOGS/$name.pid"
    for _ in {1..300}; do
        if grep -q "$line" "$LOGS/$name"; then return; fi
        kill -0 $! || break
        sleep 0.1
    done
    cat "$LOGS/$name" >&2
    fail "$* does not say: $line"
}

stop() {
    local pid
    if [ -e "$LOGS/$1.pid" ]; then
        pid=$(<"$LOGS/$1.pid")
        rm "$LOGS/$1.pid"
        kill "$pid"
        wait "$pid" || true
    fi
}

pombo-exporter() {
    case ${1-} in
        keygen | enroll | top | decode | --version | --help) command pombo-exporter "$@" ;;
        *) start exporter 'exporter listens' pombo-exporter "$@" ;;
    esac
}

pombo-agent() {
    case " $* " in
        ' check '* | *' --once '* | *' --version '* | *' --help '*) command pombo-agent "$@" ;;
        *' --key-file='*) start agent 'exporter answers' pombo-agent "$@" --interval=200ms ;;
        *)
            start agent 'agent started' pombo-agent "$@" --interval=200ms
            reports || fail "the host does not report: $*"
            ;;
    esac
}

# Wait until the exporter shows a host that is up.
reports() {
    for _ in {1..300}; do
        if curl -s http://localhost:5005/metrics | grep -q '^pombo_host_up.* 1$'; then return; fi
        sleep 0.1
    done
    return 1
}

install -d /etc/pombo
cp "$FILES"/* /etc/pombo
command pombo-exporter keygen /etc/pombo/keys
command pombo-exporter enroll web-1 --seal.key-file=/etc/pombo/keys --format=key |
    install -m 0600 /dev/stdin /etc/pombo/agent.key
pombo-exporter --seal.key-file=/etc/pombo/keys
pombo-agent --server=localhost --label=rack=7
