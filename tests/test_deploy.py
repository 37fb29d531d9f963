"""The files in examples/deploy/ name options, routes, metrics and ports that exist, and agree with each other."""

from __future__ import annotations

import configparser
import json
import os
import re
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import typer
import yaml
from prometheus_client import Metric

from kgrec.cli import app
from kgrec.cli.command import long_name, variables
from kgrec.evaluate.drift.findings import PSI, Check, Drift
from kgrec.serve.http import server
from kgrec.serve.http.app import _ROUTERS
from kgrec.serve.http.metrics import Metrics

DEPLOY = Path(__file__).parents[1] / "examples" / "deploy"
SYSTEMD, MONITORING = DEPLOY / "systemd", DEPLOY / "monitoring"
COMMANDS: dict[str, Any] = dict(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
PORT = "8700"


def text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def values(path: Path) -> Any:
    return yaml.safe_load(text(path))


def unit(name: str) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None, strict=True)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(text(SYSTEMD / name))
    return parser


def environment(lines: str) -> dict[str, str]:
    return dict(re.findall(r"^([A-Z_]+)=(.*)$", lines, re.MULTILINE))


def image_environment() -> dict[str, str]:
    """What ENV of the last stage sets."""
    last = text(DEPLOY / "Dockerfile").rpartition("\nFROM ")[2]
    return dict(re.findall(r"\b(KGREC_[A-Z_]+)=(\S+)", last))


def routes() -> set[str]:
    return {route.path for module in _ROUTERS for route in module.router.routes}


COMPOSE = values(DEPLOY / "compose.yaml")
UNIT_ENVIRONMENT = environment(text(SYSTEMD / "kgrec.env"))


# names of the command line


@pytest.fixture(scope="module")
def known_variables() -> set[str]:
    """Environment variables of all commands, and that of the cache."""
    found = {"KGREC_CACHE"}
    for name, command in COMMANDS.items():
        for one in command.params:
            if one.param_type_name == "option":
                found.update(variables(name, long_name(one)))
            elif one.envvar:
                found.add(one.envvar)
    return found


@pytest.mark.parametrize("path", sorted(p for p in DEPLOY.rglob("*") if p.is_file()), ids=lambda p: p.name)
def test_variables_are_those_of_the_command_line(path: Path, known_variables: set[str]):
    assert set(re.findall(r"\bKGREC_[A-Z_]+\b", text(path))) <= known_variables


def test_the_command_lines_have_options_that_exist():
    command = unit("kgrec.service")["Service"]["ExecStart"].split()
    assert command[1:] == ["serve"]
    assert COMPOSE["services"]["kgrec"]["command"] == ["serve"]
    assert 'ENTRYPOINT ["kgrec"]\nCMD ["serve"]' in text(DEPLOY / "Dockerfile")
    options = {option for one in COMMANDS["train"].params for option in one.opts}
    assert {"-o", "--feedback", "--allow-missing-store"} <= options


# ports, paths and times


def test_all_files_have_the_same_port():
    default = next(one.default for one in COMMANDS["serve"].params if one.name == "port")
    assert str(default) == PORT
    assert image_environment()["KGREC_SERVE_PORT"] == UNIT_ENVIRONMENT["KGREC_SERVE_PORT"] == PORT
    assert f"\nEXPOSE {PORT}\n" in text(DEPLOY / "Dockerfile")
    assert f"127.0.0.1:{PORT}/readyz" in text(DEPLOY / "Dockerfile")
    proxy = text(DEPLOY / "haproxy.cfg")
    assert f"bind :{PORT}\n" in proxy
    assert re.search(rf"server-template kgrec \d+ kgrec:{PORT}\n", proxy)
    assert COMPOSE["services"]["proxy"]["ports"] == [f"127.0.0.1:{PORT}:{PORT}"]
    (job,) = values(MONITORING / "prometheus.yml")["scrape_configs"]
    assert str(job["dns_sd_configs"][0]["port"]) == PORT


def test_probed_paths_are_routes():
    paths = routes()
    (job,) = values(MONITORING / "prometheus.yml")["scrape_configs"]
    assert job["metrics_path"] in paths
    assert re.findall(r"http-check send meth GET uri (\S+)", text(DEPLOY / "haproxy.cfg")) == ["/readyz"]
    assert "/readyz" in paths


def test_stopping_takes_no_longer_than_it_is_allowed():
    """The drain and what running requests have, with time for the store."""
    for drain, allowed in (
        (UNIT_ENVIRONMENT["KGREC_SERVE_DRAIN"], unit("kgrec.service")["Service"]["TimeoutStopSec"]),
        (
            image_environment()["KGREC_SERVE_DRAIN"],
            COMPOSE["services"]["kgrec"]["stop_grace_period"].removesuffix("s"),
        ),
    ):
        assert float(allowed) >= float(drain) + server.FINISH + 10


def test_the_proxy_leaves_a_draining_server_out_before_it_ends():
    (interval, fall) = re.findall(r"check inter (\d+)s fall (\d+)", text(DEPLOY / "haproxy.cfg"))[0]
    assert int(interval) * int(fall) < float(image_environment()["KGREC_SERVE_DRAIN"])


def test_the_proxy_closes_idle_connections_first():
    (seconds,) = re.findall(r"timeout http-keep-alive (\d+)s", text(DEPLOY / "haproxy.cfg"))
    assert int(seconds) < server._KEEP_ALIVE


# the image and compose.yaml


def test_the_image_runs_without_root_and_without_build_tools():
    stages = text(DEPLOY / "Dockerfile").split("\nFROM ")[1:]
    assert len(stages) == 2
    assert stages[0].index("download.pytorch.org/whl/cpu") < stages[0].index('pip install "/src')
    assert "pip install" not in stages[1] and "gcc" not in stages[1] and "build-essential" not in stages[1]
    assert stages[1].index("useradd") < stages[1].index("\nUSER kgrec\n")
    assert "\nHEALTHCHECK " in stages[1]


def test_the_image_asks_for_the_torch_and_the_extras_of_the_package():
    import tomllib

    project = tomllib.loads(text(DEPLOY.parents[1] / "pyproject.toml"))["project"]
    (torch,) = re.findall(r"whl/cpu '([^']+)'", text(DEPLOY / "Dockerfile"))
    assert torch in project["dependencies"]
    (extras,) = re.findall(r"^ARG EXTRAS=(.*)$", text(DEPLOY / "Dockerfile"), re.MULTILINE)
    assert set(extras.split(",")) <= set(project["optional-dependencies"])


def test_what_the_image_copies_is_not_ignored():
    copied = re.findall(r"^COPY (?!--from)(.*) \S+$", text(DEPLOY / "Dockerfile"), re.MULTILINE)
    kept = re.findall(r"^!(.*)$", text(DEPLOY / "Dockerfile.dockerignore"), re.MULTILINE)
    assert sorted(" ".join(copied).split()) == sorted(kept)
    assert all((DEPLOY.parents[1] / name).exists() for name in kept)


def test_compose_mounts_files_that_exist_and_models_read_only():
    services = COMPOSE["services"]
    assert set(services) == {"kgrec", "train", "proxy", "postgres", "prometheus", "grafana"}
    mounts = [mount for one in services.values() for mount in one.get("volumes", [])]
    for mount in mounts:
        source, _, rest = mount.partition(":")
        if not source.startswith("./"):
            assert source in COMPOSE["volumes"], mount
        elif source != "./graph":  # the user's
            assert (DEPLOY / source).is_file() and rest.endswith(":ro"), mount
    assert "releases:/releases:ro" in services["kgrec"]["volumes"]
    assert services["kgrec"]["environment"]["KGREC_SERVE_RELEASES"] == "/releases"


def test_compose_opens_no_port_to_other_machines_and_has_no_password():
    for one in COMPOSE["services"].values():
        assert all(port.startswith("127.0.0.1:") for port in one.get("ports", []))
    for name, value in re.findall(r"(\w*PASSWORD): (.*)$", text(DEPLOY / "compose.yaml"), re.MULTILINE):
        assert value.startswith("${"), name


def test_the_build_context_is_the_root():
    build = COMPOSE["services"]["kgrec"]["build"]
    assert (DEPLOY / build["context"]).resolve() == DEPLOY.parents[1].resolve()
    assert (DEPLOY / build["context"] / build["dockerfile"]).resolve() == (DEPLOY / "Dockerfile").resolve()


# systemd


def test_the_unit_is_confined():
    service = unit("kgrec.service")["Service"]
    assert service["User"] != "root"
    for name, value in (("NoNewPrivileges", "yes"), ("ProtectSystem", "strict"), ("PrivateTmp", "yes")):
        assert service[name] == value
    for name, folder in (("StateDirectory", "/var/lib"), ("CacheDirectory", "/var/cache")):
        written = [one for one in UNIT_ENVIRONMENT.values() if one.startswith(f"{folder}/")]
        assert written
        assert all(Path(one).is_relative_to(f"{folder}/{service[name]}") for one in written)


def test_both_units_read_one_file_of_options():
    files = {unit(name)["Service"]["EnvironmentFile"] for name in ("kgrec.service", "kgrec-nightly.service")}
    assert len(files) == 1
    assert text(SYSTEMD / "kgrec.env").startswith(f"# {files.pop()},")
    assert (
        unit("kgrec-nightly.service")["Service"]["ReadWritePaths"] == UNIT_ENVIRONMENT["KGREC_SERVE_RELEASES"]
    )
    assert unit("kgrec-nightly.timer")["Timer"]["OnCalendar"]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_knows_all_settings(tmp_path: Path):
    for path in SYSTEMD.glob("kgrec*.*"):
        here = re.sub(r"^ExecStart=.*$", "ExecStart=/bin/true", text(path), flags=re.MULTILINE)
        (tmp_path / path.name).write_text(here, encoding="utf-8")
    names = [
        str(tmp_path / name) for name in ("kgrec.service", "kgrec-nightly.service", "kgrec-nightly.timer")
    ]
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *names], capture_output=True, encoding="utf-8", timeout=60
    )
    assert not [line for line in done.stderr.splitlines() if str(tmp_path) in line], done.stderr


# the nightly training


def nightly(tmp_path: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Run the script with a kgrec that only notes how it was called."""
    tools = tmp_path / "bin"
    tools.mkdir(exist_ok=True)
    fake = tools / "kgrec"
    fake.write_text(
        '#!/bin/sh\nprintf "%s\\n" "$@" > "$NOTES"\n[ -z "$FAILS" ] || exit 4\n', encoding="utf-8"
    )
    fake.chmod(fake.stat().st_mode | stat.S_IXUSR)
    return subprocess.run(
        ["sh", str(DEPLOY / "nightly.sh")],
        env={
            "PATH": f"{tools}:{os.environ['PATH']}",
            "NOTES": str(tmp_path / "notes"),
            "FAILS": "",
            "KGREC_GRAPH": "graph",
            "KGREC_SERVE_RELEASES": str(tmp_path / "releases"),
            "KGREC_SERVE_STORE": "store.sqlite",
            **more,
        },
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )


@pytest.fixture
def releases(tmp_path: Path) -> Path:
    """Of the releases, the second has learned from a store."""
    folder = tmp_path / "releases"
    for name in ("2020-01-01T030000Z", "2020-01-02T030000Z", "2020-01-03T030000Z", "2019-hand-made"):
        (folder / name).mkdir(parents=True)
        inputs = {"feedback": "7"} if name == "2020-01-02T030000Z" else {}
        (folder / name / "manifest.json").write_text(json.dumps({"inputs": inputs}), encoding="utf-8")
    return folder


def called(tmp_path: Path) -> list[str]:
    return text(tmp_path / "notes").split("\n")[:-1]


def test_the_nightly_script_asks_for_the_next_release(tmp_path: Path, releases: Path):
    done = nightly(tmp_path, KEEP="3")
    assert done.returncode == 0, done.stderr
    words = [
        "nightly",
        str(releases),
        "--graph",
        "graph",
        "--keep",
        "3",
        "--json",
        "--from-store",
        "store.sqlite",
    ]
    assert called(tmp_path) == words
    options = {name for one in COMMANDS["nightly"].params for name in one.opts}
    assert {word for word in words if word.startswith("--")} <= options


def test_the_first_release_needs_no_store(tmp_path: Path):
    done = nightly(tmp_path)
    assert done.returncode == 0, done.stderr
    assert called(tmp_path) == [
        "nightly",
        str(tmp_path / "releases"),
        "--graph",
        "graph",
        "--keep",
        "5",
        "--json",
    ]


def test_a_rejected_release_is_a_failure(tmp_path: Path, releases: Path):
    assert releases.exists()
    assert nightly(tmp_path, FAILS="1").returncode == 4
    assert nightly(tmp_path, KGREC_SERVE_RELEASES="").returncode != 0


# metrics


@pytest.fixture(scope="module")
def metrics(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """Name of each sample that a server exposes -> its labels."""
    items = type("Items", (), {"n_trained": 1, "removed": (), "__len__": lambda _: 2})()
    state = SimpleNamespace(model=SimpleNamespace(items=items, users=()), revision=0, written=0.0)
    drift = tmp_path_factory.mktemp("drift") / "drift"
    check = Check("popularity", PSI, 0.3, 0.001, "", p_holm=0.001, verdict="retrain")
    Drift("retrain", (check,), (), {}).save(drift)
    server_metrics = Metrics(lambda: cast("Any", state), lambda: 0, drift)
    for one in vars(server_metrics).values():
        if getattr(one, "_labelnames", ()):
            one.labels(*["x"] * len(one._labelnames))
    families: list[Metric] = list(server_metrics.registry.collect())
    return {sample.name: set(sample.labels) for family in families for sample in family.samples}


def expressions() -> Iterator[Any]:
    for group in values(MONITORING / "alerts.yml")["groups"]:
        for rule in group["rules"]:
            yield pytest.param(rule["expr"], id=rule["alert"])
    for panel in json.loads(text(MONITORING / "dashboard.json"))["panels"]:
        for target in panel.get("targets", []):
            yield pytest.param(target["expr"], id=panel["title"])


@pytest.mark.parametrize("expression", list(expressions()))
def test_expressions_name_metrics_and_labels_that_exist(expression: str, metrics: dict[str, set[str]]):
    given_by_prometheus = {"job", "instance"}
    named = re.findall(r"\b(kgrec_\w+|up)\b(?:\{([^}]*)\})?", expression)
    assert named
    labels = given_by_prometheus | {"le", "state"}
    for name, matchers in named:
        if name == "up":
            continue
        assert name in metrics, name
        matched = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers))
        assert matched <= metrics[name] | given_by_prometheus, name
        labels |= metrics[name]
    for by in re.findall(r"\bby \(([^)]*)\)", expression):
        assert set(by.split(", ")) <= labels


def test_routes_of_expressions_exist():
    paths = routes()
    patterns = {
        pattern
        for param in expressions()
        for pattern in re.findall(r'route=~?"([^"]*)"', str(param.values[0]))
    }
    assert patterns
    for pattern in patterns:
        for part in pattern.split("|"):
            assert any(re.fullmatch(part, path) for path in paths), part


def test_the_dashboard_asks_the_source_that_is_provisioned():
    (source,) = values(MONITORING / "grafana-datasource.yml")["datasources"]
    dashboard = json.loads(text(MONITORING / "dashboard.json"))
    uids = {one["datasource"]["uid"] for one in dashboard["panels"] if "datasource" in one}
    assert uids == {source["uid"]}
    assert source["url"] == "http://prometheus:9090"
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    (provider,) = values(MONITORING / "grafana-dashboards.yml")["providers"]
    mounted = [mount for mount in COMPOSE["services"]["grafana"]["volumes"] if "dashboard.json" in mount]
    assert mounted[0].split(":")[1].startswith(provider["options"]["path"] + "/")


def test_every_metric_is_in_the_dashboard(metrics: dict[str, set[str]]):
    shown = " ".join(
        target["expr"]
        for panel in json.loads(text(MONITORING / "dashboard.json"))["panels"]
        for target in panel.get("targets", [])
    )
    families = {re.sub(r"_(bucket|sum|count|created)$", "", name) for name in metrics}
    families = {name.removesuffix("_total") for name in families}
    assert not {name for name in families if not re.search(rf"\b{name}(_total|_bucket|_sum)?\b", shown)}


def test_every_metric_is_described_and_no_other(metrics: dict[str, set[str]]):
    page = text(DEPLOY.parents[1] / "docs" / "how-to" / "monitoring.md")
    table = re.search(r"## All metrics\n(.*?)\n[^|\n]", page, re.DOTALL)
    assert table is not None
    described = re.findall(r"^\| `(kgrec_\w+)` \| ([\w, ]*) ?\|", table[1], re.MULTILINE)
    shown = {re.sub(r"_(bucket|sum|count)$", "", name): labels for name, labels in metrics.items()}
    exposed = {name: labels - {"le"} for name, labels in shown.items() if not name.endswith("_created")}
    assert {name: set(filter(None, labels.strip().split(", "))) for name, labels in described} == exposed


def test_every_alert_is_described():
    page = text(DEPLOY.parents[1] / "docs" / "how-to" / "monitoring.md")
    (group,) = values(MONITORING / "alerts.yml")["groups"]
    for rule in group["rules"]:
        assert f"## {rule['alert']}\n" in page.replace("###", "##"), rule["alert"]
        assert rule["annotations"]["summary"]
        assert rule["labels"]["severity"] in {"warning", "critical"}


@pytest.mark.skipif(shutil.which("promtool") is None, reason="Prometheus is not installed")
def test_alerts_fire_when_they_should():
    done = subprocess.run(
        ["promtool", "test", "rules", "alerts-test.yml"],
        cwd=MONITORING,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
