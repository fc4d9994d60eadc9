"""The files in ``examples/deployment`` can be read by what they are for, and name only what there is."""

from __future__ import annotations

import configparser
import json
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import promql_parser
import pytest
import yaml
from compose_spec import PyCompose
from prometheus_client.parser import text_string_to_metric_families
from typer.testing import CliRunner

from tests.live import live, settings_for
from tests.s3_server import s3_server
from tests.visitor import administrator, registered
from whispercore.setting import CONFIG, load
from whispercore.settings import Settings
from whispercore_server.cli import app
from whispercore_server.plugins.transcriber import PLUGIN as TRANSCRIBER
from whispercore_server.settings import ServerSettings

from .test_docs import ROOT

FOLDER = ROOT / "examples" / "deployment"
FILES = sorted(path for path in FOLDER.rglob("*") if path.is_file())
COMPOSES = sorted(FOLDER.glob("compose*.yaml"))
COMPOSE = yaml.safe_load((FOLDER / "compose.yaml").read_text())
MANIFESTS = {
    path.name: [one for one in yaml.safe_load_all(path.read_text()) if one]
    for path in sorted((FOLDER / "kubernetes").glob("*.yaml"))
}
ON_A_VOLUME, ON_POSTGRES = "whispercore.yaml", "whispercore-postgres.yaml"
UNITS = sorted((FOLDER / "systemd").glob("*.service"))
INSTRUCTIONS = {
    "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "RUN", "STOPSIGNAL", "USER", "VOLUME",
}  # fmt: skip

# ------------------------------------------------------------ they can be read


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(FOLDER)))
def test_a_file_is_of_a_kind_that_is_known(path: Path) -> None:
    text = path.read_text()
    match path.suffix:
        case ".yaml":
            assert all(isinstance(one, dict) for one in yaml.safe_load_all(text))
        case ".json":
            assert isinstance(json.loads(text), dict)
        case ".toml":
            load(ServerSettings, environ={}, config=path)
        case ".service":
            assert {"Unit", "Service", "Install"} == set(unit(path).sections())
        case ".env" | ".example" | ".dockerignore":
            assert all(re.fullmatch(r"(#.*|[A-Z][A-Z0-9_]*=\S*|!?[\w*./]+)?", line) for line in text.splitlines())
        case ".conf":
            assert nested(text)
        case _:
            assert path.name in ("Dockerfile", "Caddyfile")
            assert path.name == "Dockerfile" or nested(text)


def nested(text: str) -> bool:
    """Whether each block is closed, and all that is no block of nginx ends with a semicolon."""
    lines = [line.split("#")[0].strip() for line in text.splitlines()]
    depth = 0
    for line in filter(None, lines):
        depth += line.endswith("{") - (line == "}")
        assert depth >= 0, line
        assert line.endswith(("{", "}", ";")) or "proxy_pass" not in text, line
    return depth == 0


def unit(path: Path) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(path.read_text())
    return parser


def instructions() -> list[tuple[str, str]]:
    text = re.sub(r"^#.*\n", "", (FOLDER / "Dockerfile").read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    found = [line.split(maxsplit=1) for line in text.splitlines() if line.strip()]
    return [(name, rest) for name, rest in found]


def test_the_dockerfile_makes_two_images_of_what_is_there() -> None:
    found = instructions()
    assert {name for name, _ in found} <= INSTRUCTIONS
    stages = [rest.split()[-1] for name, rest in found if name == "FROM"]
    assert {"cpu", "cuda"} <= set(stages)
    for name, rest in found:
        if name == "COPY" and (source := re.match(r"--from=(\S+)", rest)):
            assert source[1] in stages
        if name in ("CMD", "ENTRYPOINT", "VOLUME"):
            assert json.loads(rest)
    offered = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    extras = {extra for one in re.findall(r"/src\[([\w,]+)\]", str(found)) for extra in one.split(",")}
    assert extras <= set(offered)
    kept = {line[1:] for line in (FOLDER / "Dockerfile.dockerignore").read_text().splitlines() if line[:1] == "!"}
    assert all((ROOT / name).exists() for name in kept)
    assert {"whispercore", "whispercore_server", "whispercore_client", "pyproject.toml", "README.md"} <= kept


@pytest.mark.parametrize("path", COMPOSES, ids=lambda path: path.name)
def test_compose_has_no_key_or_value_that_docker_does_not_know(path: Path) -> None:
    text = json.dumps(yaml.safe_load(path.read_text()))
    PyCompose.from_json(text).validate()
    with pytest.raises(ValueError, match="comand"):
        PyCompose.from_json(text.replace('"worker": {', '"worker": {"comand": [], ', 1))


def test_what_compose_mounts_and_asks_for_is_there() -> None:
    told = set(re.findall(r"^([A-Z0-9_]+)=", (FOLDER / "env.example").read_text(), re.MULTILINE))
    texts = "".join(path.read_text() for path in COMPOSES)
    assert set(re.findall(r"(?<!\$)\$\{([A-Z0-9_]+)", texts)) == told
    for path in COMPOSES:
        over = yaml.safe_load(path.read_text())
        services = COMPOSE["services"] | over["services"]
        named = {*COMPOSE["volumes"], *over.get("volumes", ())}
        for service in services.values():
            assert set(service.get("depends_on", ())) <= set(services)
            for mount in service.get("volumes", ()):
                source = mount.split(":")[0]
                assert (FOLDER / source).is_file() if source.startswith("./") else source in named
    cuda = yaml.safe_load((FOLDER / "compose.cuda.yaml").read_text())["services"]
    assert set(cuda) <= set(COMPOSE["services"])
    assert cuda["worker"]["build"]["target"] == "cuda"


WORKLOADS = ("Deployment", "Job", "StatefulSet")


def workloads(manifest: str) -> list[dict[str, Any]]:
    return [one["spec"] for one in MANIFESTS[manifest] if one["kind"] in WORKLOADS]


def containers(manifest: str) -> list[dict[str, Any]]:
    pods = [one["template"]["spec"] for one in workloads(manifest)]
    return [one for pod in pods for one in (*pod.get("initContainers", ()), *pod["containers"])]


def configuration(manifest: str) -> str:
    config: str = next(one for one in MANIFESTS[manifest] if one["kind"] == "ConfigMap")["data"]["whispercore.toml"]
    return config


def test_manifests_are_of_what_is_needed() -> None:
    kinds = {name: sorted(one["kind"] for one in manifest) for name, manifest in MANIFESTS.items()}
    assert kinds == {
        ON_A_VOLUME: ["ConfigMap", "Ingress", "Service", "StatefulSet"],
        ON_POSTGRES: ["ConfigMap", "Deployment", "Deployment", "Ingress", "Job", "Service"],
    }


@pytest.mark.parametrize("manifest", MANIFESTS)
def test_what_kubernetes_refers_to_is_there(manifest: str) -> None:
    by_kind = {one["kind"]: one for one in MANIFESTS[manifest]}
    assert all(one["apiVersion"] and one["metadata"]["name"] for one in MANIFESTS[manifest])
    selector, served = by_kind["Service"]["spec"]["selector"].items(), 0
    for workload in workloads(manifest):
        pod = workload["template"]["spec"]
        labels = workload["template"].get("metadata", {}).get("labels", {}).items()
        assert workload.get("selector", {}).get("matchLabels", {}).items() <= labels
        ports = [port for one in pod["containers"] for port in one.get("ports", ())]
        assert bool(ports) == (selector <= labels), "who is served answers"
        served += bool(ports)
        volumes = {one["name"] for one in pod["volumes"]}
        volumes |= {one["metadata"]["name"] for one in workload.get("volumeClaimTemplates", ())}
        for container in (*pod.get("initContainers", ()), *pod["containers"]):
            assert {one["name"] for one in container["volumeMounts"]} <= volumes
            config = next(one["value"] for one in container["env"] if one["name"] == CONFIG)
            assert Path(config).name in by_kind["ConfigMap"]["data"]
    assert served == 1
    path = by_kind["Ingress"]["spec"]["rules"][0]["http"]["paths"][0]
    assert path["backend"]["service"]["name"] == by_kind["Service"]["metadata"]["name"]


def test_pods_that_share_no_folder_have_their_keys_from_the_secret(tmp_path: Path) -> None:
    """Each would make a key of its own, else, and none could read what another has written."""
    text = (FOLDER / "kubernetes" / ON_POSTGRES).read_text()
    given = set(re.findall(r"--from-literal=(\w+)=", text))
    assert {"WHISPERCORE_MASTER_KEY", "WHISPERCORE_TOKEN_KEY", "WHISPERCORE_AUDIT_KEY"} <= given
    (tmp_path / "whispercore.toml").write_text(configuration(ON_POSTGRES))
    environ = {"WHISPERCORE_POSTGRES_PASSWORD": "secret"}
    settings = load(ServerSettings, environ=environ, config=tmp_path / "whispercore.toml").settings
    assert settings.database_url.startswith("postgresql")
    assert settings.bucket is not None
    for workload in workloads(ON_POSTGRES):
        assert all("emptyDir" in one or "configMap" in one for one in workload["template"]["spec"]["volumes"])


# ------------------------------------------------------------ they name what there is


def ours() -> Iterator[dict[str, Any]]:
    """The services of compose, in each of its files, that are whispercore."""
    for path in COMPOSES:
        for name, service in yaml.safe_load(path.read_text())["services"].items():
            if name in ("server", "worker") or service.get("image", "").startswith("whispercore:"):
                yield service


def commands() -> Iterator[list[str]]:
    """All that is said to ``whispercore``."""
    for path in UNITS:
        yield shlex.split(unit(path)["Service"]["ExecStart"])[1:]
    yield from (one["command"] for one in ours() if "command" in one)
    yield from (one["args"] for manifest in MANIFESTS for one in containers(manifest))
    yield from (json.loads(rest) for name, rest in instructions() if name == "CMD")


@pytest.mark.parametrize("words", list(commands()), ids=" ".join)
def test_a_command_exists_with_its_options(words: list[str]) -> None:
    asked = CliRunner().invoke(app, [*words, "--help"])
    assert asked.exit_code == 0, asked.output


def test_every_setting_exists(tmp_path: Path) -> None:
    known = {CONFIG}
    for kind in (ServerSettings, Settings):
        for one in attrs.fields(kind):
            if "variable" in one.metadata:
                known |= {one.metadata["variable"], *one.metadata["aliases"]}
    named = {word for path in FILES for word in re.findall(r"\bWHISPERCORE_[A-Z0-9_]+\b", path.read_text())}
    named |= {variable for service in ours() for variable in service.get("environment", ())}
    assert named - known == set()
    assert len(named) > 8
    for manifest in MANIFESTS:
        (tmp_path / "whispercore.toml").write_text(configuration(manifest))
        load(ServerSettings, environ={}, config=tmp_path / "whispercore.toml")


def expressions() -> list[str]:
    """All that Prometheus is asked for."""
    rules = yaml.safe_load((FOLDER / "monitoring" / "alerts.yaml").read_text())["groups"][0]["rules"]
    dashboard = json.loads((FOLDER / "monitoring" / "dashboard.json").read_text())
    targets = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]
    variables = [one["query"]["query"] for one in dashboard["templating"]["list"] if isinstance(one["query"], dict)]
    return [*(rule["expr"] for rule in rules), *targets, *variables]


WORDS = {"and", "or", "unless", "by", "without", "on", "ignoring", "bool", "offset"}
ADDED = {"job", "instance"}
"""Labels that Prometheus gives each series."""


def named_in(expression: str) -> tuple[set[tuple[str, str]], set[tuple[str, str, str]]]:
    """Metrics with the labels that are asked of them, and the values of these labels."""
    metrics: set[tuple[str, str]] = set()
    values: set[tuple[str, str, str]] = set()
    grouped = {name for one in re.findall(r"\b(?:by|without) \(([^)]*)\)", expression) for name in one.split(", ")}
    plain = re.sub(r"\s*\b(?:by|without) \([^)]*\)\s*", "", expression)
    for name, matchers in re.findall(r"\b([a-z_][a-z0-9_]*)(\{[^}]*\})?(?=[\s\[),]|$)", plain):
        if name in WORDS or name in ADDED:
            continue
        labels = re.findall(r'([a-z_]+)(=~|=)"([^"]*)"', matchers)
        metrics |= {(name, label) for label in {one for one, _, _ in labels} | grouped | {""}}
        values |= {(name, label, value) for label, how, value in labels if how == "=" and label not in ADDED}
    return metrics, values


@pytest.mark.parametrize("expression", expressions())
def test_prometheus_can_read_what_it_is_asked(expression: str) -> None:
    of_prometheus = re.sub(r"^label_values\((.+), \w+\)$", r"\1", expression)  # Grafana's own, around a selector
    promql_parser.parse(of_prometheus.replace("$__rate_interval", "5m"))


STATES = {"state": {"failed"}, "status": {"2xx"}}
"""Values that come when something fails, or has not yet happened."""


def test_every_metric_exists_with_its_labels(audio: Path, tmp_path: Path) -> None:
    """As a server tells them that has its recordings in S3, has done a job, and has refused an upload."""
    bucket = s3_server().bucket()
    settings = settings_for(
        tmp_path,
        s3_endpoint=bucket.endpoint,
        s3_bucket=bucket.name,
        s3_access_key=bucket.access_key,
        s3_secret_key=bucket.secret_key,
    )
    (tmp_path / "empty.wav").write_bytes((audio / "clip01-en.wav").read_bytes()[:44])
    with live(settings, plugins=(TRANSCRIBER,)) as server:
        visitor = registered(server)
        visitor.finished(visitor.job(audio / "clip01-en.wav"))
        visitor.upload(tmp_path / "empty.wav")
        text = administrator(server).get("/metrics").text
    labels: dict[str, set[str]] = {"up": set(ADDED)}
    seen: set[tuple[str, str, str]] = set()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels.setdefault(sample.name, set(ADDED)).update(sample.labels)
            seen |= {(sample.name, label, value) for label, value in sample.labels.items()}
    asked = expressions()
    assert len(asked) > 30
    for expression in asked:
        metrics, values = named_in(expression)
        assert metrics, expression
        for name, label in metrics:
            assert name in labels, f"{name} in {expression}"
            assert not label or label in labels[name], f"{label} of {name} in {expression}"
        for name, label, value in values:
            possible = {one[2] for one in seen if one[:2] == (name, label)} | STATES.get(label, set())
            assert value in possible, f"{label}={value} of {name} in {expression}"


def test_what_is_probed_answers_everybody_at_a_port_that_is_open() -> None:
    """And a worker, which answers nobody, is not probed."""
    open_paths = {one.path for api in TRANSCRIBER.apis for one in api.operations() if one.scope is None}
    port = attrs.fields(ServerSettings).port.default
    servers = [one for manifest in MANIFESTS for one in containers(manifest) if one["name"] == "server"]
    assert len(servers) == len(MANIFESTS)
    for server in servers:
        probes = [server[f"{kind}Probe"]["httpGet"] for kind in ("startup", "liveness", "readiness")]
        assert [probe["path"] for probe in probes] == ["/live", "/live", "/ready"]
        assert {probe["port"] for probe in probes} <= {one["name"] for one in server["ports"]}
        assert {probe["path"] for probe in probes} <= open_paths
    asked = re.search(
        r"http://127\.0\.0\.1:(\d+)(/\w+)'", " ".join(COMPOSE["services"]["server"]["healthcheck"]["test"])
    )
    assert asked is not None
    assert (int(asked[1]), asked[2] in open_paths) == (port, True)
    scraped = [one["template"]["metadata"].get("annotations") for name in MANIFESTS for one in workloads(name)[-2:]]
    named = [one for one in scraped if one]
    assert [(one["prometheus.io/port"], one["prometheus.io/path"]) for one in named] == [(str(port), "/metrics")] * len(
        MANIFESTS
    )
    assert "/metrics" in open_paths
    for manifest in MANIFESTS:
        assert all("Probe" not in str(one) for one in containers(manifest) if one["name"] != "server")


def test_there_is_time_to_end_in_order() -> None:
    """Before whatever started it kills it."""
    ends_s = attrs.fields(ServerSettings).stop_within_s.default
    pods = [workload["template"]["spec"] for manifest in MANIFESTS for workload in workloads(manifest)]
    times = [pod["terminationGracePeriodSeconds"] for pod in pods if "restartPolicy" not in pod]  # all but the Job's
    times += [int(unit(path)["Service"]["TimeoutStopSec"]) for path in UNITS]
    times.append(int(COMPOSE["x-whispercore"]["stop_grace_period"].removesuffix("s")))
    assert len(times) > len(UNITS) + 2
    assert min(times) > ends_s


def test_ports_are_those_that_the_server_has() -> None:
    port = attrs.fields(ServerSettings).port.default
    assert f"server:{port}" in (FOLDER / "Caddyfile").read_text()
    assert f"127.0.0.1:{port};" in (FOLDER / "nginx.conf").read_text()
    assert f"server:{port}" in (FOLDER / "monitoring" / "prometheus.yaml").read_text()
    for manifest in MANIFESTS:
        server = next(one for one in containers(manifest) if one["name"] == "server")
        assert server["ports"][0]["containerPort"] == port
