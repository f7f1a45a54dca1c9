"""deploy/kubernetes: valid by the schemas of Kubernetes, and true of the programs."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import click
import kubernetes_validate  # type: ignore[import-untyped]
import pytest
from pombo_agent.options import command as agent_command
from pombo_agent.settings import Options as AgentOptions
from pombo_exporter.options import Options as ExporterOptions
from pombo_exporter.options import command as exporter_command
from ruamel.yaml import YAML
from support.processes import ROOT
from support.sealing import KeyFiles

FOLDER = ROOT / "deploy/kubernetes"

#: The newest version whose schemas the validator has, and the oldest that still gets fixes.
VERSIONS = ("1.37", "1.34")

#: What Kubernetes itself does not know: files of kustomize, and objects of the Prometheus Operator.
_OF_OTHERS = {"Kustomization", "PodMonitor"}

_SET_BY_CLUSTER = {"NODE_NAME": "node-1"}

Object = dict[str, Any]


@cache
def loaded(path: Path) -> Object:
    found: Object = YAML(typ="safe").load(path)
    return found


def manifests() -> dict[str, Object]:
    """Return all objects, by their kinds and names."""
    found = {}
    for path in sorted(FOLDER.rglob("*.yaml")):
        each = loaded(path)
        if each["kind"] != "Kustomization":
            found[f"{each['kind']} {each['metadata']['name']}"] = each
    return found


OBJECTS = manifests()
AGENT = OBJECTS["DaemonSet pombo-agent"]
EXPORTER = OBJECTS["StatefulSet pombo-exporter"]
SERVICE = OBJECTS["Service pombo-exporter"]
WORKLOADS = {"agent": AGENT, "exporter": EXPORTER}


def pod(workload: Object) -> Object:
    found: Object = workload["spec"]["template"]["spec"]
    return found


def container(workload: Object) -> Object:
    [found] = pod(workload)["containers"]
    return dict(found)


def containers(workload: Object) -> list[Object]:
    return [*pod(workload).get("initContainers", []), container(workload)]


def arguments(workload: Object, files: dict[str, Path]) -> list[str]:
    """Return what a container's program is started with; ``files`` stand for those in it."""
    found = []
    for argument in container(workload)["args"]:
        text = re.sub(r"\$\((\w+)\)", lambda match: _SET_BY_CLUSTER[match[1]], argument)
        for path, own in files.items():
            text = text.replace(f"={path}", f"={own}")
        found.append(text)
    return found


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    "name", [name for name, each in OBJECTS.items() if each["kind"] not in _OF_OTHERS]
)
def test_object_is_valid_by_the_strict_schema_of_kubernetes(name: str, version: str) -> None:
    kubernetes_validate.validate(OBJECTS[name], version, strict=True)


def test_schemas_are_strict() -> None:
    wrong = {**SERVICE, "spec": {**SERVICE["spec"], "publishNotReadyAddress": True}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSIONS[0], strict=True)


def test_every_manifest_is_in_a_kustomization_but_the_example() -> None:
    def listed(folder: Path) -> Iterator[Path]:
        for name in loaded(folder / "kustomization.yaml")["resources"]:
            path = folder / name
            if path.is_dir():
                yield from listed(path)
            else:
                yield path

    found = {path for path in FOLDER.rglob("*.yaml") if path.name != "kustomization.yaml"}
    assert found - {*listed(FOLDER)} == {FOLDER / "prometheus/pod-monitor.yaml"}
    images = {image["name"] for image in loaded(FOLDER / "kustomization.yaml")["images"]}
    assert images == {container(each)["image"] for each in WORKLOADS.values()}


def test_agent_accepts_its_arguments_and_asks_for_the_records_of_the_service(
    tmp_path: Path,
) -> None:
    keys, given = KeyFiles(tmp_path), list[AgentOptions]()
    files = {"/etc/pombo/agent.key": keys.of_host(_SET_BY_CLUSTER["NODE_NAME"])}
    parse(agent_command(given.append), arguments(AGENT, files))
    [options] = given
    service, namespace = SERVICE["metadata"]["name"], SERVICE["metadata"]["namespace"]
    [port] = [each for each in SERVICE["spec"]["ports"] if each["protocol"] == "UDP"]
    names = [str(server) for server in options.servers]
    assert names == [f"dnssrv+_{port['name']}._udp.{service}.{namespace}.svc.cluster.local"]
    assert options.name == _SET_BY_CLUSTER["NODE_NAME"]
    assert options.server_replicas == 2 < EXPORTER["spec"]["replicas"]


def test_exporter_accepts_its_arguments(tmp_path: Path) -> None:
    files = {"/etc/pombo/keys": KeyFiles(tmp_path).fleet, "/var/lib/pombo": tmp_path}
    given = list[ExporterOptions]()
    parse(exporter_command(given.append), arguments(EXPORTER, files))
    [options] = given
    ports = {each["containerPort"] for each in container(EXPORTER)["ports"]}
    assert ports == {options.udp_listen_address.port, options.web_listen_address.port}
    assert options.require_sealed


def parse(command: click.Command, given: list[str]) -> None:
    command.main(given, standalone_mode=False)


def test_ports_of_service_probes_policy_and_monitor_are_those_of_the_exporter() -> None:
    own = {each["name"]: each["protocol"] for each in container(EXPORTER)["ports"]}
    of_service = {each["targetPort"]: each["protocol"] for each in SERVICE["spec"]["ports"]}
    rules = OBJECTS["NetworkPolicy pombo-exporter"]["spec"]["ingress"]
    of_policy = {port["port"]: port["protocol"] for rule in rules for port in rule["ports"]}
    assert own == of_service == of_policy
    [endpoint] = OBJECTS["PodMonitor pombo-exporter"]["spec"]["podMetricsEndpoints"]
    probes = [container(EXPORTER)[f"{each}Probe"]["httpGet"] for each in ("readiness", "liveness")]
    assert {own[each["port"]] for each in (*probes, endpoint)} == {"TCP"}
    assert [each["path"] for each in probes] == ["/-/ready", "/-/healthy"]
    assert endpoint["honorLabels"]


def test_selectors_find_the_pods() -> None:
    for workload in WORKLOADS.values():
        labels = workload["spec"]["template"]["metadata"]["labels"]
        assert workload["spec"]["selector"]["matchLabels"] == labels
    labels = EXPORTER["spec"]["template"]["metadata"]["labels"]
    assert SERVICE["spec"]["selector"] == labels
    assert EXPORTER["spec"]["serviceName"] == SERVICE["metadata"]["name"]
    for name, key in (
        ("PodDisruptionBudget pombo-exporter", "selector"),
        ("NetworkPolicy pombo-exporter", "podSelector"),
        ("PodMonitor pombo-exporter", "selector"),
    ):
        assert OBJECTS[name]["spec"][key]["matchLabels"] == labels


def test_a_drain_leaves_one_of_the_two_exporters_of_each_host() -> None:
    assert OBJECTS["PodDisruptionBudget pombo-exporter"]["spec"]["maxUnavailable"] == 1
    [rule] = pod(EXPORTER)["affinity"]["podAntiAffinity"][
        "requiredDuringSchedulingIgnoredDuringExecution"
    ]
    assert rule["topologyKey"] == "kubernetes.io/hostname"


@pytest.mark.parametrize("name", WORKLOADS)
def test_no_container_can_gain_anything(name: str) -> None:
    workload = WORKLOADS[name]
    for each in containers(workload):
        assert each["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert each["resources"]["limits"].keys() == {"memory"}
    assert pod(workload)["securityContext"]["runAsNonRoot"]
    assert pod(workload)["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not pod(workload)["automountServiceAccountToken"]


@pytest.mark.parametrize("name", WORKLOADS)
def test_keys_are_files_that_only_the_group_of_the_program_reads(name: str) -> None:
    spec = pod(WORKLOADS[name])
    [secret] = [volume["secret"] for volume in spec["volumes"] if "secret" in volume]
    assert secret["defaultMode"] == 0o440
    context = spec["securityContext"]
    assert context["fsGroup"] == context["runAsGroup"] == context["runAsUser"] == 65534


def test_agent_reads_the_host_where_it_is_mounted_and_writes_nowhere() -> None:
    volumes = {each["name"]: each for each in pod(AGENT)["volumes"]}
    mounts = container(AGENT)["volumeMounts"]
    assert all(mount["readOnly"] for mount in mounts)
    of_host = {
        mount["mountPath"]: volumes[mount["name"]]["hostPath"]["path"]
        for mount in mounts
        if "hostPath" in volumes[mount["name"]]
    }
    flags = dict(
        argument.split("=", 1) for argument in container(AGENT)["args"] if "path." in argument
    )
    assert of_host == {
        flags["--path.procfs"]: "/proc",
        flags["--path.sysfs"]: "/sys",
        flags["--path.rootfs"]: "/",
    }


def test_agent_gets_the_key_of_its_node_alone() -> None:
    [preparing] = pod(AGENT)["initContainers"]
    assert preparing["command"][-2:] == ["/keys/$(NODE_NAME)", "/etc/pombo/agent.key"]
    [keys, key] = [mount["name"] for mount in preparing["volumeMounts"]]
    mounted = [mount["name"] for mount in container(AGENT)["volumeMounts"]]
    assert key in mounted
    assert keys not in mounted
    assert "--key-file=/etc/pombo/agent.key" in container(AGENT)["args"]
