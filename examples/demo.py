# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The main job from end to end, on the real engines of the lab: a WAR becomes a production release, and comes back.

Every command is one that a user would type. Every line marked `seen` was read from the running system just then: HTTP
answers, the engines' own digests, the registry, the log of the container. A claim that does not hold ends the demo with 1.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import docker
import requests

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / ".work" / "demo"
SITE = WORK / "playbooks"
LAB = [os.environ.get("SLIPWAY_LAB_PYTHON", "python3"), str(ROOT / "tests" / "lab")]
REGISTRY = "10.213.77.2:5000"
HOSTS = {
    "test": {"test-1": "10.213.77.11"},
    "staging": {"staging-1": "10.213.77.12"},
    "prod": {"prod-1": "10.213.77.13", "prod-2": "10.213.77.14", "prod-3": "10.213.77.15"},
}
MANIFESTS = "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"


class ClaimError(Exception):
    """Something that the demo says is not what the running system shows."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--keep-lab", action="store_true", help="do not empty the lab's hosts, registry and redis first"
    )
    options = parser.parse_args()
    started = time.monotonic()
    try:
        prepare(keep_lab=options.keep_lab)
        story()
    except ClaimError as error:
        print(f"\nFAILED: {error}\nThe commands' whole output is in {show(WORK / 'logs')}.", file=sys.stderr)
        return 1
    print(f"\nDone in {time.monotonic() - started:.0f} s. Look around:")
    for env, hosts in HOSTS.items():
        print(f"  {env:8}", "  ".join(f"http://{address}:8080/settings" for address in hosts.values()))
    print(f"  board    {show(SITE / 'board.html')}\n  logs     {show(WORK / 'logs')}")
    print("  engines  docker -H tcp://10.213.77.13:2375 ps -a")
    return 0


def prepare(keep_lab: bool) -> None:
    """A site of its own, as a team would have it: inventory/, apps/ and the apps' sources; nothing of the checkout is touched."""
    if not keep_lab:
        subprocess.run([*LAB, "reset"], check=True)
    shutil.rmtree(WORK, ignore_errors=True)
    (WORK / "logs").mkdir(parents=True)
    for folder in ("inventory", "apps"):
        shutil.copytree(ROOT / "playbooks" / folder, SITE / folder)
    shutil.copytree(ROOT / "examples" / "webapi", WORK / "examples" / "webapi", ignore=shutil.ignore_patterns("target"))
    (SITE / "ansible.cfg").write_text(
        (ROOT / "playbooks" / "ansible.cfg")
        .read_text()
        .replace("../.work/collections", str(ROOT / ".work" / "collections"))
    )


def story() -> None:
    """1.0.0 all the way, 1.1.0 with another setting, 1.2.0 that fails in production, and the way back."""
    chapter("1.0.0 goes from source to production")
    first = release("1.0.0")
    settings = {env: settings_of(env) for env in HOSTS}
    seen(
        f"one image, three environments: greetings {', '.join(repr(found['greeting']) for found in settings.values())}"
    )
    claim(
        len({found["greeting"] for found in settings.values()}) == 3, "the environments answer with the same settings"
    )
    play("Nothing to do, nothing done", "deploy", "-e", "env=prod", "-e", "app=webapi", expect_changed=False)

    chapter("1.1.0 comes with another setting in production")
    edit_setting("prod", "Hello", "Good day")
    second = release("1.1.0")
    after = settings_of("prod")
    seen(f"greeting in production is now {after['greeting']!r}")
    claim(after["greeting"] != settings["prod"]["greeting"], "the setting did not change")

    chapter("1.2.0 passes test and staging, and never becomes healthy in production")
    shell("patch", "-p1", "-i", "demo/1.2.0.patch", cwd=WORK / "examples" / "webapi")
    for env, source in (("test", None), ("staging", "test")):
        arrive("1.2.0", env, source)
        deploy("1.2.0", env)
    arrive("1.2.0", "prod", "staging")
    play("Deploy to production: must fail", "deploy", "-e", "env=prod", "-e", "app=webapi", expect_failure=True)
    check_running("prod", "1.1.0", second)
    claim(settings_of("prod") == after, "production does not have the settings of 1.1.0")
    seen("every production host answers as 1.1.0 with the settings of 1.1.0")

    chapter("Back to 1.0.0, image and settings together")
    play("Roll back production", "rollback", "-e", "env=prod", "-e", "app=webapi")
    check_running("prod", "1.0.0", first)
    claim(settings_of("prod") == settings["prod"], "production does not have the settings of 1.0.0")
    seen(f"greeting in production is {settings_of('prod')['greeting']!r} again")

    chapter("What runs where")
    for env in HOSTS:
        log = play(
            f"Status of {env}", "status", "-e", f"env={env}", "-e", "app=webapi", "-e", f"board={SITE}/board.html"
        )
        print_table(log)


def release(version: str) -> str:
    """Build once, then the same digest through every environment. Returns the digest that the registry names."""
    for env, source in (("test", None), ("staging", "test"), ("prod", "staging")):
        arrive(version, env, source)
        deploy(version, env)
    return registry_digest("prod", version)


def arrive(version: str, env: str, source: str | None) -> None:
    """The version comes to the environment: built for the first one, promoted to the others."""
    if source is None:
        play(f"Build {version} from source and push it", "build", "-e", "app=webapi", "-e", f"version={version}")
        seen(f"registry: {env}/shop/webapi:{version} is {registry_digest(env, version)}")
        return
    play(
        f"Promote {version} from {source} to {env}",
        "promote",
        "-e",
        "app=webapi",
        "-e",
        f"from={source}",
        "-e",
        f"to={env}",
    )
    claim(registry_digest(env, version) == registry_digest(source, version), "promotion changed the digest")
    seen(f"registry: {env}/shop/webapi:{version} has the digest of {source}")


def deploy(version: str, env: str) -> None:
    play(f"Deploy {version} to {env}", "deploy", "-e", f"env={env}", "-e", "app=webapi")
    check_running(env, version, registry_digest(env, version))
    if env == "test":
        verify_artifact(env)


def verify_artifact(env: str) -> None:
    """What was built is what runs: the WAR's MD5 in the container's log, and the files below ROOT one by one."""
    built = md5(WORK / "examples" / "webapi" / "target" / "webapi.war")
    for name, address in HOSTS[env].items():
        log = container(address).logs().decode()
        running = re.search(r"WAR md5 ([0-9a-f]{32})", log)
        claim(running is not None and running.group(1) == built, f"{name} does not run the WAR that was built")
        seen(
            f"{name}: the log says WAR md5 {running.group(1) if running else '-'}, and md5sum of the built WAR says the same"
        )
    play(
        "Compare the running files with the built ones",
        "operate",
        "-e",
        f"env={env}",
        "-e",
        "app=webapi",
        "-e",
        "action=verify",
    )


def check_running(env: str, version: str, digest: str) -> None:
    """Ask each host by HTTP and by its engine."""
    for name, address in HOSTS[env].items():
        answered = requests.get(f"http://{address}:8080/version", timeout=5).text
        claim(version in answered, f"{name} answers {answered!r}, not {version}")
        running = container(address)
        digests = [entry.split("@")[1] for entry in running.image.attrs["RepoDigests"]]
        claim(digest in digests, f"{name} runs {digests}, not {digest}")
        seen(f"{name}: HTTP says {version}, the engine runs {digest[:19]}… in container {running.short_id}")


def settings_of(env: str) -> dict[str, object]:
    """What every host of the environment answers, which must be the same."""
    answers = [requests.get(f"http://{address}:8080/settings", timeout=5).json() for address in HOSTS[env].values()]
    for answer in answers:
        answer.pop("version", None)
    claim(
        all(answer == answers[0] for answer in answers), f"the hosts of {env} answer with different settings: {answers}"
    )
    return dict(answers[0])


def container(address: str) -> docker.models.containers.Container:
    client = docker.DockerClient(base_url=f"tcp://{address}:2375")
    found = client.containers.list(filters={"label": "slipway.app=webapi"})
    claim(len(found) == 1, f"{len(found)} webapi containers run on {address}, not one")
    return found[0]


def registry_digest(env: str, version: str) -> str:
    url = f"http://{REGISTRY}/v2/{env}/shop/webapi/manifests/{version}"
    answer = requests.head(url, headers={"Accept": MANIFESTS}, timeout=10)
    claim(answer.status_code == 200, f"the registry has no {env}/shop/webapi:{version} ({answer.status_code})")
    return str(answer.headers["Docker-Content-Digest"])


def edit_setting(env: str, old: str, new: str) -> None:
    path = SITE / "apps" / "config" / "webapi" / f"{env}.yml"
    text = path.read_text()
    claim(old in text, f"{path} does not say {old!r}")
    path.write_text(text.replace(old, new))
    print(f"  edited   {show(path)}: {old!r} is {new!r} now")


def play(
    title: str, playbook: str, *arguments: str, expect_failure: bool = False, expect_changed: bool | None = None
) -> str:
    """Run a playbook as a user does; returns its output. A surprise in exit code or recap is a failed claim."""
    command = ["ansible-playbook", f"slipway.delivery.{playbook}", *arguments]
    print(f"\n• {title}\n  $ {' '.join(command)}", flush=True)
    log = WORK / "logs" / f"{len(list((WORK / 'logs').iterdir())) + 1:02}-{playbook}.log"
    started = time.monotonic()
    with log.open("w") as out:
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        done = subprocess.run(
            command, cwd=SITE, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
            env={**os.environ, "PATH": path, "ANSIBLE_FORCE_COLOR": "0", "ANSIBLE_CALLBACK_RESULT_FORMAT": "json"}, check=False,
        )  # fmt: skip
    text = log.read_text()
    recap = re.findall(r"^(\S+)\s+: ok=\d+\s+changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)", text, re.MULTILINE)
    summary = ", ".join(f"{host} changed={changed} failed={failed}" for host, changed, _gone, failed in recap)
    print(f"  exit {done.returncode} in {time.monotonic() - started:.1f} s: {summary}  ({show(log)})", flush=True)
    if (done.returncode != 0) != expect_failure:
        print(text[-6000:], file=sys.stderr)
        raise ClaimError(f"{' '.join(command)} ended with {done.returncode}")
    if expect_failure:
        for host, answer in re.findall(r"^fatal: \[(\S+)\]: FAILED! => (\{.*\})$", text, re.MULTILINE):
            print(
                textwrap.fill(
                    f"{host}: {json.loads(answer)['msg']}",
                    130,
                    initial_indent="  said     ",
                    subsequent_indent=" " * 11,
                )
            )
    if expect_changed is not None:
        changed = sum(int(count) for _host, count, _gone, _failed in recap)
        claim((changed > 0) == expect_changed, f"the recap counts {changed} changes")
        seen(f"the recap counts {changed} changes")
    return text


def print_table(log: str) -> None:
    """The lines of the status table, out of the playbook's own output."""
    for line in re.findall(r'^\s*"((?:HOST|\S+-\d)\s+(?:APP|webapi)\s.*?)",?$', log, re.MULTILINE):
        print(f"  {line}")


def shell(*command: str, cwd: Path) -> None:
    print(f"\n  $ {' '.join(command)}", flush=True)
    subprocess.run(command, cwd=cwd, check=True, stdout=subprocess.DEVNULL)


def chapter(title: str) -> None:
    print(f"\n== {title}", flush=True)


def seen(fact: str) -> None:
    print(f"  seen     {fact}", flush=True)


def claim(holds: bool, otherwise: str) -> None:
    if not holds:
        raise ClaimError(otherwise)


def md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


def show(path: Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


if __name__ == "__main__":
    sys.exit(main())
